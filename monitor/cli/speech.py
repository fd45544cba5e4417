"""What the command line says beside its results: on standard error, and never more than a terminal may be told."""

import sys
from collections.abc import Iterable

from monitor.model.problems import Problem

LONGEST = 2000
"""Characters of one message: a path may be twice as long, and nobody reads it then."""


def say(text: str) -> None:
    """One message. A name in it may be anybody's, so control characters are shown as escapes, in letters."""
    from monitor.outputs.page import is_terminal
    from monitor.outputs.safe import shown

    line = shown(f"joinwatch: {text}", LONGEST)
    if is_terminal(sys.stderr):
        import shutil
        import textwrap

        # A file or a pipe keeps each message on a line of its own, so that it can be searched.
        width = max(shutil.get_terminal_size().columns, 40)
        line = textwrap.fill(line, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    print(line, file=sys.stderr)


def say_problems(problems: Iterable[Problem], *, into_log: bool = False) -> None:
    """Every mistake, sorted by file and line; of people nothing where it goes into a log."""
    for problem in problems:
        say(problem.for_log if into_log else str(problem))
