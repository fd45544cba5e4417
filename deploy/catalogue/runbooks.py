"""The runbooks, made from the catalogue: a page for each alert in each language, and an index."""

from collections.abc import Sequence

from deploy.catalogue.entries import Catalogue, Entry

HEADINGS = {
    "en": {"happened": "What happened", "sure": "How sure", "look": "Look first", "benign": "Innocent causes",
           "contain": "Contain", "mend": "Mend", "report": "Report", "tune": "Tune"},
    "nl": {"happened": "Wat er is gebeurd", "sure": "Hoe zeker", "look": "Kijk eerst", "benign": "Onschuldige oorzaken",
           "contain": "Beperk de schade", "mend": "Herstel", "report": "Melden", "tune": "Afstellen"},
}  # fmt: skip
WORDS = {
    "en": {"severity": "Severity", "alert": "Alert", "other": "Nederlands", "kind": "way of being blind", "or": "or",
           "related": "See also", "index": "Runbooks", "detections": "Somebody is where they should not be",
           "blindness": "joinwatch sees less than it should",
           "made": "Made by `python -m deploy.catalogue` from `deploy/catalogue/entries/{name}.toml`: change it there.",
           "intro": "What to do about each alert, in the order in which you need it. Commands are for the machine of the "
                    "sensor, as a user who may read its state folder."},
    "nl": {"severity": "Ernst", "alert": "Melding", "other": "English", "kind": "blinde vlek", "or": "of",
           "related": "Zie ook", "index": "Draaiboeken", "detections": "Iemand is waar die niet hoort te zijn",
           "blindness": "joinwatch ziet minder dan het moet",
           "made": "Gemaakt door `python -m deploy.catalogue` uit `deploy/catalogue/entries/{name}.toml`: wijzig het daar.",
           "intro": "Wat te doen bij elke melding, in de volgorde waarin u het nodig hebt. Opdrachten zijn voor de machine "
                    "van de sensor, als een gebruiker die de statusmap mag lezen."},
}  # fmt: skip
SEVERITIES = {
    "en": {"low": "low", "medium": "medium", "high": "high", "critical": "critical", "none": "none"},
    "nl": {"low": "laag", "medium": "midden", "high": "hoog", "critical": "kritiek", "none": "geen"},
}
SECTIONS = ("happened", "sure", "look", "benign", "contain", "report", "tune")


def page(told: Catalogue, entry: Entry, language: str) -> str:
    """The runbook of one alert."""
    text, words, headings = entry.text(language), WORDS[language], HEADINGS[language]
    other = f"nl/{entry.name}.md" if language == "en" else f"../{entry.name}.md"
    severities = f" {words['or']} ".join(SEVERITIES[language][one] for one in severities_of(told, entry))
    lines = [
        f"# {entry.name}",
        "",
        f"**{text.title.strip()}** {words['alert']}: `{entry.alert}`. {words['severity']}: {severities}. "
        f"[{words['other']}]({other})",
    ]
    for section in SECTIONS:
        heading = "mend" if section == "contain" and not entry.is_detection else section
        body = getattr(text, section).strip()
        lines += ["", f"## {headings[heading]}", "", filled(body, told)]
        if section == "report" and entry.clocks:
            lines += ["", *(f"* {told.clocks[name][language].strip()}" for name in entry.clocks)]
    if entry.related:
        links = ", ".join(f"[{name}]({name}.md)" for name in entry.related)
        lines += ["", f"{words['related']}: {links}."]
    lines += ["", f"<!-- {words['made'].format(name=entry.name)} -->", ""]
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
    return "\n".join([*lines, "", f"[{words['other']}]({other})", ""])


def pages(told: Catalogue) -> dict[str, str]:
    """Each page, by its path below `docs/runbooks`."""
    found = {}
    for language, folder in (("en", ""), ("nl", "nl/")):
        found[f"{folder}README.md"] = index(told, language)
        for entry in told.entries:
            found[f"{folder}{entry.name}.md"] = page(told, entry, language)
    return found
