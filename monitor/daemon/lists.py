"""What the operator gave, as it is on disk now: the configuration, and the lists that it names."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from monitor.model.problems import ConfigError, Problem
from monitor.model.settings import Settings
from monitor.pipeline import Expected, load_expected
from monitor.sources.settings import load_settings

TAKEN = ("meetings", "directory", "policy", "fetch")
"""Keys of the configuration that a reload takes, or that are for others. Every other is for the start."""


class Lists:
    """Read anew at each reload."""

    def __init__(self, config: Path, settings: Settings) -> None:
        """`settings` are those of the start."""
        self._config = config
        self._begun = self.settings = settings
        self.needs_restart: tuple[str, ...] = ()
        """What has changed in the configuration and is not taken before the next start."""

    def load(self) -> Expected:
        """Everything; raises `ConfigError` with every mistake in any file, and everything is as it was."""
        problems: list[Problem] = []
        settings = self.settings
        try:
            settings = load_settings(self._config)
        except ConfigError as error:
            problems += error.problems
        try:
            expected = expected_by(settings)
        except ConfigError as error:
            raise ConfigError([*problems, *error.problems]) from None
        if self._begun.capture.hep.listen and not expected.policy.site.hep_senders:
            problems.append(no_agents(settings))
        if problems:
            raise ConfigError(problems)
        self.settings = settings
        others = (field.name for field in msgspec.structs.fields(settings) if field.name not in TAKEN)
        self.needs_restart = tuple(name for name in others if getattr(settings, name) != getattr(self._begun, name))
        return expected

    def paths(self) -> Iterator[Path]:
        """Every file and folder in which a change counts."""
        settings = self.settings
        named = (*settings.meetings, *settings.directory, settings.policy, self._begun.suppressions)
        yield self._config
        yield from (Path(path) for path in named if path)


def expected_by(settings: Settings) -> Expected:
    """What the lists say that these settings name. Raises `ConfigError`."""
    return load_expected(
        [Path(path) for path in settings.meetings],
        [Path(path) for path in settings.directory],
        Path(settings.policy) if settings.policy else None,
    )


def no_agents(settings: Settings) -> Problem:
    """A listener for capture agents, and nobody who may report: it would be deaf, and look as if it were not."""
    return Problem(
        file=settings.policy or "policy",
        line=0,
        found="no agent may report, and [capture.hep] listens for them",
        expected='[site] hep_senders = ["192.0.2.30"], the addresses of the agents',
    )


def of_bug(error: Exception) -> ConfigError:
    """A list that we cannot read, through a fault of our own or of the disk: the lists of before stay."""
    file, found = "lists", type(error).__name__
    if isinstance(error, OSError) and error.filename is not None:
        file, found = str(error.filename), (error.strerror or found).lower()
    return ConfigError([Problem(file=file, line=0, found=found, expected="lists that can be read")])


def read_by(*loads: Callable[[], object]) -> Sequence[object]:
    """What each of these reads, all mistakes together in one `ConfigError`; a bug in one of them is a mistake, too."""
    problems: list[Problem] = []
    given: list[object] = []
    for load in loads:
        try:
            given.append(load())
        except ConfigError as error:
            problems += error.problems
        except Exception as error:
            # A daemon that dies of a list dies of it again when it starts, and again: it must go on with the last ones.
            problems += of_bug(error).problems
    if problems:
        raise ConfigError(problems)
    return given
