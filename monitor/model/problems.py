"""The operator is wrong: what is said of a configuration, calendar, directory or policy that cannot be used."""

from collections.abc import Iterable

import msgspec


class Problem(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One mistake in one file, so told that its author can mend it."""

    file: str
    line: int
    """Counts from 1; 0 when the mistake is the file as a whole."""
    found: str
    """What stands there, in a few words; never a secret."""
    expected: str
    """What would be right."""
    is_private: bool = False
    """Whether the file names people though its name does not say so."""

    @property
    def for_log(self) -> str:
        """The same without what stands in a list of people, for there it may be one of them."""
        if not self.is_private and not self.file.lower().endswith((".ics", ".vcf", ".csv")):
            return str(self)
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: expected {self.expected}; `joinwatch check` shows what stands there"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.found}; expected {self.expected}"


class ConfigError(Exception):
    """Files of the operator that cannot be used: all their mistakes, in one go."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))
