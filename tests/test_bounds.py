"""Nothing grows without limit: every table under flood, and what is known good is kept while strangers wait."""

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sized
from collections.abc import Set as AbstractSet
from functools import cache
from heapq import merge
from pathlib import Path

import msgspec
import pytest

from bench import floods
from monitor.model.alerts import Alert
from monitor.model.evidence import DAY, HOUR, SECOND
from monitor.model.limits import BOUNDS, MIB, Limits
from monitor.model.packets import Frame
from monitor.model.problems import ConfigError
from monitor.outputs.metrics import Metrics
from monitor.pipeline import Expected, Record, Replay, load_expected
from monitor.sources.policies import load_policy
from tests.test_pipeline import Kept

SMALL = 400
"""Entries of every table in these tests; floods have many more."""
PACKETS = 2_400
PEOPLE = 10
OUTPUTS = ("known_alerts", "known_participants", "page_participants", "page_alerts")


def small(**other: int) -> Limits:
    """Every table as small as each other, and its bytes in proportion."""
    sizes = {name: MIB if name.endswith("_bytes") else SMALL for name in BOUNDS}
    return Limits(**(sizes | other))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Expected:
    folder = tmp_path_factory.mktemp("floods")
    floods.lay_out(folder)
    return load_expected([folder / "meetings"], [folder / "directory.vcf"], folder / "policy.toml")


class Frames:
    """A source of frames that were never written down."""

    def __init__(self, frames: Iterator[floods.Timed]) -> None:
        self.frames = frames
        self.reports = ()

    def __iter__(self) -> Iterator[Frame]:
        for number, (at, data) in enumerate(self.frames, 1):
            yield Frame(at, "flood.pcap", number, 1, data, len(data))

    def widen(self, ask: object) -> None:
        """All is let through."""


def replayed(
    expected: Expected, frames: Iterator[floods.Timed], limits: Limits, *outputs: object, finish: bool = True
) -> tuple[Replay, list[Record]]:
    """A run over these frames, and what it told."""
    kept = Kept()
    policy = msgspec.structs.replace(expected.policy, limits=limits)
    pipeline = Replay(Frames(frames), msgspec.structs.replace(expected, policy=policy), [kept, *outputs])  # type: ignore[list-item]
    pipeline.run()
    if finish:
        pipeline.finish()
    return pipeline, kept.records


def found_in(records: list[Record]) -> set[str]:
    """The planted people whose joins were alerted."""
    alerted = {r.subject for r in records if isinstance(r, Alert) and r.rule == "uninvited-participant"}
    return alerted & {f"tel:{floods.outsider(n)}" for n in range(PEOPLE)}


def sizes_of(root: object) -> dict[str, int]:
    """Path → number of entries, of every container that can be reached from here through objects of this program.

    Containers within containers count together under their common path, so that a table of many small ones shows too.
    """
    sizes: dict[str, int] = {}
    seen: set[int] = set()
    waiting: deque[tuple[str, object]] = deque([(type(root).__name__, root)])
    while waiting:
        path, thing = waiting.popleft()
        if id(thing) in seen or isinstance(thing, str | bytes | int | float | type | None):
            continue
        seen.add(id(thing))
        if isinstance(thing, Mapping | list | tuple | AbstractSet | deque):
            sizes[path] = sizes.get(path, 0) + (len(thing) if isinstance(thing, Sized) else 0)
            inside = thing.values() if isinstance(thing, Mapping) else thing
            waiting.extend((f"{path}[]", one) for one in inside)
        elif hasattr(thing, "cache_info"):
            sizes[path] = thing.cache_info().currsize
        elif type(thing).__module__.startswith("monitor."):
            waiting.extend((f"{path}.{name}", value) for name, value in attributes_of(thing))
    return sizes


def attributes_of(thing: object) -> Iterator[tuple[str, object]]:
    """Those that it has, in slots or not."""
    yield from getattr(thing, "__dict__", {}).items()
    for name in slots_of(type(thing)):
        if hasattr(thing, name):
            yield name, getattr(thing, name)


@cache
def slots_of(kind: type) -> tuple[str, ...]:
    slots = [base.__dict__.get("__slots__", ()) for base in kind.__mro__]
    own = [name for names in slots for name in ((names,) if isinstance(names, str) else names)]
    return (*own, *getattr(kind, "__struct_fields__", ()))


# Each flood against every table

CACHES = 4_096
"""What a cache holds, whatever comes."""
ROOMY = 40
"""Things that an entry of a table holds, at most."""
OURS = ("calendar", "directory", "number_text", "_atlas", "outputs", "platforms.catalog")
"""The operator's own files, and the ears of the test."""


def _allowed(path: str) -> int:
    """The most that this container may hold with small tables."""
    if any(name in path for name in OURS):
        return 10**9
    return CACHES + SMALL * (ROOMY if "[]" in path else 2)


FEW = SMALL // 4
TIGHT = dict.fromkeys(
    ("calls_doubted", "conversations", "fragments", "fragment_readings", "hep_streams", "requests_unplaced",
     "roster_subscribers", "stream_readings", "transfers"), FEW)  # fmt: skip
