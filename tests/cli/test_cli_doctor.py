"""The doctor: the right cause of each seeded fault comes first, and of a healthy set-up nothing grave is said."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bench import damage
from monitor.cli import main
from monitor.doctor.checks import CHECKS, TOPICS
from tests.cli import ailments
from tests.cli.ailments import EXAMPLE, GIVEN, INCIDENT, OF_WORLD, SCENARIOS, SECONDS, Lab, Patient
from tests.corpus import ROOT
from tests.daemon.stage import daemon, mirror

Made = Callable[[Path, ExitStack], Patient]
OTHERS = ["--directory", str(EXAMPLE / "directory.vcf"), "--policy", str(EXAMPLE / "policy.toml")]
WATCHES_ONE = "a sub-interface of the wrong VLAN is watched"
FOUND = "## What it finds\n"
"""What stands behind this in the documentation is made (`pytest --golden`)."""
RIGHT: dict[str, bool] = {}
"""What came of each fault so far."""


def capture(change: Callable[[list[damage.Packet]], Any]) -> Made:
    """The incident, after that change."""
    return lambda folder, _: Patient(ailments.altered(folder, change), *GIVEN)


def with_meetings(made: Callable[[Path], str]) -> Made:
    """The incident, with other calendars."""
    return lambda folder, _: Patient(str(INCIDENT), "--meetings", made(folder / "lists"), *OTHERS)


def expired(folder: Path, _: ExitStack) -> Patient:
    path = ailments.calendar(folder, "27310400011", ailments.long_ago())
    return Patient("--meetings", path, "--policy", str(EXAMPLE / "policy.toml"))


def empty(folder: Path, _: ExitStack) -> Patient:
    return Patient(str(INCIDENT), "--meetings", ailments.empty_calendar(folder), *OTHERS)


def other_people(folder: Path, _: ExitStack) -> Patient:
    people = folder / "others.csv"
    people.write_text("name,email,phone\nX,x@example.org,+31205550199\n", encoding="utf-8")
    lists = ["--meetings", str(EXAMPLE / "meetings"), "--directory", str(people)]
    return Patient(str(INCIDENT), *lists, "--policy", str(EXAMPLE / "policy.toml"))


def link_down(folder: Path, opened: ExitStack) -> Patient:
    lab = Lab(opened)
    inner, _ = lab.pair(0, up=False)
    return Patient("--interface", inner, "--seconds", SECONDS, namespace=lab.name)


def nothing_arrives(folder: Path, opened: ExitStack) -> Patient:
    lab = Lab(opened)
    inner, _ = lab.pair(0)
    return Patient("--interface", inner, "--seconds", SECONDS, namespace=lab.name)


def sent(patient: Patient, send: Callable[[bytes], None], frames: list[bytes]) -> Patient:
    def all_of_them() -> None:
        for data in frames:
            send(data)

    patient.send = all_of_them
    return patient


def no_mirror(folder: Path, opened: ExitStack) -> Patient:
    lab = Lab(opened)
    inner, send = lab.pair(0)
    return sent(Patient("--interface", inner, "--seconds", SECONDS, namespace=lab.name), send, ailments.switch_noise())


def wrong_vlan(folder: Path, opened: ExitStack) -> Patient:
    lab = Lab(opened)
    inner, send = lab.pair(0)
    try:
        lab.run("ip", "link", "add", "link", inner, "name", "voice", "type", "vlan", "id", "10")
    except subprocess.CalledProcessError:
        del RIGHT[WATCHES_ONE]
        pytest.skip("this kernel has no VLAN sub-interfaces")
    lab.run("ip", "link", "set", "voice", "up")
    frames = [ailments.tagged(data, 20) for data in ailments.calls_of_now()]
    return sent(Patient("--interface", "voice", "--seconds", SECONDS, namespace=lab.name), send, frames)


def other_interface(folder: Path, opened: ExitStack) -> Patient:
    lab = Lab(opened)
    watched, _ = lab.pair(0)
    inner, send = lab.pair(1)
    lab.run("ip", "address", "add", "192.0.2.99/24", "dev", inner)
    frames = [ailments.erspan(data, "192.0.2.99", b"\x02\0\0\0\0\x09") for data in ailments.calls_of_now()]
    return sent(Patient("--interface", watched, "--seconds", SECONDS, namespace=lab.name), send, frames)


def not_promiscuous(folder: Path, opened: ExitStack) -> Patient:
    """A macvlan is an adapter that really drops what is for others."""
    lab = Lab(opened)
    inner, send = lab.pair(0)
    lab.run("ip", "link", "add", "link", inner, "name", "adapter", "type", "macvlan", "mode", "private")
    lab.run("ip", "link", "set", "adapter", "up")
    path = ailments.config(folder, capture={"interfaces": ["adapter"], "promiscuous": False, "ring_mebibytes": 8})
    patient = Patient("--config", str(path), "--seconds", SECONDS, namespace=lab.name)
    return sent(patient, send, [*ailments.calls_of_now(), *ailments.switch_noise()])


def no_privilege(folder: Path, opened: ExitStack) -> Patient:
    ailments.needs_root()
    for needed in (ROOT, Path(sys.prefix)):
        closed = [one for one in (needed, *needed.parents) if not one.stat().st_mode & 0o001]
        if closed:  # as root's home on Debian
            pytest.skip(f"{closed[0]} is closed to others, so nobody but its owner can start what lies in it")
    return Patient("--interface", "lo", "--seconds", SECONDS, user="65534")


def configured(folder: Path, opened: ExitStack, **more: Any) -> Patient:
    """A mirror that brings calls, and a configuration for it with that fault."""
    port = opened.enter_context(mirror("jwp"))
    words = ["--config", str(ailments.config(folder / "etc", port.near, **more)), "--connect", "--seconds", "0.4"]
    patient = Patient(*words)
    frames = ailments.calls_of_now(folder.name)
    patient.send = lambda: port.send(frames)
    return patient


def full_disk(folder: Path, opened: ExitStack) -> Patient:
    place = opened.enter_context(ailments.full_disk(folder / "disk"))
    return configured(folder, opened, state=str(place / "state"))


def port_taken(folder: Path, opened: ExitStack) -> Patient:
    taken = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
    listen = f"127.0.0.1:{taken.getsockname()[1]}"
    return configured(folder, opened, serve={"listen": listen})


def sink_refused(folder: Path, opened: ExitStack) -> Patient:
    more = {"sinks.am": {"kind": "alertmanager", "url": f"http://127.0.0.1:{ailments.free_port()}"}}
    return configured(folder, opened, **more)


def unreadable_list(folder: Path, opened: ExitStack) -> Patient:
    patient = configured(folder, opened, user="nobody")
    (folder / "etc" / "lists" / "people.csv").chmod(0o600)
    return patient


SEEDED: dict[str, tuple[str, Made]] = {
    "the link is down": ("link-down", link_down),
    "nothing arrives": ("nothing-arrives", nothing_arrives),
    "the port is no mirror": ("no-mirror", no_mirror),
    "the adapter is not promiscuous": ("not-promiscuous", not_promiscuous),
    WATCHES_ONE: ("wrong-vlan", wrong_vlan),
    "ERSPAN comes to another interface": ("other-interface", other_interface),
    "CAP_NET_RAW is missing": ("no-privilege", no_privilege),
    "the disk is full": ("full-disk", full_disk),
    "the port is taken": ("port-taken", port_taken),
    "the sink refuses": ("sink-refused", sink_refused),
    "the daemon's user may not read a list": ("unreadable-list", unreadable_list),
    "another VLAN is mirrored": ("no-signalling", capture(ailments.other_vlan)),
    "an unknown envelope": ("unknown-envelope", capture(ailments.wrapped)),
    "the snap length": ("snap-length", capture(ailments.cut)),
    "one side alone": ("one-sided", capture(lambda packets: damage.to_bridge(packets, Random(1)))),
    "everything twice": ("doubled-mirror", capture(lambda packets: damage.copied(packets, Random(1)))),
    "only TLS": ("only-tls", capture(lambda _: ailments.tls_calls())),
    "only media": ("only-media", capture(ailments.only_media)),
    "the clock is years wrong": ("years-apart", capture(partial(ailments.later, by=-9 * ailments.YEAR))),
    "a time zone is an hour wrong": ("hours-off", with_meetings(ailments.an_hour_off)),
    "the calendars have expired": ("expired-calendar", expired),
    "the calendar is empty": ("empty-calendar", empty),
    "no meeting matches": (
        "no-match",
        with_meetings(lambda folder: ailments.calendar(folder, "27310400011", datetime(2024, 5, 14, 8, tzinfo=UTC))),
    ),
    "no number is known": ("no-known-target", lambda *_: Patient(str(INCIDENT))),
    "no media": ("no-keys", capture(lambda packets: [packet for packet in packets if ailments.is_sip(packet)])),
    "a tenth is lost": ("losses", capture(lambda packets: damage.lost(packets, Random(1), share=0.1))),
    "the link is encrypted": ("encrypted-link", capture(ailments.in_macsec)),
    "keys are tones": ("keys-as-tones", capture(ailments.with_tones)),
    "the directory is others'": ("directory-without-numbers", other_people),
    "the capture is empty": ("empty-capture", capture(lambda _: [])),
    "invitations name no meeting": ("nameless-meetings", with_meetings(ailments.without_descriptions)),
    "segments are merged by offload": (
        "offload",
        capture(ailments.merged),
    ),
}


def of_now(folder: Path, opened: ExitStack) -> Patient:
    lab = Lab(opened)
    inner, send = lab.pair(0)
    path = ailments.config(folder, inner)
    patient = Patient("--config", str(path), "--seconds", SECONDS, namespace=lab.name)
    return sent(patient, send, ailments.calls_of_now("healthy"))


HEALTHY: dict[str, Made] = {
    "the incident": lambda *_: Patient(str(INCIDENT), *GIVEN),
    "in VXLAN": lambda folder, _: Patient(ailments.in_vxlan(folder), *GIVEN),
    "a quiet night": lambda folder, _: Patient(ailments.altered(folder, lambda _: ailments.night()), *GIVEN),
    "over TCP": lambda *_: Patient(str(SCENARIOS / "meeting-enumeration" / "attack-sip-over-tcp.pcap"), *OF_WORLD),
    "in IPv6": lambda *_: Patient(str(SCENARIOS / "uninvited-participant" / "attack-ipv6.pcap"), *OF_WORLD),
    "other calls alone": lambda *_: Patient(
        str(SCENARIOS / "meeting-enumeration" / "benign-call-centre.pcap"), *OF_WORLD
    ),
    "in a VLAN": lambda folder, _: Patient(
        ailments.altered(
            folder, lambda packets: [p._replace(data=ailments.tagged(p.data, 7), length=p.length + 4) for p in packets]
        ),
        *GIVEN,
    ),
    "live": of_now,
}


@pytest.fixture(scope="module", autouse=True)
def score(request: pytest.FixtureRequest) -> Iterator[None]:
    """Said at the end, past pytest's capturing."""
    yield
    capturing = request.config.pluginmanager.getplugin("capturemanager")
    if RIGHT and capturing is not None:
        with capturing.global_and_fixture_disabled():
            sys.stderr.write(
                f"\ndoctor: the right cause first in {sum(RIGHT.values())} of {len(RIGHT)} seeded faults\n"
            )


