"""The runbooks, made from the catalogue: a page for each alert in each language, and an index."""

import re
import textwrap
from collections.abc import Sequence

from deploy.catalogue.entries import Catalogue, Entry

HEADINGS = {
    "en": {"happened": "What happened", "sure": "How sure", "look": "Look first", "benign": "Innocent causes",
           "contain": "Contain", "mend": "Mend", "report": "Report", "tune": "Tune"},
    "nl": {"happened": "Wat er is gebeurd", "sure": "Hoe zeker", "look": "Kijk eerst", "benign": "Onschuldige oorzaken",
           "contain": "Beperk de schade", "mend": "Herstel", "report": "Melden", "tune": "Afstellen"},
}  # fmt: skip
WORDS = {
    "en": {
        "severity": "Severity",
        "alert": "Alert",
        "other": "Nederlands",
        "or": "or",
        "related": "See also",
        "index": "Runbooks",
        "detections": "Somebody is where they should not be",
        "blindness": "joinwatch sees less than it should",
        "made": "Made by `python -m deploy.catalogue` from `deploy/catalogue/alerts/{name}.toml`: change it there.",
        "intro": "What to do about each alert, in the order in which you need it. Commands are for the sensor's own "
        "machine, as a user who may read its state folder; `eth1` stands for the interface. `explain` writes into the "
        "audit log who looked, and why. `jq` comes with every distribution.",
        "explain": "Every alert of this rule, and why; then one, down to its frames where the traffic is recorded:",
        "reason": "INCIDENT-NUMBER",
        "keep": "Keep journal, captures and calendar files of these hours: they are your evidence, and platforms "
        "delete theirs.",
    },
    "nl": {
        "severity": "Ernst",
        "alert": "Melding",
        "other": "English",
        "or": "of",
        "related": "Zie ook",
        "index": "Draaiboeken",
        "detections": "Iemand is waar die niet hoort te zijn",
        "blindness": "joinwatch ziet minder dan het moet",
        "made": "Gemaakt met `python -m deploy.catalogue` uit `deploy/catalogue/alerts/{name}.toml`: wijzig dat.",
        "intro": "Wat te doen bij elke melding, in de volgorde waarin u het nodig hebt. Opdrachten zijn voor de "
        "machine van de sensor zelf, als een gebruiker die de statusmap mag lezen; `eth1` staat voor de interface. "
        "`explain` schrijft in het auditlog wie keek, en waarom. `jq` zit in elke distributie.",
        "explain": "Elke melding van deze regel, en waarom; daarna één, tot op de frames als het verkeer is bewaard:",
        "reason": "INCIDENTNUMMER",
        "keep": "Bewaar journaal, opnamen en agendabestanden van deze uren: ze zijn uw bewijs, en platforms wissen het "
        "hunne.",
    },
}
SEVERITIES = {
    "en": {"low": "low", "medium": "medium", "high": "high", "critical": "critical", "none": "none"},
    "nl": {"low": "laag", "medium": "midden", "high": "hoog", "critical": "kritiek", "none": "geen"},
}
WIDTH = 120
MARK = re.compile(r"(\*|\d+\.) ")
SECTIONS = ("happened", "sure", "look", "benign", "contain", "report", "tune")


def page(told: Catalogue, entry: Entry, language: str) -> str:
    """The runbook of one alert."""
    text, words, headings = entry.text(language), WORDS[language], HEADINGS[language]
    other = f"nl/{entry.name}.md" if language == "en" else f"../{entry.name}.md"
    severities = f" {words['or']} ".join(SEVERITIES[language][one] for one in severities_of(told, entry))
    lines = [
        f"# {entry.name}",
        "",
        f"**{text.title.strip()}**",
        "",
        f"{words['alert']}: `{entry.alert}`. {words['severity']}: {severities}. [{words['other']}]({other})",
    ]
    for section in SECTIONS:
        heading = "mend" if section == "contain" and not entry.is_detection else section
        lines += ["", f"## {headings[heading]}", "", *body_of(told, entry, section, language)]
    if entry.related:
        links = ", ".join(f"[{name}]({name}.md)" for name in entry.related)
        lines += ["", f"{words['related']}: {links}."]
    lines += ["", f"<!-- {words['made'].format(name=entry.name)} -->", ""]
    return wrapped("\n".join(lines))


def body_of(told: Catalogue, entry: Entry, section: str, language: str) -> list[str]:
    """What stands below one heading."""
    words, body = WORDS[language], getattr(entry.text(language), section).strip()
    parts = [filled(body, told)]
    if section == "look" and entry.is_detection:
        command = f'joinwatch explain {entry.name} --config $CONFIG --reason "{words["reason"]}"'
        one = f'joinwatch explain ALERT-ID --config $CONFIG --reason "{words["reason"]}" --captures FOLDER'
        parts = [filled(f"{words['explain']}\n\n```sh\n{command}\n{one}\n```\n", told), *parts]
    if section == "contain" and entry.is_detection:
        parts += ["", words["keep"]]
    if section == "report" and entry.clocks:
        parts += ["", *(f"* {told.clocks[name][language].strip()}" for name in entry.clocks)]
    return parts


def wrapped(text: str) -> str:
    """Prose in lines that can be read; what stands in a code block, a table or a comment as it is."""
    lines: list[str] = []
    is_code = False
    for line in text.split("\n"):
        if lines and lines[-1] == "```" and not is_code and line:
            lines.append("")  # a paragraph of its own, behind a block
        is_code ^= line.startswith("```")
        if is_code or line.startswith(("```", "|", "<!--", "#")):
            lines.append(line)
            continue
        mark = MARK.match(line)
        indent = " " * len(mark[0]) if mark else ""
        lines += textwrap.wrap(
            line, WIDTH, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
        ) or [""]
    return "\n".join(lines)


def filled(text: str, told: Catalogue) -> str:
    """With the places of this organisation."""
    return text.replace("$CONFIG", told.settings.config).replace("$JOURNAL", told.settings.journal)


def severities_of(told: Catalogue, entry: Entry) -> Sequence[str]:
    """Those that it can have; the usual one first."""
    if entry.is_detection:
        return told.severities[entry.name]
    return tuple(dict.fromkeys(condition.severity for condition in entry.alerts))


def index(told: Catalogue, language: str) -> str:
    """All of them, one a line."""
    words = WORDS[language]
    lines = [f"# {words['index']}", "", words["intro"]]
    for name, entries in (("detections", told.detections), ("blindness", told.blindness)):
        lines += ["", f"## {words[name]}", "", f"| {words['alert']} | {words['severity']} | |", "|---|---|---|"]
        for entry in entries:
            severities = ", ".join(SEVERITIES[language][one] for one in severities_of(told, entry))
            lines.append(f"| [{entry.name}]({entry.name}.md) | {severities} | {entry.text(language).title.strip()} |")
    other = "nl/README.md" if language == "en" else "../README.md"
    return wrapped("\n".join([*lines, "", f"[{words['other']}]({other})", ""]))


def pages(told: Catalogue) -> dict[str, str]:
    """Each page, by its path below `docs/runbooks`."""
    found = {}
    for language, folder in (("en", ""), ("nl", "nl/")):
        found[f"{folder}README.md"] = index(told, language)
        for entry in told.entries:
            found[f"{folder}{entry.name}.md"] = page(told, entry, language)
    return found
