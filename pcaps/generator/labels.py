"""What a story must lead to: the truth against which the monitor is measured, written beside the capture as TOML."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pcaps.generator.wire import Frame, Sent

RULES = (
    "uninvited-participant",
    "anonymous-participant",
    "forbidden-join-method",
    "classification-exceeds-platform",
    "identity-mismatch",
    "duplicate-identity",
    "pin-bypass",
    "pin-bruteforce",
    "meeting-enumeration",
    "outside-schedule",
    "unscheduled-meeting",
)
"""The rules for which the labels are complete: an alert of one of these that is not listed is a false one."""
Mark = Frame | Sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Somebody who must be seen to come in."""

    call: str
    subject: str
    method: str
    verdict: str
    uid: str
    key: str
    at: int
    marks: dict[str, Mark]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alert that must be raised, and the reason in words."""

    rule: str
    severity: str
    subject: str
    uid: str
    why: str
    marks: tuple[Mark, ...]
    open: bool = False
    """Whether the rules leave open which of several subjects is named."""


@dataclass(slots=True)
class Labels:
    """Everything that one story must lead to."""

    joins: list[Join] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    joins_complete: bool = True
    """False where the rules leave open whether there are more joins than these."""
    further: list[Alert] = field(default_factory=list)
    """Alerts of rules beyond `RULES`, for when these are measured too."""


def number_of(mark: Mark) -> int:
    """The frame's number, once the world is over."""
    frame = mark.frame if isinstance(mark, Sent) else mark
    if frame is None or not frame.number:
        raise ValueError("a label names a frame that is not in the capture")
    return frame.number


def quoted(text: str) -> str:
    """A TOML basic string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _list(texts: Iterable[str]) -> str:
    return "[" + ", ".join(map(quoted, texts)) + "]"


def _alert(table: str, alert: Alert) -> str:
    return "\n".join(
        (
            f"[[{table}]]",
            f"rule = {quoted(alert.rule)}",
            f"severity = {quoted(alert.severity)}",
            f"subject = {quoted(alert.subject)}",
            f"subject_is_open = {str(alert.open).lower()}",
            f"uid = {quoted(alert.uid)}",
            f"why = {quoted(alert.why)}",
            f"frames = {sorted({number_of(mark) for mark in alert.marks})}",
        )
    )


def _join(join: Join, time: str) -> str:
    frames = ", ".join(f"{name} = {number_of(mark)}" for name, mark in join.marks.items())
    return "\n".join(
        (
            "[[joins]]",
            f"subject = {quoted(join.subject)}",
            f"method = {quoted(join.method)}",
            f"verdict = {quoted(join.verdict)}",
            f"uid = {quoted(join.uid)}",
            f"key = {quoted(join.key)}",
            f"call = {quoted(join.call)}",
            f"joined_at = {time}",
            f"frames = {{ {frames} }}",
        )
    )


def toml_of(labels: Labels, head: dict[str, str | Sequence[str]], times: Iterable[str]) -> str:
    """The whole file; an empty `uid` stands for a meeting in no calendar, or for several meetings."""
    top = [f"{key} = {quoted(value) if isinstance(value, str) else _list(value)}" for key, value in head.items()]
    top.append(f"joins_complete = {str(labels.joins_complete).lower()}")
    if not labels.joins:
        top.append("joins = []")
    if not labels.alerts:
        top.append("alerts = []")
    parts = ["\n".join(top)]
    parts += [_join(join, time) for join, time in zip(labels.joins, times, strict=True)]
    parts += [_alert("alerts", alert) for alert in labels.alerts]
    parts += [_alert("further_alerts", alert) for alert in labels.further]
    return "\n\n".join(parts) + "\n"
