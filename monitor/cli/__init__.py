"""`joinwatch`: the command line. Each command is a file beside this one, imported when it is called.

Exit codes: 0 done; 1 failed; 2 wrong usage or configuration; 3 done, but a capture is damaged; 4 done, and an alert
reached `--fail-on`; 130 interrupted, results so far kept.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

from monitor import __version__
from monitor.cli.speech import say, say_problems
from monitor.model.problems import ConfigError

DONE, FAILED, USAGE, DAMAGED, ALERTED, INTERRUPTED = 0, 1, 2, 3, 4, 130

COMMANDS = {
    "replay": "read captures: who was in which meeting, and who should not have been",
    "decode": "read captures: calls and keys only, no calendar needed",
    "watch": "the daemon: watch a mirror port for months",
    "fetch": "ask a calendar or directory server for lists, into files that the daemon watches",
    "check": "check calendars, directories, policies and configurations before they are used",
    "doctor": "why nothing is seen: cause, proof and next step",
    "explain": "why an alert fired, back to the frames",
    "suppressions": "which alerts are kept quiet, by whom, why and until when",
    "rules": "the rules and what each means",
    "platforms": "the platforms and what is read of each",
    "demo": "replay the bundled incident",
    "pseudonym": "what somebody is called under a key, to search for them",
    "audit": "whether the log of who looked at personal data is whole, and what it says",
    "forget": "erase a person from everything that the daemon keeps",
    "purge": "erase what is older than so many days",
}
_COMMANDS_ARE = f"there are {', '.join(COMMANDS)}"


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line and what to do in the next, instead of repeating every option."""

    def error(self, message: str) -> NoReturn:
        """Ends the run."""
        say(message)
        self.exit(USAGE, f"Try: {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """Every command with its options; nothing heavy is imported for it."""
    top = Parser(
        prog="joinwatch",
        description="Who is in a meeting and should not be? A passive monitor of conference signalling.",
        epilog="exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 done, but a capture is damaged, "
        "4 done, and an alert reached --fail-on, 130 interrupted, results so far kept",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"joinwatch {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=_sentence(summary), allow_abbrev=False)
        _OPTIONS[name](command)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the answer is its exit code. No traceback reaches the user, unless JOINWATCH_DEBUG is set."""
    _open_closed_streams()
    try:
        try:
            return _run(sys.argv[1:] if argv is None else argv)
        finally:
            sys.stdout.flush()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else USAGE
    except ConfigError as error:
        words = sys.argv[1:] if argv is None else argv
        say_problems(error.problems, into_log=words[:1] == ["watch"] and not sys.stderr.isatty())
        return USAGE
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone; there is nobody to tell.
        _forget_output()
        return FAILED
    except OSError as error:
        if os.environ.get("JOINWATCH_DEBUG"):
            raise
        place = os.fsdecode(error.filename) if error.filename else "standard output"
        say(f"{place}: {error.strerror or 'closed'}")
        _forget_output()
        return FAILED
    except Exception as error:
        if os.environ.get("JOINWATCH_DEBUG"):
            raise
        say(f"internal error ({type(error).__name__}); this is a fault of joinwatch, please report it")
        print("Set JOINWATCH_DEBUG=1 to see where it happened.", file=sys.stderr)
        return FAILED


def _run(words: Sequence[str]) -> int:
    """What was asked for."""
    if not words:
        parser().print_help(sys.stderr)
        say("no command was given; `joinwatch demo` shows what it does")
        return USAGE
    wrong = words[0] if words[0] not in COMMANDS and not words[0].startswith("-") else None
    if wrong is not None:
        from difflib import get_close_matches

        close = get_close_matches(wrong, COMMANDS, n=1)
        say(f"there is no command {wrong!r}; " + (f"did you mean {close[0]}?" if close else _COMMANDS_ARE))
        return USAGE
    top = parser()
    options, unknown = top.parse_known_args(words)
    if unknown:
        return _unknown(unknown[0], options.command, top)
    signal.signal(signal.SIGTERM, _interrupt)
    code: int = import_module(f"monitor.cli.{options.command}").run(options)
    return code


def _unknown(word: str, command: str, top: argparse.ArgumentParser) -> int:
    """Says that a command has no such option or argument, and which one was meant."""
    from difflib import get_close_matches

    near: list[str] = []
    if word.startswith("-"):
        for action in top._actions:  # noqa: SLF001 - argparse has no other way to its own commands
            if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
                known = action.choices[command]._option_string_actions  # noqa: SLF001
                near = get_close_matches(word.partition("=")[0], known, n=1)
    what = "option" if word.startswith("-") else "argument"
    say(f"{command} has no {what} {word!r}" + (f"; did you mean {near[0]}?" if near else ""))
    print(f"Try: joinwatch {command} --help", file=sys.stderr)
    return USAGE


def _open_closed_streams() -> None:
    """Standard output or error that the caller has closed: what goes there is lost, and nothing else is harmed."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # Not to the device itself: an answer that was asked for must not vanish as if it had been given.
            closed = open(os.devnull, "w" if name == "stderr" else "r", encoding="utf-8")  # noqa: SIM115, PTH123
            setattr(sys, name, closed)


def _forget_output() -> None:
    """Lets nothing more be written, when Python empties its buffers at the end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _sentence(summary: str) -> str:
    return summary[0].upper() + summary[1:] + "."


def _interrupt(signum: int, frame: object) -> None:
    """A polite kill keeps the results so far, as Ctrl-C does."""
    del signum, frame
    raise KeyboardInterrupt


def _captures(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "captures",
        nargs="+",
        metavar="CAPTURE",
        help="pcap or pcapng, plain, gzip or zstd; a folder of them; - for standard input",
    )
    command.add_argument(
        "--json", metavar="FILE", help="write JSON lines to FILE; - for standard output, and only there"
    )


def _expected(command: argparse.ArgumentParser) -> None:
    command.add_argument("--meetings", metavar="PATH", action="append", default=[], help="iCalendar file or folder")
    command.add_argument("--directory", metavar="PATH", action="append", default=[], help="vCard or CSV file or folder")
    command.add_argument("--policy", metavar="FILE", help="TOML file: classifications, trusted trunks, bridges")


def _pseudonyms(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--pseudonyms",
        metavar="KEYFILE",
        help="replace every name, number and address by a digest with the key in this file (32 random bytes or more)",
    )


def _results(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--fail-on",
        metavar="SEVERITY",
        choices=("low", "medium", "high", "critical"),
        help="exit with 4 when an alert of at least this severity was raised: low, medium, high or critical",
    )
    command.add_argument(
        "--metrics-listen", metavar="HOST:PORT", help="serve Prometheus metrics; after the replay until Ctrl-C"
    )
    command.add_argument("--metrics-textfile", metavar="FILE", help="write Prometheus metrics to FILE at the end")


def _replay_options(command: argparse.ArgumentParser) -> None:
    _captures(command)
    _expected(command)
    _results(command)
    _pseudonyms(command)


def _decode_options(command: argparse.ArgumentParser) -> None:
    _captures(command)
    command.add_argument("--policy", metavar="FILE", help="TOML file: access numbers and bridges of the site")
    _pseudonyms(command)


def _watch_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--config", metavar="FILE", required=True, help="TOML file: interfaces, lists, state folder")
    command.add_argument(
        "--role",
        choices=("capture", "decode", "serve"),
        help="be one of the three processes and start none, where systemd keeps them alive; by default all three",
    )


def _fetch_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("what", choices=("calendars", "people"), help="by CalDAV, or by LDAP")
    command.add_argument("--config", metavar="FILE", required=True, help="the daemon's configuration: [fetch.…] in it")
    command.add_argument("--once", action="store_true", help="fetch once and end, instead of again and again")
    command.add_argument(
        "--accept-shrink", action="store_true", help="take a list also when more than half of it is gone"
    )


_CHECKED = ".toml policy, configuration or suppressions, .ics calendar, .vcf or .csv directory, web.yml; or folders"


def _check_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("files", nargs="+", metavar="FILE", help=_CHECKED)


def _explain_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "alert",
        metavar="ALERT-ID",
        nargs="?",
        help="the alert's id, its first characters, or its rule; without it, a list of the journal's alerts",
    )
    command.add_argument(
        "--journal", metavar="FILE", help="JSON lines of the replay (--json FILE), or the daemon's journal folder"
    )
    command.add_argument("--config", metavar="FILE", help="the daemon's configuration: explain from its journal")
    command.add_argument("--reason", metavar="TEXT", help="why you look; goes into the daemon's audit log")
    command.add_argument(
        "--captures", metavar="PATH", action="append", default=[], help="where the captures are, if not where they were"
    )
    command.add_argument("--policy", metavar="FILE", help="show times in the time zone of this policy, instead of UTC")
    _pseudonyms(command)


