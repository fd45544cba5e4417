"""The daemon on a mirror port of our own: what is sent there is seen, judged, journalled and told to Prometheus."""

from pathlib import Path

from tests.daemon.stage import daemon, intruder_by_phone, intruder_by_sip, mirror

OUTSIDER = "+31205550177"


def test_an_intruder_by_sip_is_alerted_while_in_the_meeting(tmp_path: Path) -> None:
    with mirror("jwwatch") as port, daemon(tmp_path, [port.near]) as running:
        port.send([frame for _, frame in intruder_by_sip("one", "mallory")])
        running.wait(running.alerts, "an alert")
        assert running.alerts() == [("uninvited-participant", "sip:mallory@elsewhere.example")]
        assert running.metric('joinwatch_alerts_total{rule="uninvited-participant",severity="high"}') == 1


def test_a_hash_in_place_of_the_pin_is_alerted(tmp_path: Path) -> None:
    with mirror("jwkeys") as port, daemon(tmp_path, [port.near]) as running:
        port.play(intruder_by_phone("two", OUTSIDER))
        running.wait(lambda: len(running.alerts()) >= 2, "both alerts")
        assert sorted(running.alerts()) == [
            ("pin-bypass", f"tel:{OUTSIDER}"),
            ("uninvited-participant", f"tel:{OUTSIDER}"),
        ]


def test_nothing_is_said_twice_and_nothing_forgotten_when_the_whole_tree_is_killed(tmp_path: Path) -> None:
    with mirror("jwkill") as port, daemon(tmp_path, [port.near]) as running:
        port.send([frame for _, frame in intruder_by_sip("one", "mallory")])
        running.wait(running.alerts, "an alert")
        running.kill()
        running.start()
        port.send([frame for _, frame in intruder_by_sip("two", "trudy")])
        running.wait(lambda: len(running.alerts()) > 1, "a second alert")
        assert sorted(subject for _, subject in running.alerts()) == [
            "sip:mallory@elsewhere.example",
            "sip:trudy@elsewhere.example",
        ]
        assert running.metric("joinwatch_meetings_active") == 1
