"""What an invitation says of how to reach its meeting, in any language. Comes in: text. Goes out: `MeetingText`.

Three sources, the surest first: links and addresses; strings for one-tap dialling, which are the same in all languages;
numbers behind a label. A number alone is none.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from monitor.model.invitations import MeetingText, Secret
from monitor.model.meetings import Kind, MeetingRef
from monitor.platforms.addresses import Addresses, dialled_of, number_ref, unescaped, uri_of
from monitor.platforms.atlas import Atlas
from monitor.platforms.catalog import FALLBACK, Platform
from monitor.platforms.dial_in import groups_of, number_in
from monitor.platforms.links import Links

MAX_LENGTH = 256 * 1024
"""Characters of one text that are read: a hundred times a long invitation."""
MAX_NUMBERS = 1000
"""Digit groups of one text that are looked at."""
MAX_FOUND = 32
"""Meetings, and PINs, that one text may give."""
CONTEXT = 160
"""Characters before a number in which its label stands."""

ENTITY = re.compile(r"&(amp|lt|gt|quot|apos|nbsp|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});")
ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "nbsp": " "}
TAG = re.compile(r"<[^<>]*>")
TOKEN = re.compile(r"[^\s<>\"'()\[\]|]+")
ONE_TAP = re.compile(
    r"(?:tel:)?(\+?[0-9][0-9 ().\-]{4,24}?)(?:[,;pw]{1,12}|;ext=)[ ]?([0-9*#][0-9*#,;pwx ]{2,80})",
    re.ASCII | re.IGNORECASE,
)
NUMBER = re.compile(r"(?<![\w+])[0-9](?:[ .\-]?[0-9]){2,19}(?![\w])")
INVISIBLE = dict.fromkeys(
    (0x200B, 0x200C, 0x200D, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF)
)
SPACES = dict.fromkeys((0xA0, 0x2007, 0x2009, 0x202F, 0x3000), " ") | dict.fromkeys(
    (0x2010, 0x2011, 0x2012, 0x2013), "-"
)
PLAIN = str.maketrans(INVISIBLE | SPACES)
IN_PARENTHESES = re.compile(r"\([^()]{0,60}\)[\s:：]*\Z")
FILLER = " \t\r\n\f\v:：=-_*•.()[]#\\>"
"""What may stand between a label and its number."""
AFTER = " \t\r\n\f\v#.,;:)]<>|*\\"
"""What may follow a number that is whole."""


class OneTap(NamedTuple):
    """A string that a telephone dials by itself: the bridge, and the keys to press there."""

    access_number: str
    platform: Platform
    number: str
    others: list[str]
    """What follows the meeting's number, and may be its PIN: used at once and kept nowhere."""


