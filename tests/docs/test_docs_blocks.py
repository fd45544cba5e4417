"""Every block of every page is true: scripts run, files pass their reader, and a console says what it shows."""

import configparser
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from monitor.cli import main
from monitor.cli.check import kind_of, problems_of
from monitor.detections import rule_infos
from monitor.outputs.journal import schema
from monitor.outputs.sinks.webhook import signature
from monitor.outputs.web_config import _TOP, load_web_config
from monitor.platforms.catalog import check_platform
from tests.corpus import ROOT
from tests.docs.blocks import (
    LANGUAGES,
    PAGES,
    Block,
    Scene,
    blocks_of,
    is_as_told,
    misuse_in,
    name_of,
    prompts_in,
    without_blocks,
)

NOT_RUN = {
    "README.md": 1,
    "docs/doctor.md": 1,
    "docs/privacy-operations.md": 1,
    "docs/start.md": 1,
    "deploy/README.md": 14,
}
"""How many blocks of each page may be marked as not run. One more is a decision, taken here."""

RUN = ("sh", "console", "python")
VALID = Draft202012Validator(json.loads(schema()))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_block_hides(page: Path) -> None:
    blocks = blocks_of(page)
    text = page.read_text(encoding="utf-8")
    assert len(re.findall(r"^ *```", text, re.MULTILINE)) == 2 * len(blocks), "a fence that is not closed"
    assert [str(block) for block in blocks if block.language not in LANGUAGES] == []
    command = (
        r"^ {4,}(?:\$ )?(?:joinwatch|sudo|apt(?:-get)?|systemctl|docker|kubectl|python3?|pip|make|curl|openssl|\{\") ?"
    )
    assert re.findall(command, without_blocks(page), re.MULTILINE) == [], "a command that no fence marks as one"
    marked = [str(block) for block in blocks if "not run" in block.marks]
    assert len(marked) <= NOT_RUN.get(name_of(page), 0), marked


def test_few_blocks_are_not_run() -> None:
    blocks = [block for page in PAGES for block in blocks_of(page) if block.language in RUN]
    marked = [block for block in blocks if "not run" in block.marks]
    assert all(len(block.marks["not run"]) > 5 for block in marked)
    assert len(marked) <= sum(NOT_RUN.values())
    assert {name_of(page) for page in PAGES} >= NOT_RUN.keys()
    assert len(marked) < len(blocks) / 2


