"""Full disks, closed streams, slips of the keyboard, names that bite: told in a line, and nothing of value is lost."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitor.cli import main
from monitor.cli.replay import explain_options, url_host, wait_for_interruption
from tests.cli.test_cli import wait_until_it_waits
from tests.corpus import ROOT

INCIDENT = ROOT / "pcaps" / "incident" / "incident.pcap"
EXAMPLE = ROOT / "config" / "example"
needs_full = pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="this system has no full device")


def shell(command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A command line; `joinwatch` in it is ours."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JOIN": f"{sys.executable} -m monitor"}
    environment.pop("PYTHONUNBUFFERED", None)
    command = command.replace("joinwatch", "$JOIN")
    return subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, cwd=cwd, timeout=60, check=False, env=environment
    )


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return Path(shutil.copy(INCIDENT, tmp_path / "trunk.pcap"))


@pytest.mark.parametrize("option", ["--json", "--metrics-textfile"])
@pytest.mark.parametrize("command", ["replay", "decode"])
def test_results_never_take_the_place_of_a_capture(
    command: str, option: str, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, str(capture), option, str(capture)]) == 2
    assert capture.read_bytes() == INCIDENT.read_bytes()
    assert capsys.readouterr().err


def test_everything_wrong_with_the_places_of_results_is_told_at_once(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = ["--json", str(capture), "--metrics-textfile", "/no/where.prom", "--metrics-listen", "here"]
    assert main(["replay", str(capture), *wrong]) == 2
    told = capsys.readouterr()
    assert not told.out
    assert len(told.err.splitlines()) == 3
    for words in (
        "trunk.pcap: is there already",
        "there is no folder /no",
        "--metrics-listen: 'here'; expected HOST:PORT",
    ):
        assert words in told.err


def test_one_file_for_two_results_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = str(tmp_path / "both")
    assert main(["demo", "--json", both, "--metrics-textfile", both]) == 2
    assert "a file for each" in capsys.readouterr().err


def test_a_journal_of_before_is_kept_when_the_run_cannot_begin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = tmp_path / "journal.jsonl"
    assert main(["decode", str(INCIDENT), "--json", str(journal)]) == 0
    before = journal.read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["demo", "--json", str(journal), "--metrics-listen", f"127.0.0.1:{port}"]) == 2
    assert "Address already in use" in capsys.readouterr().err
    assert journal.read_bytes() == before


@needs_full
@pytest.mark.parametrize("words", ["demo", "rules", "check config/example", "demo --json -"])
def test_a_full_disk_under_standard_output_is_a_failure(words: str) -> None:
    done = shell(f"joinwatch {words} >/dev/full")
    assert done.returncode == 1
    assert "joinwatch: standard output: No space left on device" in done.stderr
    assert "Exception" not in done.stderr


@needs_full
def test_a_full_disk_under_the_journal_costs_nobody_the_page() -> None:
    done = shell("joinwatch demo --json /dev/full")
    assert done.returncode == 1
    assert "joinwatch: /dev/full: No space left on device" in done.stderr
    assert "Interrupted: the captures were not read to their end." in done.stdout


@pytest.mark.parametrize("words", ["demo", "demo --json -", "rules"])
def test_closed_standard_output_is_a_failure_without_a_traceback(words: str) -> None:
    done = shell(f"joinwatch {words} >&-")
    assert done.returncode == 1
    assert done.stderr.endswith("joinwatch: standard output: closed\n")


def test_closed_standard_error_harms_nothing() -> None:
    assert shell("joinwatch rulez 2>&-").returncode == 2
    done = shell("joinwatch demo --fail-on high 2>&-")
    assert done.returncode == 4
    assert "pin-bypass" in done.stdout


def test_a_reader_who_goes_ends_the_run_quietly() -> None:
    done = shell("{ joinwatch rules; echo code $? >&2; } | true")
    assert done.stderr == "code 1\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "joinwatch: no command was given; `joinwatch demo` shows what it does"),
        (["replya"], "joinwatch: there is no command 'replya'; did you mean replay?"),
        (["zzz"], "joinwatch: there is no command 'zzz'; there are replay, decode, "),
        (["replay"], "Try: joinwatch replay --help"),
        (["demo", "--fail-on", "hihg"], "invalid choice: 'hihg' (choose from"),
    ],
)
def test_a_slip_of_the_keyboard_gets_a_next_step(
    words: Sequence[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert told in capsys.readouterr().err


HOSTILE = "a\x1b[31mred\nline\udcff"


@pytest.mark.parametrize(
    "words",
    [
        ["check", f"{HOSTILE}.toml"],
        ["check", "."],
        ["check", f"{HOSTILE}.md"],
        ["replay", f"{HOSTILE}.toml"],
        ["replay", f"{HOSTILE}.pcap"],
        ["decode", f"{HOSTILE}.pcap", "--json", f"{HOSTILE}/x"],
        ["explain", HOSTILE, "--journal", HOSTILE],
        ["explain", "x", "--journal", f"{HOSTILE}.toml", "--captures", HOSTILE],
        [HOSTILE],
        ["demo", "--fail-on", HOSTILE],
        ["demo", HOSTILE],
    ],
    ids=repr,
)
def test_names_do_nothing_to_a_terminal(
    words: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(EXAMPLE / "policy.toml", f"{HOSTILE}.toml")
    Path(f"{HOSTILE}.csv").write_text("nonsense")
    assert main(list(words)) in {0, 1, 2}
    told = capsys.readouterr()
    assert told.out + told.err
    assert "\x1b" not in told.out + told.err
    assert "\udcff" not in told.out + told.err
    assert "red\nline" not in told.out + told.err


def test_messages_are_wrapped_for_a_terminal_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text("[site]\ntrusted_trunk = []\n")
    assert main(["check", str(policy)]) == 2
    line = capsys.readouterr().err.splitlines()[0]
    assert line.endswith("(did you mean trusted_trunks?)")
    monkeypatch.setattr("monitor.outputs.page.is_terminal", lambda _: True)
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["check", str(policy)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert all(len(one) <= 80 for one in lines if str(policy) not in one)
    assert all(one.startswith("    ") for one in lines[1:-1])


def test_check_reads_numbers_and_markings_as_its_policy_has_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "people.csv").write_text("name,phone\nAnna,030 2312500\n")
    (tmp_path / "policy.toml").write_text('country_code = "49"\n')
    seen: list[tuple[Path, Path | None]] = []

    def problems_of(file: Path, policy: Path | None) -> tuple[()]:
        seen.append((file, policy))
        return ()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("monitor.cli.check.problems_of", problems_of)
        assert main(["check", str(tmp_path)]) == 0
    assert (tmp_path / "people.csv", tmp_path / "policy.toml") in seen
    assert main(["check", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("good directory") == 2


def test_check_tells_each_file_once_and_its_sum_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "policy.toml").write_text("x = 1\ny = 2\n")
    (tmp_path / "good.toml").write_text("")
    (tmp_path / "nothing").mkdir()
    assert main(["check", str(tmp_path), str(tmp_path / "policy.toml"), str(tmp_path / "nothing")]) == 2
    told = capsys.readouterr()
    assert told.out == f"{tmp_path}/good.toml: good policy\n"
    lines = told.err.splitlines()
    assert [line.partition(";")[0] for line in lines] == [
        f"joinwatch: {tmp_path}/nothing: an empty folder",
        f"joinwatch: {tmp_path}/policy.toml:1: unknown key `x`",
        f"joinwatch: {tmp_path}/policy.toml:2: unknown key `y`",
        "joinwatch: 3 mistakes in 2 files",
    ]


def test_check_tells_a_folder_that_it_cannot_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def denied(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", denied)
    assert main(["check", str(tmp_path), "nowhere.ics"]) == 2
    told = capsys.readouterr().err
    assert f"{tmp_path}: a folder that cannot be read: Permission denied" in told
    assert "nowhere.ics: " in told


def test_a_polite_kill_keeps_the_results_so_far(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "monitor", "decode", "-", "--json", str(tmp_path / "journal.jsonl")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(INCIDENT.read_bytes())
        process.stdin.flush()
        wait_until_it_waits(process.pid)
        process.terminate()
        process.stdin.close()
        page = process.stdout.read().decode()
        assert process.wait(timeout=30) == 130
    assert "Interrupted: the captures were not read to their end." in page
    assert '"type":"summary"' in (tmp_path / "journal.jsonl").read_text()


def test_explain_without_an_id_lists_the_alerts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = tmp_path / "journal.jsonl"
    main(["demo", "--json", str(journal)])
    capsys.readouterr()
    assert main(["explain", "--journal", str(journal)]) == 0
    assert "3 alerts, times in UTC" in capsys.readouterr().out
    assert main(["explain", "pin-bypass", "--journal", str(journal), "--captures", "no-such-folder"]) == 2
    assert "no-such-folder: no such file or folder" in capsys.readouterr().err


def test_the_command_that_the_page_gives_leads_to_the_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    journal = tmp_path / "it's a journal.jsonl"
    main(["demo", "--json", str(journal)])
    page = capsys.readouterr().out
    command = next(line for line in page.splitlines() if line.startswith("  joinwatch explain"))
    done = shell(f"PATH=; {command.strip()}", tmp_path)
    assert done.returncode == 0
    assert "meeting-enumeration" in done.stdout
    assert "All times are those of Europe/Amsterdam." in done.stdout
    assert "  frame 147, 2024-05-13 16:02:24" in done.stdout


def test_what_explain_is_told() -> None:
    given = ["-", "here.pcap", "a/one.pcap", "a/two.pcap", "b c/three.pcap"]
    assert explain_options(given, None) == ["--captures", "a", "--captures", "b c"]
    assert explain_options(["here.pcap"], "policy.toml") == ["--policy", "policy.toml"]


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert (url_host("::1"), url_host("127.0.0.1")) == ("[::1]", "127.0.0.1")


def test_serving_ends_with_control_c(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupted)
    wait_for_interruption()
    assert "serving metrics until Ctrl-C" in capsys.readouterr().err
