"""What the decoder before has read, and what it has not told anybody, is not lost: the next one must not think so."""

import time
from pathlib import Path

import pytest

from monitor.model.evidence import SECOND
from monitor.model.oddities import Oddity
from monitor.model.packets import Frame
from monitor.model.resumed import CallSaved, KeypadSaved
from monitor.pipeline import Signals
from pcaps.generator import phone
from pcaps.stories.town import ACCESS, BRIDGE, SBC, TRUNK
from tests.daemon.stage import NUMBER, frames_of, intruder_by_phone, today
from tests.daemon.test_daemon_clock import Silent, expected_of

NUMBER_OF_WHOM = "+31205550177"


def by_info() -> list[tuple[float, bytes]]:
    """The same keys in INFO requests, each of which has the next number."""
    world = today("by info")
    call = (
        world.call(phone(NUMBER_OF_WHOM), ACCESS, (TRUNK, SBC, BRIDGE), at=time.time_ns())
        .ring(after=0.01)
        .answer(after=0.02)
    )
    call.keys(f"{NUMBER}#", after=0.05, gap=0.02, via="info")
    return frames_of(world)


@pytest.mark.parametrize("by", ["events", "info"])
def test_wherever_a_decoder_dies_the_next_one_misses_nothing(tmp_path: Path, by: str) -> None:
    told = by_info() if by == "info" else intruder_by_phone("one", NUMBER_OF_WHOM, f"{NUMBER}#", "#")
    expected = expected_of(tmp_path)
    frames = [
        Frame(SECOND + int(at * SECOND), "if", place, 1, raw, len(raw)) for place, (at, raw) in enumerate(told, 1)
    ]
    first = Signals(Silent(), expected)
    calls: dict[str, CallSaved] = {}
    keypads: dict[str, KeypadSaved] = {}
    for place, frame in enumerate(frames):
        if place % 7 == 0:
            second = Signals(Silent(), expected)
            for call in calls.values():
                second.decoders.resume(call)
            for keypad in keypads.values():
                second.platforms.resume(keypad)
            for rest in frames[place:]:
                assert all(event.at for event in second.events_of(rest))
            assert second.decoders.losses.missed_ever == 0, place
        for event in first.events_of(frame):
            assert not isinstance(event, Oddity)
            saved, keys = first.decoders.saved(event.call), first.platforms.saved(event.call)
            if saved is not None:
                calls[event.call] = saved
            if keys is not None:
                keypads[event.call] = keys
    assert first.decoders.counts["sip_keys" if by == "info" else "rtp_keys"] > len(NUMBER)
