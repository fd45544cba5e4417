"""Fragments that differ: the other way to put a packet together is given, and what is remembered for it has bounds."""

from monitor.model.evidence import SECOND
from monitor.model.limits import Limits
from monitor.model.packets import Datagram, Frame
from monitor.wire import Wire
from tests.wire.packets import START, ethernet, frame, given, ipv4, udp

WHOLE, FALSE = udp(b"A" * 8 + b"B" * 16), udp(b"X" * 8 + b"Y" * 16)


def part(content: bytes, start: int, end: int, at: int, identification: int = 1) -> Frame:
    piece = ipv4(content[start:end], offset=start, more=end < len(content), identification=identification)
    return frame(ethernet(piece), at // SECOND + 1, START + at)


def payloads(*frames: Frame) -> list[tuple[bytes, bool]]:
    return [(p.payload, p.ambiguous) for p in given(Wire(), frames) if isinstance(p, Datagram)]


def test_the_other_half_of_a_packet_may_belong_to_what_comes_later() -> None:
    frames = [part(FALSE, 0, 16, 0), part(WHOLE, 16, 32, SECOND), part(WHOLE, 0, 16, 5 * SECOND)]
    assert payloads(*frames) == [(b"X" * 8 + b"B" * 16, False), (b"A" * 8 + b"B" * 16, True)]


def test_a_packet_that_comes_whole_under_the_same_name_is_another() -> None:
    frames = [part(p, start, start + 16, at * SECOND // 10) for at, (p, start) in enumerate([
        (FALSE, 0), (FALSE, 16), (WHOLE, 0), (WHOLE, 16),
    ])]  # fmt: skip
    assert [payload for payload, _ in payloads(*frames)][:2] == [FALSE[8:], WHOLE[8:]]


def test_equal_copies_are_no_other_packet() -> None:
    frames = [part(WHOLE, start, start + 16, at * SECOND) for at, start in enumerate((0, 0, 16, 16))]
    assert payloads(*frames) == [(WHOLE[8:], False)]


def test_only_so_much_is_remembered() -> None:
    wire = Wire(limits=Limits(fragment_readings=10))
    given(wire, [part(WHOLE, 0, 16, n, n) for n in range(100)], finish=False)
    kept = wire._fragments._rivals
    assert len(kept._stories) == 10
    assert wire.counts["fragment_readings_evicted"] == 90
    assert kept._weight == sum(story.weight for story in kept._stories.values())
    given(wire, [part(WHOLE, 0, 16, 60 * SECOND, 7)], finish=False)
    assert len(kept._stories) == 1
