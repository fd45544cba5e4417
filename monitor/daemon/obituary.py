"""What a process says of its own death: where, and of what, and never the words of an exception.

Those words may hold what came from the wire, or a line of a calendar; a log must hold neither.
"""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

Died = Callable[[type[BaseException], BaseException, TracebackType | None], None]


def leave_only_a_place(role: str) -> None:
    """From now on, whatever kills this process, or a thread of it, is told in one line without its words."""
    died = told_by(role)
    sys.excepthook = died
    threading.excepthook = lambda death: died(death.exc_type, death.exc_value or death.exc_type(), death.exc_traceback)


def told_by(role: str) -> Died:
    """Writes that line."""

    def died(kind: type[BaseException], _: BaseException, trace: TracebackType | None) -> None:
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        code = trace.tb_frame.f_code if trace is not None else None
        where = f" in {code.co_name} ({Path(code.co_filename).name}:{trace.tb_lineno})" if code and trace else ""
        print(f"joinwatch: {role}: {kind.__name__}{where}", file=sys.stderr, flush=True)  # noqa: T201

    return died
