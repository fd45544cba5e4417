"""When people come and go: too early, too late, on days without a meeting, and clocks that differ."""

from pcaps.generator import Call, World
from pcaps.generator.calendar import Event
from pcaps.stories.town import (
    CANCELLED,
    LONDON,
    MOVED,
    NIGHT,
    PIN,
    POLICY_MEETING,
    SERIES,
    caller,
    dial_in,
    joined,
    must_alert,
    tel,
    uninvited,
)


def _in(world: World, who: str, event: Event, at: str, until: str, verdict: str = "invited") -> Call:
    call = dial_in(world, caller(who), at, f"{event.number}#", "#", f"{PIN}#")
    return joined(call, tel(who), event, verdict).until(until).hang_up()


def _outside(world: World, who: str, severity: str, why: str, call: Call, event: Event = POLICY_MEETING) -> None:
    must_alert(world, "outside-schedule", severity, tel(who), event, why, call)


def too_early(world: World) -> None:
    """Bram comes an hour before the start, and leaves with the others."""
    call = _in(world, "bram", POLICY_MEETING, "09:00", "10:55")
    _outside(world, "bram", "low", "joined an hour before the start", call)


def stays_on(world: World) -> None:
    """Carla is still connected 45 minutes after the end."""
    call = _in(world, "carla", POLICY_MEETING, "09:58", "11:45")
    _outside(world, "carla", "low", "still connected 30 minutes after the end", call)


def outsider_before_the_meeting(world: World) -> None:
    """An outsider with the PIN is in an hour and a half before the start: uninvited, and so high."""
    call = _in(world, "outsider", POLICY_MEETING, "08:30", "09:10", "uninvited")
    _outside(world, "outsider", "high", "joined 90 minutes before the start, uninvited", call)
    uninvited(world, tel("outsider"), POLICY_MEETING, call)


def outsider_stays_on(world: World) -> None:
    """An outsider comes during the meeting and listens to what those say who linger, until 45 minutes after the end."""
    call = _in(world, "outsider", POLICY_MEETING, "10:30", "11:45", "uninvited")
    _outside(world, "outsider", "high", "still connected 30 minutes after the end, uninvited", call)
    uninvited(world, tel("outsider"), POLICY_MEETING, call)


def ten_minutes_early(world: World) -> None:
    """Bram comes ten minutes before the start, Carla twenty-five."""
    _in(world, "carla", POLICY_MEETING, "09:35", "10:55")
    _in(world, "bram", POLICY_MEETING, "09:50", "10:55")


def runs_over(world: World) -> None:
    """The meeting takes 20 minutes longer than planned."""
    _in(world, "bram", POLICY_MEETING, "09:58", "11:20")
    _in(world, "carla", POLICY_MEETING, "09:59", "11:21")


def clocks_changed(world: World) -> None:
    """The series is at 10:00 local time before and after 30 March, when the clocks go forward; UTC shifts an hour."""
    _in(world, "bram", SERIES, "2025-03-25 09:58", "2025-03-25 10:55")
    _in(world, "bram", SERIES, "2025-04-01 09:58", "2025-04-01 10:55")


def other_time_zone(world: World) -> None:
    """Hugo's meeting is at 9:00 in London, which is 10:00 in Amsterdam; both come in time."""
    _in(world, "hugo", LONDON, "09:57", "10:58")
    _in(world, "bram", LONDON, "09:58", "10:58")


# Without an occurrence


def _unscheduled(world: World, who: str, event: Event | None, why: str, call: Call) -> None:
    must_alert(world, "unscheduled-meeting", "low", tel(who), event, why, call)


def day_taken_out(world: World) -> None:
    """The occurrence of 8 April was taken out of the series (EXDATE); Bram joins all the same."""
    call = _in(world, "bram", SERIES, "2025-04-08 09:58", "2025-04-08 10:20", "unscheduled")
    _unscheduled(world, "bram", SERIES, "the series has no occurrence on that date (EXDATE)", call)


def moved_away(world: World) -> None:
    """The occurrence of 15 April was moved to the 17th; Bram and Carla join on the 15th: an alert for each."""
    for who, at in (("bram", "09:58"), ("carla", "09:59")):
        call = _in(world, who, SERIES, f"2025-04-15 {at}", "2025-04-15 10:20", "unscheduled")
        _unscheduled(world, who, SERIES, "the occurrence of that date was moved to another day", call)


def cancelled(world: World) -> None:
    """The meeting was cancelled (STATUS:CANCELLED); Bram joins its number on that day."""
    call = _in(world, "bram", CANCELLED, "09:58", "10:20", "unscheduled")
    _unscheduled(world, "bram", CANCELLED, "the meeting of that date was cancelled", call)


def in_no_calendar(world: World) -> None:
    """Somebody is admitted to a meeting number that no calendar knows."""
    call = dial_in(world, caller("outsider"), "10:05", "25990001234#", "#").joins(
        tel("outsider"), "unscheduled", uid="", key="number:25990001234"
    )
    call.until("10:30").hang_up()
    _unscheduled(world, "outsider", None, "no calendar knows this meeting", call)


def on_the_new_day(world: World) -> None:
    """Bram joins on the 17th at 14:00, to which the occurrence of the 15th was moved."""
    _in(world, "bram", MOVED, "2025-04-17 13:58", "2025-04-17 14:55")


def after_midnight(world: World) -> None:
    """A meeting at 0:15 on 20 March, which is still the 19th in UTC."""
    _in(world, "bram", NIGHT, "2025-03-20 00:10", "2025-03-20 00:58")


def number_of_nothing(world: World) -> None:
    """Bram mistypes the number, is told so, and is in the right meeting with his second try."""
    call = dial_in(world, caller("bram"), "09:57", "25990001234#", f"{POLICY_MEETING.number}#", "#", f"{PIN}#")
    joined(call, tel("bram"), POLICY_MEETING).until("10:50").hang_up()


SCENARIOS = {
    "outside-schedule/attack-too-early": too_early,
    "outside-schedule/attack-stays-on": stays_on,
    "outside-schedule/attack-outsider-early": outsider_before_the_meeting,
    "outside-schedule/attack-outsider-stays-on": outsider_stays_on,
    "outside-schedule/benign-ten-minutes-early": ten_minutes_early,
    "outside-schedule/benign-runs-over": runs_over,
    "outside-schedule/benign-clocks-changed": clocks_changed,
    "outside-schedule/benign-other-time-zone": other_time_zone,
    "unscheduled-meeting/attack-day-taken-out": day_taken_out,
    "unscheduled-meeting/attack-moved-away": moved_away,
    "unscheduled-meeting/attack-cancelled": cancelled,
    "unscheduled-meeting/attack-in-no-calendar": in_no_calendar,
    "unscheduled-meeting/benign-new-day": on_the_new_day,
    "unscheduled-meeting/benign-after-midnight": after_midnight,
    "unscheduled-meeting/benign-second-try": number_of_nothing,
}