"""Tables whose entries do not live long, or that other tables keep small."""
CROWDED = {
    "calls": ("calls_aside",),
    "odd-calls": ("calls", "strangers_ringing"),
    "callers": ("calls", "calls_kept", "legs", "media_addresses", "halves"),
    "diallers": ("dial_ins_offered",),
    "searchers": ("sources", "tried_numbers"),
    "names": ("legs", "alerts"),
    "subscribers": ("subscriptions",),
    "syns": ("streams",),
    "starts": ("conversations",),
    "heads": ("conversation_bytes", "stream_recent"),
    "fragments": ("fragments", "fragment_readings"),
    "byes": ("requests_unplaced",),
    "outbound": ("strangers_ringing", "strangers_talking"),
    "waiting": ("dial_ins", "callers_waiting"),
    "focuses": ("focuses", "nameless_meetings"),
    "rosters": ("roster_subscriptions", "conferences", "roster_users", "roster_subscribers"),
    "copies": ("calls_doubted",),
    "rewritten": ("stream_readings", "streams_doubted"),
    "agents": ("hep_streams", "hep_complaints"),
    "pressers": ("dial_ins_elsewhere",),
    "asked": ("transfers",),
}
"""Which tables a flood fills, so that some of it must be forgotten."""


@pytest.mark.parametrize("name", floods.FLOODS)
def test_a_flood_fills_no_table_hides_nobody_and_is_counted(name: str, expected: Expected) -> None:
    limits = small(**TIGHT)
    pipeline, records = replayed(expected, floods.frames_of(name, PACKETS, PEOPLE), limits, finish=False)
    for table, size in pipeline.sizes().items():
        assert size <= getattr(limits, table), table
    grown = {path: size for path, size in sizes_of(pipeline).items() if size > _allowed(path)}
    assert grown == {}
    counts = pipeline.summary().counts
    assert [table for table in CROWDED.get(name, ()) if counts[f"{table}_evicted"] < 10] == []
    pipeline.finish()
    assert len(found_in(records)) == PEOPLE


def test_the_walker_finds_a_table_that_nobody_bounds(expected: Expected) -> None:
    pipeline, _ = replayed(expected, iter(()), small())
    pipeline.meetings._forgotten = dict.fromkeys(range(9999), b"")  # type: ignore[attr-defined]
    large = {path for path, size in sizes_of(pipeline).items() if size > _allowed(path)}
    assert large == {"Replay.meetings._forgotten"}


def test_what_is_forgotten_is_counted_under_the_table_s_name(expected: Expected) -> None:
    pipeline, _ = replayed(expected, iter(()), small())
    counts = pipeline.summary().counts
    tables = {name for name in BOUNDS if name not in OUTPUTS}
    bytes_of = {
        "fragment_bytes": "fragments",
        "fragment_reading_bytes": "fragment_readings",
        "stream_bytes": "stream_gaps",
        "stream_recent_bytes": "stream_recent",
        "calls_aside_bytes": "calls_aside",
        "calls_kept_bytes": "calls_kept",
    }
    for table in tables:
        assert f"{bytes_of.get(table, table)}_evicted" in counts or bytes_of.get(table) in counts, table
    assert set(pipeline.sizes()) == tables
    assert all(counts[f"{table}_evicted"] == 0 for table in tables if f"{table}_evicted" in counts)


# Time

FINITE = frozenset({"guest_lists", "alerts", "campaigns", "tried_numbers", "sources", "overstayed", "guessed_meetings"})
"""What is remembered over days: bounded by number alone, or looked at when the next of its kind comes."""


@pytest.mark.parametrize(
    "name",
    ["calls", "callers", "searchers", "subscribers", "starts", "holes", "fragments", "keys", "outbound", "waiting",
     "focuses", "rosters", "copies", "rewritten", "agents", "pressers", "asked"],
)  # fmt: skip
@pytest.mark.parametrize("jump", [8 * DAY, 365 * DAY])
def test_after_a_long_silence_nothing_is_left(name: str, jump: int, expected: Expected) -> None:
    pipeline, _ = replayed(expected, _then_silence(name, jump), small(), finish=False)
    assert {table: size for table, size in pipeline.sizes().items() if size > 12 and table not in FINITE} == {}


def _then_silence(name: str, jump: int) -> Iterator[floods.Timed]:
    yield from floods.frames_of(name, 600, 1)
    last = floods.START + floods.LASTS * SECOND + jump
    for n, (_, frame) in enumerate(floods.registers(8)):
        yield last + n * 30 * HOUR // 10, frame


@pytest.mark.parametrize("name", ["callers", "starts", "fragments"])
def test_a_clock_that_goes_back_a_year_breaks_no_limit(name: str, expected: Expected) -> None:
    def frames() -> Iterator[floods.Timed]:
        yield from floods.frames_of(name, 1_000, 1)
        yield from ((at - 365 * DAY, frame) for at, frame in floods.frames_of(name, 1_000, 1))

    pipeline, _ = replayed(expected, frames(), small(), finish=False)
    assert all(size <= getattr(small(), table) for table, size in pipeline.sizes().items())


