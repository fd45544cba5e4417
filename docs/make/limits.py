"""`docs/limits.md`: of each table what it holds, how long, and what happens when it is full."""

from docs.make.words import MADE, cell, documented, table
from monitor.model.limits import BOUNDS, MIB, Limits

LIMITS_INTRO = """\
# How much is remembered

{made}

Whatever grows with what comes from the wire has a limit, which the policy's `[limits]` may change.
The rule for all of them: what is known good is kept, and strangers wait. Lives are packet time.

`joinwatch_table_entries{{table}}` and `joinwatch_table_limit{{table}}` tell how full each is, and
`joinwatch_evictions_total{{table}}` (`<table>_evicted` in the summary) what it had to forget.

```toml
[limits]
calls = 100_000
calls_aside_bytes = 134_217_728
```
"""
LIMITS_END = """
What one call, connection, message or packet may have, how many ports are asked of the packet filter, and
the few caches of what was worked out before (some thousand entries each) have constants in the code.

`make floods` fills these tables, with people hidden in it who must still be found.
"""


def limits_page() -> str:
    """`docs/limits.md`: of each table what it holds, how long, and what happens when it is full."""
    rows = []
    for name, text in documented(Limits).items():
        what, _, rest = text.partition("\n\n")
        life, _, full = rest.partition("\n")
        default = getattr(Limits(), name)
        size = f"{default // MIB} MiB" if name.endswith("_bytes") else f"{default:,}"
        cells = (what, life.removeprefix("Life: "), full.removeprefix("Full: "))
        assert all(cells), f"{name} does not say what it holds, how long, and what when it is full"
        holds, lives, then = (cell(text).rstrip(".") for text in cells)
        rows.append((f"`{name}`", holds, size, lives, then))
    assert [row[0].strip("`") for row in rows] == list(BOUNDS)
    made = table(("table", "holds", "at most", "life", "when full"), *rows)
    return f"{LIMITS_INTRO.format(made=MADE)}\n{made}\n{LIMITS_END}"
