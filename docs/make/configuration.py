"""`docs/configuration.md`: every key of every file, with type, bounds and default, from the structures that hold it."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import inspect as types

from docs.make.words import MADE, cell, docstring_of, documented, table
from monitor.model.alerts import Severity
from monitor.model.fetching import CalendarServer, Fetch, PeopleServer, Server
from monitor.model.meetings import Method
from monitor.model.policy import PlatformPolicy, Policy, Site, Thresholds
from monitor.model.roster import Verdict
from monitor.model.settings import Settings
from monitor.model.sinks import AlertmanagerSink, HttpSink, SinkSettings, SyslogSink, WebhookSink
from monitor.model.suppressions import Suppression
from monitor.sources.policies import THRESHOLDS
from monitor.sources.settings import PATHS
from monitor.sources.sinks import BOUNDS as SINK_BOUNDS
from monitor.sources.sinks import MAX_SINKS
from monitor.sources.suppressions import CONDITIONS, MANDATORY

Structure = type[msgspec.Struct]
ENDLESS = 2**30
"""A bound this high is there for the machine alone."""

CONFIGURATION_INTRO = """\
# Configuration

{made}

Four files, three of them TOML. `joinwatch check FILE` reads each as its user does, and tells every mistake with its
line and what was expected. Unknown keys are mistakes. Every key may be left out unless *needed* stands as its default.
Units are in the keys' names; a path is seen from the folder of the file that names it.

