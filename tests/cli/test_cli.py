"""The command line: every misuse has a cause, a next step and an exit code, and nothing ever ends in a traceback."""

import itertools
import json
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitor.cli import COMMANDS, main
from tests.corpus import ROOT

INCIDENT = ROOT / "pcaps" / "incident" / "incident.pcap"
EXAMPLE = ROOT / "config" / "example"
GIVEN = [
    "--meetings", str(EXAMPLE / "meetings"), "--directory", str(EXAMPLE / "directory.vcf"),
    "--directory", str(EXAMPLE / "partners.csv"), "--policy", str(EXAMPLE / "policy.toml"),
]  # fmt: skip


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """The command as a user starts it: a process of its own."""
    command = [sys.executable, "-m", "monitor", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)


def test_the_incident_raises_exactly_three_alerts(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    assert main(["replay", str(INCIDENT), *GIVEN, "--json", str(journal)]) == 0
    records = [json.loads(line) for line in journal.read_text().splitlines()]
    alerts = {record["id"]: record for record in records if record["type"] == "alert"}
    assert sorted(alert["rule"] for alert in alerts.values()) == [
        "meeting-enumeration",
        "pin-bypass",
        "uninvited-participant",
    ]
    assert {alert["subject"] for alert in alerts.values()} == {"tel:+31205550177"}
    assert all(reason["evidence"] for alert in alerts.values() for reason in alert["reasons"])


def test_json_on_standard_output_stands_there_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(INCIDENT), *GIVEN, "--json", "-"]) == 0
    told = capsys.readouterr()
    assert all(isinstance(json.loads(line), dict) for line in told.out.splitlines())
    assert "pin-bypass" in told.err


@pytest.mark.parametrize(("severity", "code"), [("low", 4), ("high", 4), ("critical", 0)])
def test_fail_on_sets_the_exit_code(severity: str, code: int) -> None:
    assert main(["replay", str(INCIDENT), *GIVEN, "--fail-on", severity]) == code


def test_a_damaged_capture_is_read_as_far_as_it_goes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(INCIDENT.read_bytes()[:-100])
    assert main(["replay", str(cut), *GIVEN]) == 3
    told = capsys.readouterr().out
    assert "pin-bypass" in told
    assert "cut.pcap" in told


def test_demo_and_tables_of_contents(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["demo"], ["rules"], ["platforms"]):
        assert main(words) == 0
    told = capsys.readouterr().out
    assert "pin-bypass" in told
    assert "webex" in told


def test_two_runs_print_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    pages = []
    for _ in range(2):
        main(["replay", str(INCIDENT), *GIVEN])
        pages.append(capsys.readouterr().out)
    assert pages[0] == pages[1]


def test_explain_leads_back_to_the_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = tmp_path / "journal.jsonl"
    main(["replay", str(INCIDENT), *GIVEN, "--json", str(journal)])
    alert = next(r for r in map(json.loads, journal.read_text().splitlines()) if r["type"] == "alert")
    capsys.readouterr()
    assert main(["explain", alert["id"], "--journal", str(journal), "--captures", str(INCIDENT.parent)]) == 0
    told = capsys.readouterr().out
    assert alert["rule"] in told
    assert "incident.pcap" in told


def test_metrics_as_textfile(tmp_path: Path) -> None:
    metrics = tmp_path / "joinwatch.prom"
    main(["replay", str(INCIDENT), *GIVEN, "--metrics-textfile", str(metrics)])
    text = metrics.read_text()
    assert 'joinwatch_alerts_total{rule="pin-bypass",severity="high"} 1.0' in text
    assert "31205550177" not in text


def test_an_interrupted_run_keeps_what_it_found(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    command = [sys.executable, "-m", "monitor", "decode", "-", "--json", str(journal)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=False, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(INCIDENT.read_bytes())
        process.stdin.flush()
        wait_until_it_waits(process.pid)
        process.send_signal(signal.SIGINT)
        process.stdin.close()
        assert process.wait(timeout=30) == 130
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert lines[-1]["type"] == "summary"
    assert any(line["type"] == "call" for line in lines)


def wait_until_it_waits(pid: int) -> None:
    """More is awaited on standard input: once the process sleeps (Linux), it has read everything so far."""
    for _ in range(400):
        select.select([], [], [], 0.05)
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S":
            return
    pytest.fail("the process never came to wait for its input")


WORDS = (
    "--json",
    "--policy",
    "--meetings",
    "--fail-on",
    "--metrics-listen",
    "--journal",
    "no-such",
    "",
    "-",
    "\x1b[31m",
)


def misuses() -> list[list[str]]:
    """Three hundred wrong command lines."""
    made: list[list[str]] = [[], ["no-such-command"], ["--no-such-option"]]
    for command in ("replay", "decode", "check", "explain", "demo"):
        made += [[command]] if command != "demo" else []
        made += [[command, *words] for words in itertools.permutations(WORDS, 2)]
    made = [words for words in made if "-" not in words[1:]]  # Standard input is no mistake.
    return made[:300]


@pytest.mark.parametrize("words", misuses(), ids=lambda words: " ".join(words) or "nothing")
def test_misuse_is_answered_with_cause_and_code(
    words: Sequence[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = main(list(words))
    told = capsys.readouterr()
    assert code in {1, 2}
    assert told.err.strip()
    assert "Traceback" not in told.err
    assert "internal error" not in told.err


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        assert main([command, "--help"]) == 0
        assert "usage: joinwatch" in capsys.readouterr().out


def test_standard_output_closed_early_is_no_traceback() -> None:
    command = f"{sys.executable} -m monitor replay {INCIDENT} --json - | head -1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout)


@pytest.mark.parametrize("name", ["replay", "decode"])
def test_a_missing_capture_is_a_clear_error(name: str) -> None:
    done = run(name, "no-such.pcap")
    assert done.returncode == 2
    assert "no-such.pcap" in done.stderr
