"""What must come true between a packet and a telephone that rings: the same acts at any pace.

Each act raises AssertionError when something does not come, or comes that should not; what it measured is kept.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from pcaps.stories.town import NUMBERS
from tests.daemon.stage import intruder_by_phone
from tests.deploy.house import House, Watch, join_of_one_second, written
from tests.deploy.servers import Notice, wait

UNINVITED, BYPASS = "uninvited-participant", "pin-bypass"
CALLER = NUMBERS["bram"]
"""He is invited: whoever enters `#` in place of the PIN is told of all the same, and nothing else is."""
STEPS = ("journal", "scraped", "firing", "notified")


class Line(NamedTuple):
    """One line of a timeline: an act at one pace, and how many seconds after its beginning each step came."""

    act: str
    pace: str
    seconds: dict[str, float]


class Story:
    """The acts, and the timeline that they leave."""

    def __init__(self, house: House, seconds: float, say: Callable[[str], None] = lambda _: None) -> None:
        """`seconds`: the longest that anything may take to be told."""
        self.house, self.seconds, self.say = house, seconds, say
        self.lines: list[Line] = []
        self.since: dict[str, float] = {}
        """When the packet of each rule was on the wire."""

    def until(self, told: Callable[[Watch], object], what: str, watches: Sequence[Watch] = ()) -> None:
        """Waits until it is so with each of these, or with everybody who watches."""
        for watch in watches or self.house.watches:
            wait(partial(told, watch), f"{what}, {watch.pace.name}", watch.prometheus.log, self.seconds)

    def add(self, act: str, watch: Watch, seconds: dict[str, float]) -> None:
        """A line more."""
        self.lines.append(Line(act, watch.pace.name, seconds))
        steps = ", ".join(f"{step} {after:.1f} s" for step, after in sorted(seconds.items(), key=lambda one: one[1]))
        self.say(f"{act}, {watch.pace.name}: {steps}")

    def silence(self, seconds: float) -> None:
        """A sensor that is well and hears nothing: every rule is asked again and again, and none fires."""
        self.until(lambda watch: watch.prometheus.is_scraped("joinwatch"), "a first scrape")
        time.sleep(seconds)
        for watch in self.house.watches:
            rules = watch.prometheus.rules()
            assert rules, "no rule was loaded"
            assert [rule["lastError"] for rule in rules if rule.get("lastError")] == []
            assert all(rule["health"] == "ok" for rule in rules), [rule["name"] for rule in rules]
            assert not (loud := watch.loud()), loud
            assert [notice for notice in watch.hook.notices if notice.name not in watch.constant()] == []

    def one_second(self) -> None:
        """Somebody is in the meeting for one second; whoever is on call is told, at every pace."""
        since, journalled = join_of_one_second(self.house.port, self.house.daemon, "one second", "mallory")
        self._follow("a join of one second", UNINVITED, since, journalled)

    def dead_together(self, watches: Sequence[Watch] = (), others: Sequence[Watch] = ()) -> None:
        """While Prometheus is dead somebody comes in, and the daemon dies: nothing is lost, and nothing told twice.

        `others` are alive, and miss the sensor until they have told of it.
        """
        watches = watches or self.house.watches
        for watch in watches:
            watch.prometheus.kill()
        running = self.house.daemon
        self.house.port.send([frame for _, frame in intruder_by_phone("while dead", CALLER)])
        since = time.time()
        running.wait(lambda: written(running, "alert", since, rule=BYPASS), "the second alert in the journal")
        journalled = time.time()
        running.kill()
        died = time.time()
        for watch in watches:
            watch.prometheus.start()
        if others:
            self._gone("a sensor that is gone", "firing", died, others)
        back = time.time()
        running.start()
        self._follow("while all were dead", BYPASS, since, journalled, watches)
        for watch in watches:
            old = watch.told(UNINVITED)
            assert len({notice.begun for notice in old}) == 1, f"fired again as new, {watch.pace.name}: {old}"
            assert watch.told(UNINVITED, "resolved") == []
        if others:
            self._gone("its return", "resolved", back, others)

    def _follow(self, act: str, rule: str, since: float, journalled: float, watches: Sequence[Watch] = ()) -> None:
        self.since[rule] = since
        self.until(lambda watch: watch.told(rule), f"a call about {rule}", watches)
        for watch in watches or self.house.watches:
            self.add(act, watch, {"journal": journalled - since} | watch.seconds(rule, since))

    def over(self, watches: Sequence[Watch] = ()) -> None:
        """What was told is no news any more: that is told, too."""
        self.until(lambda watch: watch.told(UNINVITED, "resolved"), f"a call that {UNINVITED} is over", watches)
        for watch in watches or self.house.watches:
            over = watch.told(UNINVITED, "resolved")[0]
            self.add("its end, of the join of one second", watch, {"notified": over.at - self.since[UNINVITED]})

    def missing(self) -> None:
        """The sensor is gone: that is told, and so is its return."""
        since = time.time()
        self.house.daemon.stop()
        self._gone("a sensor that is gone", "firing", since)
        since = time.time()
        self.house.daemon.start()
        self._gone("its return", "resolved", since)

    def _gone(self, act: str, status: str, since: float, watches: Sequence[Watch] = ()) -> None:
        def told(watch: Watch) -> list[Notice]:
            return [notice for notice in watch.told_gone(status) if notice.at >= since]

        self.until(told, f"a call about a target, {status}", watches)
        for watch in watches or self.house.watches:
            self.add(act, watch, {"notified": told(watch)[0].at - since})
