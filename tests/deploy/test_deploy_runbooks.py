"""The runbooks: complete in both languages, every link leads somewhere, every command is one."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.catalogue.entries import LANGUAGES, catalogue
from deploy.catalogue.runbooks import HEADINGS, SECTIONS
from monitor.detections import rule_infos
from monitor.doctor.checks import CHECKS
from monitor.model.limits import BOUNDS
from monitor.model.policy import Policy
from tests.corpus import ROOT

FOLDER = ROOT / "docs" / "runbooks"
TOLD = catalogue()
PAGES = [path for path in sorted(FOLDER.rglob("*.md")) if path.name != "README.md"]
LINK = re.compile(r"\]\((?P<to>[^)\s]+)\)")
CODE = re.compile(r"^```sh\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
JQ = re.compile(r"jq (?P<options>(?:-\w+ |--arg \w+ '[^']*' )*)'(?P<program>[^']*)'")
by_name = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(FOLDER)))


def test_each_alert_has_a_page_in_each_language() -> None:
    names = {entry.name for entry in TOLD.entries}
    for folder in (FOLDER, FOLDER / "nl"):
        assert {path.stem for path in folder.glob("*.md")} == names | {"README"}


def test_what_the_daemons_alerts_point_at_is_there() -> None:
    for info in rule_infos():
        assert (ROOT / f"docs/runbooks/{info.name}.md").is_file()


@by_name
def test_every_part_is_there_in_its_order(page: Path) -> None:
    language = "nl" if page.parent.name == "nl" else "en"
    is_detection = page.stem in {entry.name for entry in TOLD.detections}
    headings = re.findall(r"^## (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    parts = ["mend" if part == "contain" and not is_detection else part for part in SECTIONS]
    assert headings == [HEADINGS[language][part] for part in parts]


@pytest.mark.parametrize("page", [*PAGES, FOLDER / "README.md", FOLDER / "nl" / "README.md"], ids=str)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [found["to"] for found in LINK.finditer(text)]
    assert links
    for to in links:
        assert (page.parent / to).resolve().is_file(), to
    prose = [line for line in CODE.sub("", text).splitlines() if not line.startswith(("|", "<!--"))]
    assert max(map(len, prose)) <= 120


@by_name
def test_every_alert_that_is_mentioned_exists(page: Path) -> None:
    """A name with a hyphen, set as one sets an alert's or a check's."""
    known = {entry.name for entry in TOLD.entries} | {check.name for check in CHECKS}
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(r"(?<!\*)\*([a-z]+(?:-[a-z]+)+)\*(?!\*)", text)) <= known
    named = {word for word in re.findall(r"`([a-z]+(?:-[a-z]+)+)`", text) if word != "joinwatch-serve"}
    assert named <= known


@by_name
def test_settings_that_are_named_exist(page: Path) -> None:
    """Of the policy, wherever a word with an underscore is set as code."""
    policy = json.dumps(_names_in(Policy)) + (ROOT / "monitor/model/policy.py").read_text(encoding="utf-8")
    for name in ("settings", "fetching"):
        policy += (ROOT / f"monitor/model/{name}.py").read_text(encoding="utf-8")
    policy += " ".join(BOUNDS)
    for word in re.findall(r"`((?!joinwatch_|blind_)[a-z]+(?:_[a-z]+)+)`", page.read_text(encoding="utf-8")):
        assert re.search(rf"\b{word}\b", policy), word


def _names_in(struct: type) -> list[str]:
    return [str(name) for name in getattr(struct, "__struct_fields__", ())]


def test_commands_are_whole() -> None:
    """The shell reads them; joinwatch has such a command with such options."""
    blocks = {page: CODE.findall(page.read_text(encoding="utf-8")) for page in PAGES}
    assert all(blocks.values())
    every = "\n".join(block for page in PAGES for block in blocks[page])
    read = subprocess.run(["bash", "-n"], input=every, text=True, capture_output=True, check=False)
    assert read.returncode == 0, read.stderr
    commands = [line for line in every.splitlines() if line.startswith("joinwatch ")]
    assert len(commands) > 60
    for line in commands:
        words = shlex.split(line.partition(";")[0])
        assert words[1] in OPTIONS, line
        assert {word for word in words if word.startswith("--")} <= OPTIONS[words[1]], line


OPTIONS = {
    "explain": {"--config", "--reason", "--captures"},
    "doctor": {"--config", "--seconds", "--connect"},
    "check": set(),
    "suppressions": {"--test"},
    "fetch": {"--config", "--once"},
    "rules": set(),
}


@pytest.mark.parametrize("command", OPTIONS)
def test_joinwatch_has_these_options(command: str) -> None:
    import sys

    help_of = [sys.executable, "-m", "monitor", command, *(["calendars"] if command == "fetch" else []), "--help"]
    told = subprocess.run(help_of, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert all(option in told for option in OPTIONS[command])


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled incident, and what only a daemon writes."""
    import sys

    file = tmp_path_factory.mktemp("journal") / "00000001.jsonl"
    subprocess.run(
        [sys.executable, "-m", "monitor", "demo", "--json", str(file)], check=True, capture_output=True, cwd=ROOT
    )
    said = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    join = next(one for one in said if one["type"] == "join")
    alert = next(one for one in said if one["type"] == "alert")
    others = [{**join, "verdict": verdict} for verdict in ("anonymous", "unscheduled")]
    others += [{**alert, "rule": info.name} for info in rule_infos()]
    with file.open("a", encoding="utf-8") as more:
        more.writelines(json.dumps(one) + "\n" for one in others)
    oddity = {"type": "oddity", "time": "2026-01-01T00:00:00Z", "reason": "unsupported", "what": "x", "evidence": []}
    mistakes = [{"file": "a.ics", "line": 1, "found": "x", "expected": "y"}]
    with file.open("a", encoding="utf-8") as more:
        for protocol in ("decoder", "hep"):
            more.write(json.dumps({**oddity, "protocol": protocol}) + "\n")
        more.write(json.dumps({"type": "reload", "successful": False, "mistakes": mistakes}) + "\n")
    return file