class Texts:
    """Reads invitations."""

    def __init__(self, atlas: Atlas, addresses: Addresses) -> None:
        self._atlas = atlas
        self._links = Links(atlas)
        self._addresses = addresses
        self._number_labels = _owners(atlas.platforms.values(), "number")
        self._pin_labels = _owners(atlas.platforms.values(), "pin")

    def read(self, text: str) -> MeetingText:
        """Every meeting and every PIN for telephones that a text names; its access numbers are learned."""
        plain = plain_of(text[:MAX_LENGTH])
        refs = dict.fromkeys(self._linked(plain))
        bare = TAG.sub(" ", plain)
        context = self._context(refs, bare)
        pins: dict[str, None] = {}
        for access, platform, number, others in self._one_taps(plain, context):
            if platform.id != FALLBACK:
                self._atlas.learn(access, platform)
            refs[number_ref(platform, number)] = None
            context.setdefault(platform.id, platform)
            if platform.phone_pins:
                pins.update((digits, None) for digits in others if len(digits) in platform.dial_in.pin)
        self._read_labelled(bare, context, refs, pins)
        numbers = {ref.value for ref in refs if ref.kind is Kind.NUMBER}
        kept = [pin for pin in pins if pin not in numbers]
        return MeetingText(refs=tuple(refs)[:MAX_FOUND], pins=tuple(map(Secret, kept[:MAX_FOUND])))

    def refs_of(self, text: str) -> tuple[MeetingRef, ...]:
        """The meetings of one link, address or `tel:` string."""
        scheme = text[:8].partition(":")[0].lower()
        if scheme in ("http", "https") or ("/" in text and "@" not in text.partition("/")[0]):
            return self._links.refs_of(text.rstrip(".,;:!?"))
        if scheme == "tel":
            taps = self._one_taps(plain_of(text[:MAX_LENGTH]), {})
            return tuple(dict.fromkeys(number_ref(tap.platform, tap.number) for tap in taps))[:MAX_FOUND]
        goal = self._addresses.goal_of(uri_of(text))
        return (goal,) if isinstance(goal, MeetingRef) else ()

    def _linked(self, text: str) -> Iterator[MeetingRef]:
        """The meetings of every link and address."""
        for match in TOKEN.finditer(text):
            token = match[0].rstrip(".,;:!?*}`")
            if "/" in token and "." in token:
                start = token.lower().find("http")
                yield from self._links.refs_of(token[start:] if start > 0 else token)
            elif "@" in token:
                uri = uri_of(token if token[:4].lower() in ("sip:", "sips") else "sip:" + token.removeprefix("mailto:"))
                goal = self._addresses.goal_of(uri)
                if isinstance(goal, MeetingRef):
                    yield goal

    def _context(self, refs: Iterable[MeetingRef], text: str) -> dict[str, Platform]:
        """The platforms that a text is about: those of its links, or else those whose brand or number it names."""
        platforms = self._atlas.platforms
        linked = {ref.platform: platforms[ref.platform] for ref in refs}
        if linked:
            return linked
        lower = text.lower()
        found = {p.id: p for p in platforms.values() if any(brand in lower for brand in p.brands)}
        for match in PHONE.finditer(text):
            platform = self._atlas.by_number(dialled_of(match[0]))
            if platform is not None:
                found[platform.id] = platform
        return found

    def _one_taps(self, text: str, context: dict[str, Platform]) -> Iterator[OneTap]:
        """Every string that a telephone dials by itself."""
        for match in ONE_TAP.finditer(unescaped(text)):
            access, groups = dialled_of(match[1]), groups_of(match[2])
            candidates = list(self._candidates(access, match[2], context))
            for platform in candidates:
                number = number_in(groups[0], platform.dial_in)
                if number:
                    others = [group.lstrip("*") for group in groups[1:]]
                    yield OneTap(access, platform, number, [group for group in others if group.isdigit()])
                    break

    def _candidates(self, access: str, keys: str, context: dict[str, Platform]) -> Iterator[Platform]:
        """The platforms whose one-tap string this may be, the surest first."""
        platforms = self._atlas.platforms
        named = self._atlas.by_number(access)
        if named is not None:
            yield named
        yield from (p for p in platforms.values() if keys.startswith(p.dial_in.prefixes or ("!",)))
        yield from context.values()
        yield platforms[FALLBACK]

    def _read_labelled(
        self, text: str, context: dict[str, Platform], refs: dict[MeetingRef, None], pins: dict[str, None]
    ) -> None:
        """Numbers and PINs behind their labels, into `refs` and `pins`."""
        for count, match in enumerate(NUMBER.finditer(text)):
            if count >= MAX_NUMBERS:
                return
            if not _is_whole(text, match.end()):
                continue
            before = text[max(0, match.start() - CONTEXT) : match.start()].lower()
            digits = "".join(key for key in match[0] if key in "0123456789")
            numbering, asking = self._labels_in(before)
            # One platform's access code is another's passcode. When in doubt it is a PIN, for a PIN is never told.
            if asking and not any(platform.id in context for platform in numbering):
                numbering = ()
            platform = self._named_by(numbering, digits, context)
            if platform is not None:
                refs[number_ref(platform, digits)] = None
            elif self._holds_pin(asking, digits, context):
                pins[digits] = None

    def _labels_in(self, before: str) -> tuple[tuple[Platform, ...], tuple[Platform, ...]]:
        """Who calls a number so, and who calls a PIN so, by the label with which a text ends.

        `meeting number (access code)` is first read without what stands in parentheses.
        """
        for words in dict.fromkeys((IN_PARENTHESES.sub("", before), before, _without_password(before))):
            numbering, asking = _label_in(words, self._number_labels), _label_in(words, self._pin_labels)
            if numbering or asking:
                return numbering, asking
        return (), ()

    def _named_by(self, owners: tuple[Platform, ...], digits: str, context: dict[str, Platform]) -> Platform | None:
        """The platform whose meeting this labelled number is: one of the text's, or else the label's own."""
        fitting = [platform for platform in owners if len(digits) in platform.labelled]
        for platform in fitting:
            if platform.id in context:
                return platform
        strangers = [p for p in context.values() if owners and len(digits) in p.labelled and p.id != FALLBACK]
        if context:
            return strangers[0] if strangers else None
        candidates = [platform for platform in fitting if not _is_asked_by_pin(platform)]
        return min(candidates, key=lambda platform: platform.labelled.width, default=None)  # who is most particular

    def _holds_pin(self, owners: tuple[Platform, ...], digits: str, context: dict[str, Platform]) -> bool:
        """Whether a labelled number is a PIN that a telephone enters."""
        asking = context.values() if context else owners
        return bool(owners) and any(p.phone_pins and len(digits) in p.dial_in.pin for p in asking)


