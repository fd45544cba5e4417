"""What the settings ask for where people are concerned: pseudonyms, and the log of who looked."""

from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.model.policy import Policy
from monitor.model.settings import Settings
from monitor.outputs.audit import Audit
from monitor.pipeline import Record, load_expected

if TYPE_CHECKING:
    from monitor.outputs.pseudonyms import Pseudonyms


def audit_of(settings: Settings) -> Audit | None:
    """The log, ready to be written; none where it is off. Raises `ConfigError` for its key, and `OSError`."""
    if not settings.audit.enabled:
        return None
    key = b""
    if settings.audit.key is not None:
        from monitor.outputs.pseudonyms import key_in

        key = key_in(Path(settings.audit.key))
    audit = Audit(Path(settings.state) / "audit", key)
    audit.begin(reasons=settings.audit.reasons)
    return audit


def pseudonyms_of(settings: Settings, policy: Policy | None = None) -> "Pseudonyms | None":
    """What everybody is called; none where they are called by their names. Raises `ConfigError`.

    Without a `policy` it is the one that the settings name.
    """
    if settings.pseudonyms is None:
        return None
    from monitor.outputs.pseudonyms import Pseudonyms
    from monitor.sources.numbers import number_text_for

    if policy is None:
        policy = load_expected(policy_file=Path(settings.policy) if settings.policy else None).policy
    number_text = number_text_for(policy.country_code)
    return Pseudonyms.of_file(Path(settings.pseudonyms), number_text=number_text, markings=policy.classifications)


def hiding(settings: Settings, policy: Policy | None = None) -> Callable[[Record], Record] | None:
    """What is done to each record before it is told."""
    found = pseudonyms_of(settings, policy)
    return found.record if found else None


def digest_of(settings: Settings, config: Path) -> str:
    """A short digest of the configuration and the lists that it names, as they are on disk now."""
    whole = sha256()
    named = (str(config), settings.policy or "", settings.suppressions or "", *settings.meetings, *settings.directory)
    for path in map(Path, filter(None, named)):
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            with suppress(OSError):
                if file.is_file():
                    whole.update(sha256(file.read_bytes()).digest())
    return whole.hexdigest()[:16]
