"""Every regular expression of the program is linear, by its grammar; and numbers and XML are read with bounds.

The rule: an expression that meets text from outside has no loop that the same text can go through in two ways (see
`tests/ambiguity.py`). Where an expression is used for searching, the search itself is one such loop. What the check
cannot follow is named here, with the reason why it is harmless.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from inspect import getsource
from pkgutil import walk_packages
from time import process_time
from types import ModuleType
from typing import Any

import pytest

import monitor
from tests.ambiguity import Automaton

ANCHORED = frozenset({"match", "fullmatch"})
MAKERS = frozenset({"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"})


@cache
def modules() -> dict[str, ModuleType]:
    found = walk_packages(monitor.__path__, "monitor.")
    return {one.name: import_module(one.name) for one in found if not one.name.endswith("__main__")}


@cache
def tree_of(name: str) -> ast.Module:
    return ast.parse(getsource(modules()[name]))


def uses_of(tree: ast.AST, name: str) -> set[str]:
    """How a module asks an expression: `_NAME.search(…)`, `_NAME.sub`; anything else is taken for a search."""
    uses: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name:
            uses.add(node.attr)
    return uses


def named() -> Iterator[tuple[str, "re.Pattern[Any]", bool]]:
    """Every compiled expression that a module holds, and whether it is searched with."""
    for name, module in modules().items():
        tree = tree_of(name)
        for attribute, value in vars(module).items():
            bound = getattr(value, "__self__", None)
            if isinstance(value, re.Pattern):
                yield f"{name}.{attribute}", value, not uses_of(tree, attribute) <= ANCHORED
            elif isinstance(bound, re.Pattern):
                yield f"{name}.{attribute}", bound, value.__name__ not in ANCHORED


def written() -> Iterator[tuple[str, "re.Pattern[Any] | None", bool]]:
    """Every expression that is given to `re` on the spot; none where it is put together from what a function knows."""
    for name, module in modules().items():
        for function in ast.walk(tree_of(name)):
            if not isinstance(function, ast.FunctionDef):
                continue
            for node in ast.walk(function):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                    continue
                if (
                    not (isinstance(node.func.value, ast.Name) and node.func.value.id == "re")
                    or node.func.attr not in MAKERS
                ):
                    continue
                place = f"{name}.{function.name}"
                flags = [word.value for word in node.keywords if word.arg == "flags"]
                try:
                    text = eval(compile(ast.Expression(node.args[0]), name, "eval"), dict(vars(module)))
                    given = eval(compile(ast.Expression(flags[0]), name, "eval"), dict(vars(module))) if flags else 0
                except NameError:
                    yield place, None, True
                    continue
                searched = node.func.attr not in ANCHORED
                yield place, text if isinstance(text, re.Pattern) else re.compile(text, given), searched


def made() -> Iterator[tuple[str, "re.Pattern[Any]", bool]]:
    """Expressions that functions put together: all that the program's own data makes of them."""
    from monitor.decoders.sip_fields import USUAL
    from monitor.decoders.sip_message import _seeker_of
    from monitor.model.policy import Policy
    from monitor.platforms import Platforms
    from monitor.platforms.catalog import expression, known_platforms
    from monitor.sources.markings import _LADDER, _pattern

    for name in USUAL:
        yield f"seeker of {name}", _seeker_of(name.lower()).__self__, True  # type: ignore[attr-defined]
    for level in _LADDER:
        for free in (f"{level.formal}|{level.title}", level.formal):
            yield f"marking {level.title}", _pattern(level, free), True
    platforms = Platforms(Policy(), number_text=lambda _: None).catalog
    assert len(platforms) == len(known_platforms())
    for platform in platforms:
        for form in platform.links:
            for text in (form.path, *form.query.values(), *form.optional.values()):
                yield f"link of {platform.id}", expression(text), False


MADE_ELSEWHERE = {
    "monitor.decoders.sip_message._seeker": "in `made`",
    "monitor.sources.markings._pattern": "in `made`; a policy's own words are escaped",
    "monitor.sources.markings._level_of": "a classification of the policy, once",
    "monitor.platforms.catalog.expression": "in `made`",
    "monitor.platforms.catalog._line_of": "our own data files, when one of them is wrong",
    "monitor.sources.strides.learn": "lengths of records, escaped; each copy has a fixed length",
    "monitor.sources.policies._statement_at": "the operator's own file, one line at a time",
    "monitor.sources.policies._opens": "the operator's own file, one line at a time",
    "monitor.sources.policies._syntax": "a message of the parser",
    "monitor.sources.moments._zone_of": "one line of a time zone",
    "monitor.outputs.pseudonyms.hidden": "names that are known, escaped; what it is asked of has 2,048 characters",
    "monitor.daemon.forgetting.__init__": "names and addresses of one person, escaped",
}
"""Functions that put an expression together from what they are given, and why that is harmless."""

