"""The log of who looked: whatever is done to it behind its back is seen, and where."""

import json
import multiprocessing
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.cli import main
from monitor.model.problems import ConfigError
from monitor.outputs.audit import Audit, beside

KEY = bytes(range(32))


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    made = Audit(tmp_path / "audit")
    made.begin(reasons=False)
    return made


def filled(audit: Audit, count: int = 6) -> Audit:
    for number in range(count):
        audit.add("explain", f"{number:016x}", f"case {number}")
    return audit


def lines_of(audit: Audit) -> list[bytes]:
    return (audit.folder / "00000001.jsonl").read_bytes().splitlines(keepends=True)


def write(audit: Audit, lines: list[bytes]) -> None:
    (audit.folder / "00000001.jsonl").write_bytes(b"".join(lines))


def test_a_log_that_nobody_touched_is_whole(audit: Audit) -> None:
    verdict = filled(audit).verify()
    assert (verdict.entries, verdict.first, verdict.last, verdict.broken) == (6, 1, 6, ())


def reworded(lines: list[bytes]) -> list[bytes]:
    return [line.replace(b"case 2", b"case 9") for line in lines]


def made_anew(lines: list[bytes]) -> list[bytes]:
    """The third entry with another reason, and a hash that fits it: then the fourth does not."""
    from monitor.outputs.audit import _canonical, _hash

    entry = json.loads(lines[2]) | {"reason": "another"}
    entry["hash"] = _hash(entry)
    return [*lines[:2], _canonical(entry) + b"\n", *lines[3:]]


@pytest.mark.parametrize(
    ("tampered", "place", "what"),
    [
        pytest.param(reworded, ":3", "entry 3 was changed", id="a word"),
        pytest.param(made_anew, ":4", "entry 4 does not follow entry 3", id="a word and its hash"),
        pytest.param(lambda lines: [*lines[:2], *lines[3:]], ":3", "1 missing between", id="an entry dropped"),
        pytest.param(lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], ":3", "missing", id="two exchanged"),
        pytest.param(lambda lines: lines[:4], "head", "2 missing at the end", id="the end cut"),
        pytest.param(lambda lines: lines[2:], ":1", "begins with entry 3", id="the beginning cut"),
        pytest.param(lambda lines: [*lines[:2], b"{}\n", *lines[3:]], ":3", "no entry", id="another line"),
        pytest.param(lambda lines: [line.replace(b'":', b'": ') for line in lines], ":1", "changed", id="blanks"),
        pytest.param(lambda lines: [], "head", "6 missing at the end", id="nothing left"),
    ],
)
def test_what_was_done_to_it_is_told_with_its_first_place(
    audit: Audit, tampered: Callable[[list[bytes]], list[bytes]], place: str, what: str
) -> None:
    write(filled(audit), tampered(lines_of(audit)))
    first = audit.verify().broken[0]
    assert place in first.place
    assert what in first.what


def test_going_on_does_not_heal_a_cut_end(audit: Audit) -> None:
    write(filled(audit), lines_of(audit)[:4])
    audit.add("explain", "later")
    assert [broken.what for broken in audit.verify().broken] == ["entry 7 does not follow entry 4: 2 missing between"]


def test_a_log_made_anew_is_seen_by_its_last_hash_or_its_signatures(tmp_path: Path) -> None:
    signed = Audit(tmp_path / "audit", KEY)
    signed.begin(reasons=False)
    told = filled(signed).verify()
    expected = f"{told.last}:{told.hash}"
    assert signed.verify(expected).broken == ()
    for file in signed.folder.iterdir():
        file.unlink()
    forged = filled(Audit(signed.folder))
    assert forged.verify().broken == ()
    assert "is not in it" in forged.verify(expected).broken[0].what
    assert "is not signed with this key" in signed.verify().broken[0].what


def test_who_has_no_key_cannot_write_a_signed_log(tmp_path: Path) -> None:
    Audit(tmp_path / "audit", KEY).begin(reasons=False)
    with pytest.raises(ConfigError, match="signed"):
        Audit(tmp_path / "audit").add("explain")


def test_the_chain_goes_on_over_files_and_says_when_old_ones_are_gone(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit", segment_bytes=700)
    audit.begin(reasons=False)
    filled(audit, 12)
    assert len(list(audit.folder.glob("*.jsonl"))) > 3
    assert audit.verify().broken == ()
    gone = audit.forget_before("9999")
    verdict = audit.verify()
    assert gone > 0
    assert (verdict.first, verdict.broken) == (gone + 1, ())
    assert "erased when their time was over" in verdict.notes[0]


def test_a_death_in_mid_write_costs_nothing_that_was_written(audit: Audit) -> None:
    lines = lines_of(filled(audit))
    write(audit, [*lines, b'{"number":7,"time":"20'])
    audit.add("explain", "next")
    assert audit.verify().broken == ()
    assert audit.verify().last == 7


def add_some(folder: Path) -> None:
    for _ in range(20):
        Audit(folder).add("explain", "x")


def test_several_processes_make_one_chain(audit: Audit) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=add_some, args=(audit.folder,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    verdict = audit.verify()
    assert (verdict.entries, verdict.last, verdict.broken) == (60, 60, ())


def test_people_are_digests_and_secrets_are_masked(audit: Audit) -> None:
    about = audit.subject("tel:+31205550177")
    audit.add("forget", about, "their letter, pwd=Hunter2secret\x1b[31m\n")
    text = lines_of(audit)[0]
    assert re.fullmatch("~[0-9a-f]{24}", about)
    assert audit.subject("TEL:+31205550177") == about
    assert b"5550177" not in text
    assert b"Hunter2" not in text
    assert b"\x1b" not in text
    assert text.count(b"\n") == 1


def test_only_its_owner_reads_it(audit: Audit) -> None:
    filled(audit)
    audit.subject("tel:+31205550177")
    assert {file.stat().st_mode & 0o777 for file in audit.folder.iterdir()} == {0o600}


def test_the_command_tells_the_first_broken_line(audit: Audit, capsys: pytest.CaptureFixture[str]) -> None:
    filled(audit)
    assert main(["audit", "verify", str(audit.folder)]) == 0
    told = capsys.readouterr().out
    assert "whole: 6 entries, from 1 to 6" in told
    last = next(line for line in told.splitlines() if line.startswith("last ")).removeprefix("last ")
    assert main(["audit", "verify", str(audit.folder), "--expect", last]) == 0
    write(audit, reworded(lines_of(audit)))
    capsys.readouterr()
    assert main(["audit", "verify", str(audit.folder)]) == 1
    assert "00000001.jsonl:3: entry 3 was changed" in capsys.readouterr().err
    assert main(["audit", "show", str(audit.folder)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 6


def test_a_replay_has_no_log_and_a_daemon_s_journal_has(tmp_path: Path) -> None:
    assert beside(tmp_path / "incident.jsonl") is None
    (tmp_path / "state" / "audit").mkdir(parents=True)
    (tmp_path / "state" / "journal").mkdir()
    for journal in ("journal", "journal/00000001.jsonl"):
        found = beside(tmp_path / "state" / journal)
        assert found is not None
        assert found.folder == tmp_path / "state" / "audit"
