"""A day in which nobody does anything wrong: 24 h, more than 10,000 joins, with every cause of false alarms in them.

`python -m bench.day OUTDIR` makes the capture with its calendar, directory, policy and truth, replays it, and says how
many alerts there were; each is a false one. Exit code 1 when they are more than one in a thousand joins.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from heapq import heappop, heappush
from pathlib import Path
from random import Random

from bench.traffic import SECOND, TRUNK, Call, Ends, Timed, pressed, write
from bench.workloads import ACCESS, BRIDGE, INVITED, MEETINGS, PBX, PIN, SITE, Truth, expected_files, person
from pcaps.generator.calendar import Event, calendar_of
from pcaps.generator.party import national

MIDNIGHT = 1_742_252_400 * SECOND
"""2025-03-18 00:00 in Amsterdam."""
HOURS = range(1, 24)
"""A meeting of each group begins every full hour, and takes 45 minutes."""
MINUTE = 60 * SECOND
FALSE_ALERTS = 1_000
"""One in so many joins is allowed."""
WRONG_PINS = 3
"""At most so many typing errors in one meeting: five make an alert, whoever makes them."""


def number_at(hour: int, group: int) -> str:
    """The number of a group's meeting at that hour; far from all others."""
    return str(27_400_000_000 + (hour * MEETINGS + group) * 104_729)


def mobile(number: str) -> str:
    """The second telephone of whoever has this one."""
    return number.replace("+31205551", "+31205561", 1)


def assistant(group: int) -> str:
    """Who comes in the place of the group's last member."""
    return f"+3120557{1000 + group}"


def media_port(n: int) -> int:
    """Of the n-th call: free again after hours."""
    return 16_384 + 4 * (n % 12_000)


@dataclass(slots=True)
class Seat:
    """One person of one meeting: how they come in, and what happens to them."""

    hour: int
    group: int
    seat: int
    n: int
    """Numbers the calls; two for each seat."""

    @property
    def number(self) -> str:
        """Of their desk phone, or of their delegate's."""
        return assistant(self.group) if self.seat == INVITED - 1 else person(self.group, self.seat)


