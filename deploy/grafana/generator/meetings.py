"""*Meetings*: who meets now, who came, and who should not have."""

from grafana_foundation_sdk.models import dashboard as model

from deploy.grafana.generator import links, panels, queries, shared
from deploy.grafana.generator.page import Chapter, Shelf, mark, page
from deploy.grafana.generator.queries import equal, metric
from deploy.grafana.generator.words import SEVERITIES, VERDICTS, Step, said

SEARCHES = 'rule=~"meeting-enumeration|pin-bruteforce"'
SEARCH_COLOURS = {"meeting-enumeration": shared.VAIN["tried"], "pin-bruteforce": shared.VAIN["pin_refused"]}
UNMEASURED = said({"0": ("not measured", "text")})


def dashboard() -> model.Dashboard:
    """The first one to look at."""
    return page(
        links.MEETINGS,
        "joinwatch / Meetings",
        "Who is in a meeting and should not be: meetings now, joins, alerts, campaigns. No person is named here; the "
        "journal does that.",
        [
            Chapter("Now", [Shelf(6, [(5, shared.silence(1)), (19, shared.reasons(2))]), _now()]),
            Chapter("Alerts", [Shelf(9, [(11, shared.alert_rows(10)), (13, shared.alert_bars(11))])]),
            Chapter("Joins", [_joins(), Shelf(8, [(12, _by_method()), (12, _by_platform())])]),
            Chapter("Campaigns", [Shelf(8, [(12, _campaigns()), (12, _attempts())])]),
            Chapter("Coverage", [Shelf(8, [(12, _coverage()), (12, _opaque())])]),
        ],
        since="now-6h",
        refresh="30s",
        marks=[
            mark(
                "Sensor began anew",
                f"{metric('process_start_time_seconds')} * 1000",
                "purple",
                "The sensor began anew",
                "instance",
            ),
        ],
    )


def _now() -> Shelf:
    meetings = panels.numbers(
        3,
        "Meetings now",
        "Meetings with somebody in them, as far as they pass this sensor.",
        {"meetings": f"sum({metric('joinwatch_meetings_active')})"},
        spark=True,
        named=False,
        steps=(Step(None, "blue"),),
    )
    present = panels.numbers(
        4,
        "Participants now, by verdict",
        "Who is in a meeting at this moment. Invited: on the list. Unscheduled: the meeting is in no calendar. "
        "Anonymous: the number is withheld. Uninvited: known, and not on the list.",
        {verdict: f"sum({metric('joinwatch_participants_active', equal('verdict', verdict))})" for verdict in VERDICTS},
        colours=VERDICTS,
    )
    joined = panels.numbers(
        5,
        "Joins",
        "How many were admitted to a meeting in the time that is shown.",
        {"joins": queries.total("joinwatch_joins_total")},
        named=False,
    )
    return Shelf(5, [(5, meetings), (8, present), (3, joined), (8, shared.severity_numbers(6))])


def _joins() -> Shelf:
    over_time = panels.series(
        20,
        "Participants, by verdict",
        "How many were in meetings, one above the other. A thin line of uninvited in the middle of a meeting is what "
        "this program is made for.",
        {"{{verdict}}": f"sum by (verdict) ({metric('joinwatch_participants_active')})"},
        colours=VERDICTS,
        fill=75,
        stacked=True,
    )
    joins = panels.bars(
        21,
        "Joins, by verdict",
        "How many were admitted, when, and whether they were expected. Also somebody who stayed for a second is one.",
        {"{{verdict}}": queries.counted("joinwatch_joins_total", by="verdict")},
        colours=VERDICTS,
    )
    return Shelf(8, [(12, over_time), (12, joins)])


def _by_method() -> model.Panel:
    return panels.bars(
        22,
        "Joins, by method",
        "By which way they came: telephone (pstn), SIP, H.323 or web. A way that nobody uses here is worth a look.",
        {"{{method}}": queries.counted("joinwatch_joins_total", by="method")},
        colours={"pstn": "yellow", "sip": "blue", "h323": "super-light-blue", "web": "text"},
    )


def _by_platform() -> model.Panel:
    by = "platform, method, verdict"
    return panels.rows(
        23,
        "Joins, by platform, method and verdict",
        "The same as a table, for the whole time that is shown.",
        {"Joins": queries.total("joinwatch_joins_total", by=by) + " > 0"},
        labels=("platform", "method", "verdict"),
        properties={
            "Verdict": {
                "mappings": [one.to_json() for one in said({name: (name, hue) for name, hue in VERDICTS.items()})],
                "custom.cellOptions": {"type": "color-background"},
                "custom.width": 120,
            },
            "Joins": {"custom.align": "center", "decimals": 0, "custom.width": 90},
        },
        sorted_by="Joins",
        empty="Nobody joined in this time",
    )


def _campaigns() -> model.Panel:
    return panels.bars(
        30,
        "Campaigns: numbers tried, PINs guessed",
        "Alerts of meeting-enumeration (somebody looks for meetings by trying their numbers) and pin-bruteforce "
        "(somebody guesses a PIN). One campaign is one alert, however long it lasts.",
        {"{{rule}}": queries.counted("joinwatch_alerts_total", SEARCHES, by="rule")},
        colours=SEARCH_COLOURS,
        links=shared.ALERT_LINKS,
    )


def _attempts() -> model.Panel:
    return panels.bars(
        31,
        "Attempts in vain",
        "Numbers that are no meeting's (tried) and PINs that were wrong (pin_refused). A few are typing errors; many "
        "are a campaign, also one too slow or too scattered for a rule.",
        {"{{kind}}": queries.counted("joinwatch_events_total", 'kind=~"tried|pin_refused"', by="kind")},
        colours=shared.VAIN,
    )


def _coverage() -> model.Panel:
    return panels.gauges(
        40,
        "Coverage, by platform",
        "Which share of a platform's sessions could be read. Where nothing measures it, it says so: then nothing is "
        "known, in either direction.",
        {"{{platform}}": f"max by (platform) ({metric('joinwatch_coverage_ratio')})"},
        unit="percentunit",
        steps=(Step(None, SEVERITIES["high"]), Step(0.5, "yellow"), Step(0.9, "blue")),
        mappings=UNMEASURED,
        largest=1,
    )


def _opaque() -> model.Panel:
    return panels.rows(
        41,
        "Sessions that could not be read",
        "Sessions of a platform that passed by encrypted or in a protocol that is not read, in the time that is shown. "
        "They were seen, and not judged.",
        {"Sessions": queries.total("joinwatch_opaque_sessions_total", by="platform")},
        labels=("platform",),
        properties={"Sessions": {"custom.align": "center", "decimals": 0}},
        sorted_by="Sessions",
        empty="None",
    )
