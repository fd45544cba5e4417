"""The manual page joinwatch(1), made from the command line's own words."""

import argparse

from monitor import __version__
from monitor.cli import COMMANDS, parser


def page() -> str:
    """In man(7)."""
    top = parser()
    commands = next(action for action in top._actions if isinstance(action, argparse._SubParsersAction))  # noqa: SLF001
    lines = [
        f'.TH JOINWATCH 1 "" "joinwatch {__version__}" "User Commands"',
        ".SH NAME",
        r"joinwatch \- who is in a meeting and should not be",
        ".SH SYNOPSIS",
        r".B joinwatch",
        r"\fICOMMAND\fR [\fIOPTION\fR]...",
        ".SH DESCRIPTION",
        _plain(f"{top.description} It only listens: it never sends a packet on a watched network."),
        ".SH COMMANDS",
    ]
    for name, summary in COMMANDS.items():
        lines += [".SS " + name, _plain(f"{summary[0].upper()}{summary[1:]}.")]
        for action in commands.choices[name]._actions:  # noqa: SLF001
            if action.help == argparse.SUPPRESS or action.dest == "help":
                continue
            lines += [".TP", rf"\fB{_plain(_named(action))}\fR", _plain(_told(action))]
    lines += [".SH EXIT STATUS", _plain((top.epilog or "").removeprefix("exit codes: ") + "."), ".SH FILES"]
    for path, what in (
        ("/etc/joinwatch/joinwatch.toml", "what the daemon watches"),
        ("/var/lib/joinwatch", "its memory and its journal, which name people"),
        ("/usr/share/doc/joinwatch/examples", "lists and a policy to begin with, rules for Prometheus"),
    ):
        lines += [".TP", f".I {path}", _plain(what)]
    lines += [".SH SEE ALSO", r".BR systemd (1),", r".BR tshark (1)"]
    return "\n".join(lines) + "\n"


def _named(action: argparse.Action) -> str:
    value = action.metavar or action.dest.upper()
    words = " ".join(value) if isinstance(value, tuple) else value
    if not action.option_strings:
        return words
    return ", ".join(action.option_strings) + ("" if action.nargs == 0 else f" {words}")


def _told(action: argparse.Action) -> str:
    return ((action.help or "") % {**vars(action), "prog": "joinwatch"}) or "."


def _plain(text: str) -> str:
    """Text in which nothing is read as a command of troff."""
    safe = " ".join(text.split()).replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq")
    for sign, name in (("…", "..."), ("“", r"\(lq"), ("”", r"\(rq")):
        safe = safe.replace(sign, name)
    return rf"\&{safe}" if safe.startswith(".") else safe
