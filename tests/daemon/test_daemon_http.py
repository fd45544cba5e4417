"""What the daemon answers over HTTP, as its parts are made to fail: real processes, a mirror port of our own."""

import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from monitor.daemon.endpoints import routes_of
from monitor.daemon.messages import Traffic
from monitor.daemon.vitals import MAX_LIVES, SILENT_SECONDS, STUCK_SECONDS, Vitals, fates_of
from monitor.model.problems import ConfigError, Problem
from monitor.outputs import exposition
from monitor.outputs.exposition import OPENMETRICS, PLAIN, text_of
from monitor.outputs.metrics import Metrics
from monitor.outputs.web import Later, Web
from monitor.outputs.web_client import Answer, Request
from monitor.pipeline import load_expected
from monitor.sources.settings import load_settings
from monitor.sources.suppressions import load_suppressions
from tests.daemon.stage import Daemon, daemon, intruder_by_sip, mirror
from tests.outputs.web_stage import hashed


def ask(running: Daemon, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    asked = urllib.request.Request(f"http://127.0.0.1:{running.port}{path}", method=method, headers=headers)
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_ready_says_why_not_and_an_alert_has_its_id_beside_it(tmp_path: Path) -> None:
    with mirror("jwd3h") as port, daemon(tmp_path, [port.near]) as running:
        running.wait(lambda: ask(running, "/-/ready") == (200, "joinwatch is ready.\n"), "a ready daemon")
        assert ask(running, "/-/healthy") == (200, "joinwatch is healthy.\n")
        assert "Ready." in ask(running, "/")[1]
        port.send([frame for _, frame in intruder_by_sip("one", "mallory")])
        running.wait(running.alerts, "an alert")
        alert = next(said for said in running.journal() if said["type"] == "alert")
        _, text = ask(running, "/metrics", Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
        samples = {
            (sample.name, *sample.labels.values()): sample
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        told = samples["joinwatch_alerts_total", "uninvited-participant", "high"]
        assert told.value == 1
        assert told.exemplar is not None
        assert told.exemplar.labels == {"alert_id": alert["id"]}
        assert "mallory" not in text
        running.wait(
            lambda: (running.metric('joinwatch_packets_total{source="interface"}') or 0) > 0, "packets counted"
        )
        for role in ("capture", "decode", "serve"):  # each confined, and told by itself
            held = running.metric(f'joinwatch_process_private_memory_bytes{{role="{role}"}}') or 0
            assert held > 10_000_000
            assert (running.metric(f'joinwatch_process_cpu_seconds_total{{role="{role}"}}') or 0) > 0
        port.set("down")
        running.wait(
            lambda: ask(running, "/-/ready") == (503, f"Interface {port.near} is down.\n"), "an unready daemon"
        )
        assert running.metric(f'joinwatch_interface_up{{interface="{port.near}"}}') == 0
        port.set("up")
        running.wait(lambda: ask(running, "/-/ready")[0] == 200, "a ready daemon")
        running.kill("decode")
        running.wait(lambda: running.metric("joinwatch_decoder_restarts_total"), "another decoder")
        running.wait(lambda: ask(running, "/-/ready")[0] == 200, "a ready daemon")
        assert running.metric("joinwatch_decoder_restarts_total") == 1


def test_reload_answers_with_every_mistake_and_keeps_the_lists_of_before(tmp_path: Path) -> None:
    with mirror("jwd3r") as port, daemon(tmp_path, [port.near], serve={"reload": True}) as running:
        running.wait(lambda: ask(running, "/-/ready")[0] == 200, "a ready daemon")
        policy = tmp_path / "lists" / "policy.toml"
        good = policy.read_text(encoding="utf-8")
        policy.write_text(good + "\n[ruels]\nx = 1\n", encoding="utf-8")
        code, told = ask(running, "/-/reload", "POST")
        assert code == 500
        assert f"{policy}:{len(good.splitlines()) + 2}: unknown key" in told
        assert "did you mean rules?" in told
        assert running.metric("joinwatch_config_last_reload_successful") == 0
        policy.write_text(good, encoding="utf-8")
        before = running.metric("joinwatch_config_last_reload_success_timestamp_seconds") or 0
        assert ask(running, "/-/reload", "PUT") == (200, "The lists were read anew.\n")
        assert running.metric("joinwatch_config_last_reload_successful") == 1
        assert (running.metric("joinwatch_config_last_reload_success_timestamp_seconds") or 0) > before
        assert ask(running, "/-/reload", "POST", **{"Sec-Fetch-Site": "cross-site"})[0] == 403
        assert ask(running, "/-/reload")[0] == 405


def test_no_client_slows_the_loop_that_writes_the_journal(tmp_path: Path) -> None:
    with mirror("jwd3s") as port, daemon(tmp_path, [port.near]) as running:
        running.wait(lambda: ask(running, "/-/ready")[0] == 200, "a ready daemon")
        ended = threading.Event()

        def scrape() -> None:
            while not ended.is_set():
                ask(running, "/metrics")

        crowd = [threading.Thread(target=scrape) for _ in range(4)]
        for one in crowd:
            one.start()
        try:
            begun = time.monotonic()
            port.send([frame for _, frame in intruder_by_sip("one", "mallory")])
            running.wait(running.alerts, "an alert")
            assert time.monotonic() - begun < 3.0
        finally:
            ended.set()
            for one in crowd:
                one.join()


def test_what_is_wrong_with_the_web_is_told_at_the_start(tmp_path: Path) -> None:
    web = tmp_path / "web.yml"
    web.write_text("basic_auth_user: {}\n", encoding="utf-8")
    broken = Daemon(tmp_path, ["jwnone0"], serve={"web_config": str(web)})
    found = subprocess.run(broken.command, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 2
    assert f"{web}:1: unknown key 'basic_auth_user'; expected one of tls_server_config" in found.stderr
    with Web("127.0.0.1", 0, {}) as taken:
        second = Daemon(tmp_path, ["jwnone0"], serve={"listen": f"127.0.0.1:{taken.port}"})
        found = subprocess.run(second.command, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 2
    assert "cannot be listened on: Address already in use" in found.stderr
    third = Daemon(tmp_path, ["jwnone0"], serve={"listen": "::1:9464"})
    found = subprocess.run(third.command, capture_output=True, text=True, timeout=60, check=False)
    assert "expected HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464" in found.stderr


def test_a_port_of_root_is_not_for_whoever_has_no_privilege(tmp_path: Path) -> None:
    config = tmp_path / "joinwatch.toml"
    config.write_text('[capture]\ninterfaces = ["eth1"]\n[serve]\nlisten = "0.0.0.0:443"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"joinwatch.toml:4: .*443.*expected a port from 1024 on"):
        load_settings(config)


@contextmanager
def answering(vitals: Vitals, metrics: Metrics | None = None) -> Iterator[dict[str, Answer]]:
    routes = routes_of(metrics or Metrics(), vitals, None)
    answers = {path: methods["GET"](Request("GET", path)) for path, methods in routes.items() if "GET" in methods}
    yield {path: answer for path, answer in answers.items() if isinstance(answer, Answer)}


def test_a_loop_that_hangs_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    vitals = Vitals(["eth1"])
    with answering(vitals) as answers:
        assert answers["/-/healthy"].status == 200
        assert answers["/-/ready"].body == b"It is starting: lists and memory are being read.\n"
    vitals.started()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + STUCK_SECONDS + 1)
    with answering(vitals) as answers:
        assert answers["/-/healthy"].status == 503
        assert answers["/-/ready"].body == b"The loop that writes the journal hangs.\nNo decoder has begun yet.\n"
        assert b"Not ready." in answers["/"].body


def test_silence_is_why_it_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    vitals = Vitals(["eth1"])
    vitals.started()
    vitals.hear("one", {"eth1": Traffic(received=5, dropped=0, taken=2)})
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + SILENT_SECONDS + 2)
    assert vitals.reasons() == ["No decoder was heard from for 7 s."]


def test_a_full_disk_is_why_it_is_not_ready() -> None:
    vitals = Vitals(["eth1"])
    vitals.started()
    vitals.hear("one", {"eth1": Traffic(received=5, dropped=0, taken=2)})
    assert vitals.reasons() == []
    vitals.trouble = "journal: No space left on device"
    assert vitals.reasons() == ["Nothing can be written down (journal: No space left on device)."]


def test_the_books_of_an_interface_go_on_over_the_lives_of_decoders() -> None:
    vitals = Vitals(["eth1", "eth2"])
    lives = MAX_LIVES + 5
    for life in range(lives):
        for taken in (1, 10):
            told = Traffic(received=100 * (life + 1), dropped=life, taken=taken)
            vitals.hear(f"decoder {life}", {"eth1": told})
    traffic = vitals.traffic["eth1"]
    assert traffic.taken == 10 * lives
    assert traffic.dropped == sum(range(lives))
    assert sum(fates_of(traffic)) == traffic.received == 100 * lives
    assert not vitals.traffic["eth2"].up


def test_every_series_of_the_daemon_is_there_from_the_start_and_none_names_anybody() -> None:
    metrics, vitals = Metrics(), Vitals(["eth1"])
    routes_of(metrics, vitals, None)
    names = {
        (sample.name, *sample.labels.items())
        for family in text_string_to_metric_families(text_of(metrics.registry, openmetrics=True).decode())
        for sample in family.samples
    }
    alone = "decoder_restarts_total event_lag_seconds queue_events memory_events last_packet_timestamp_seconds ready"
    alone += " journal_writable config_last_reload_success_timestamp_seconds"
    assert {(f"joinwatch_{name}",) for name in alone.split()} <= names
    assert ("joinwatch_interface_up", ("interface", "eth1")) in names
    for role in ("capture", "decode", "serve"):
        assert ("joinwatch_process_private_memory_bytes", ("role", role)) in names
        assert ("joinwatch_process_cpu_seconds_total", ("role", role)) in names
    assert ("process_resident_memory_bytes",) in names


def test_promtool_finds_nothing_to_say_about_the_metrics() -> None:
    metrics = Metrics()
    routes_of(metrics, Vitals(["eth1"]), None)
    try:
        found = subprocess.run(
            ["promtool", "check", "metrics"], input=text_of(metrics.registry), capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("there is no promtool (Debian: prometheus)")
    assert (found.returncode, found.stdout, found.stderr) == (0, b"", b"")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (b"", PLAIN),
        (b"*/*", PLAIN),
        (b"text/html,application/xhtml+xml", PLAIN),
        (b"application/openmetrics-text", OPENMETRICS),
        (b"application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", OPENMETRICS),
        (b"application/openmetrics-text;q=0.2,text/plain;q=0.9", PLAIN),
        (b"application/openmetrics-text;q=0", PLAIN),
    ],
)
def test_who_asks_for_openmetrics_gets_it(accept: bytes, kind: str) -> None:
    routes = routes_of(Metrics(), Vitals(), None)
    answer = routes["/metrics"]["GET"](Request("GET", "/metrics", ((b"accept", accept),)))
    assert isinstance(answer, Answer)
    assert answer.kind == kind
    assert answer.body.endswith(b"# EOF\n") is (kind == OPENMETRICS)


def test_who_scrapes_without_end_is_told_again_what_was_told_but_nothing_old(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0, 0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "thread_time", lambda: now[1])
    made: list[bool] = []

    def told(_: object, *, openmetrics: bool) -> bytes:
        now[1] += 0.4  # of a processor
        made.append(openmetrics)
        return b"%d" % len(made)

    monkeypatch.setattr(exposition, "text_of", told)
    scrape = exposition.Exposition(Metrics().registry)
    plain = [scrape(Request("GET", "/metrics")).body for _ in range(5)]
    assert plain == [b"1", b"2", b"3", b"3", b"3"]
    now[0] += exposition.OLD_SECONDS + 0.1
    assert scrape(Request("GET", "/metrics")).body == b"4"


def test_reload_is_off_unless_the_operator_says_otherwise() -> None:
    off = routes_of(Metrics(), Vitals(), None)["/-/reload"]["POST"](Request("POST", "/-/reload"))
    assert isinstance(off, Answer)
    assert off.status == 403
    wish: Future[Sequence[Problem]] = Future()
    later = routes_of(Metrics(), Vitals(), lambda: wish)["/-/reload"]["POST"](Request("POST", "/-/reload"))
    assert isinstance(later, Later)
    wrong = later.then([Problem(file="a.toml", line=3, found="no end", expected="]")])
    assert isinstance(wrong, Answer)
    assert (wrong.status, wrong.body.splitlines()[0]) == (500, b"a.toml:3: no end; expected ]")


def test_whoever_may_ask_for_a_reload_is_not_told_who_is_in_the_lists(tmp_path: Path) -> None:
    calendar, people, quiet = tmp_path / "a.ics", tmp_path / "b.csv", tmp_path / "quiet.toml"
    calendar.write_text(
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:x\r\nATTENDEE;CN=Secret Person\r\n"
        "DTSTART:secret-20261301\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        encoding="utf-8",
        newline="",
    )
    people.write_text("name,email,phone\nSecret Person,secret at home,+31 20 5550x99\n", encoding="utf-8")
    quiet.write_text(
        '[[suppression]]\nowner = "soc"\nreason = "Secret Person asks"\nuntil = "secret"\nsubject = "+31205550199"\n'
        "secret_person = 1\n[secret\n",
        encoding="utf-8",
    )
    problems: list[Problem] = []
    loads = (lambda: load_expected([calendar]), lambda: load_expected(directories=[people]))
    for load in (*loads, lambda: load_suppressions(quiet)):
        with pytest.raises(ConfigError) as error:
            load()
        problems += error.value.problems
    assert {problem.file for problem in problems} == {str(calendar), str(people), str(quiet)}
    assert "ecret" in "".join(problem.found for problem in problems), "there is something to be hidden"
    wish: Future[Sequence[Problem]] = Future()
    later = routes_of(Metrics(), Vitals(), lambda: wish)["/-/reload"]["POST"](Request("POST", "/-/reload"))
    assert isinstance(later, Later)
    told = later.then(problems)
    assert isinstance(told, Answer)
    said = told.body.decode().replace(str(tmp_path), "")
    assert "ecret" not in said
    assert "5550x99" not in said
    assert "50199" not in said.replace(" ", "")
    for problem in problems:
        assert f"/{Path(problem.file).name}:{problem.line}: expected " in said


def test_a_daemon_behind_a_password_lets_nobody_else_in(tmp_path: Path) -> None:
    web = tmp_path / "web.yml"
    web.write_text(f"basic_auth_users:\n  prometheus: {hashed('geheim')}\n", encoding="utf-8")
    with mirror("jwd3p") as port:
        running = Daemon(tmp_path, [port.near], serve={"web_config": str(web)})
        try:
            running.start(ready=False)
            running.wait(lambda: ask(running, "/-/healthy")[0] == 401, "a guarded daemon")
            basic = {"Authorization": "Basic cHJvbWV0aGV1czpnZWhlaW0="}
            assert ask(running, "/-/healthy", **basic) == (200, "joinwatch is healthy.\n")
        finally:
            running.stop()
