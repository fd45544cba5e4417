"""What comes over the mirror port in `bench/soak.py`: frames of now, calls into a meeting and elsewhere."""

from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush
from itertools import chain
from random import Random

from bench.traffic import SECOND, TRUNK, Call, Direction, Ends, Timed, pressed
from bench.workloads import _noise
from pcaps.stories.town import ACCESS, BRIDGE, NUMBERS, SITE
from tests.daemon.stage import NUMBER

PBX = "192.0.2.40"
TICK = SECOND // 20
NOISE, MEDIA = 30, 10
"""Frames in each tick that no decoder wants: 600 and 200 in a second."""
CALLS = 4
"""Ordinary calls in a second; seven messages each."""
INVITED_SECONDS, INTRUDER_SECONDS = 15, 6


class Load:
    """Frames of now, for ever: each call is a new one."""

    def __init__(self, begun: int, seconds: float, first: int = 0) -> None:
        """`first` is the number of the first intruder."""
        self.calls = 0
        self._first = first
        self.intruders: set[str] = set()
        """Their subjects."""
        self._begun, self._end = begun, begun + int(seconds * SECOND)
        self._random = Random("soak")
        self._noise = [frame for _, frame in _noise(20_000, 10)]
        ends = Ends(TRUNK, PBX, 16_384, 16_386)
        self._media = [Direction(ends, 8, self._random) for _ in range(4)]
        self._waiting: list[Timed] = []
        self._made: Iterator[tuple[int, Sequence[Timed]]] = self._calls()
        self._next = next(self._made)

    def frames(self, now: int) -> Iterator[bytes]:
        """Everything that was due until now: one tick."""
        for _ in range(NOISE):
            yield self._noise[self._random.randrange(len(self._noise))]
        for n in range(MEDIA):
            yield self._media[n % len(self._media)].packet()
        while self._next[0] <= now:
            for frame in self._next[1]:
                heappush(self._waiting, frame)
            self._next = next(self._made, (self._end + 10**18, ()))
        yield from (frame for _, frame in self._due(now))

    def signalling(self) -> Iterator[Timed]:
        """The frames of all calls, in their order, as fast as they are asked for."""
        for at, frames in chain((self._next,), self._made):
            yield from self._due(at)
            for frame in frames:
                heappush(self._waiting, frame)
        yield from self._due(self._end)

    def _due(self, now: int) -> Iterator[Timed]:
        while self._waiting and self._waiting[0][0] <= now:
            yield heappop(self._waiting)

    def _calls(self) -> Iterator[tuple[int, Sequence[Timed]]]:
        """When each call begins, and its frames. The last minute has none that begin, so that all come to their end."""
        plans: list[tuple[int, int, int]] = [
            (self._begun, SECOND // CALLS, 0),
            (self._begun + SECOND, INVITED_SECONDS * SECOND, 1),
            (self._begun + 3 * SECOND, INTRUDER_SECONDS * SECOND, 2),
        ]
        heapify(plans)
        people, made = [NUMBERS[who] for who in ("anna", "bram", "carla")], Counter[int]()
        last = self._end - min(60 * SECOND, (self._end - self._begun) // 2)
        while plans[0][0] < last:
            at, step, kind = heappop(plans)
            heappush(plans, (at + step, step, kind))
            n, self.calls = made[kind], self.calls + 1
            made[kind] += 1
            if kind == 0:
                caller, target = f"+3120555{5000 + n % 2000}", f"sip:+3120555{7000 + n % 2000}@{PBX};user=phone"
                yield at, list(self._call(at, caller, target, PBX, 20).datagrams())
            elif kind == 1:
                yield at, list(self._call(at, people[n % 3], f"sip:{NUMBER}@{SITE}", BRIDGE.ip, 20).datagrams())
            else:
                yield at, self._intruder(at, self._first + n)

    def _intruder(self, at: int, n: int) -> list[Timed]:
        """Half of them by SIP, the others dial in and enter the number and `#`."""
        if n % 2 == 0:
            caller = f"sip:visitor{n}@elsewhere.example"
            self.intruders.add(caller)
            return list(self._call(at, caller, f"sip:{NUMBER}@{SITE}", BRIDGE.ip, 25).datagrams())
        caller = f"+4930231{25_000 + n // 2 % 1000}"
        self.intruders.add(f"tel:{caller}")
        call = self._call(at, caller, f"sip:{ACCESS}@{BRIDGE.ip};user=phone", BRIDGE.ip, 25)
        port = call.media_port
        ends = Ends(TRUNK, BRIDGE.ip, port, port + 2)
        return [*call.datagrams(), *pressed(call, f"{NUMBER}##", n, ends)]

    def _call(self, at: int, caller: str, target: str, callee: str, seconds: int) -> Call:
        n = at // 1000 % 2**31 * 8 + self.calls % 8
        port = 20_000 + 8 * (self.calls % 4000)
        lasts = seconds * SECOND
        return Call(n=n, at=at, caller=caller, target=target, callee=callee, lasts=lasts, media_port=port)