HARMLESS = {
    "monitor.sources.contentlines._PARAM": "asked of a head that `_HEAD` has found sound: every quote in it is closed",
    "monitor.sources.tomllines._TOKEN": "what is looked ahead for leaves one reading of each quote",
    "monitor.sources.directories._entry_of": "white space has a branch of its own, with nothing behind it",
    "monitor.sources.policies._opens": "the policy that its operator writes, line by line, and only where it is broken",
    "monitor.outputs.pseudonyms.without_addresses": "asked of 2,048 characters, which take milliseconds at most",
}
"""Expressions that the check cannot tell from slow ones, and why they are none."""


@pytest.mark.parametrize("given", [named, written, made], ids=lambda given: given.__name__)
def test_every_expression_is_linear(given: Any) -> None:
    slow = {}
    for name, pattern, searched in given():
        if pattern is None:
            assert name in MADE_ELSEWHERE, (
                f"{name}: put its expression among those of `made`, or say why it is harmless"
            )
        elif name not in HARMLESS:
            places = Automaton(pattern).slow_places(searched=searched)
            if places:
                slow[name] = pattern.pattern
    assert not slow


LINEAR = [
    r"a*b",
    r"(?:[^\n]*\n)*x",
    r'[^"\\]*+(?:\\.[^"\\]*+)*+"',
    r"\n([^:\n]*):",
    r"(ab|ac)*d",
    r"x{1,64}y",
    r"^[ \t]{0,8}a",
]
SLOW = [
    r"(a+)+$",
    r"(?:ab|a|b)*c",
    r"a*a*b",
    r"(?:a*,?)*b",
    r"(?:\s*a\s*)*b",
    r".*a.*b.*c",
    r"([a-z]+)*@",
    r"(?i:(ab|A|b)*)c",
]
SLOW_TO_SEARCH = [r"\s+$", r"[a-z]+@", r"a[^b]*c", r"\d+(?=x)"]


def test_the_check_knows_slow_expressions_from_linear_ones() -> None:
    def slow(text: str, searched: bool) -> bool:
        return bool(Automaton(re.compile(text)).slow_places(searched=searched))

    assert [text for text in LINEAR if slow(text, False)] == []
    assert [text for text in SLOW if not slow(text, False)] == []
    assert [text for text in SLOW_TO_SEARCH if not slow(text, True)] == []
    assert [text for text in SLOW_TO_SEARCH if slow(text, False)] == []
    assert not slow(r"[a-z]+", True)


QUOTES = ['"', '""', '"\\"', ';a="b', ',"', "'", '"""', '""""', ";@", " |", " \t+", ' "', "=;"]


@pytest.mark.parametrize("unit", QUOTES)
@pytest.mark.parametrize(
    "name",
    ["monitor.sources.contentlines._PARAM", "monitor.sources.contentlines._HEAD", "monitor.sources.tomllines._TOKEN"],
)
def test_those_that_are_called_harmless_are(name: str, unit: str) -> None:
    module, _, attribute = name.rpartition(".")
    pattern = getattr(modules()[module], attribute)

    def seconds(count: int) -> float:
        text = (";a=" + unit * count)[: 8 * count]
        runs = []
        for _ in range(3):
            began = process_time()
            pattern.match(text), pattern.match(unit * count), pattern.findall(text)
            runs.append(process_time() - began)
        return min(runs)

    for _ in range(3):
        if (ratio := seconds(16_000) / max(seconds(2_000), 0.0005)) < 20:
            return
    assert ratio < 20


def trees() -> Iterator[tuple[str, ast.Module]]:
    for name in modules():
        yield name, tree_of(name)


XML = ("xml", "lxml", "defusedxml", "html.parser", "pyexpat")
XML_READER = "monitor.decoders.conference_info"


