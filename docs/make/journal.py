"""`docs/journal.md`: every line of the journal, from the schema that is shipped with it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from docs.make.words import MADE, cell, table
from monitor.outputs.journal import schema

INTRO = """\
# The journal

{made}

One JSON object a line, in the order of packet time: what `--json` of a replay writes, and the daemon below
`state/journal`. The schema is [journal.schema.json](../monitor/outputs/journal.schema.json); each line of each run
follows it. Times are UTC (RFC 3339, microseconds). A line with the `id` of an earlier one replaces it. Fields may be
added with any version; none changes its meaning.
"""
Node = Mapping[str, Any]
TOLD = ("identity", "evidence", "facts", "slots", "claims", "meeting", "occurrence")
"""What many lines have, and is told once."""

COMMON = {
    "time": "The packet time at which it was said.",
    "id": "Equal in every run, on every sensor, for the same cause.",
    "call": "The Call-ID.",
    "joined_at": "When they were admitted; that it was so may have become certain later.",
    "left_at": "When they were gone.",
    "by_bridge": "The bridge called them.",
    "names": "Who of the directory has this subject.",
    "origin": "The address that the call came from.",
    "occurrence": "None where the meeting does not take place on that date.",
    "facts": "What shows it, a sentence each.",
    "reasons": "Why, a sentence each.",
    "summary": "In one sentence; of an occurrence, its title.",
    "rule": "Of [rules](rules.md).",
    "first_seen": "The first sighting.",
    "last_seen": "The latest sighting.",
    "count": "Sightings.",
    "sent_from": "The IP address that sent it.",
    "sent_to": "The IP address to which it was sent.",
    "display": "The name beside it, as claimed: it proves nothing.",
    "trust": "Who vouches for it: [concepts](concepts.md#identity-and-trust).",
    "claimed": "What the caller says.",
    "restricted": "They asked to be withheld.",
    "frame": "Counted from 1, as Wireshark does.",
    "capture": "The name of the file, or of the interface.",
    "verdict": "[Concepts](concepts.md#verdict).",
    "coverage": "[Concepts](concepts.md#coverage).",
}
"""What fields mean wherever they are, of which the schema says nothing more."""


def journal_page() -> str:
    """`docs/journal.md`."""
    told = json.loads(schema())
    parts = told["$defs"]
    lines = [parts[one["$ref"].rpartition("/")[2]] for one in told["oneOf"]]
    contents = [(f"[`{_name_of(one)}`](#{_anchor_of(one)})", _about(one)) for one in lines]
    return "\n".join(
        [
            INTRO.format(made=MADE),
            table(("line", ""), *contents),
            *(f"\n## {_name_of(one)}\n\n{_about(one)}\n\n{_fields(one, parts)}" for one in lines),
            "\n## What several lines have\n",
            "\n\n".join(_shared(name, parts) for name in TOLD),
            "",
        ]
    )


def _shared(name: str, parts: Mapping[str, Node]) -> str:
    node = _whole(parts[name if name in parts else f"{name}_or_null"], parts)
    about = parts.get(name, {}).get("description", "")
    return f"### {name}\n\n{about}\n\n{_fields(node.get('items', node), parts)}".replace("\n\n\n\n", "\n\n")


def _name_of(line: Node) -> str:
    """`join`, and where several lines have one type, what tells them apart: `call offered`."""
    fields = line["properties"]
    more = [fields[name]["const"] for name in ("state", "outcome") if "const" in fields.get(name, {})]
    return " ".join([fields["type"]["const"], *more])


def _anchor_of(line: Node) -> str:
    return _name_of(line).replace(" ", "-")


def _about(line: Node) -> str:
    return str(line["description"])


def _fields(node: Node, parts: Mapping[str, Node]) -> str:
    required = set(node["required"])
    rows = [
        (f"`{name}`", _value(of, parts), _told(name, of, parts, is_needed=name in required))
        for name, of in node["properties"].items()
    ]
    return table(("field", "value", ""), *((name, value, cell(about)) for name, value, about in rows))


def _told(name: str, node: Node, parts: Mapping[str, Node], *, is_needed: bool) -> str:
    """Its own description, or that of what it refers to, where that is told nowhere else."""
    reference = str(node.get("$ref", "")).rpartition("/")[2]
    there = "" if reference in (*TOLD, "time") else parts.get(reference, {}).get("description", "")
    about = str(node.get("description", there) or COMMON.get(name, ""))
    return about if is_needed or "absent" in about.lower() else f"{about} May be absent.".strip()


def _value(node: Node, parts: Mapping[str, Node]) -> str:
    """What may stand there, in words."""
    reference = str(node.get("$ref", "")).rpartition("/")[2]
    plain = reference.removesuffix("_or_null")
    if plain in TOLD:
        return f"[{plain}](#{plain})" + (" or null" if plain != reference else "")
    if reference in ("time", "text", "texts", "count", "subject", "time_or_null"):
        return {"texts": "list of texts", "time_or_null": "time or null", "count": "number"}.get(reference, reference)
    node = _whole(node, parts)
    if "const" in node:
        return f"`{json.dumps(node['const'])}`"
    if "enum" in node:
        return ", ".join(f"`{one}`" for one in node["enum"])
    if options := node.get("oneOf") or node.get("anyOf"):
        return " or ".join(_value(one, parts) for one in options)
    kinds = node["type"] if isinstance(node["type"], list) else [node["type"]]
    return " or ".join(_kind(kind, node, parts) for kind in kinds)


def _kind(kind: str, node: Node, parts: Mapping[str, Node]) -> str:
    if kind == "array":
        return f"list of {_value(node['items'], parts)}"
    if kind == "object":
        names = ", ".join(f"`{name}`" for name in _names(node))
        return f"object: {names}" if names else "object of numbers by name"
    return {"string": "text", "integer": "number", "boolean": "`true` or `false`"}.get(kind, kind)


def _names(node: Node) -> Iterator[str]:
    yield from node.get("properties", {})


def _whole(node: Node, parts: Mapping[str, Node]) -> Node:
    """What it refers to; of something or nothing, the something."""
    while "$ref" in node:
        node = parts[node["$ref"].rpartition("/")[2]]
    options = [one for one in node.get("oneOf", ()) if one != {"type": "null"}]
    return (
        _whole(options[0], parts)
        if len(options) == 1 and len(node["oneOf"]) == 2 and "properties" in options[0]
        else node
    )
