"""`python -m bench.decoders`: what more than one decoder would bring, and what it would do to the truth (ADR 9).

Two ways to deal signalling out are tried without a daemon, on the same frames. *By flow*, as the kernel could
(`PACKET_FANOUT`, or a filter for each): addresses and ports, both directions alike; whatever may be a key goes to every
decoder. *By Call-ID*: every decoder looks at every message, and reads those of its share.
"""

import argparse
import gc
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

from bench.workloads import make
from monitor.decoders.sip_message import usual_names
from monitor.detections import Detections
from monitor.meetings import Meetings
from monitor.model.alerts import Alert
from monitor.model.calls import SignallingEvent
from monitor.model.oddities import Oddity
from monitor.model.packets import Frame
from monitor.model.policy import Policy
from monitor.model.roster import Joined
from monitor.pipeline import Expected, NoCalendar, NoDirectory, Signals, captures_of
from monitor.sources.numbers import number_text_for
from tests.corpus import CORPUS
from tests.scenarios import expected_of, labelled

DATA = Path(__file__).parent / "data"
FRAMES = 100_000
CHUNK = 1000
DECODERS = (2, 3, 4, 8)
MAX_CAPTURE = 2_000_000
IPV4, UDP, RTP = b"\x08\x00", 17, 2
KEY_DATAGRAM = 24
"""Bytes of a UDP datagram with RTP and one telephone-event."""


def flow_of(frame: Frame) -> bytes | None:
    """Both ends of a packet, in either direction alike; none of what goes to every decoder: keys, fragments, …"""
    data = frame.data
    if frame.link != 1 or data[12:14] != IPV4 or data[14] != 0x45 or int.from_bytes(data[20:22], "big") & 0x3FFF:
        return None
    if data[23] == UDP and int.from_bytes(data[38:40], "big") == KEY_DATAGRAM and data[42] >> 6 == RTP:
        return None
    return b"".join(sorted((data[26:30] + data[34:36], data[30:34] + data[36:38])))


class Dealt:
    """So many decoders that get flows, and behind them one of everything."""

    def __init__(
        self, captures: Sequence[Path], expected: Expected, decoders: int, *, every_call: bool = False
    ) -> None:
        self.source = captures_of(captures)
        self.decoders = [Signals(self.source, expected, every_call=every_call) for _ in range(decoders)]
        self.meetings = Meetings(
            expected.calendar,
            expected.directory,
            expected.policy,
            expected.number_text,
            refs_of=self.decoders[0].platforms.refs_of,
            lossy=lambda: any(one.decoders.losses.are_felt for one in self.decoders),
        )
        self.detections = Detections(expected.policy)
        self.events: Counter[tuple[str, ...]] = Counter()
        self.said: Counter[tuple[str, ...]] = Counter()

    def run(self) -> "Dealt":
        """To the end of the captures."""
        for frame in self.source:
            if frame.at >= self.meetings.timers.due:
                self._judge(self.meetings.advance(frame.at))
            flow = flow_of(frame)
            for place, one in enumerate(self.decoders):
                if flow is None or crc32(flow) % len(self.decoders) == place:
                    self._take(one.events_of(frame), frame.number)
        for one in self.decoders:
            self._take(one.finish(), 0)
        self._judge(self.meetings.finish(max(one.now for one in self.decoders)))
        return self

    def _take(self, events: Sequence[SignallingEvent | Oddity], number: int) -> None:
        for event in events:
            if not isinstance(event, Oddity):
                # Of most kinds a call has one; keys and what they lead to are told apart by the packet.
                kind = type(event).__name__
                self.events[kind, event.call, str(number if kind.startswith(("Digit", "Pin")) else "")] += 1
                self._judge(self.meetings.feed(event))

    def _judge(self, changes: Any) -> None:
        for change in changes:
            if isinstance(change, Joined):
                self.said["join", change.participant.id] += 1
            for alert in self.detections.judge(change):
                if isinstance(alert, Alert):
                    self.said["alert", alert.rule, str(alert.severity), str(alert.subject)] += 1


