"""A story: a function that tells it, where its capture goes, and the calendar, directory and policy it is read with."""

from collections.abc import Callable
from dataclasses import dataclass

from pcaps.generator import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One capture to be."""

    path: str
    """Below `pcaps/`, without suffix."""
    tell: Callable[[World], None]
    day: str
    """The local date on which times without a date lie."""
    meetings: tuple[str, ...]
    """Relative to the labels' own folder, as are the next two."""
    directory: tuple[str, ...]
    policy: str
    vlan: int | None = None
    standards: tuple[str, ...] = ("RFC 3261", "RFC 3264", "RFC 3325", "RFC 3550", "RFC 4566", "RFC 4733")

    @property
    def shows(self) -> str:
        """The first paragraph of the teller's docstring, on one line."""
        return " ".join((self.tell.__doc__ or "").split("\n\n")[0].split())

    def told(self) -> World:
        """The world after the story."""
        world = World(self.path, day=self.day, vlan=self.vlan)
        self.tell(world)
        return world