| file | who reads it | says |
|---|---|---|
| [`joinwatch.toml`](#joinwatchtoml) | `joinwatch watch`, `fetch`, `doctor` | what is watched, told and kept |
| [policy](#policy) | everything: `--policy FILE` | what is allowed, who is trusted |
| [suppressions](#suppressions) | the daemon | which alerts are kept quiet, by whom, until when |
| [`web.yml`](#webyml) | the daemon | TLS and passwords of `/metrics` |

"""
EXAMPLE = """\
```toml
meetings = ["meetings"]
directory = ["people.vcf"]
policy = "policy.toml"

[capture]
interfaces = ["eth1"]
```
"""
POLICY_EXAMPLE = """\
```toml
[site]
trusted_trunks = ["192.0.2.10"]

[site.access_numbers]
"+31205550100" = "webex"
```
"""
SUPPRESSION_EXAMPLE = """\
```toml
[[suppression]]
rule = "pin-bypass"
meeting = "number:27311234567"
until = 2026-12-31
owner = "Anna de Vries, SOC"
reason = "the bridge of this room asks for no PIN until it is replaced"
```
"""
WEB_EXAMPLE = """\
```yaml
tls_server_config:
  cert_file: server.crt
  key_file: server.key
basic_auth_users:
  prometheus: $2y$10$…
```
"""


def configuration_page() -> str:
    """`docs/configuration.md`."""
    parts = [
        CONFIGURATION_INTRO.format(made=MADE) + "## joinwatch.toml\n",
        "The daemon's. The smallest one:\n",
        EXAMPLE,
        _keys_of(Settings, without={"sinks"}),
        *_nested_in(Settings, ""),
        f"### [sinks.NAME]\n\nTo whom alerts are delivered: [sinks.md](sinks.md). At most {MAX_SINKS}, each a table"
        " under a name of your choice, of small letters, digits and dashes. Of every kind:\n",
        table(_HEAD, _KIND, *_rows(SinkSettings, {}, SINK_BOUNDS)) + "\n",
        "Of `alertmanager` and `webhook`:\n",
        _keys_of(HttpSink, without=set(SinkSettings.__struct_fields__), bounds=SINK_BOUNDS),
    ]
    for kind, base in ((AlertmanagerSink, HttpSink), (WebhookSink, HttpSink), (SyslogSink, SinkSettings)):
        name = kind.__name__.removesuffix("Sink").lower()
        parts += [
            f"Of `{name}`. {cell(docstring_of(kind))}\n",
            _keys_of(kind, without=set(base.__struct_fields__), bounds=SINK_BOUNDS),
        ]
    parts += [
        "### [fetch.calendars] and [fetch.people]\n\nWhom `joinwatch fetch` asks: [lists.md](lists.md). Of both:\n",
        _keys_of(Server),
    ]
    for server, name in ((CalendarServer, "calendars"), (PeopleServer, "people")):
        own = _keys_of(server, without=set(Server.__struct_fields__))
        parts.append(f"Of `{name}`. {cell(docstring_of(server))}\n\n{own}")
    return "\n".join([*parts, *_policy_parts(), *_suppression_parts(), *_web_parts()])


def _nested_in(kind: Structure, before: str) -> Iterator[str]:
    """A section for each table in a table; `fetch` has one of its own."""
    for name, value, _ in fields_of(kind):
        if isinstance(value, types.StructType) and value.cls is not Fetch:
            yield _section(value.cls, f"[{before}{name}]")
            yield from _nested_in(value.cls, f"{before}{name}.")


def _policy_parts() -> list[str]:
    allowed = "### [allowed_methods]\n\n" + documented(Policy)["allowed_methods"]
    methods = ", ".join(f"`{method}`" for method in Method)
    return [
        "## Policy\n\n" + docstring_of(sys.modules[Policy.__module__]) + "\n",
        POLICY_EXAMPLE,
        _keys_of(Policy, without={"allowed_methods", "platforms"}),
        f"{allowed} Methods are {methods}.\n",
        "### [platforms.NAME]\n\n" + docstring_of(PlatformPolicy) + " Names are those of `joinwatch platforms`.\n",
        _keys_of(PlatformPolicy),
        _section(Site, "[site]"),
        _section(Thresholds, "[rules]", THRESHOLDS),
        "### [limits]\n\nHow much is remembered of what comes from the wire: [limits.md](limits.md).\n",
    ]


def _suppression_parts() -> list[str]:
    docs = documented(Suppression)
    rows = []
    for name, kind, default in fields_of(Suppression):
        if name != "line":
            is_condition = name in CONDITIONS
            needed = "*needed*" if name in MANDATORY else "*one of these*" if is_condition else _shown(default)
            rows.append((f"`{name}`", _type(kind), needed, cell(docs[name])))
    return [
        "## Suppressions\n\nWhat an organisation has decided not to be told for a while. Each is a table:"
        " [sinks.md](sinks.md#suppressions).\n",
        SUPPRESSION_EXAMPLE,
        table(_HEAD, *rows) + "\n",
    ]


def _web_parts() -> list[str]:
    from monitor.outputs.web_config import KEYS

    rows = [(f"`{key}`", cell(about)) for key, about in KEYS.items()]
    return [
        "## web.yml\n\nAs Prometheus' exporters have it, as far as Python's TLS can do what it says:"
        " [http.md](http.md#tls-and-passwords).\n",
        WEB_EXAMPLE,
        table(("key", ""), *rows) + "\n",
    ]


_HEAD = ("key", "value", "default", "")
_KIND = ("`kind`", "`alertmanager`, `webhook` or `syslog`", "*needed*", "What the sink is.")
Bounds = Mapping[str, tuple[int, int]]


def _section(kind: Structure, heading: str, bounds: Bounds | None = None) -> str:
    return f"### {heading}\n\n{docstring_of(kind)}\n\n{_keys_of(kind, bounds=bounds)}"


def _keys_of(kind: Structure, *, without: set[str] | None = None, bounds: Bounds | None = None) -> str:
    return table(_HEAD, *_rows(kind, without or set(), bounds or {})) + "\n"


def _rows(kind: Structure, without: Iterable[str], bounds: Bounds) -> list[tuple[str, str, str, str]]:
    docs = documented(kind)
    rows = []
    for name, value, default in fields_of(kind):
        if name not in without and not isinstance(value, types.StructType):
            assert docs[name], f"{kind.__name__}.{name} has no docstring"
            what = _type(value, bounds.get(name))
            what = what.replace("text", "path") if name in PATHS else what
            rows.append((f"`{name}`", what, _shown(default), cell(docs[name])))
    return rows


def fields_of(kind: Structure) -> Iterator[tuple[str, types.Type, Any]]:
    """Name, type and default of each key."""
    told = types.type_info(kind)
    assert isinstance(told, types.StructType)
    for field in told.fields:
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        yield field.name, field.type, default


def _type(kind: types.Type, bounds: tuple[int, int] | None = None) -> str:
    match kind:
        case types.BoolType():
            return "`true` or `false`"
        case types.IntType(ge=low, le=high):
            low, high = bounds or (low, high)
            if low is None or high is None:
                return "a whole number"
            return f"{low:,} to {high:,}" if high < ENDLESS else f"{low:,} or more"
        case types.StrType():
            return "text"
        case types.DateType():
            return "a day"
        case types.LiteralType(values=values):
            return _either(values)
        case types.EnumType(cls=cls):
            return _either([member.value for member in cls])
        case types.UnionType(types=options):
            return " or ".join(_type(option) for option in options if not isinstance(option, types.NoneType))
        case types.VarTupleType(item_type=item):
            what = _type(item)
            return "list of texts" if what == "text" else f"list of {what}"
        case types.DictType():
            return "table of texts"
        case _:
            raise TypeError(f"no words for {kind}")


def _either(values: Iterable[object]) -> str:
    *most, last = (f"`{value}`" for value in values)
    return f"{', '.join(most)} or {last}" if most else last


def _shown(default: Any) -> str:
    """A default as one would write it."""
    match default:
        case msgspec.NODEFAULT:
            return "*needed*"
        case bool():
            return f"`{str(default).lower()}`"
        case Severity() | Verdict():
            return f'`"{default.value}"`'
        case int():
            return f"{default:,}"
        case str() if default:
            return f'`"{default}"`'
        case tuple() if default:
            return "`[" + ", ".join(f'"{one}"' for one in default) + "]`"
        case _:
            return "none"
