"""The landing page: what this is, for the person who finds the port. No script, no person, nothing from the wire."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape

from monitor import __version__
from monitor.outputs.web_client import Answer

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --quiet: #5b6675; --paper: #fbfbf9; --card: #fff; --line: #dfe2e6;
  --link: #0b57a4; --good: #1a7f4b; --bad: #b3261e }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --quiet: #9aa5b4; --paper: #14181e; --card: #1b2129;
  --line: #2f3843; --link: #7db8ff; --good: #5fd39a; --bad: #ff8a80 } }
* { box-sizing: border-box }
body { margin: 0; padding: 8vh 1.5rem 4rem; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.6 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif }
main { max-width: 40rem; margin: 0 auto }
h1 { margin: 0; font-size: 2rem; letter-spacing: -0.02em; line-height: 1.2 }
h1 small { margin-left: .4rem; font-size: 1rem; font-weight: 400; letter-spacing: 0; color: var(--quiet) }
.asks { margin: .25rem 0 1.75rem; font-size: 1.25rem; color: var(--quiet) }
.state { margin: 0 0 1.75rem; padding: .85rem 1.1rem; background: var(--card); border: 1px solid var(--line);
  border-left: .3rem solid var(--good); border-radius: .4rem }
.state.bad { border-left-color: var(--bad) }
.state strong { color: var(--good) }
.state.bad strong { color: var(--bad) }
.state ul { margin: .3rem 0 0; padding-left: 1.2rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .4rem 1.4rem; margin: 1.75rem 0 }
dt { font-family: ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace; font-size: .95em }
dd { margin: 0; color: var(--quiet) }
a { color: var(--link); text-underline-offset: .2em }
footer { margin-top: 2.5rem; padding-top: 1rem;
  border-top: 1px solid var(--line); color: var(--quiet); font-size: .9em }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; gap: 0 } dd { margin-bottom: .8rem } }
"""
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def landing(links: Sequence[tuple[str, str]], state: Sequence[str] | None) -> Answer:
    """The page. `links` are paths and what is there; `state` is why this is not ready: nothing when it is, and none
    where nobody asks.
    """
    rows = "\n".join(
        f'<dt><a href="{escape(path)}">{escape(path)}</a></dt><dd>{escape(what)}</dd>' for path, what in links
    )
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>joinwatch</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>joinwatch <small>{escape(__version__)}</small></h1>
<p class="asks">Who is in a meeting and should not be?</p>
{_state_of(state)}<p>joinwatch listens to mirrored telephone and conference traffic, sees who joins which meeting, and
compares that with the invitations. It never sends a packet on the network that it watches. No alert does not mean no
intrusion: what it could not see is counted too.</p>
<dl>
{rows}
</dl>
<footer>Nothing here names a person, a number, a call or a meeting: those stand in the journal, on the machine that
this runs on. <code>joinwatch explain</code> reads it.</footer>
</main>
</body>
</html>
"""
    return Answer(200, page.encode(), "text/html; charset=utf-8", (("Content-Security-Policy", _POLICY),))


def _state_of(reasons: Sequence[str] | None) -> str:
    if reasons is None:
        return ""
    if not reasons:
        return '<p class="state"><strong>Ready.</strong> It hears the traffic and writes the journal.</p>\n'
    items = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    return f'<div class="state bad"><strong>Not ready.</strong><ul>{items}</ul></div>\n'