def _doctor_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("captures", nargs="*", metavar="CAPTURE", help="why a replay of it finds nothing")
    command.add_argument("--interface", metavar="IF", action="append", default=[], help="why nothing is seen on it")
    command.add_argument("--config", metavar="FILE", help="the daemon's configuration, whether it runs or not")
    _expected(command)
    command.add_argument(
        "--seconds",
        metavar="N",
        default="10",
        help="listen so long to interfaces (10); up to six times so long while nobody signals",
    )
    command.add_argument("--connect", action="store_true", help="try whether the configuration's sinks answer")
    command.add_argument("--people", action="store_true", help="show whole numbers and addresses of calls")
    command.add_argument(
        "--json", metavar="FILE", help="write JSON lines to FILE; - for standard output, and only there"
    )


def _privacy(command: argparse.ArgumentParser) -> None:
    command.add_argument("--config", metavar="FILE", required=True, help="the daemon's configuration")
    command.add_argument("--dry-run", action="store_true", help="say how much would go, and change nothing")
    command.add_argument("--yes", action="store_true", help="do not ask whether you are sure")
    command.add_argument("--reason", metavar="TEXT", help="why; goes into the audit log")


def _audit_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("what", choices=("verify", "show"), help="check the chain, or print the entries")
    command.add_argument("folder", metavar="FOLDER", nargs="?", help="the log, where there is no configuration")
    command.add_argument("--config", metavar="FILE", help="the daemon's configuration")
    command.add_argument("--key", metavar="KEYFILE", help="the key of [audit] key, to check signatures")
    command.add_argument("--expect", metavar="NUMBER:HASH", help="an end that an earlier `verify` told: must be in it")