@pytest.mark.parametrize("fault", SEEDED)
def test_the_right_cause_comes_first(fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cause, made = SEEDED[fault]
    RIGHT[fault] = False
    with ExitStack() as opened:
        patient = made(tmp_path, opened)
        findings, _ = asked(patient, capsys)
    assert findings, "nothing was found"
    assert findings[0]["check"] == cause, [finding["check"] for finding in findings]
    assert findings[0]["proof"]
    assert findings[0]["next_step"]
    RIGHT[fault] = True


@pytest.mark.parametrize("setup", HEALTHY)
def test_nothing_grave_is_said_of_what_is_healthy(
    setup: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ExitStack() as opened:
        findings, code = asked(HEALTHY[setup](tmp_path, opened), capsys)
    assert [finding for finding in findings if finding["gravity"] != "hint"] == []
    assert code == 0


def test_a_running_daemon_is_healthy_and_says_so_itself(tmp_path: Path) -> None:
    with mirror(f"jwd{tmp_path.name[-1]}doc") as port, daemon(tmp_path, [port.near]) as running:
        patient = Patient("--config", str(running.config), "--seconds", SECONDS)
        patient.send = lambda: port.send(ailments.calls_of_now("running"))
        findings, code = asked(patient, None)
    assert [finding for finding in findings if finding["gravity"] != "hint"] == []
    assert code == 0


def test_the_documentation_has_every_check(request: pytest.FixtureRequest) -> None:
    page = ROOT / "docs" / "doctor.md"
    head, mark, _ = page.read_text(encoding="utf-8").partition(FOUND)
    tables = ""
    for topic, checks in TOPICS.items():
        rows = "".join(f"| `{check.name}` | {check.finds} |\n" for check in checks)
        tables += f"\n### {topic}\n\n| check | finds |\n|---|---|\n{rows}"
    if request.config.getoption("--golden"):
        page.write_text(head + mark + tables, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == head + FOUND + tables
    assert len({check.name for check in CHECKS}) == len(CHECKS)


def test_the_page_masks_people_unless_they_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(INCIDENT)]) == 0
    masked = capsys.readouterr().out
    assert "+3120xxxxxxx" in masked
    assert "+31205550100" not in masked.replace('"+31205550100" = "webex"', "")
    assert main(["doctor", str(INCIDENT), "--people"]) == 0
    assert "sip:+31205550100@" in capsys.readouterr().out
    assert all(len(line) <= 80 for line in masked.splitlines())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to examine"),
        (["--interface", "lo", "x.pcap"], "a capture and an interface"),
        (["--interface", "lo", "--seconds", "many"], "--seconds"),
        (["/nonexistent.pcap"], "no such file"),
        (["--config", "/nonexistent.toml"], "nonexistent.toml"),
    ],
)
def test_wrong_usage_is_said_in_one_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *words]) == 2
    assert said in capsys.readouterr().err


def asked(patient: Patient, capsys: pytest.CaptureFixture[str] | None) -> tuple[list[dict[str, Any]], int]:
    """What the doctor finds, and its exit code: in this process where it may be, else as its user starts it."""
    if not patient.namespace and not patient.user and capsys is not None:
        with _sending(patient):
            code = main(patient.words)
        text = capsys.readouterr().out
    else:
        text, code = _as_process(patient)
    said = [json.loads(line) for line in text.splitlines()]
    assert said[-1]["type"] == "diagnosis"
    return [line for line in said if line["type"] == "finding"], code


def _as_process(patient: Patient) -> tuple[str, int]:
    with (
        subprocess.Popen(
            patient.command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process,
        _sending(patient),
    ):
        out, error = process.communicate(timeout=60)
    assert process.returncode in (0, 1), error
    return out, process.returncode


@contextmanager
def _sending(patient: Patient) -> Iterator[None]:
    """Something is sent, over and over: nobody knows when the doctor begins to listen."""
    over = threading.Event()

    def send() -> None:
        while not over.wait(0.1):
            patient.send()

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()