def by_flow(captures: Sequence[tuple[Path, Expected]], decoders: int, *, every_call: bool) -> dict[str, int]:
    """In how many captures something is otherwise than with one decoder."""
    found = Counter({"captures": 0, "events twice": 0, "other events": 0, "other joins or alerts": 0})
    for capture, expected in captures:
        one = Dealt([capture], expected, 1, every_call=every_call).run()
        many = Dealt([capture], expected, decoders, every_call=every_call).run()
        if one.events:
            found["captures"] += 1
            found["events twice"] += any(many.events[event] > count for event, count in one.events.items())
            found["other events"] += set(many.events) != set(one.events)
            found["other joins or alerts"] += many.said != one.said
    return dict(found)


def microseconds(do: Callable[[Frame], object], frames: Sequence[Frame]) -> float:
    """Of processor time for one message: the quietest tenth of the run, for others use the machine, too."""
    times = []
    for at in range(0, len(frames), CHUNK):
        begun = time.process_time()
        for frame in frames[at : at + CHUNK]:
            do(frame)
        times.append(1e6 * (time.process_time() - begun) / CHUNK)
    return sorted(times)[len(times) // 10]


def look(frame: Frame) -> bool:
    """What each of several decoders must do for every message: find its Call-ID, and whether it describes media."""
    payload = frame.data[42:]
    names = usual_names(payload)
    return names is not None and bool(crc32(names[0].encode()) & 1) and b"telephone-event" in payload


def gains(capture: Path) -> dict[str, Any]:
    """How many times as fast so many decoders would be, at best, each with a core of its own."""
    policy = Policy()
    expected = Expected(
        policy=policy,
        calendar=NoCalendar(),
        directory=NoDirectory(),
        number_text=number_text_for(policy.country_code),
    )
    source = captures_of([capture])
    frames = [frame for frame, _ in zip(source, range(FRAMES), strict=False)]
    signals = Signals(source, expected)
    gc.collect()
    gc.freeze()
    whole, looked = microseconds(signals.events_of, frames), microseconds(look, frames)
    flows = Counter(flow_of(frame) for frame in frames)
    by_call = {str(n): round(whole / (looked + whole / n), 2) for n in DECODERS}
    common = flows.pop(None, 0)
    loads = {n: common + max(_loads(flows, n).values()) for n in DECODERS}
    return {
        "one decoder, µs a message": round(whole, 2),
        "only looking at it, µs": round(looked, 2),
        "by Call-ID, times as fast at most": by_call,
        "flows of signalling": len(flows),
        "by flow, times as fast at most": {str(n): round(len(frames) / loads[n], 2) for n in DECODERS},
    }


def _loads(flows: Counter[bytes | None], decoders: int) -> Counter[int]:
    """Messages for each decoder."""
    loads = Counter({0: 0})
    for flow, messages in flows.items():
        loads[crc32(flow or b"") % decoders] += messages
    return loads


def main() -> int:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    found: dict[str, Any] = {}
    for name in ("signalling", "trunk"):
        capture = options.data / name / f"{name}.pcap"
        if not capture.exists():
            make(name, capture.parent)
        found[name] = gains(capture)
    scenarios = [(capture, expected_of(capture)) for capture in labelled()]
    found["by flow, bundled captures"] = {str(n): by_flow(scenarios, n, every_call=False) for n in (2, 3)}
    nobody = Expected(
        policy=Policy(),
        calendar=NoCalendar(),
        directory=NoDirectory(),
        number_text=number_text_for(Policy().country_code),
    )
    real = [p for p in sorted(CORPUS.rglob("*.pcap*")) if p.suffix in (".pcap", ".pcapng")]
    real = [p for p in real if p.stat().st_size < MAX_CAPTURE]
    if real:
        found["by flow, real captures"] = {"2": by_flow([(p, nobody) for p in real], 2, every_call=True)}
    print(json.dumps(found, indent=1, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
