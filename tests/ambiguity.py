"""Can a regular expression take more than linear time? Told from its grammar, without running it.

An expression becomes an automaton whose states are its characters' places (Glushkov). It can be slow only where some
text leads round one loop and, by the same letters, round it or into another loop in a second way (Weber and Seidl:
infinite ambiguity), for then a match that fails at the end is tried in all the ways before. A search adds a loop over
everything before the first place. Counted repetitions become as many copies, at most three: a bound is a constant.
"""

import re
from re import _parser  # type: ignore[attr-defined]
from typing import Any

LETTERS = [chr(code) for code in range(256)] + list("\u0130\u017f\u212a\u0663\u1e9e\u2003\u2028\u4e2d\uff11\U0001f600")
ALL = (1 << len(LETTERS)) - 1
COPIES = 3
_CATEGORIES = {
    "CATEGORY_DIGIT": r"\d", "CATEGORY_NOT_DIGIT": r"\D", "CATEGORY_SPACE": r"\s", "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w", "CATEGORY_NOT_WORD": r"\W",
}  # fmt: skip


class Automaton:
    """The places of an expression, which follow which, and where a match may begin and end."""

    def __init__(self, pattern: "re.Pattern[Any]") -> None:
        self.flags = pattern.flags
        self.letters: list[int] = []
        self.follow: list[set[int]] = []
        self.doubled: set[tuple[int, int]] = set()
        """Places that follow one another in two ways: a repetition of a repetition."""
        self.asserts = False
        """A match may fail behind its last place."""
        parsed = _parser.parse(pattern.pattern, pattern.flags)
        self.nullable, self.first, self.last = self._sequence(list(parsed))
        begin = str(parsed[0][1]) if len(parsed) and str(parsed[0][0]) == "AT" else ""
        self.anchored = begin == "AT_BEGINNING_STRING" or (begin == "AT_BEGINNING" and not self.flags & re.MULTILINE)
        """It is tried at the start of a text alone, even by a search."""

    def _place(self, letters: int) -> tuple[bool, set[int], set[int]]:
        self.letters.append(letters)
        self.follow.append(set())
        place = {len(self.letters) - 1}
        return False, place, set(place)

    def _sequence(self, items: list[Any]) -> tuple[bool, set[int], set[int]]:
        nullable, first, last = True, set[int](), set[int]()
        for item in items:
            empty, begins, ends = self._item(item)
            for place in last:
                self.follow[place] |= begins
            first |= begins if nullable else set()
            last = last | ends if empty else ends
            nullable = nullable and empty
        return nullable, first, last

    def _item(self, item: Any) -> tuple[bool, set[int], set[int]]:
        kind, what = str(item[0]), item[1]
        if kind in ("LITERAL", "NOT_LITERAL", "IN", "ANY", "RANGE", "CATEGORY"):
            return self._place(self._letters_of(kind, what))
        if kind == "SUBPATTERN":
            outer, self.flags = self.flags, (self.flags | what[1]) & ~what[2]
            found = self._sequence(list(what[3]))
            self.flags = outer
            return found
        if kind == "ATOMIC_GROUP":
            return self._sequence(list(what))
        if kind == "BRANCH":
            parts = [self._sequence(list(branch)) for branch in what[1]]
            return any(p[0] for p in parts), set().union(*(p[1] for p in parts)), set().union(*(p[2] for p in parts))
        if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            return self._repeat(what[0], what[1], list(what[2]))
        if kind == "GROUPREF_EXISTS":
            return self._sequence([*what[1], *(what[2] or [])])
        if kind in ("AT", "ASSERT", "ASSERT_NOT"):
            if "BEGINNING" in str(what) or (kind != "AT" and what[0] < 0):
                return True, set(), set()  # Nothing is read, or what was read before.
            self.asserts = True
            # What is only looked at is a way that ends there.
            return True, self._sequence(list(what[1]))[1] if kind != "AT" else set(), set()
        assert kind == "GROUPREF", kind
        self.asserts = True
        return True, set(), set()

    def _repeat(self, least: int, most: Any, items: list[Any]) -> tuple[bool, set[int], set[int]]:
        endless = most is _parser.MAXREPEAT
        copies = max(1, min(COPIES, least if endless else int(most)))
        nullable, first, last, before = True, set[int](), set[int](), set[int]()
        for number in range(copies):
            empty, begins, ends = self._sequence(items)
            for place in before:
                self.follow[place] |= begins
            first |= begins if nullable else set()
            optional = empty or number >= least
            before = before | ends if empty else ends
            last = last | ends if optional else ends
            nullable = nullable and optional
            if endless and number == copies - 1:
                for place in ends:
                    self.doubled |= {(place, after) for after in begins & self.follow[place]}
                    self.follow[place] |= begins
        return nullable, first, last

    def _letters_of(self, kind: str, what: Any) -> int:
        if kind == "IN":
            found = 0
            items = list(what)
            negated = bool(items) and str(items[0][0]) == "NEGATE"
            for one in items[negated:]:
                found |= self._letters_of(str(one[0]), one[1])
            return ALL & ~found if negated else found
        if kind == "NOT_LITERAL":
            return ALL & ~self._letters_of("LITERAL", what)
        if kind == "ANY":
            return ALL if self.flags & re.DOTALL else self._letters_of("NOT_LITERAL", 10)
        if kind == "CATEGORY":
            fits = re.compile(_CATEGORIES[str(what)], self.flags & re.ASCII).fullmatch
            return sum(1 << at for at, letter in enumerate(LETTERS) if fits(letter))
        low, high = (what, what) if kind == "LITERAL" else what
        fold = bool(self.flags & re.IGNORECASE)
        fits_in = lambda letter: low <= ord(letter) <= high  # noqa: E731
        return sum(
            1 << at
            for at, letter in enumerate(LETTERS)
            if fits_in(letter)
            or (fold and any(len(c) == 1 and fits_in(c) for c in (letter.lower(), letter.upper(), letter.casefold())))
        )

    def slow_places(self, *, searched: bool) -> list[int]:
        """Places of loops at which a failing match is tried in many ways; none of an expression that is linear."""
        follow = [set(after) for after in self.follow]
        letters = list(self.letters)
        searched = searched and not self.anchored
        if searched:  # The loop over everything before the first place: the search itself.
            letters.append(ALL)
            follow.append(self.first | {len(letters) - 1})
        reach = [_reached(follow, after) for after in follow]
        looping = [place for place in range(len(letters)) if place in reach[place]]
        found = []
        search = len(letters) - 1 if searched else -1
        for one in looping:
            for other in looping:
                if one == search and self._ends_soon(other, follow):
                    continue
                if one == other:
                    if _twice(one, follow, letters, self.doubled):
                        found.append(one)
                elif other in reach[one] and _together(one, other, follow, letters):
                    found.append(other)
        return sorted(set(found))

    def _ends_soon(self, place: int, follow: list[set[int]]) -> bool:
        """Whether who has come here has matched, or will in a few steps: the search goes on behind the match."""
        if self.asserts:
            return False
        inside = [after if at not in self.last else set[int]() for at, after in enumerate(follow)]
        inside = [{one for one in after if one not in self.last} for after in inside]
        return not any(at not in self.last and at in _reached(inside, inside[at]) for at in _reached(follow, {place}))


