"""From a packet to whoever is on call, through a real Prometheus and a real Alertmanager, with what is shipped.

The short form of `make e2e`: two watch at a time, both every second. One with the rules as they are, so that a restart
is what it is in life; the other a hundred times as fast, so that an alert's end comes within seconds.
"""

from pathlib import Path

import pytest
import yaml

from tests.daemon.stage import needs_root
from tests.deploy.house import ROUTES, Pace, house, shipped_rules
from tests.deploy.servers import hurried, missing_servers, readdressed, seconds_of
from tests.deploy.story import UNINVITED, Story

SHORT = {"group_wait": "1s", "group_interval": "1s"}
AS_SHIPPED = Pace("1s", "1s", SHORT, longest="1s")
FAST = Pace("1s", "1s", SHORT, factor=100, longest="1s")


def needs_servers() -> None:
    needs_root()
    if why := missing_servers():
        pytest.skip(why)


def test_from_a_packet_to_whoever_is_on_call_and_back(tmp_path: Path) -> None:
    needs_servers()
    with house(tmp_path, "jwe2e", [AS_SHIPPED, FAST]) as whole:
        story = Story(whole, 45, print)
        story.silence(1.5)
        story.one_second()
        for watch in whole.watches:
            (told, *again) = watch.told(UNINVITED)
            assert not again
            assert told.labels["severity"] == "high"
            assert told.receiver == "soc-on-call"
            assert told.annotations["summary"]
            assert told.annotations["runbook_url"].startswith("https://")
            assert "mallory" not in str(told)
            assert watch.hook.mistakes == []
        story.dead_together(whole.watches[:1], others=whole.watches[1:])
        assert {notice.receiver for notice in whole.watches[1].told_gone()} == {"operators-on-call"}
        story.over(whole.watches[1:])


def test_of_what_is_shipped_only_durations_and_addresses_are_changed() -> None:
    shipped = yaml.safe_load(ROUTES.read_text(encoding="utf-8"))
    names = {receiver["name"] for receiver in shipped["receivers"]}
    changed = readdressed(yaml.safe_load(ROUTES.read_text(encoding="utf-8")), 9, SHORT)
    assert {receiver["name"] for receiver in changed["receivers"]} == names
    assert changed.get("inhibit_rules") == shipped.get("inhibit_rules")
    assert changed["route"]["group_by"] == shipped["route"]["group_by"]
    for path in shipped_rules():
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert hurried(yaml.safe_load(path.read_text(encoding="utf-8")), 1, "") == said


def test_a_hurried_rule_says_the_same_with_shorter_times() -> None:
    expr = "abs(time() - (a > 0)) < 900 or increase(b[15m]) > 0 unless c[10m] offset 5m or time() - d > 300"
    said = {"groups": [{"interval": "1m", "rules": [{"expr": expr, "for": "5m"}, {"expr": "x", "for": "1s"}]}]}
    quick = "abs(time() - (a > 0)) < 9 or increase(b[9s]) > 0 unless c[6s] offset 3s or time() - d > 3"
    rules = hurried(said, 100, "3s")["groups"][0]["rules"]
    assert rules == [{"expr": quick, "for": "3s"}, {"expr": "x", "for": "1s"}]
    assert seconds_of("1m30s") == 90
