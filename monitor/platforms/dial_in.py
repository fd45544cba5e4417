"""What a caller enters at the voice of a bridge: keys in; the meeting, and the state of every other group of keys, out.

Digits stand here only from the first key of a group to its `#`, and nowhere else in the house.
"""

from collections.abc import Callable, Iterable
from itertools import chain, product

from monitor.model.evidence import Nanoseconds
from monitor.model.invitations import PinCheck
from monitor.model.meetings import MeetingRef, Slot, SlotState
from monitor.model.resumed import KeypadSaved
from monitor.platforms.addresses import number_ref
from monitor.platforms.catalog import DialIn, Platform

MAX_GROUP = 32
"""Keys of one group that are kept: more than any number, PIN or command has."""
MAX_SLOTS = 64
"""Groups of one attempt that are told: a bridge hangs up after three to ten."""

STRANGE_NUMBER = range(7, 14)
"""Digits of what may be a meeting's number, where nothing else shows that it is one."""

DIGITS = frozenset("0123456789")
MISSING = "?"
"""Stands for a key that was not seen."""
UNSEEN = (MISSING, 2 * MISSING, 3 * MISSING)
"""Groups that, whatever they were, had no room for a PIN: the shortest has four digits."""
MAX_MENDED = 3
"""Missing keys of a number that are tried: a thousand numbers."""

Knows = Callable[[MeetingRef], bool]


class Keypad:
    """One caller at the voice of one platform's bridge."""

    __slots__ = ("_by_length", "_frayed", "_group", "_knows", "_length", "_number", "_pin_check", "_torn", "attempt",
                 "frayed", "lost", "meeting", "platform", "site", "slots")  # fmt: skip

    def __init__(self, platform: Platform, site: str, knows: Knows, pin_check: PinCheck) -> None:
        self.platform = platform
        self.site = site
        self.attempt = 0
        self.meeting: MeetingRef | None = None
        self.slots: tuple[Slot, ...] = ()
        self.lost = 0
        """Groups beyond `MAX_SLOTS`."""
        self.frayed = False
        """Keys may be missing from what was seen."""
        self._knows = knows
        self._pin_check = pin_check
        self._frayed = False  # so in this group
        self._group = ""
        self._length = 0
        self._number = ""
        self._torn = False  # the beginning of the group was seen by another life of this program, which kept none of it
        self._by_length = False  # the number was complete before any `#`; a `#` may still follow it

    def __repr__(self) -> str:
        return f"Keypad(platform={self.platform.id!r}, attempt={self.attempt}, slots={len(self.slots)})"

    def press(self, key: str, missed: int = 0, *, frayed: bool = False) -> None:
        """The next key, before which some may be missing; it changes `attempt`, `meeting` and `slots`.

        `missed` is how many are, where that is known.
        """
        self.frayed = self.frayed or frayed
        self._frayed = self._frayed or frayed
        if missed and len(self._group) + missed <= MAX_GROUP:
            self._group += MISSING * missed
            self._length += missed
        if key == "#":
            group, length = self._group, self._length
            self._group, self._length = "", 0
            self._end(group, length)
            self._frayed = False
        elif key in DIGITS or key == "*":
            self._length += 1
            if len(self._group) < MAX_GROUP:
                self._group += key
            if self.meeting is None and key != "*":
                self._complete_by_length()

    def saved(self, call: str, at: Nanoseconds) -> KeypadSaved:
        """What another decoder must know to go on. Only a meeting's number may be unfinished in it, never a PIN."""
        return KeypadSaved(
            call=call,
            at=at,
            platform=self.platform.id,
            site=self.site,
            attempt=self.attempt,
            meeting=self.meeting,
            slots=self.slots,
            frayed=self.frayed,
            number="" if self.meeting is not None else self._group,
            typing=self._torn or (self.meeting is not None and self._length > 0),
            by_length=self._by_length,
        )

    def resume(self, saved: KeypadSaved) -> None:
        """Go on from there."""
        self.attempt, self.meeting, self.slots, self.frayed = saved.attempt, saved.meeting, saved.slots, saved.frayed
        self._torn = saved.typing
        self._group, self._length = saved.number, len(saved.number)
        if saved.by_length and saved.meeting is not None:
            self._by_length, self._number = True, saved.meeting.value

    def _complete_by_length(self) -> None:
        """A number that a calendar has needs no `#`: the bridge's time-out would end it as well."""
        ref = self._meeting_in(self._group)
        if ref is not None and self._knows(ref):
            self._begin(ref, 1)
            self._number, self._group, self._length, self._by_length = ref.value, "", 0, True

    def _end(self, group: str, length: int) -> None:
        if self._torn:  # whatever it was, it was not empty
            self._torn = self._by_length = False
            self._add(Slot(state=SlotState.FILLED, length=length))
            return
        if self._by_length:
            self._by_length = False
            if not group:
                return  # the `#` of the number itself
            whole = self._meeting_in(self._number + group)
            if whole is not None and (self.platform.dial_in.ends == "hash" or self._knows(whole)):
                self.meeting = whole  # it was only the beginning of a longer number
                return
        ref = self._meeting_in(group) if length <= MAX_GROUP else None
        if self._frayed and (ref is None or not self._knows(ref)):
            ref = self._mended(group) or ref
        if ref is not None and self._begins_anew(ref):
            self._begin(ref, self.attempt + 1)
        elif self.meeting is not None and not is_command(group, self.platform.dial_in):
            self._add(self._slot_of(group, length))

    def _begin(self, ref: MeetingRef, attempt: int) -> None:
        self.meeting, self.attempt, self.slots, self._number = ref, attempt, (), ""

    def _begins_anew(self, ref: MeetingRef) -> bool:
        """Whether a group of a number's shape is one: the bridge refused the number before, so it was none of ours."""
        if self.meeting is None:
            return True
        if self._knows(self.meeting):
            return False
        if len(ref.value) not in self.platform.dial_in.pin or self._knows(ref):
            return True
        # It could as well be the PIN of a meeting that no calendar has, and a PIN must not leave as a number. So only
        # what looks like the number before counts as another; and once the bridge has asked for more, nothing does.
        return not self.slots and len(ref.value) == len(self.meeting.value)

    def _add(self, slot: Slot) -> None:
        if len(self.slots) < MAX_SLOTS:
            self.slots = (*self.slots, slot)
        else:
            self.lost += 1

    def _meeting_in(self, group: str) -> MeetingRef | None:
        """The meeting whose number this group is, by its shape."""
        digits = number_in(group, self.platform.dial_in)
        return number_ref(self.platform, digits) if digits else None

    def _mended(self, group: str) -> MeetingRef | None:
        """The meeting of the calendars whose number this would be with the keys that are missing, if there is just one.

        Where it is not known which are missing, one may be anywhere.
        """
        if self.meeting is not None and self._knows(self.meeting):
            return None
        gaps = group.count(MISSING)
        if gaps > MAX_MENDED or not group.replace(MISSING, "").isdigit():
            return None
        if gaps:
            parts = group.split(MISSING)
            fills = product(DIGITS, repeat=gaps)
            longer = {"".join(chain(*zip(parts, fill, strict=False), parts[-1:])) for fill in fills}
        else:
            longer = {group[:at] + digit + group[at:] for at in range(len(group) + 1) for digit in DIGITS}
        refs = [ref for number in longer if (ref := self._meeting_in(number)) is not None and self._knows(ref)]
        return refs[0] if len(refs) == 1 else None

    def _slot_of(self, group: str, length: int) -> Slot:
        digits = group.rpartition("*")[2]
        if not digits or digits in UNSEEN:
            return Slot(state=SlotState.EMPTY)
        grammar, told = self.platform.dial_in, False
        assert self.meeting is not None  # noqa: S101 - asked only when there is one
        for reading in readings_of(group, grammar):
            checked = self._pin_check(self.meeting, reading)
            if checked:
                return Slot(state=SlotState.RIGHT, length=len(reading))
            told = told or checked is not None
        is_host = "*" in group and grammar.star == "host"
        state = SlotState.WRONG if told and not is_host and not self._frayed else SlotState.FILLED
        return Slot(state=state, length=length - (len(group) - len(digits)))


