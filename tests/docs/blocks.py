"""The fenced blocks of the pages, and a folder in which those that can run do.

A page may say something about a block that its readers do not see, in comments of HTML on the lines before it:

    <!-- not run: needs a mirror port -->     its syntax alone is checked
    <!-- exit: 4 -->                          its last command ends with that code
    <!-- file: suppressions.toml -->          it is that file, for the blocks that come after it
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from monitor.cli import parser
from tests.corpus import ROOT

LANGUAGES = {"sh", "console", "toml", "yaml", "json", "jsonl", "python", "promql", "ini", "text", "mermaid"}
PAGES = sorted(
    path
    for path in [
        ROOT / "README.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "deploy").rglob("*.md"),
        *(ROOT / "pcaps").glob("*.md"),
    ]
)
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- (not run|exit|file): (.+?) -->")
_OPERATORS = set("();<>|&")
BEFORE_COMMANDS = {"sudo", "exec", "env", "time", "!", "then", "do", "else", "if", "while"}


class Block(NamedTuple):
    """One of them."""

    page: Path
    line: int
    language: str
    text: str
    marks: dict[str, str]

    def __str__(self) -> str:
        return f"{name_of(self.page)}:{self.line}"


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks_of(page: Path) -> list[Block]:
    """In their order."""
    text = page.read_text(encoding="utf-8")
    return [_block(page, text, found) for found in _FENCE.finditer(text)]


def _block(page: Path, text: str, found: re.Match[str]) -> Block:
    lines = text[: found.start()].splitlines()
    above = []
    while lines and (not lines[-1].strip() or _MARK.fullmatch(lines[-1].strip())):
        above.append(lines.pop())
    indent = found["indent"]
    inside = "".join(line.removeprefix(indent) for line in found["text"].splitlines(keepends=True))
    marks = dict(_MARK.findall("\n".join(above)))
    return Block(page, text.count("\n", 0, found.start()) + 1, found["language"].strip(), inside, marks)


def without_blocks(page: Path) -> str:
    """The rest of the page, line for line."""
    return _FENCE.sub(lambda found: "\n" * found[0].count("\n"), page.read_text(encoding="utf-8"))


def commands_in(text: str) -> Iterator[list[str]]:
    """The simple commands of a script, without redirections; what stands in quotes is not looked into."""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        redirected = False
        for word in lexer:
            if set(word) <= _OPERATORS:
                if "<" in word or ">" in word:
                    redirected = True
                    if words and words[-1].isdigit():
                        words.pop()
                    continue
                if words:
                    yield words
                words = []
            elif redirected:
                redirected = False
            else:
                words.append(word)
        if words:
            yield words


def program_of(words: list[str]) -> list[str]:
    """The command from its program on: what stands before it, as `sudo` or `A=b` do, is left out."""
    while words and (words[0] in BEFORE_COMMANDS or re.match(r"[A-Za-z_]+=", words[0])):
        words = words[1:]
    return words


def misuse_in(text: str) -> list[str]:
    """Commands of joinwatch in a script that joinwatch would not take."""
    wrong = []
    for words in map(program_of, commands_in(text)):
        if words and Path(words[0]).name == "joinwatch":
            try:
                parser().parse_args(words[1:])
            except SystemExit as stop:
                if stop.code:
                    wrong.append(shlex.join(words))
    return wrong


def prompts_in(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a console and what each answers."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        command = [lines.pop(0)]
        while lines and (lines[0].startswith("> ") or command[-1].endswith("\\")):
            command.append(lines.pop(0).removeprefix("> "))
        yield "\n".join(command), "\n".join(lines)


def is_as_told(said: str, told: str) -> bool:
    """Whether a program said what a page tells: `…` stands for anything, on a line of its own for any lines."""
    parts = []
    for line in told.strip("\n").split("\n"):
        if line.strip() == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(re.escape(line.rstrip()).replace("…", ".*?") + "\n")
    plain = "".join(line.rstrip() + "\n" for line in said.strip("\n").split("\n"))
    return re.fullmatch("".join(parts), plain) is not None


class Scene:
    """A checkout with `joinwatch` on the path of an environment, and an operator's own files beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("config", "pcaps", "deploy", "docs"):
            (folder / name).symlink_to(ROOT / name)
        programs = folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        (programs / "activate").write_text(f'PATH="{programs}:$PATH"\n')
        self._program(programs / "joinwatch", f'exec "{sys.executable}" -m monitor "$@"')
        self._program(programs / "python", f'exec "{sys.executable}" "$@"')
        example = ROOT / "config" / "example"
        for name in ("trunk.pcapng", "trunk.pcap"):
            shutil.copy(ROOT / "pcaps" / "incident" / "incident.pcap", folder / name)
        shutil.copytree(example / "meetings", folder / "calendars")
        shutil.copy(example / "directory.vcf", folder / "people.vcf")
        shutil.copy(example / "policy.toml", folder / "policy.toml")
        (folder / "joinwatch.toml").write_text(
            'state = "state"\nruntime = "run"\nmeetings = ["calendars"]\ndirectory = ["people.vcf"]\n'
            'policy = "policy.toml"\n[capture]\ninterfaces = ["eth1"]\n'
        )
        self.environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(folder),
            "TZ": "UTC",
            "COLUMNS": "80",
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
        }

    @staticmethod
    def _program(path: Path, line: str) -> None:
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)

    def run(self, script: str, seconds: int = 120) -> subprocess.CompletedProcess[str]:
        """What the shell makes of it; both outputs in one, as on a terminal."""
        return subprocess.run(
            ["sh", "-eu", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env=self.environment,
            timeout=seconds,
            check=False,
        )

    def missing_for(self, script: str) -> list[str]:
        """Programs that it starts and that are not installed here."""
        path = self.environment["PATH"]
        programs = {words[0] for words in map(program_of, commands_in(script)) if words}
        builtins = {
            ".",
            "cd",
            "set",
            "export",
            "umask",
            "for",
            "done",
            "fi",
            "case",
            "esac",
            "{",
            "}",
            "[",
            "wait",
            "kill",
        }
        return sorted(
            p for p in programs - builtins if "/" not in p and "$" not in p and not shutil.which(p, path=path)
        )