def test_what_jq_is_asked_is_in_a_journal(journal: Path) -> None:
    """English alone: commands are the same in both."""
    if shutil.which("jq") is None:
        pytest.skip("there is no jq")
    asked = {}
    for page in FOLDER.glob("*.md"):
        for found in JQ.finditer(page.read_text(encoding="utf-8")):
            if "place" not in found["program"]:  # of a sink's note, not of the journal
                asked[found["program"]] = (page.stem, shlex.split(found["options"]))
    assert len(asked) > 20
    for program, (name, options) in asked.items():
        ran = subprocess.run(["jq", *options, program, str(journal)], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"{name}: {ran.stderr}"
        assert "null,null" not in ran.stdout, name
        assert ran.stdout.strip() or "$who" in program, name


def test_the_languages_say_the_same_amount() -> None:
    """A part that was forgotten in a translation is much shorter; a command that was changed in one is another."""
    for entry in TOLD.entries:
        english, dutch = (entry.text(language) for language in LANGUAGES)
        for part in SECTIONS:
            one, other = getattr(english, part), getattr(dutch, part)
            prose, its = (CODE.sub("", text + "\n").strip() for text in (one, other))
            assert prose != its or len(prose) < 12, f"{entry.name} {part}"
            assert len(re.findall(r"^(?:\*|\d+\.) ", one, re.MULTILINE)) == len(
                re.findall(r"^(?:\*|\d+\.) ", other, re.MULTILINE)
            ), f"{entry.name} {part}"
        pages = [(FOLDER / place / f"{entry.name}.md").read_text(encoding="utf-8") for place in ("", "nl")]
        same = [re.sub(r"INCIDENT-?NUM\w+|exit ?code|MAP/|FOLDER/", "", "".join(CODE.findall(page))) for page in pages]
        assert same[0] == same[1], entry.name


def test_no_real_number_or_domain_is_in_them() -> None:
    for path in FOLDER.rglob("*.md"):
        text = path.read_text(encoding="utf-8")
        for number in re.findall(r"\+\d[\d ]{7,}", text):
            assert number.replace(" ", "").startswith("+312055501"), number
        for host in re.findall(r"https?://([^/\s:)`]+)", text):
            assert host.endswith(".example") or host == "127.0.0.1", host
