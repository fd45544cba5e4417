"""The role for Ansible, and what the units ask of systemd-tmpfiles and systemd-sysusers."""

import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.corpus import ROOT
from tests.daemon.stage import needs_root
from tests.deploy.linters import linter, told_by

ROLE = ROOT / "deploy" / "ansible" / "roles" / "joinwatch"
UNITS = ROOT / "deploy" / "systemd"


def tasks(part: str = "tasks") -> list[dict[str, Any]]:
    return yaml.safe_load((ROLE / part / "main.yml").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def test_every_task_of_the_role_asks_for_a_state_and_runs_no_command() -> None:
    """So that a second run changes nothing."""
    for task in tasks() + tasks("handlers"):
        modules = [key for key in task if key.startswith("ansible.builtin.")]
        assert len(modules) == 1, task
        assert modules[0].rpartition(".")[2] not in ("command", "shell", "raw", "script"), task


def test_what_it_starts_are_the_units_that_there_are() -> None:
    started = re.findall(r"'(joinwatch[-.a-z]*)'", str(tasks()[-1]["loop"]))
    there = {path.name.removesuffix(".service") for path in UNITS.iterdir()}
    assert started == ["joinwatch-capture", "joinwatch-serve", "joinwatch-decode", "joinwatch.target"]
    assert set(started) <= there
    assert tasks("handlers")[0]["loop"][-1] == "joinwatch-capture"  # systemd keeps its rings meanwhile


def test_what_it_may_be_told_is_what_it_asks_for() -> None:
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    text = "".join(
        path.read_text(encoding="utf-8") for path in ROLE.rglob("*") if path.is_file() and "defaults" not in str(path)
    )
    asked = set(re.findall(r"\bjoinwatch_[a-z]+\b", text)) - {"joinwatch_deliveries"}
    assert asked == set(defaults)


def test_the_configuration_that_it_writes_is_a_good_one(tmp_path: Path) -> None:
    """With hostile values: nothing gets out of its quotes."""
    playbook = linter("ansible-playbook")
    target = tmp_path / "joinwatch.toml"
    play = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "vars_files": [str(ROLE / "defaults" / "main.yml")],
            "tasks": [
                {
                    "vars": {
                        "ansible_python_interpreter": sys.executable,
                        "joinwatch_interfaces": ["eth1", 'e"]\nuser = "root'],
                        "joinwatch_more": '[sinks.soc]\nkind = "alertmanager"\nurl = "https://alertmanager.example:9093"',
                    },
                    "ansible.builtin.template": {
                        "src": str(ROLE / "templates" / "joinwatch.toml.j2"),
                        "dest": str(target),
                        "mode": "0600",
                    },
                }
            ],
        }
    ]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(play), encoding="utf-8")
    code, said = told_by(
        playbook, "--inventory", "localhost,", "--connection", "local", str(tmp_path / "play.yml"), HOME=str(tmp_path)
    )
    assert code == 0, said
    document = tomllib.loads(target.read_text(encoding="utf-8"))
    assert document["capture"]["interfaces"] == ["eth1", 'e"]\nuser = "root']
    assert document["sinks"]["soc"]["kind"] == "alertmanager"
    assert "user" not in document
    assert document["meetings"] == document["directory"] == ["lists"]


def test_linters_of_ansible_find_nothing() -> None:
    ansible = ROOT / "deploy" / "ansible"
    run = subprocess.run(
        [linter("ansible-lint"), "--offline", "--profile", "production", "--nocolor", "."],
        cwd=ansible,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_systemd_makes_the_folders_and_lets_the_user_read(tmp_path: Path) -> None:
    """By the real programs, in a root of the test's own: a mode that this systemd does not know would be told here."""
    needs_root()
    if not shutil.which("systemd-tmpfiles") or not shutil.which("systemd-sysusers"):
        pytest.skip("there is no systemd-tmpfiles")
    for kind in ("sysusers", "tmpfiles"):
        folder = tmp_path / "usr" / "lib" / f"{kind}.d"
        folder.mkdir(parents=True)
        shutil.copy(UNITS / f"joinwatch.{kind}", folder / "joinwatch.conf")
    lists = tmp_path / "etc" / "joinwatch" / "lists"
    lists.mkdir(parents=True, mode=0o777)
    (lists / "now.ics").write_text("", encoding="ascii")
    for words in (["systemd-sysusers"], ["systemd-tmpfiles", "--create"]):
        run = subprocess.run(
            [*words, f"--root={tmp_path}", "joinwatch.conf"], capture_output=True, text=True, check=False
        )
        assert (run.returncode, "Invalid" in run.stderr) == (0, False), run.stderr
    user, group = (tmp_path / "etc" / name for name in ("passwd", "group"))
    uid = int(
        next(line for line in user.read_text("ascii").splitlines() if line.startswith("joinwatch:")).split(":")[2]
    )
    gid = int(
        next(line for line in group.read_text("ascii").splitlines() if line.startswith("joinwatch:")).split(":")[2]
    )
    expected = {
        "etc/joinwatch": (0o750, 0, gid),
        "etc/joinwatch/lists": (0o750, 0, gid),
        "etc/joinwatch/lists/now.ics": (0o640, 0, gid),
        "var/lib/joinwatch": (0o700, uid, gid),
    }
    for path, owned in expected.items():
        found = (tmp_path / path).stat()
        assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == owned, path
