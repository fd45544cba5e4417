"""Metrics: counts for machines, in Prometheus' format, from a registry of our own.

Records are counted in plain integers, for incrementing a labelled metric costs twenty times as much; the integers are
read when somebody scrapes. Every label value comes from a closed list that is known at the start, so every series is
there at zero, their number is bounded, and no person, number, address, call or meeting can be in one.
"""

import os
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from monitor import __version__
from monitor.model.accounts import FRAME_CLASSES, envelopes_of, evictions_of
from monitor.model.alerts import Alert, RuleInfo, Severity
from monitor.model.calls import (
    CallAnswered,
    CallEnded,
    CallForwarded,
    CallOffered,
    CallRefused,
    DialInReached,
    KeyPressed,
    MeetingNamed,
    RosterSeen,
)
from monitor.model.evidence import HOUR, SECOND, Nanoseconds
from monitor.model.limits import BOUNDS, Limits
from monitor.model.meetings import Method
from monitor.model.oddities import Oddity, Reason
from monitor.model.roster import Joined, Left, Overstayed, PinRefused, Stayed, Tried, Verdict
from monitor.model.summary import Summary
from monitor.outputs.records import Record, moment_of
from monitor.outputs.written import may_write

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

Series: TypeAlias = tuple[str, ...]
"""The values of a series' labels."""

OTHER = "other"
"""The label of what is in no closed list."""
PROTOCOLS = (
    "capture",
    "link",
    "ip",
    "udp",
    "tcp",
    "hep",
    "sip",
    "sdp",
    "rtp",
    "rtcp",
    "dtmf",
    "kpml",
    "h225",
    "h245",
    "isup",
    "http",
    "tls",
    "dns",
    "conference",
    "decoder",
)
SOURCES = ("capture", "interface", "hep")
SPOILT = ("hep_dropped_not_hep3", "hep_dropped_too_long", "hep_dropped_too_slow", "hep_dropped_incomplete")
"""Of what capture agents send, what was no whole message."""
LOSSES = ("kernel", "interface", "filter", "snaplen", "damage")
KINDS: dict[type[object], str] = {
    CallOffered: "call_offered",
    CallAnswered: "call_answered",
    CallRefused: "call_refused",
    CallForwarded: "call_forwarded",
    CallEnded: "call_ended",
    MeetingNamed: "meeting_named",
    DialInReached: "dial_in_reached",
    KeyPressed: "key_pressed",
    RosterSeen: "roster_seen",
    Joined: "joined",
    Left: "left",
    Stayed: "stayed",
    Overstayed: "overstayed",
    Tried: "tried",
    PinRefused: "pin_refused",
}
ALERT_ACTIVE: Nanoseconds = HOUR
"""An alert is active for so long after its last sighting."""
MAX_COUNTS = 192
"""Names taken from summaries."""
MAX_PLATFORMS = 56
MAX_RULES = 100
"""Pairs of rule and severity. With these limits there are fewer than 2,000 series, whatever is written."""


def may_write_textfile(path: str | Path) -> None:
    """A ConfigError where no textfile can be written: told before an hour of reading, not after it."""
    may_write(path, b"# HELP ", "textfile of metrics", "--metrics-textfile")


