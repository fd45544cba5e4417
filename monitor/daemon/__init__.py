"""The daemon: one process tree, three privileges, and links between them.

    capture ── rings, by descriptor ──→ decode ── events ──→ serve ── journal, metrics
       ↑                                                       │
       └───────────── nothing ever flows back but lists of expected meetings ──┘

*capture* opens packet sockets while it may, then gives up every privilege and hands the rings out; it parses nothing.
*decode* reads hostile bytes, with no file, no network and hardly a system call. *serve* correlates what decode says,
keeps memory and journal and answers HTTP; it never sees a packet. Whoever dies is started again, and the others go on:
the rings belong to capture, so that a new decoder finds what the old one left.
"""