@pytest.mark.parametrize(
    "block", [block for page in PAGES for block in blocks_of(page) if "not run" in block.marks], ids=str
)
def test_a_block_that_is_not_run_could_be(block: Block) -> None:
    if block.language not in ("sh", "console"):
        pytest.skip(f"{block.language} is checked with the others")
    scripts = [block.text] if block.language == "sh" else [command for command, _ in prompts_in(block.text)]
    for script in scripts:
        done = subprocess.run(["sh", "-n", "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert misuse_in(script) == []
        given = re.sub(r"(?m)^(?:sudo )?((?:install|cp|mv) .*) \S+$", r"\1", script)  # without where it goes
        for place in re.findall(r"(?<![\w/.-])(?:deploy|config|pcaps)/[\w./@-]*\w", given):
            assert (ROOT / place).exists() or list(ROOT.glob(f"{place}*")), place
        targets = set(re.findall(r"^[a-z-]+: ", (ROOT / "Makefile").read_text(), re.MULTILINE))
        assert {f"{target}: " for target in re.findall(r"^make ([a-z-]+)", script, re.MULTILINE)} <= targets


def test_a_block_that_is_a_file_is_used() -> None:
    """By a later block of its page, or by a test of its own, below."""
    for page in PAGES:
        blocks = blocks_of(page)
        for place, block in enumerate(blocks):
            if "file" in block.marks and block.marks["file"] != "receiver.py":
                later = "\n".join(other.text for other in blocks[place + 1 :] if other.language in RUN)
                name = Path(block.marks["file"]).name
                assert name in later or f"from {Path(name).stem} import" in later, str(block)


def test_options_that_do_not_exist_are_noticed() -> None:
    good = "sudo /opt/joinwatch/bin/joinwatch watch --config a.toml"
    script = f"{good} | joinwatch replay --meeting x a.pcap 2>&1 && joinwatch ruless\n"
    assert misuse_in(script) == ["joinwatch replay --meeting x a.pcap", "joinwatch ruless"]


def test_three_dots_stand_for_anything_and_nothing_else_does() -> None:
    assert is_as_told("a\nb 12\nc\nd\n", "a\nb …\n…\nd")
    assert is_as_told("a  \n", "a")
    assert not is_as_told("a\nb\nc\n", "a\nc")
    assert not is_as_told("a\nb\n", "a")


# What runs


@pytest.fixture(scope="session")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of the bundled incident."""
    journal = tmp_path_factory.mktemp("incident") / "incident.jsonl"
    assert main(["demo", "--json", str(journal)]) == 0
    return journal


@pytest.mark.parametrize(
    "page",
    [
        page
        for page in PAGES
        if "runbooks" not in page.parts and any(block.language in RUN for block in blocks_of(page))
    ],
    ids=name_of,
)
def test_a_page_does_what_it_says(page: Path, tmp_path: Path, incident: Path) -> None:
    scene = Scene(tmp_path)
    words = _furnish(scene, incident)
    missing: list[str] = []
    for block in blocks_of(page):
        text = block.text
        for placeholder, word in words.items():
            text = text.replace(placeholder, word)
        if "file" in block.marks:
            path = tmp_path / block.marks["file"]
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        if block.language not in RUN or "not run" in block.marks or "file" in block.marks:
            continue
        absent = [] if block.language == "python" else scene.missing_for(_script_of(block.language, text))
        if absent:
            missing.append(f"{block}: {', '.join(absent)}")
            continue
        _runs(scene, block, text)
    if missing:
        pytest.skip(f"not installed here: {'; '.join(missing)}")


def _script_of(language: str, text: str) -> str:
    return text if language == "sh" else "\n".join(command for command, _ in prompts_in(text))


def _runs(scene: Scene, block: Block, text: str) -> None:
    code = int(block.marks.get("exit", "0"))
    if block.language == "console":
        prompts = list(prompts_in(text))
        assert prompts, f"{block}: a console without a command"
        for place, (command, told) in enumerate(prompts):
            done = scene.run(command)
            assert done.returncode == (code if place == len(prompts) - 1 else 0), f"{block}: {done.stdout}"
            assert is_as_told(done.stdout, told), f"{block}: $ {command}\n{done.stdout}"
        return
    if block.language == "python":
        (scene.folder / "block.py").write_text(text)
        text = "python block.py"
    done = scene.run(text)
    assert done.returncode == code, f"{block}: {done.stdout}"
    assert code or "joinwatch: " not in done.stdout, f"{block}: {done.stdout}"


def _furnish(scene: Scene, journal: Path) -> dict[str, str]:
    """The state of a daemon that wrote this journal, and what pages' names of places and days stand for here."""
    kept = scene.folder / "state" / "journal"
    kept.mkdir(parents=True)
    shutil.copy(journal, kept / "00000001.jsonl")
    shutil.copy(journal, scene.folder / "incident.jsonl")
    shutil.copy(journal, scene.folder / "journal.jsonl")
    next_year = datetime.now(UTC).year + 1
    return {
        "/etc/joinwatch/": "",
        "/etc/joinwatch": ".",
        "/var/lib/joinwatch": "state",
        "2026-12-31": f"{next_year}-12-31",
    }


def test_the_receiver_of_webhooks_takes_what_is_ours_and_nothing_else() -> None:
    (block,) = [one for one in blocks_of(ROOT / "docs" / "sinks.md") if one.marks.get("file") == "receiver.py"]
    names: dict[str, Callable[..., bool]] = {}
    exec(block.text, names)
    key, now = b"k" * 32, str(int(time.time()))
    headers = {"webhook-id": "a", "webhook-timestamp": now, "webhook-signature": signature(key, "a", now, b"{}")}
    assert names["is_ours"](headers, b"{}", key)
    assert not names["is_ours"](headers, b"{ }", key)
    assert not names["is_ours"](headers | {"webhook-id": "b"}, b"{}", key)
    old = str(int(now) - 301)
    stale = headers | {"webhook-timestamp": old, "webhook-signature": signature(key, "a", old, b"{}")}
    assert not names["is_ours"](stale, b"{}", key)


# Runbooks: made for a machine that is not here, so a line that asks it is read, and every other line is run

RUNBOOKS = [page for page in PAGES if page.parent.name == "runbooks"]
LIVE = {
    *("systemctl", "journalctl", "dmesg", "timedatectl", "chronyc", "ntpq", "top", "iostat", "vmstat", "ethtool"),
    *("ip", "tcpdump", "curl", "amtool", "date", "df", "du"),
}
"""Programs that ask the sensor's own machine, or its neighbours."""
LISTENING = ("joinwatch doctor", "joinwatch fetch")
"""Commands of ours that listen to its interfaces or ask its servers."""


def _lines_of(page: Path) -> list[str]:
    """Each command of a runbook; one may be several pieced together."""
    return [
        line
        for block in blocks_of(page)
        if block.language == "sh"
        for line in re.sub(r"\\\n", " ", block.text).splitlines()
        if line.strip() and not line.startswith("#")
    ]


def _is_live(line: str) -> bool:
    return line.split()[0] in LIVE or line.startswith(LISTENING)


def _journal_of(rule: str, folder: Path) -> Path:
    """Of a labelled capture in which this rule raises its alert."""
    scenarios = ROOT / "pcaps" / "scenarios"
    world = scenarios / "world"
    journal = folder / "rule.jsonl"
    lists = ["--meetings", str(world / "meetings"), "--directory", str(world / "directory.vcf")]
    capture = str(min((scenarios / rule).glob("attack-*.pcap")))
    assert main(["replay", capture, *lists, "--policy", str(world / "policy.toml"), "--json", str(journal)]) == 0
    return journal


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_the_commands_of_a_runbook_run(page: Path, tmp_path: Path, incident: Path) -> None:
    lines = _lines_of(page)
    for line in lines:
        done = subprocess.run(["sh", "-n", "-c", line], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        assert misuse_in(line) == []
    if not (here := [line for line in lines if not _is_live(line)]):
        return
    rules = {info.name for info in rule_infos()}
    scene = Scene(tmp_path)
    words = _furnish(scene, _journal_of(page.stem, tmp_path) if page.stem in rules else incident)
    (tmp_path / "suppressions.toml").write_text("")
    for name in ("soc.dead.jsonl", "soc.place"):
        (tmp_path / "state" / name).write_text("{}\n")
    (tmp_path / "state-lists").mkdir()
    # Without captures in it: that frames are dissected is tested elsewhere, and takes seconds.
    (tmp_path / "captures").mkdir()
    words |= {"ALERT-ID": page.stem, "FOLDER": "captures"}
    said = []
    for line in here:
        for place, word in words.items():
            line = line.replace(place, word)
        if absent := scene.missing_for(line):
            pytest.skip(f"not installed here: {', '.join(absent)}")
        done = scene.run(line)
        assert done.returncode == 0 or (done.returncode == 1 and not done.stdout), f"{line}: {done.stdout}"
        assert "error" not in done.stdout.lower() or "joinwatch" in line, f"{line}: {done.stdout}"
        said.append(done.stdout)
    assert page.stem not in rules or any(said), "of the very attack that this page is about, it shows nothing"


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_a_runbook_has_the_same_commands_in_both_languages(page: Path) -> None:
    dutch = page.parent / "nl" / page.name
    if not dutch.exists():
        assert page.name == "README.md", "a runbook in one language"
        return
    said = [[re.sub(r'"[A-Za-z -]+( \$\?)?"', '""', line) for line in _lines_of(one)] for one in (dutch, page)]
    assert said[0] == said[1]  # but for words


# What is read

Checked = Callable[[Block, Path], None]


def _check_toml(block: Block, folder: Path) -> None:
    """As `joinwatch check` reads it, a part of the daemon's configuration with what every one needs; or a platform."""
    path = folder / Path(block.marks.get("file", "block.toml")).name
    path.write_text(block.text)
    if "[dial_in]" in block.text:
        assert check_platform(path).id == path.stem
        return
    if kind_of(path) == "configuration" and "interfaces" not in block.text:
        path.write_text(f'{block.text}\n[capture]\ninterfaces = ["eth1"]\n')
    assert [str(problem) for problem in problems_of(path, None)] == []


def _check_yaml(block: Block, folder: Path) -> None:
    for document in yaml.safe_load_all(block.text):
        assert document is not None
        if isinstance(document, dict):
            _check_document(document, block.text, folder)


def _check_document(document: dict[str, object], text: str, folder: Path) -> None:
    path = folder / "block.yml"
    path.write_text(text)
    if "groups" in document:
        _passes("promtool", "check", "rules", str(path))
    elif document.keys() & {"scrape_configs", "rule_files"}:
        _passes("promtool", "check", "config", "--syntax-only", str(path))
    elif {"route", "receivers"} <= document.keys():
        _passes("amtool", "check-config", str(path))
    elif document.keys() <= _TOP.keys():
        _check_web(text, folder)


def _check_web(text: str, folder: Path) -> None:
    """With certificates of the names that it has, and a hash where a page leaves it out."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    from tests.outputs.web_stage import Authority, hashed

    authority = Authority(folder)
    certificate, key = authority.issue("localhost", "DNS:localhost")
    for name in re.findall(r"(?:cert|ca)_file: *(\S+)", text):
        shutil.copy(certificate, folder / name)
    for name in re.findall(r"key_file: *(\S+)", text):
        shutil.copy(key, folder / name)
    path = folder / "web.yml"
    path.write_text(text.replace("$2y$10$…", hashed("a password")))
    load_web_config(path)


def _check_json(block: Block, folder: Path) -> None:
    del folder
    lines = block.text.splitlines() if block.language == "jsonl" else [block.text]
    for line in filter(str.strip, lines):
        said = json.loads(line)
        if isinstance(said, dict) and "type" in said:
            VALID.validate(said)


def _check_promql(block: Block, folder: Path) -> None:
    rules = [
        {"record": f"block:{place}", "expr": expression} for place, expression in enumerate(_expressions_in(block.text))
    ]
    assert rules
    path = folder / "block.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "block", "rules": rules}]}))
    _passes("promtool", "check", "rules", str(path))


def _expressions_in(text: str) -> list[str]:
    """Each, where an empty line stands between them."""
    return [part for part in re.split(r"\n\s*\n", re.sub(r"#.*", "", text)) if part.strip()]


def _check_ini(block: Block, folder: Path) -> None:
    sections = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
    sections.optionxform = str  # type: ignore[assignment,method-assign]
    sections.read_string(block.text)
    assert sections.sections()
    if "Service" in sections and "ExecStart" in sections["Service"]:
        path = folder / "block.service"
        path.write_text(block.text)
        _passes("systemd-analyze", "verify", str(path))


def _check_mermaid(block: Block, folder: Path) -> None:
    del folder
    assert re.match(r"(?:flowchart|sequenceDiagram|stateDiagram)", block.text)


def _passes(program: str, *words: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


CHECKS: dict[str, Checked] = {
    "toml": _check_toml,
    "yaml": _check_yaml,
    "json": _check_json,
    "jsonl": _check_json,
    "promql": _check_promql,
    "ini": _check_ini,
    "mermaid": _check_mermaid,
}


@pytest.mark.parametrize(
    "block", [block for page in PAGES for block in blocks_of(page) if block.language in CHECKS], ids=str
)
def test_a_file_passes_the_check_of_its_reader(block: Block, tmp_path: Path) -> None:
    CHECKS[block.language](block, tmp_path)


WRONG = {
    "toml": "[site]\ntrusted_trunk = []\n",
    "yaml": "groups: [{name: a, rules: [{alert: A, expr: 'sum('}]}]\n",
    "json": '{"type": "reload", "time": "today"}\n',
    "jsonl": '{}\n{"type": "alert"}\n',
    "promql": "rate(joinwatch_alerts_total)\n",
    "ini": "[Service]\nExecStart=no-such-program\n",
    "mermaid": "graph of something\n",
}


@pytest.mark.parametrize("language", CHECKS)
def test_every_check_can_fail(language: str, tmp_path: Path) -> None:
    block = Block(ROOT / "README.md", 1, language, WRONG[language], {})
    with pytest.raises((AssertionError, ValidationError)):
        CHECKS[language](block, tmp_path)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("sh", "joinwatch check config/nothing\n"),
        ("sh", "joinwatch rules | grep -q no-such-rule\n"),
        ("console", "$ joinwatch check config/example/policy.toml\nconfig/example/policy.toml: bad policy\n"),
        ("console", "no command\n"),
        ("python", "assert False\n"),
    ],
)
def test_a_block_that_is_not_true_fails(language: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        _runs(Scene(tmp_path), Block(ROOT / "README.md", 1, language, text, {}), text)


def test_every_language_is_run_or_checked() -> None:
    assert {*RUN, *CHECKS, "text"} == LANGUAGES