PHONE = re.compile(r"(?<![\w])\+?[0-9](?:[ ().\-]{0,3}[0-9]){6,14}(?![\w])")


def plain_of(text: str) -> str:
    """Text without invisible characters and HTML entities, and with plain spaces and dashes."""
    return ENTITY.sub(_character, text).translate(PLAIN) if "&" in text else text.translate(PLAIN)


def _character(match: re.Match[str]) -> str:
    name = match[1]
    if name[0] != "#":
        return ENTITIES[name]
    code = int("0" + name[1:], 16 if name[1] in "xX" else 10)
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else " "


def _owners(platforms: Iterable[Platform], what: str) -> dict[str, tuple[Platform, ...]]:
    """Every label with the platforms that use it, the longest label first."""
    owners: dict[str, tuple[Platform, ...]] = {}
    for platform in platforms:
        words: dict[str, tuple[str, ...]] = getattr(platform.labels, what)
        for label in dict.fromkeys(label for labels in words.values() for label in labels):
            owners[label] = (*owners.get(label, ()), platform)
    return dict(sorted(owners.items(), key=lambda item: -len(item[0])))


def _label_in(before: str, owners: dict[str, tuple[Platform, ...]]) -> tuple[Platform, ...]:
    """The platforms that use the label with which a text ends; none when it ends with no label."""
    words = before.rstrip(FILLER)
    if not words.endswith(tuple(owners)):
        return ()
    for label in owners:
        if words.endswith(label):
            ahead = words[: -len(label)][-1:]
            if not ahead.isalnum() or not label[0].isascii():
                return owners[label]
    return ()


def _without_password(before: str) -> str:
    """`password: Kq3mPz (` → `password`: Webex puts the digits for telephones in parentheses behind the password."""
    words = before.rstrip()
    return words[:-1].rstrip().rpartition(" ")[0] if words.endswith("(") else before


def _is_whole(text: str, end: int) -> bool:
    """Whether a number ends here, rather than going on as a password."""
    rest = text[end : end + 2]
    return not rest or (rest[0] in AFTER and (len(rest) < 2 or rest[0].isspace() or not rest[1].isalnum()))


def _is_asked_by_pin(platform: Platform) -> bool:
    """Whether the platform calls its numbers PINs, which without its link or name could be anybody's."""
    return "pin" in platform.labels.number.get("en", ())
