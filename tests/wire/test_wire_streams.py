"""TCP: every byte once and in order, and holes by their names."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from monitor.model.evidence import MINUTE, SECOND, Nanoseconds
from monitor.model.limits import Limits
from monitor.model.oddities import Oddity, Reason
from monitor.model.packets import Frame, OtherReading, StreamData, StreamEnd, StreamGap, reverse_of
from monitor.wire import Wire, readings, streams
from tests.wire.packets import (
    FIN,
    MILLISECOND,
    RST,
    START,
    SYN,
    A,
    B,
    ethernet,
    flow,
    frame,
    given,
    ipv4,
    ipv6,
    streams_of,
    tcp,
    udp,
)

THERE = flow(A, B, (40_000, 5060))
BACK = reverse_of(THERE)


class Talk:
    """A conversation by TCP as frames: each segment a millisecond and a frame after the one before."""

    def __init__(self, at: Nanoseconds = START, ports: tuple[int, int] = (40_000, 5060)) -> None:
        self.frames: list[Frame] = []
        self.at = at
        self.number = 0
        self.ports = ports

    def wait(self, time: Nanoseconds, frames: int = 0) -> "Talk":
        self.at += time
        self.number += frames
        return self

    def there(self, payload: bytes = b"", sequence: int = 0, acknowledged: int | None = None, flags: int = 0) -> "Talk":
        return self._add(ipv4(tcp(payload, sequence, acknowledged, flags, self.ports), 6, (A, B), self.number))

    def back(self, payload: bytes = b"", sequence: int = 0, acknowledged: int | None = None, flags: int = 0) -> "Talk":
        return self._add(ipv4(tcp(payload, sequence, acknowledged, flags, self.ports[::-1]), 6, (B, A), self.number))

    def other(self) -> "Talk":
        return self._add(ipv4(udp(b"%d" % self.number)))

    def later(self) -> "Talk":
        """So much later that an end behind which nothing came is believed."""
        return self.wait(streams.END_LIFE).other()

    def _add(self, packet: bytes) -> "Talk":
        self.number += 1
        self.at += MILLISECOND
        self.frames.append(frame(ethernet(packet), self.number, self.at))
        return self

    def streams(self, finish: bool = True) -> dict[bytes, Any]:
        return streams_of(given(Wire(), self.frames, finish))


def greeted() -> Talk:
    """After the handshake: the client's next byte is 100, the server's 500."""
    return Talk().there(sequence=99, flags=SYN).back(sequence=499, acknowledged=100, flags=SYN)


def test_a_conversation_from_handshake_to_end() -> None:
    talk = greeted().there(b"INVITE", 100, 500).back(b"200", 500, 106).there(b"ACK", 106, 503)
    talk.there(sequence=109, acknowledged=503, flags=FIN).back(b"bye", 503, 110, FIN).there(
        sequence=110, acknowledged=507
    )
    talk.wait(streams.SKEW).other()
    assert talk.streams(finish=False) == {THERE: [b"INVITEACK", None], BACK: [b"200bye", None]}


def test_records_name_the_frame_that_brought_the_bytes() -> None:
    talk = greeted().there(b"cc", 104).there(b"aa", 100).there(b"bb", 102)
    packets = [p for p in given(Wire(), talk.frames, finish=False) if isinstance(p, StreamData)]
    assert [(p.payload, p.number, p.at - START) for p in packets] == [
        (b"aa", 4, 4 * MILLISECOND),
        (b"bb", 5, 5 * MILLISECOND),
        (b"cc", 3, 3 * MILLISECOND),
    ]


def test_ipv6_has_streams_too() -> None:
    data = ethernet(ipv6(tcp(b"hello", 100), 6), 0x86DD)
    (packet, end) = given(Wire(), [frame(data)])
    assert isinstance(packet, StreamData)
    assert (packet.payload, len(packet.flow)) == (b"hello", 36)
    assert isinstance(end, StreamEnd)


@pytest.mark.parametrize(
    ("talk", "stream"),
    [
        pytest.param(greeted().there(b"abc", 100).there(b"abc", 100), [b"abc"], id="retransmission"),
        pytest.param(greeted().there(b"abc", 100).there(b"bcde", 101), [b"abcde"], id="retransmission with more"),
        pytest.param(
            greeted().there(b"abc", 100).there(b"c", 102).there(b"d", 103), [b"abcd"], id="keep-alive of a byte"
        ),
        pytest.param(greeted().there(b"abc", 100).there(b"", 102).there(b"d", 103), [b"abcd"], id="keep-alive of none"),
        pytest.param(Talk().there(b"abc", 99, flags=SYN).there(b"d", 103), [b"abcd"], id="data on SYN"),
        pytest.param(greeted().there(sequence=99, flags=SYN).there(b"abc", 100), [b"abc"], id="SYN again"),
        pytest.param(
            greeted().there(b"abc", 100, flags=FIN).there(b"abc", 100, flags=FIN).later(),
            [b"abc", None],
            id="FIN again",
        ),
        pytest.param(
            greeted().there(sequence=102, flags=FIN).there(b"ab", 100).later(), [b"ab", None], id="FIN before the data"
        ),
        pytest.param(Talk().there(b"abc", 7).there(b"d", 10), [b"abcd"], id="from the middle"),
        pytest.param(Talk().there(b"", 7).there(b"b", 8), [b"b"], id="an acknowledgement begins nothing"),
        pytest.param(Talk().there(b"ab", -1).there(b"c", 1), [b"abc"], id="wrap"),
        pytest.param(Talk().there(b"a", 2**32 - 1).there(b"c", 1).there(b"b", 0), [b"abc"], id="wrap, out of order"),
    ],
)
def test_each_byte_once_and_in_order(talk: Talk, stream: list[bytes | None]) -> None:
    assert talk.streams(finish=False)[THERE] == stream


def test_where_waiting_bytes_overlap_the_first_win_and_the_other_is_an_oddity() -> None:
    talk = greeted().there(b"CDE", 102).there(b"xyzF", 102).there(b"AB", 100)
    packets = given(Wire(), talk.frames, finish=False)
    assert streams_of(packets) == {THERE: [b"ABCDEF"]}
    (oddity,) = [p for p in packets if isinstance(p, Oddity)]
    assert (oddity.protocol, oddity.reason, oddity.evidence.frame) == ("tcp", Reason.CONFLICT, 4)


# Holes

HOLE = [b"abc", 4, b"xyz"]


def with_a_hole() -> Talk:
    return greeted().there(b"abc", 100, 500).there(b"xyz", 107, 500)


def test_a_hole_that_the_receiver_has_filled_is_given_up() -> None:
    talk = with_a_hole().back(acknowledged=110, sequence=500)
    talk.wait(streams.SKEW, streams.SKEW_FRAMES).other()
    wire = Wire()
    packets = given(wire, talk.frames, finish=False)
    assert streams_of(packets) == {THERE: HOLE}
    (gap,) = [p for p in packets if isinstance(p, StreamGap)]
    assert (gap.number, gap.lost) == (4, 4)
    assert (wire.counts["stream_gaps"], wire.counts["stream_gap_bytes"]) == (1, 4)


def test_an_acknowledgement_may_be_seen_before_what_it_acknowledges() -> None:
    talk = with_a_hole().back(acknowledged=110, sequence=500).wait(streams.SKEW).there(b"defg", 103, 500)
    assert talk.streams(finish=False) == {THERE: [b"abcdefgxyz"]}


def test_a_hole_that_the_receiver_has_not_filled_waits_five_seconds() -> None:
    talk = with_a_hole().back(acknowledged=103, sequence=500).wait(4 * SECOND, 1000).other()
    assert talk.streams(finish=False) == {THERE: [b"abc"]}
    assert talk.wait(SECOND).other().streams(finish=False) == {THERE: HOLE}


@pytest.mark.parametrize(
    ("talk", "end"),
    [
        pytest.param(with_a_hole(), [None], id="end of the captures"),
        pytest.param(with_a_hole().there(sequence=110, flags=RST), [None], id="RST"),
        pytest.param(with_a_hole().back(sequence=500, flags=RST), [None], id="RST from the other side"),
        pytest.param(with_a_hole().there(sequence=110, flags=FIN).wait(6 * SECOND).other(), [None], id="FIN"),
        pytest.param(with_a_hole().there(sequence=80_000, flags=SYN).there(b"!", 80_001), [None, b"!", None], id="SYN"),
        pytest.param(with_a_hole().there(sequence=112, flags=FIN), [2, None], id="FIN behind another hole"),
    ],
)
def test_a_hole_is_given_up_when_nothing_more_will_come(talk: Talk, end: list[Any]) -> None:
    assert talk.streams()[THERE] == [*HOLE, *end]


def test_two_holes() -> None:
    talk = greeted().there(b"b", 101).there(b"d", 103)
    assert talk.streams()[THERE] == [1, b"b", 1, b"d", None]


def test_what_the_snap_length_cut_is_a_hole_at_once() -> None:
    talk = greeted().there(b"abcdefg", 100).there(b"xyz", 107)
    whole = talk.frames[2]
    talk.frames[2] = whole._replace(data=whole.data[:-4])
    assert talk.streams(finish=False) == {THERE: HOLE}


def test_what_the_snap_length_cut_may_be_known_in_part() -> None:
    talk = greeted().there(b"fg", 105).there(b"abcdefg", 100).there(b"xyz", 107)
    whole = talk.frames[3]
    talk.frames[3] = whole._replace(data=whole.data[:-4])
    assert talk.streams(finish=False) == {THERE: [b"abc", 2, b"fgxyz"]}


def test_what_the_snap_length_cut_may_be_known_at_once() -> None:
    talk = greeted().there(b"defg", 103).there(b"abcdefg", 100).there(b"xyz", 107)
    whole = talk.frames[3]
    talk.frames[3] = whole._replace(data=whole.data[:-4])
    assert talk.streams(finish=False) == {THERE: [b"abcdefgxyz"]}


def test_a_header_that_claims_more_than_the_frame_hides_nothing() -> None:
    lie = ipv4(tcp(b"abc", 100), 6, total=5000)
    talk = greeted()
    talk.frames.append(frame(ethernet(lie), 3, talk.at))
    talk.number += 1
    assert talk.there(b"xyz", 103).streams(finish=False) == {THERE: [b"abcxyz"]}


def test_one_flow_holds_so_many_pieces() -> None:
    talk = greeted()
    for n in range(streams.MAX_FLOW_PIECES + 1):
        talk.there(b"x", 101 + 2 * n)
    assert given(Wire(), talk.frames[:-1], finish=False) == []
    assert talk.streams(finish=False) == {THERE: [1, b"x"]}


def test_one_flow_holds_so_many_bytes() -> None:
    talk = greeted()
    content = bytes(60_000)
    many = streams.MAX_FLOW_WEIGHT // len(content) + 1
    for n in range(many):
        talk.there(content, 101 + n * len(content))
    stream = talk.streams(finish=False)[THERE]
    assert stream == [1, content * many]


def test_all_flows_together_hold_so_many_bytes() -> None:
    wire = Wire(limits=Limits(stream_bytes=10_000))
    for port in range(20):
        talk = Talk(ports=(port, 5060)).there(sequence=99, flags=SYN).there(bytes(1000), 101)
        given(wire, talk.frames, finish=False)
    assert wire.counts["stream_gaps"] == 12


def test_many_flows_that_wait_for_nothing_but_their_end_weigh_nothing() -> None:
    wire = Wire(limits=Limits(stream_bytes=0))
    for port in range(2000):
        talk = Talk(ports=(port, 5060)).there(sequence=99, flags=SYN).there(sequence=105, flags=FIN)
        assert given(wire, talk.frames, finish=False) == []
    freed = given(wire, Talk(ports=(2000, 5060)).there(sequence=99, flags=SYN).there(b"x", 101).later().frames, False)
    assert sum(isinstance(packet, StreamEnd) for packet in freed) == 2000


# Beginnings and ends


def test_a_start_in_the_middle_that_was_only_disorder_begins_again() -> None:
    talk = Talk().there(b"cd", 102).there(b"ab", 100).there(sequence=99, flags=SYN).there(b"ef", 104)
    assert talk.streams(finish=False) == {THERE: [b"cd", None, b"abcdef"]}


def test_a_late_syn_tells_that_the_start_is_missing() -> None:
    talk = Talk().there(b"cd", 102).there(sequence=99, flags=SYN).there(b"ab", 100)
    assert talk.streams(finish=False) == {THERE: [b"cd", None, b"abcd"]}


def test_a_start_in_the_middle_stands_after_a_while() -> None:
    talk = Talk().there(b"cd", 102).wait(streams.SKEW, streams.SKEW_FRAMES).other().there(b"ab", 100).there(b"ef", 104)
    assert talk.streams(finish=False) == {THERE: [b"cdef"]}


def test_a_new_syn_ends_the_old_stream() -> None:
    talk = greeted().there(b"old", 100).there(sequence=7000, flags=SYN).there(b"new", 7001)
    assert talk.streams(finish=False) == {THERE: [b"old", None, b"new"]}


def test_a_connection_that_begins_unseen_on_old_ports_is_another_stream() -> None:
    talk = greeted().there(b"old", 100).there(b"new", 100 - streams.WINDOW - 1)
    assert talk.streams(finish=False) == {THERE: [b"old", None, b"new"]}


def test_a_reset_ends_both_directions() -> None:
    talk = greeted().there(b"INVITE", 100, 500).back(b"200", 500, 106).back(sequence=503, flags=RST).later()
    assert talk.streams(finish=False) == {THERE: [b"INVITE", None], BACK: [b"200", None]}


@pytest.mark.parametrize("sequence", [99, 100 + streams.WINDOW + 6])
def test_a_reset_outside_the_window_ends_nothing(sequence: int) -> None:
    talk = greeted().there(b"INV", 100).there(sequence=sequence, flags=RST).there(b"ITE", 103)
    assert talk.streams(finish=False) == {THERE: [b"INVITE"]}


def test_a_refused_connection_ends() -> None:
    talk = Talk().there(sequence=99, flags=SYN).back(sequence=0, acknowledged=100, flags=RST).later()
    assert talk.streams(finish=False) == {THERE: [None]}


def test_a_segment_that_comes_again_after_the_end_is_dropped() -> None:
    talk = greeted().there(b"abc", 100, flags=FIN).later().there(b"abc", 100).there(b"bc", 101)
    assert talk.streams(finish=False)[THERE] == [b"abc", None]


@pytest.mark.parametrize("flag", [FIN, RST])
def test_a_stream_that_goes_on_behind_its_end_has_not_ended(flag: int) -> None:
    talk = greeted().there(b"abc", 100).there(sequence=103, flags=flag).wait(20 * SECOND).there(b"def", 103)
    packets = given(Wire(), talk.frames, finish=False)
    assert streams_of(packets)[THERE] == [b"abcdef"]
    (oddity,) = [packet for packet in packets if isinstance(packet, Oddity)]
    assert (oddity.reason, oddity.evidence.frame) == (Reason.CONFLICT, 5)


@pytest.mark.parametrize("sequence", [103, 104, 203, 9000, 2**31])
@pytest.mark.parametrize("greeting", [greeted, Talk])
def test_a_syn_within_a_stream_that_goes_on_begins_nothing(greeting: Any, sequence: int) -> None:
    talk = greeting().there(b"abc", 100).there(sequence=sequence, flags=SYN).there(b"def", 103).there(b"ghi", 106)
    assert talk.streams(finish=False)[THERE] == [b"abcdefghi"]


def test_a_syn_with_data_is_believed_when_its_connection_goes_on() -> None:
    talk = greeted().there(b"old", 100).there(b"ne", 7000, flags=SYN).there(b"w", 7003)
    packets = given(Wire(), talk.frames, finish=False)
    assert streams_of(packets)[THERE] == [b"old", None, b"new"]
    assert [(p.given, p.other) for p in packets if isinstance(p, OtherReading)] == [(b"", b"ne")]


# Two readings


def readings_in(talk: Talk) -> list[tuple[bytes, bytes]]:
    """What was given and what the other copies say, of each stretch, as it is known at its end."""
    found: list[tuple[bytes, bytes]] = []
    for packet in given(Wire(), talk.frames):
        if isinstance(packet, OtherReading):
            before, other = (b"", b"") if packet.begins else found.pop()
            found.append((before + packet.given, other + packet.other))
    return found


@pytest.mark.parametrize(
    ("talk", "readings"),
    [
        pytest.param(greeted().there(b"abc", 100).there(b"abc", 100).there(b"bcd", 101), [], id="equal copies"),
        pytest.param(
            greeted().there(b"abc", 100).there(b"aXc", 100).there(b"def", 103), [(b"abcdef", b"aXcdef")], id="again"
        ),
        pytest.param(
            greeted().there(b"abc", 100).there(b"def", 103).there(b"CDEFG", 102),
            [(b"abcdefG", b"abCDEFG")],
            id="over the end, with more",
        ),
        pytest.param(
            greeted().there(b"d", 103).there(b"XY", 102).there(b"abc", 100),
            [(b"abXd", b"abcd"), (b"abXd", b"abcY")],
            id="held",
        ),
        pytest.param(
            Talk().there(b"abc", 100).there(b"X", 102).there(b"d", 103), [], id="a keep-alive, one direction only"
        ),
        pytest.param(
            greeted().there(b"abc", 100).back(b"", 500, 103).there(b"X", 102).there(b"d", 103), [], id="a keep-alive"
        ),
        pytest.param(
            greeted().there(b"a", 100).there(b"A", 100).there(b"b", 101).there(b"B", 101),
            [(b"ab", b"Ab"), (b"ab", b"AB")],
            id="byte by byte",
        ),
        pytest.param(
            greeted().there(b"xyz", 200).wait(6 * SECOND).other().there(b"ab", 100).there(b"cd", 102),
            [(b"", b"abcd")],
            id="later than the gap was given up",
        ),
        pytest.param(Talk().there(b"xyz", 900_000).there(b"ab", 100).there(b"cd", 102), [(b"", b"abcd")], id="before"),
    ],
)
def test_where_copies_differ_there_are_two_readings(talk: Talk, readings: list[tuple[bytes, bytes]]) -> None:
    assert [pair for pair in readings_in(talk) if pair[0] != pair[1]] == readings


def test_the_urgent_byte_may_be_left_out() -> None:
    talk = greeted().there(b"abc", 100)
    segment = bytearray(tcp(b"deXf", 103, flags=0x20))
    segment[18:20] = (3).to_bytes(2, "big")
    talk._add(ipv4(bytes(segment), 6, (A, B), 9))
    assert readings_in(talk.there(b"ghi", 107)) == [(b"abcdeXfghi", b"abcdefghi")]


def test_no_more_than_so_much_is_told_of_other_readings_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "MAX_TOLD", 100)
    talk = greeted().there(b"INVITE", 100)
    for n in range(100):
        talk.there(b"%03d" % n, 103)
    packets = [packet for packet in given(Wire(), talk.frames) if isinstance(packet, OtherReading)]
    assert len(packets) < 20
    assert (packets[-1].given, packets[-1].other) == (b"INVITE", b"INV099")


def test_only_so_many_streams_are_read_in_two_ways() -> None:
    wire = Wire(limits=Limits(stream_readings=8))
    for port in range(20):
        talk = Talk(ports=(port, 5060)).there(sequence=99, flags=SYN).there(b"abc", 100).there(b"aXc", 100)
        given(wire, talk.frames, finish=False)
    assert wire.counts["stream_readings_evicted"] == 12


def test_what_was_given_is_kept_of_the_latest_streams_only() -> None:
    wire = Wire(limits=Limits(stream_recent_bytes=20_000))
    for port in range(50):
        talk = Talk(ports=(port, 5060)).there(sequence=99, flags=SYN)
        for n in range(5):
            talk.there(bytes(200), 100 + 200 * n)
        given(wire, talk.frames, finish=False)
        kept = [half.recent_bytes for half in wire._streams._halves.values()]
        assert sum(kept) <= wire.sizes["stream_recent_bytes"] <= 20_000
    assert kept[0] == 0
    assert sum(kept) > 10_000
    assert wire.counts["stream_recent_evicted"] > 0


@pytest.mark.parametrize("what", ["before a gap", "in a SYN"])
def test_what_was_given_before_a_gap_and_what_a_syn_carries_counts_as_well(what: str) -> None:
    wire = Wire(limits=Limits(stream_recent_bytes=20_000))
    for port in range(100):
        talk = Talk(ports=(port, 5060)).there(sequence=99, flags=SYN).there(bytes(1000), 100)
        if what == "in a SYN":
            talk.there(bytes(1000), 5_000_000, flags=SYN)
        else:
            talk.there(b"x", 1200).wait(6 * SECOND).other()
        given(wire, talk.frames, finish=False)
        assert sum(half.recent_bytes for half in wire._streams._halves.values()) <= 20_000
    assert wire.counts["stream_recent_evicted"] > 0


def test_a_flood_of_strangers_pushes_out_no_conversation() -> None:
    wire = Wire(limits=Limits(streams=8))
    talk = greeted().there(b"INV", 100, 500).there(b"IT", 103, 500)
    packets = given(wire, talk.frames, finish=False)
    for port in range(100):
        given(wire, Talk(ports=(port, 5060)).there(b"!" * (port % 2), 99, flags=SYN).frames, finish=False)
    assert streams_of([*packets, *given(wire, talk.there(b"E", 105).frames[-1:], finish=False)])[THERE] == [b"INVITE"]


def test_a_silent_stream_expires() -> None:
    talk = greeted().there(b"abc", 100).wait(11 * MINUTE).other()
    wire = Wire()
    assert streams_of(given(wire, talk.frames, finish=False)) == {THERE: [b"abc", None], BACK: [None]}
    assert wire.counts["streams_expired"] == 2


def test_streams_are_bounded() -> None:
    wire = Wire(limits=Limits(streams=8))
    ends = 0
    for port in range(20):
        talk = Talk(ports=(port, 5060)).there(sequence=99, flags=SYN).there(b"abc", 100)
        ends += sum(isinstance(p, StreamEnd) for p in given(wire, talk.frames, finish=False))
    assert ends == wire.counts["streams_evicted"] == 12


def test_acknowledgements_alone_take_no_place() -> None:
    wire = Wire()
    for port in range(20):
        assert given(wire, Talk(ports=(port, 5060)).there(sequence=9, acknowledged=7).frames) == []
    assert wire.counts["streams"] == 0


# Properties

TEXT = bytes(range(256)) * 4


@st.composite
def transmissions(draw: st.DrawFn, least: int = 1) -> list[tuple[int, int]]:
    """Segments of a text, some of them sent twice or overlapping, each at most a few places from where it was."""
    places = st.integers(1, len(TEXT) // least - 1).map(lambda n: n * least)
    parts = list(pairwise([0, *sorted(draw(st.sets(places, max_size=30))), len(TEXT)]))
    for _ in range(draw(st.integers(0, 6))):
        start, end = sorted(draw(st.lists(places, min_size=2, max_size=2, unique=True)))
        parts.insert(draw(st.integers(0, len(parts))), (start, end))
    late = draw(st.lists(st.integers(0, 8), min_size=len(parts), max_size=len(parts)))
    return [part for _, part in sorted((n + late[n], part) for n, part in enumerate(parts))]


FIRSTS = st.sampled_from([0, 100, 2**31 - 500, 2**32 - 500, 2**32 - 1])


@for_all(transmissions(), FIRSTS, st.booleans())
def test_any_cutting_order_and_repetition_gives_the_same_stream(
    parts: list[tuple[int, int]], first: int, ends: bool
) -> None:
    talk = Talk().there(sequence=first - 1, flags=SYN)
    if ends:
        talk.there(sequence=first + len(TEXT), flags=FIN)
    for start, end in parts:
        talk.there(TEXT[start:end], first + start)
    talk.later()
    assert talk.streams(finish=False)[THERE] == ([TEXT, None] if ends else [TEXT])


@for_all(transmissions(least=2), FIRSTS, st.none() | st.integers(0, 30), st.booleans())
def test_even_from_the_middle_the_last_reading_is_whole(
    parts: list[tuple[int, int]], first: int, syn: int | None, ends: bool
) -> None:
    talk = Talk()
    for n, (start, end) in enumerate(parts):
        if n == syn:
            talk.there(sequence=first - 1, flags=SYN)
        talk.there(TEXT[start:end], first + start)
        if n == 0 and ends:
            talk.there(sequence=first + len(TEXT), flags=FIN)
    *earlier, last, end = talk.streams()[THERE]
    assert last == TEXT
    assert end is None
    assert all(chunk is None or chunk in TEXT for chunk in earlier)


@for_all(transmissions(), st.sets(st.integers(0, 40)))
def test_gaps_add_up(parts: list[tuple[int, int]], lost: set[int]) -> None:
    talk = Talk().there(sequence=99, flags=SYN)
    for n, (start, end) in enumerate(parts):
        if n not in lost:
            talk.there(TEXT[start:end], 100 + start)
    place = 0
    for chunk in talk.streams()[THERE]:
        if isinstance(chunk, bytes):
            assert chunk == TEXT[place : place + len(chunk)]
            place += len(chunk)
        else:
            place += chunk or 0
    assert place <= len(TEXT)