def _forget_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("subject", metavar="SUBJECT", help="tel:, sip:, mailto:, ip:, or a name of the directory")
    _privacy(command)


def _purge_options(command: argparse.ArgumentParser) -> None:
    kinds = ("alerts", "joins", "attempts", "calls", "rosters", "oddities", "others", "memory", "audit")
    command.add_argument("--older-than", metavar="AGE", required=True, help="90d, 26h or 4w")
    command.add_argument("--kind", action="append", choices=kinds, help="only this kind; may be given again")
    _privacy(command)


def _suppressions_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE", help="TOML file: owner, reason and last day of each suppression")
    command.add_argument(
        "--test",
        metavar="JOURNAL",
        help="explain which alerts of a journal (file or folder) it keeps quiet, and why",
    )
    command.add_argument(
        "--reason", metavar="TEXT", help="why you look into a daemon's journal; goes into its audit log"
    )


def _demo_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--json", metavar="FILE", help="write JSON lines to FILE; - for standard output, and only there"
    )
    _results(command)
    _pseudonyms(command)


def _pseudonym_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--key", metavar="KEYFILE", required=True, help="the key of --pseudonyms")
    command.add_argument("--policy", metavar="FILE", help="TOML file: the country whose numbers may lack their code")
    command.add_argument("subjects", metavar="SUBJECT", nargs="+", help="tel:, sip:, mailto:, ip:, or a name")


_OPTIONS = {
    "replay": _replay_options,
    "decode": _decode_options,
    "watch": _watch_options,
    "fetch": _fetch_options,
    "check": _check_options,
    "doctor": _doctor_options,
    "explain": _explain_options,
    "suppressions": _suppressions_options,
    "rules": lambda _: None,
    "platforms": lambda _: None,
    "demo": _demo_options,
    "pseudonym": _pseudonym_options,
    "audit": _audit_options,
    "forget": _forget_options,
    "purge": _purge_options,
}
