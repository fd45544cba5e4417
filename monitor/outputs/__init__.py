"""Who must know: records → the journal, metrics, and a page for people.

`OUTPUTS` names every output there is; a test sends hostile text through each of them.
"""

from typing import Protocol

from monitor.outputs.calls import CallList
from monitor.outputs.journal import Journal
from monitor.outputs.metrics import Metrics
from monitor.outputs.records import Record
from monitor.outputs.terminal import Terminal


class Output(Protocol):
    """Somewhere that records go."""

    def write(self, record: Record) -> None:
        """Takes one record, in the order of time; those that it has no use for it lets pass."""
        ...

    def close(self) -> None:
        """Everything was written."""
        ...


OUTPUTS: dict[str, type[Output]] = {
    "journal": Journal,
    "metrics": Metrics,
    "terminal": Terminal,
    "calls": CallList,
}