class Day:
    """Draws what happens; the same each time."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self._random = Random("day")
        self._numbers = {number_at(hour, group) for hour in HOURS for group in range(MEETINGS)}

    def calls(self) -> Iterator[tuple[Call, str]]:
        """Every call with its keys."""
        n = 0
        for hour in HOURS:
            for group in range(MEETINGS):
                errors = 0
                for seat in range(INVITED):
                    n += 2
                    wrong = self._random.random() < 0.06 and errors < WRONG_PINS
                    errors += wrong
                    yield from self._comes(Seat(hour, group, seat, n), wrong=wrong)
            for k in range(40):
                yield self._ordinary(1_000_000 + hour * 100 + k, hour)

    def _comes(self, who: Seat, *, wrong: bool) -> Iterator[tuple[Call, str]]:
        start = MIDNIGHT + who.hour * 60 * MINUTE
        at = start + self._random.randrange(-10 * 60, 5 * 60) * SECOND + self._random.randrange(SECOND)
        end = start + self._random.randrange(40 * 60, 58 * 60) * SECOND
        dice = self._random.random()
        if dice < 0.2 and who.seat != INVITED - 1:
            yield self._by_sip(who, at, end), ""
        elif dice < 0.3:
            # The connection is lost; who was lost is back before the bridge gives the old leg up.
            lost = at + 12 * MINUTE
            yield self._dials(who, at, lost + 25 * SECOND), self._keys(who, wrong=wrong)
            yield self._dials(who, lost, end, again=True), self._keys(who)
        elif dice < 0.35 and who.seat != INVITED - 1:
            moves = at + 12 * MINUTE
            yield self._dials(who, at, moves + 20 * SECOND), self._keys(who, wrong=wrong)
            yield self._dials(who, moves, end, again=True, number=mobile(who.number)), self._keys(who)
        elif dice < 0.45 and who.seat != INVITED - 1:
            yield self._dials(who, at, end, number=mobile(who.number)), self._keys(who, wrong=wrong)
        else:
            yield self._dials(who, at, end), self._keys(who, wrong=wrong)

    def _dials(self, who: Seat, at: int, end: int, *, again: bool = False, number: str = "") -> Call:
        """With the number spelled in some way; one in ten trunks asserts nothing."""
        self._counts()
        self.truth.joins += 1
        number = number or who.number
        spelling = self._random.choice((number, national(number), "00" + number[1:], number[1:]))
        asserted = self._random.random() < 0.9 or spelling == number[1:]
        return Call(
            n=who.n + again,
            at=at,
            caller=number,
            target=f"sip:{ACCESS}@{BRIDGE};user=phone",
            callee=BRIDGE,
            lasts=end - at,
            media_port=media_port(who.n + again),
            written=f"sip:{spelling}@{TRUNK};user=phone",
            asserted=asserted,
        )

    def _by_sip(self, who: Seat, at: int, end: int) -> Call:
        self._counts()
        self.truth.joins += 1
        return Call(
            n=who.n,
            at=at,
            caller=f"sip:person-{who.group}-{who.seat}@ministry.example",
            target=f"sip:{number_at(who.hour, who.group)}@{SITE}",
            callee=BRIDGE,
            lasts=end - at,
            media_port=media_port(who.n),
        )

    def _ordinary(self, n: int, hour: int) -> tuple[Call, str]:
        """Somebody in the menu of a call centre."""
        self._counts()
        at = MIDNIGHT + hour * 60 * MINUTE + self._random.randrange(3_000) * SECOND
        target = f"sip:+3120555{9000 + n % 7}@{PBX};user=phone"
        caller, port = f"+3120558{n % 10_000:04}", media_port(n)
        call = Call(n=n, at=at, caller=caller, target=target, callee=PBX, lasts=3 * MINUTE, media_port=port)
        return call, f"2{self._random.randrange(10**8, 10**9)}#1"

    def _keys(self, who: Seat, *, wrong: bool = False) -> str:
        """Number, `#` for the attendee ID, PIN; with what people do on the way."""
        number = number_at(who.hour, who.group)
        dice = self._random.random()
        before = f"{self._mistyped(number)}#" if dice < 0.04 else ""
        if who.seat == 0:
            return f"{before}{number}##4321#"
        if dice > 0.9 and not wrong:
            return f"*01*{number}#{PIN}#*01*"
        return f"{before}{number}##{'85772689#' if wrong else ''}{PIN}#"

    def _mistyped(self, number: str) -> str:
        """One digit in the middle is another, and no meeting has that number."""
        while True:
            place = self._random.randrange(2, 6)
            wrong = (
                number[:place] + str((int(number[place]) + self._random.randrange(1, 10)) % 10) + number[place + 1 :]
            )
            if wrong not in self._numbers:
                return wrong

    def _counts(self) -> None:
        self.truth.calls += 1
        self.truth.messages += 7


def frames(truth: Truth) -> Iterator[Timed]:
    """All calls in the order of time; one INVITE in twenty is sent twice. Kept are only frames of calls under way."""
    random = Random("frames")
    waiting: list[tuple[int, int, bytes]] = []
    count = 0
    for call, keys in sorted(Day(truth).calls(), key=lambda one: one[0].at):
        while waiting and waiting[0][0] < call.at:
            at, _, frame = heappop(waiting)
            yield at, frame
        of_call = list(call.datagrams())
        if random.random() < 0.05:
            of_call.append((call.at + SECOND // 2, of_call[0][1]))
            truth.messages += 1
        ends = Ends(TRUNK, call.callee, call.media_port, call.media_port + 2)
        of_call += pressed(call, keys, random.getrandbits(32), ends)
        if random.random() < 0.1 and call.callee == BRIDGE and keys:
            of_call += _muted(call, ends, random.getrandbits(32))
        for at, frame in of_call:
            count += 1
            heappush(waiting, (at, count, frame))
    while waiting:
        at, _, frame = heappop(waiting)
        yield at, frame


def _muted(call: Call, ends: Ends, ssrc: int) -> Iterator[Timed]:
    """`*6` in the meeting, two minutes after the call began."""
    for at, frame in pressed(call, "*6", ssrc, ends):
        yield at + 2 * MINUTE, frame


def expected_on_the_day() -> dict[str, bytes]:
    """Calendar and directory with two telephones, a SIP address and an assistant where there is one."""
    files = {"policy.toml": expected_files()["policy.toml"]}
    cards: list[str] = []
    for group in range(MEETINGS):
        people = [(f"Person {group} {seat}", f"person-{group}-{seat}@ministry.example") for seat in range(INVITED)]
        people.append((f"Assistant {group}", f"assistant-{group}@ministry.example"))
        lines = tuple(f"ROLE=REQ-PARTICIPANT;CN={name}:mailto:{mail}" for name, mail in people[: INVITED - 1])
        away, comes = people[-2], people[-1]
        lines += (
            f'ROLE=REQ-PARTICIPANT;PARTSTAT=DELEGATED;DELEGATED-TO="mailto:{comes[1]}";CN={away[0]}:mailto:{away[1]}',
            f'ROLE=REQ-PARTICIPANT;DELEGATED-FROM="mailto:{away[1]}";CN={comes[0]}:mailto:{comes[1]}',
        )
        events = [
            Event(
                uid=f"day-{hour}-{group}@ministry.example",
                number=number_at(hour, group),
                title=f"Meeting {group} of {hour}:00",
                start=f"20250318T{hour:02}0000",
                end=f"20250318T{hour:02}4500",
                organizer=f"CN={people[0][0]}:mailto:{people[0][1]}",
                attendees=lines,
                pin=PIN,
            )
            for hour in HOURS
        ]
        for event in events:
            files[f"meetings/{event.number}.ics"] = calendar_of([event])
        for seat, (name, mail) in enumerate(people):
            cards += ["BEGIN:VCARD", "VERSION:3.0", f"FN:{name}", f"N:{name};;;;", f"EMAIL:{mail}", f"IMPP:sip:{mail}"]
            desk = person(group, seat) if seat < INVITED else assistant(group)
            numbers = (desk, mobile(desk)) if seat < INVITED else (desk,)
            cards += [*(f"TEL:{number}" for number in numbers), "END:VCARD"]
    files["directory.vcf"] = ("\r\n".join(cards) + "\r\n").encode()
    return files


def make(folder: Path) -> Truth:
    """`day.pcap` and what belongs to it."""
    truth = Truth()
    for path, content in expected_on_the_day().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    truth.packets = write(folder / "day.pcap", frames(truth))
    (folder / "truth.json").write_text(json.dumps(asdict(truth), indent=1) + "\n")
    return truth


class Seen:
    """An output that counts joins and keeps alerts."""

    def __init__(self) -> None:
        self.joins = 0
        self.alerts: dict[str, str] = {}

    def write(self, record: object) -> None:
        """Only these two matter."""
        from monitor.model.alerts import Alert
        from monitor.model.roster import Joined

        if isinstance(record, Joined):
            self.joins += 1
        elif isinstance(record, Alert):
            self.alerts[record.id] = f"{record.rule} {record.subject}: {record.summary}"

    def close(self) -> None:
        """Nothing to close."""


def replayed(folder: Path) -> Seen:
    """What the monitor says of the day."""
    from monitor.pipeline import Replay, captures_of, load_expected

    expected = load_expected([folder / "meetings"], [folder / "directory.vcf"], folder / "policy.toml")
    seen = Seen()
    replay = Replay(captures_of([folder / "day.pcap"]), expected, [seen])
    replay.run()
    replay.finish()
    return seen


def main(arguments: list[str]) -> int:
    """Makes the day, replays it, judges."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m bench.day OUTDIR\n")
        return 2
    folder = Path(arguments[0])
    truth = make(folder)
    sys.stdout.write(f"day: {truth.packets} packets, {truth.calls} calls, {truth.joins} authorised joins\n")
    seen = replayed(folder)
    for alert in seen.alerts.values():
        sys.stdout.write(f"false: {alert}\n")
    sys.stdout.write(f"seen: {seen.joins} joins, {len(seen.alerts)} false alerts\n")
    return int(seen.joins != truth.joins or len(seen.alerts) * FALSE_ALERTS > truth.joins)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