def _reached(follow: list[set[int]], start: set[int]) -> set[int]:
    seen, waiting = set(start), list(start)
    while waiting:
        for after in follow[waiting.pop()]:
            if after not in seen:
                seen.add(after)
                waiting.append(after)
    return seen


def _leading_to(goal: int, follow: list[set[int]]) -> set[int]:
    before: list[set[int]] = [set() for _ in follow]
    for place, after in enumerate(follow):
        for one in after:
            before[one].add(place)
    return _reached(before, {goal})


def _together(one: int, other: int, follow: list[set[int]], letters: list[int]) -> bool:
    """Whether one text leads from `one` round to `one`, from `one` to `other`, and from `other` round to `other`."""
    begin, goal = (one, one, other), (one, other, other)
    seen, waiting = {begin}, [begin]
    back, into = _leading_to(one, follow), _leading_to(other, follow)
    while waiting:
        a, b, c = waiting.pop()
        for x in follow[a]:
            if x not in back:
                continue
            for y in follow[b]:
                if y not in into or not letters[x] & letters[y]:
                    continue
                for z in follow[c]:
                    if z in into and letters[x] & letters[y] & letters[z]:
                        state = (x, y, z)
                        if state == goal:
                            return True
                        if state not in seen:
                            seen.add(state)
                            waiting.append(state)
    return False


def _twice(one: int, follow: list[set[int]], letters: list[int], doubled: set[tuple[int, int]]) -> bool:
    """Whether one text leads from a place round to itself in two ways: then time may double with each letter."""
    seen: set[tuple[int, int, bool]] = {(one, one, False)}
    waiting = [(one, one, False)]
    home = _leading_to(one, follow)
    circle = home & _reached(follow, {one})
    if any(a in circle and b in circle for a, b in doubled):
        return True
    while waiting:
        a, b, parted = waiting.pop()
        for x in follow[a] & home:
            for y in follow[b] & home:
                if letters[x] & letters[y]:
                    state = (x, y, parted or x != y)
                    if state == (one, one, True):
                        return True
                    if state not in seen:
                        seen.add(state)
                        waiting.append(state)
    return False