# Crafted keys: whoever knows how integers are hashed can choose some that all fall into one place of a table

MERSENNE = 2**61 - 1
"""What Python takes an integer's remainder by, for its hash."""


def _ipv6(sources: Iterator[int], payload: bytes) -> Iterator[floods.Timed]:
    """SIP from these addresses."""
    head = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x86\xdd\x60\0\0\0" + (8 + len(payload)).to_bytes(2, "big") + b"\x11\x40"
    tail = (
        (0x20010DB8 << 96 | 1).to_bytes(16, "big")
        + b"\x13\xc4\x13\xc4"
        + (8 + len(payload)).to_bytes(2, "big")
        + b"\0\0"
    )
    for n, source in enumerate(sources):
        yield floods.START + n * 10_000, head + source.to_bytes(16, "big") + tail + payload


def _tcp(ports: Iterator[int]) -> Iterator[floods.Timed]:
    """Connections by address and port."""
    for n, both in enumerate(ports):
        source = (both >> 16 & 0xFFFFFFFF).to_bytes(4, "big")
        yield floods.START + n * 10_000, floods.segment(source, both & 0xFFFF, 1, 2)


def _keys(ssrcs: Iterator[int]) -> Iterator[floods.Timed]:
    """Telephone-events of one call, by SSRC."""
    for n, ssrc in enumerate(ssrcs):
        rtp = floods.RTP.pack(0x80, 101, n & 0xFFFF, 160, ssrc & 0xFFFFFFFF) + b"\x01\x8a\x03\x20"
        ends = floods.Ends(floods.TRUNK, floods.BRIDGE, 16_392, 16_394)
        yield floods.START + 10 * SECOND + n * 10_000, ends.datagram(rtp)


OPTIONS = floods.request("OPTIONS", "sip:x") % (1, 1, 1, 1)
COLLIDING = {
    "IPv6 addresses": (
        lambda count: _ipv6((0x20010DB8 << 96 | 2**64 + n * MERSENNE for n in range(count)), OPTIONS),
        lambda count: _ipv6((0x20010DB8 << 96 | 2**64 + n * 0x9E3779B97F4A7C15 for n in range(count)), OPTIONS),
    ),
    "connections": (
        lambda count: _tcp(n << 20 for n in range(count)),
        lambda count: _tcp(n * 0x9E3779B1 for n in range(count)),
    ),
    "SSRCs": (
        lambda count: merge(floods.planted(2), _keys(n << 14 for n in range(count)), key=_moment),
        lambda count: merge(floods.planted(2), _keys(n * 0x9E3779B1 for n in range(count)), key=_moment),
    ),
}


def _moment(frame: floods.Timed) -> int:
    return frame[0]


def test_the_crafted_addresses_would_collide_as_integers() -> None:
    assert len({hash(0x20010DB8 << 96 | 2**64 + n * MERSENNE) for n in range(4_000)}) == 1


@pytest.mark.parametrize("what", COLLIDING)
def test_crafted_collisions_cost_no_more_than_twice_as_much(what: str, expected: Expected) -> None:
    crafted, ordinary = COLLIDING[what]
    ratios: list[float] = []
    while len(ratios) < 5 and min(ratios, default=9.0) > 2:
        costs = []
        for make in (crafted, ordinary):
            frames = list(make(4_000))
            began = time.process_time()
            replayed(expected, iter(frames), Limits())
            costs.append(time.process_time() - began)
        ratios.append(costs[0] / costs[1])
    assert min(ratios) <= 2


# Configuration


def test_limits_come_from_the_policy(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text("[limits]\ncalls = 1_000_000\nconversation_bytes = 8_388_608\n")
    assert load_policy(path).limits == Limits(calls=1_000_000, conversation_bytes=8 * MIB)


@pytest.mark.parametrize(
    ("line", "expected_text"),
    [
        ("calls = 5", "a whole number from 100 to 100,000,000"),
        ("stream_bytes = 17", "a whole number from 1,048,576 to 1,099,511,627,776"),
        ('calls = "many"', "a whole number"),
        ("calls = true", "a whole number"),
        ("call = 1000", "did you mean calls?"),
    ],
)
def test_a_limit_that_cannot_be_is_told_with_its_line(tmp_path: Path, line: str, expected_text: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(f"[limits]\n# sizes\n{line}\n")
    with pytest.raises(ConfigError) as caught:
        load_policy(path)
    (problem,) = caught.value.problems
    assert problem.line == 3
    assert expected_text in problem.expected


def test_metrics_tell_how_full_each_table_is(expected: Expected) -> None:
    pipeline, _ = replayed(expected, floods.frames_of("callers", 600, 1), small(), finish=False)
    metrics = Metrics(limits=small(), sizes=pipeline.sizes)
    samples = {(s.name, *s.labels.values()): s.value for metric in metrics.collect() for s in metric.samples}
    assert samples["joinwatch_table_entries", "legs"] == SMALL
    assert samples["joinwatch_table_limit", "legs"] == SMALL
    assert {key[1] for key in samples if key[0] == "joinwatch_table_limit"} == set(BOUNDS)
