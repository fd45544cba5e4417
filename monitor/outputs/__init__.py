"""Who must know: records → the journal, metrics, and a page for people.

`OUTPUTS` names every output there is; a test sends hostile text through each of them. Each is imported from its file
by whoever needs it, so that a command pays only for what it writes.
"""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from monitor.outputs.records import Record


class Output(Protocol):
    """Somewhere that records go."""

    def write(self, record: "Record") -> None:
        """Takes one record, in the order of time; those that it has no use for it lets pass."""
        ...

    def close(self) -> None:
        """Everything was written."""
        ...


OUTPUTS = ("journal", "metrics", "terminal", "calls")
