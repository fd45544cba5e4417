"""The Debian package, as far as it can be judged without building it (`make boot` does the rest), and the README."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.debian.__main__ import HOME, LAUNCHER, LIBRARIES, ROOT, main
from deploy.debian.manual import page
from monitor.cli import COMMANDS
from monitor.detections import rule_infos
from monitor.sources.settings import load_settings
from tests.deploy.servers import program

FOLDER = ROOT / "deploy" / "debian"
README = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm"])
def test_a_maintainer_script_is_a_script_that_stops_at_a_mistake(script: str) -> None:
    text = (FOLDER / script).read_text(encoding="utf-8")
    assert text.startswith("#!/bin/sh\nset -e\n")
    assert subprocess.run(["sh", "-n", str(FOLDER / script)], check=False).returncode == 0
    for removed in re.findall(r"rm -rf (.+)", text):
        assert all(re.fullmatch(r"/(etc|usr/lib|var/lib)/joinwatch(-lists)?", path) for path in removed.split())


def test_an_upgrade_restarts_capture_last_and_an_installation_starts_nothing() -> None:
    text = (FOLDER / "postinst").read_text(encoding="utf-8")
    assert not re.search(r"systemctl (start|enable|restart)", text)
    order = re.findall(r"joinwatch-(serve|decode|capture)\.service", text)
    assert order == ["serve", "decode", "capture"]


def test_what_a_build_lacks_is_told_before_it_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("deploy.debian.__main__.INTERPRETER", tmp_path)  # that there is one
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("deploy.debian.__main__.BUILD", tmp_path / "build")
    assert main() == 1
    assert "apt-get install binutils" in capsys.readouterr().err
    assert not (tmp_path / "build").exists()
    assert "`binutils`" in README


def test_the_package_is_described_as_nfpm_wants_it() -> None:
    text = re.sub(r"\$\{(\w+)\}", r"\1", (FOLDER / "nfpm.yaml").read_text(encoding="utf-8"))
    said = yaml.safe_load(text)
    assert (said["name"], said["license"]) == ("joinwatch", "EUPL-1.2")
    for script in said["scripts"].values():
        assert (ROOT / script).exists()
    kinds = {one["dst"]: one.get("type") for one in said["contents"]}
    assert kinds["/etc/joinwatch/joinwatch.toml"] == "config|noreplace"
    links = {one["dst"]: one["src"] for one in said["contents"] if one.get("type") == "symlink"}
    targets = {dst: (Path(dst).parent / src).parts for dst, src in links.items()}
    assert Path(*targets["/usr/bin/joinwatch"]).resolve() == Path(f"/{HOME}/bin/joinwatch")
    assert set(LIBRARIES.values()) >= {"libc6 (>= 2.34)", "libgcc-s1"}


def test_it_begins_with_a_configuration_that_names_a_mirror_port() -> None:
    settings = load_settings(FOLDER / "joinwatch.toml")
    assert settings.capture.interfaces == ("eth1",)
    assert settings.serve.listen == "127.0.0.1:9464"


def test_what_it_starts_is_isolated_from_whatever_stands_around() -> None:
    assert LAUNCHER.format(home=HOME).startswith(f"#!/{HOME}/bin/python -I\n")
    compile(LAUNCHER.format(home=HOME), "joinwatch", "exec")


def test_the_manual_page_has_every_command_and_is_good_troff() -> None:
    text = page()
    assert re.findall(r"^\.SS (.+)$", text, re.MULTILINE) == list(COMMANDS)
    if program("man") is None:
        pytest.skip("there is no man")
    run = subprocess.run(
        ["man", "--warnings", "--local-file", "-"], input=text, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_the_readme_names_alerts_checks_and_rules_that_there_are() -> None:
    files = (ROOT / "deploy" / "prometheus").glob("*.rules.yml")
    alerts = set(re.findall(r"alert: (\w+)", "".join(path.read_text(encoding="utf-8") for path in files)))
    named = set(re.findall(r"`(Joinwatch\w+)`", README))
    assert named <= alerts
    assert len(named) > 10
    checks = set(
        re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    rules = {info.name for info in rule_infos()}
    words = set(re.findall(r"`([a-z]+(?:-[a-z0-9]+)+)`", README))
    assert words <= checks | rules
    assert len(words & checks) > 20