class Stranger:
    """One caller at a number that is nobody's we know: a bank's voice as well as a bridge's."""

    __slots__ = ("_group", "seen")

    def __init__(self) -> None:
        self._group = ""
        self.seen = False
        """A long number was entered here, as at a bridge."""

    def __repr__(self) -> str:
        return f"Stranger(seen={self.seen})"

    def press(self, key: str) -> str:
        """The next key; at a `#` what may be a meeting's number, and otherwise nothing."""
        if key != "#":
            self._group = (self._group + key)[:MAX_GROUP]
            return ""
        number = self._group.rpartition("*")[2]
        self._group = ""
        return number if number.isdigit() and len(number) in STRANGE_NUMBER else ""


def number_in(group: str, grammar: DialIn) -> str:
    """The meeting number that a group of keys is; empty when it has not the shape of one."""
    for prefix in grammar.prefixes:
        group = group.removeprefix(prefix)
    return group if group.isdigit() and len(group) in grammar.number else ""


def readings_of(group: str, grammar: DialIn) -> Iterable[str]:
    """What the PIN in a group may be: what follows its last `*`, and that without a command just before it."""
    _, star, digits = group.rpartition("*")
    yield digits
    if star:
        for command in grammar.commands:
            if f"*{digits}".startswith(command) and len(digits) >= len(command):
                yield digits[len(command) - 1 :]


def is_command(group: str, grammar: DialIn) -> bool:
    """Whether a group of keys only does something in the meeting: `*6`, or the `*01*` that ends a one-tap string."""
    while group and (found := next((c for c in (*grammar.prefixes, *grammar.commands) if group.startswith(c)), "")):
        group = group[len(found) :]
        if not group:
            return True
    return False


def groups_of(keys: str) -> list[str]:
    """The groups of a whole string of keys, without pauses; the last is what no `#` ended."""
    return "".join(key for key in keys if key in DIGITS or key in "*#").split("#")