def test_one_file_reads_xml_and_it_refuses_what_defines_anything() -> None:
    importers = set()
    for name, tree in trees():
        for node in ast.walk(tree):
            imported = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            imported += [one.name for one in node.names] if isinstance(node, ast.Import) else []
            importers |= {name for one in imported if one.startswith(XML)}
    assert importers == {XML_READER}
    source = getsource(modules()[XML_READER])
    for handler in ("StartDoctypeDeclHandler", "EntityDeclHandler"):
        assert handler in source


WIRE_SIDE = ("monitor.wire", "monitor.decoders", "monitor.platforms", "monitor.meetings", "monitor.detections")
NOT_FROM_TEXT = {
    "monitor.platforms.catalog": "data files of our own, read by expressions of ASCII digits",
    "monitor.platforms.texts._character": "digits that an expression of at most seven has found",
    "monitor.decoders.sip_message._read_usual": "bytes that an expression of at most ten digits has found",
    "monitor.decoders.conference_info.moment_of": "seconds of a moment, which is one already",
    "monitor.decoders.sip_calls._bye_unseen": "whether, as a number",
    "monitor.decoders.sip_readings._named": "the end of a name that was made there",
    "monitor.detections.enumeration._number": "digits of a meeting's number, cut to a bound by a slice",
}
GUARDS = ("isdigit", "isdecimal", "isascii")


def called(tree: ast.AST) -> set[str]:
    return {
        node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }


def test_numbers_from_the_wire_are_ascii_digits_with_a_bound() -> None:
    """Whoever makes a number of text has looked at its characters and its length; `int` alone takes ` 1_0`, and ٣."""
    unguarded = []
    for name, tree in trees():
        if not name.startswith(WIRE_SIDE) or name in NOT_FROM_TEXT:
            continue
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            numbers = [
                node
                for node in ast.walk(function)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("int", "float")
            ]
            place = f"{name}.{function.name}"
            if not numbers or place in NOT_FROM_TEXT:
                continue
            lengths = [n for n in ast.walk(function) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "len"]
            if not (called(function) & set(GUARDS) and lengths):
                unguarded.append(place)
    assert unguarded == []


BYTES_OR_KEYS = {
    "monitor.wire": "bytes, whose `isdigit` knows ASCII alone",
    "monitor.decoders.sdp": "bytes",
    "monitor.decoders.sip_media": "bytes",
    "monitor.decoders.sip_aside": "bytes",
    "monitor.decoders.sip_message": "bytes",
    "monitor.decoders.sip_problems": "bytes",
    "monitor.platforms.dial_in": "keys, which are of sixteen kinds",
    "monitor.platforms.texts": "groups of keys",
}


def test_digits_are_those_of_ascii() -> None:
    """`str.isdigit` takes ², and `str.isdecimal` takes ٣: beside either, of text, stands `isascii`."""
    careless = []
    for name, tree in trees():
        if not name.startswith(WIRE_SIDE) or name in BYTES_OR_KEYS:
            continue
        for function in ast.walk(tree):
            asks = called(function) if isinstance(function, ast.FunctionDef) else set[str]()
            if asks & {"isdigit", "isdecimal", "isnumeric"} and "isascii" not in asks:
                careless.append(f"{name}.{getattr(function, 'name', '')}")
    assert careless == []


@pytest.mark.parametrize(
    "digits",
    [
        "٣٤٥٦٧",
        "１２３４５",
        "²³",
        "1_000",
        " 12",
        "+12",
        "-1",
        "0x10",
        "1e3",
        5000 * "9",
    ],
)
def test_no_other_digits_make_a_number(digits: str) -> None:
    from monitor.decoders.conference_info import read_conference_info
    from monitor.decoders.sdp import parse_sdp
    from monitor.decoders.sip_address import parse_uri
    from monitor.decoders.sip_message import length_of, read_message
    from monitor.model.oddities import Malformed

    raw = digits.encode()
    assert parse_uri(f"sip:a@example.com:{digits}").port is None or digits == " 12"
    assert parse_sdp(b"v=0\r\nm=audio " + raw + b" RTP/AVP 0\r\n").media == () or digits == " 12"
    message = read_message(b"BYE sip:a SIP/2.0\r\nCSeq: " + raw + b" BYE\r\n\r\n", datagram=True)
    if digits != " 12":
        with pytest.raises(Malformed):
            assert message.cseq
        assert length_of(b"X\nContent-Length: " + raw + b"\r\n\r\n", 1) == -1
    roster = f'<conference-info version="{digits}"><users/></conference-info>'
    assert read_conference_info(roster.encode()).version in (None, 12)
