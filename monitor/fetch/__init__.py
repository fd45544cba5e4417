"""Fetchers: programs of their own that ask a calendar or directory server, and write what it says into files.

    server ── CalDAV, LDAP ──→ fetcher ── files ──→ the daemon, which watches them

The daemon itself never connects anywhere; a fetcher never sees a packet. Both are off until somebody configures them.
What a server says is checked as the operator's own files are before it takes the place of what was there; when it is
away, or says what cannot be true, the files stay as they are, and the fetcher says so.
"""