class Metrics:
    """Counts records, and tells the counts to whoever scrapes."""

    def __init__(
        self,
        rules: Iterable[RuleInfo] = (),
        platforms: Iterable[str] = (),
        counts: Iterable[str] = (),
        limits: Limits | None = None,
        sizes: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        """`sizes` tells how full each table is; it is asked at each scrape."""
        self._limits = limits or Limits()
        self._sizes = sizes
        pairs: list[Series] = [(rule.name, severity) for rule in rules for severity in rule.severities]
        self._rules = dict.fromkeys(pairs[:MAX_RULES] + [(OTHER, severity) for severity in Severity])
        self._platforms = dict.fromkeys([*list(platforms)[:MAX_PLATFORMS], OTHER])
        self._lock = threading.Lock()
        self._alerts: Counter[Series] = Counter()
        self._alert_times: dict[Series, float] = {}
        self._exemplars: dict[Series, tuple[str, float]] = {}
        """The newest alert of a series: its id, a digest that names nobody, and when."""
        self._known: OrderedDict[str, tuple[Series, Nanoseconds]] = OrderedDict()
        self._suppressed: Counter[Series] = Counter()
        self._quiet: OrderedDict[str, None] = OrderedDict()
        """Alerts that were suppressed, each counted once."""
        self._joins: Counter[Series] = Counter()
        self._present: OrderedDict[str, tuple[str, Verdict]] = OrderedDict()
        self._events: Counter[Series] = Counter()
        self._oddities: Counter[Series] = Counter()
        self._counts: dict[str, int] = dict.fromkeys(list(counts)[:MAX_COUNTS], 0)
        self._packets: Counter[Series] = Counter()
        self._lost: Counter[Series] = Counter()
        self._evicted: Counter[Series] = Counter()
        self._frames: Counter[Series] = Counter()
        self._now: Nanoseconds = 0
        self._registry: CollectorRegistry | None = None
        self.reload_succeeded = True

    def write(self, record: Record) -> None:
        """Counts one record."""
        with self._lock:
            self._now = max(self._now, moment_of(record))
            kind = KINDS.get(type(record))
            if kind is not None:
                self._events[kind,] += 1
            match record:
                case Alert():
                    self._count_alert(record)
                case Joined():
                    self._count_join(record)
                case Left():
                    self._present.pop(record.participant.id, None)
                case Oddity():
                    protocol = record.protocol if record.protocol in PROTOCOLS else OTHER
                    self._oddities[protocol, record.reason] += 1
                case Summary():
                    self._take(record)
                case _:
                    pass

    def restore(self, record: Record) -> None:
        """Knows how things are by a record that was counted before: by an earlier life of this program."""
        with self._lock:
            joins, alerts = Counter(self._joins), Counter(self._alerts)
            match record:
                case Alert():
                    self._count_alert(record)
                case Joined():
                    self._count_join(record)
                case Left():
                    self._present.pop(record.participant.id, None)
                case _:
                    pass
            self._joins, self._alerts = joins, alerts

    def stand(self, records: Iterable[Record]) -> None:
        """Knows that this is how things are, and nobody else is in a meeting: everything was judged anew."""
        with self._lock:
            joins, alerts = Counter(self._joins), Counter(self._alerts)
            self._present.clear()
            for record in records:
                if isinstance(record, Alert):
                    self._count_alert(record)
                elif isinstance(record, Joined):
                    self._count_join(record)
            self._joins, self._alerts = joins, alerts

    def suppress(self, alert: Alert) -> None:
        """Counts an alert that is told to nobody: it is not among the others, and not active."""
        with self._lock:
            self._now = max(self._now, alert.last_seen)
            self._known.pop(alert.id, None)
            if alert.id not in self._quiet:
                rule = alert.rule if any(alert.rule == known for known, _ in self._rules) else OTHER
                self._suppressed[rule,] += 1
            self._quiet[alert.id] = None
            self._quiet.move_to_end(alert.id)
            if len(self._quiet) > self._limits.known_alerts:
                self._quiet.popitem(last=False)
                self._evicted["alerts",] += 1

    def withdraw(self, alert: str) -> None:
        """This alert is none any more, under the lists of now: it was counted, and is not active."""
        with self._lock:
            self._known.pop(alert, None)

    def forget_present(self) -> None:
        """Whoever is in a meeting now will be told anew."""
        with self._lock:
            self._present.clear()

    def take_traffic(self, received: int, dropped: int) -> None:
        """Totals of all live interfaces: what came, and what found its ring full."""
        with self._lock:
            self._packets["interface",] = received
            self._lost["interface", "kernel"] = dropped

    def take_reports(self, counts: Mapping[str, int]) -> None:
        """The same of what capture agents send here: whoever may, and what of it was none of theirs."""
        spoilt = sum(count for name, count in counts.items() if name in SPOILT)
        with self._lock:
            self._packets["hep",] = counts.get("hep_received", 0) + spoilt + counts.get("hep_refused_sender", 0)
            self._lost["hep", "kernel"] = counts.get("hep_dropped_kernel", 0)
            self._lost["hep", "damage"] = spoilt

    def take_sizes(self, sizes: Mapping[str, int], limits: Limits) -> None:
        """How full each table is at this moment, and how full it may become."""
        with self._lock:
            self._sizes, self._limits = lambda: sizes, limits

    def close(self) -> None:
        """Nothing is open."""

    def _count_alert(self, alert: Alert) -> None:
        """Each alert once; one whose severity has changed is counted again, under the new one."""
        series: Series = (alert.rule, alert.severity)
        if series not in self._rules:
            if all(rule != alert.rule for rule, _ in self._rules):
                series = (OTHER, alert.severity)
            self._rules[series] = None  # A rule of ours, in a severity that it did not announce.
        known = self._known.pop(alert.id, None)
        if known is None or known[0] != series:
            self._alerts[series] += 1
            self._exemplars[series] = (alert.id, alert.last_seen / SECOND)
        self._known[alert.id] = (series, alert.last_seen)
        self._alert_times[series] = max(self._alert_times.get(series, 0), alert.last_seen / SECOND)
        if len(self._known) > self._limits.known_alerts:
            self._known.popitem(last=False)
            self._evicted["alerts",] += 1

    def _count_join(self, joined: Joined) -> None:
        who = joined.participant
        platform = who.meeting.platform if who.meeting.platform in self._platforms else OTHER
        if who.id not in self._present:  # A join told anew, for more is known now, is the same join.
            self._joins[platform, who.method, who.verdict] += 1
        meeting = who.occurrence.id if who.occurrence else f"{who.meeting.platform}/{who.meeting.key}"
        self._present[who.id] = (meeting, who.verdict)
        if len(self._present) > self._limits.known_participants:
            self._present.popitem(last=False)
            self._evicted["participants",] += 1

    def _take(self, summary: Summary) -> None:
        """A summary has totals since the start of the run, so they replace those of the one before."""
        for name in summary.counts:
            if name in self._counts or (len(self._counts) < MAX_COUNTS and _is_label(name)):
                self._counts[name] = summary.counts[name]
        accounts, losses = summary.accounts, summary.losses
        self._packets["capture",] = sum(report.frames for report in summary.captures)
        for name in FRAME_CLASSES:
            self._frames[name,] = getattr(accounts, name)
        self._lost["capture", "kernel"] = losses.dropped_by_system
        self._lost["capture", "interface"] = losses.dropped_by_interface
        self._lost["capture", "filter"] = accounts.unreadable
        self._lost["capture", "snaplen"] = losses.cut_frames
        self._lost["capture", "damage"] = losses.damaged_places

    @property
    def registry(self) -> "CollectorRegistry":
        """A registry that holds these metrics and no others."""
        from prometheus_client import CollectorRegistry

        if self._registry is None:
            self._registry = CollectorRegistry(auto_describe=False)
            self._registry.register(self)
        return self._registry

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        from monitor.outputs.exposition import text_of

        return text_of(self.registry)

    def write_textfile(self, path: str | Path) -> None:
        """The same into a file for node_exporter's textfile collector: whole, or not at all."""
        final = Path(path)
        draft = final.resolve().with_name(f".joinwatch.{os.getpid()}")
        try:
            if final.exists() and not final.is_file():
                final.write_bytes(self.text())  # A pipe or a device is written to, never put aside for a file.
                return
            draft.write_bytes(self.text())
            draft.chmod(0o644)  # node_exporter is another user.
            draft.replace(final.resolve())
        except OSError as error:
            error.filename, error.filename2 = str(path), None
            raise
        finally:
            draft.unlink(missing_ok=True)

    @contextmanager
    def serving(self, host: str, port: int) -> Iterator[int]:
        """Answers scrapes until the end of a `with`; gives the port, which the system chooses for 0."""
        from monitor.outputs.exposition import Exposition
        from monitor.outputs.web import Routes, Web
        from monitor.outputs.web_page import landing

        page = landing([("/metrics", "what was counted, for Prometheus")], None)
        routes: Routes = {"/": {"GET": lambda _: page}, "/metrics": {"GET": Exposition(self.registry)}}
        with Web(host, port, routes, named="--metrics-listen") as web:
            yield web.port

    def collect(self) -> Iterator["Metric"]:
        """What the registry asks for at each scrape."""
        with self._lock:
            return iter([*self._of_alerts(), *self._of_meetings(), *self._of_reading(), *self._of_us()])

    def _of_alerts(self) -> Iterator["Metric"]:
        labels = ("rule", "severity")
        alerts = _counter(
            "alerts", "Alerts raised; one that becomes more severe counts again.", labels, self._rules, self._alerts
        )
        yield _with_exemplars(alerts, self._exemplars)
        yield _gauge(
            "alert_last_timestamp_seconds",
            "When the newest such alert was last seen.",
            labels,
            self._rules,
            self._alert_times,
        )
        rules = [(rule,) for rule in dict.fromkeys(rule for rule, _ in self._rules)]
        yield _counter(
            "alerts_suppressed", "Alerts that a suppression keeps quiet.", ("rule",), rules, self._suppressed
        )
        since = self._now - ALERT_ACTIVE
        active: Counter[Series] = Counter(series for series, last_seen in self._known.values() if last_seen > since)
        yield _gauge("alerts_active", "Alerts seen within the last hour of packet time.", labels, self._rules, active)

    def _of_meetings(self) -> Iterator["Metric"]:
        series = [
            (platform, method, verdict) for platform in self._platforms for method in Method for verdict in Verdict
        ]
        yield _counter("joins", "Participants admitted.", ("platform", "method", "verdict"), series, self._joins)
        meetings = len({meeting for meeting, _ in self._present.values()})
        yield _gauge("meetings_active", "Meetings with somebody in them.", (), [()], {(): meetings})
        present: Counter[Series] = Counter((verdict,) for _, verdict in self._present.values())
        verdicts = [(verdict,) for verdict in Verdict]
        yield _gauge("participants_active", "Participants in a meeting now.", ("verdict",), verdicts, present)
        platforms = [(platform,) for platform in self._platforms]
        yield _gauge(
            "coverage_ratio",
            "Share of the sessions of a platform that could be read; 0 while nothing measures it.",
            ("platform",),
            platforms,
            {},
        )
        yield _counter(
            "opaque_sessions", "Sessions of a platform that could not be read.", ("platform",), platforms, {}
        )

    def _of_reading(self) -> Iterator["Metric"]:
        yield _counter("packets", "Packets that came.", ("source",), [(source,) for source in SOURCES], self._packets)
        classes = [(name,) for name in FRAME_CLASSES]
        yield _counter(
            "frames",
            "What became of each packet.",
            ("class",),
            classes,
            self._frames,
        )
        losses = [(source, where) for source in SOURCES for where in LOSSES]
        yield _counter("packets_dropped", "Packets lost or damaged.", ("source", "where"), losses, self._lost)
        yield _counter(
            "events", "Events between the stages.", ("kind",), [(kind,) for kind in KINDS.values()], self._events
        )
        oddities = [(protocol, reason) for protocol in (*PROTOCOLS, OTHER) for reason in Reason]
        yield _counter(
            "oddities",
            "Bytes that did not follow their protocol.",
            ("protocol", "reason"),
            oddities,
            self._oddities,
        )
        yield _by_name("envelopes", "Tags and tunnels opened.", "envelope", envelopes_of(self._counts))
        yield _by_name("evictions", "Entries that a full table forgot.", "table", evictions_of(self._counts))
        names = [(name,) for name in sorted(self._counts)]
        counts: dict[Series, float] = {(name,): count for name, count in self._counts.items()}
        yield _counter("work", "What each stage did, missed and forgot, by its own name.", ("what",), names, counts)

    def _of_us(self) -> Iterator["Metric"]:
        tables = [("alerts",), ("participants",)]
        yield _counter("metrics_evictions", "Entries that a full table here forgot.", ("table",), tables, self._evicted)
        names = [(name,) for name in BOUNDS]
        own = {"known_alerts": len(self._known), "known_participants": len(self._present)}
        sizes: dict[Series, float] = {(name,): size for name, size in (*self._sizes().items(), *own.items())}
        yield _gauge("table_entries", "Entries, or bytes, in a table.", ("table",), names, sizes)
        limits: dict[Series, float] = {(name,): getattr(self._limits, name) for name in BOUNDS}
        yield _gauge("table_limit", "The most that a table holds.", ("table",), names, limits)
        yield _gauge(
            "config_last_reload_successful",
            "1 when the configuration in use is the newest.",
            (),
            [()],
            {(): int(self.reload_succeeded)},
        )
        yield _gauge("build_info", "Always 1.", ("version",), [(__version__,)], {(__version__,): 1})


def _is_label(name: str) -> bool:
    """Whether a count's name is one that our stages would give."""
    return len(name) <= 64 and name.isascii() and name.replace("_", "a").replace(".", "a").isidentifier()


def _counter(
    name: str, about: str, labels: Series, series: Iterable[Series], counts: Mapping[Series, float]
) -> "Metric":
    from prometheus_client.core import CounterMetricFamily

    return _filled(CounterMetricFamily(f"joinwatch_{name}", about, labels=labels), series, counts)


def _with_exemplars(family: "Metric", exemplars: Mapping[Series, tuple[str, float]]) -> "Metric":
    """The same, each series with the alert that was counted last; only OpenMetrics shows it."""
    from prometheus_client.core import Exemplar

    samples = []
    for sample in family.samples:
        found = exemplars.get(tuple(sample.labels.values()))
        exemplar = Exemplar({"alert_id": found[0][:64]}, 1.0, found[1]) if found else None
        samples.append(sample._replace(exemplar=exemplar))
    family.samples = samples
    return family


def _by_name(name: str, about: str, label: str, counts: Mapping[str, int]) -> "Metric":
    """A counter with one label, whose values are the names of these counts."""
    series: dict[Series, float] = {(which,): count for which, count in counts.items()}
    return _counter(name, about, (label,), series, series)


def _gauge(name: str, about: str, labels: Series, series: Iterable[Series], counts: Mapping[Series, float]) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    return _filled(GaugeMetricFamily(f"joinwatch_{name}", about, labels=labels), series, counts)


def _filled(
    family: "CounterMetricFamily | GaugeMetricFamily", series: Iterable[Series], counts: Mapping[Series, float]
) -> "Metric":
    for values in series:
        family.add_metric([str(value) for value in values], counts.get(values, 0))
    return family
