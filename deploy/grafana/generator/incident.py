"""*Incident*: one rule, or all, in the time around an alert; and the ways from here to the people in it."""

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from deploy.grafana.generator import links, panels, queries, shared
from deploy.grafana.generator.page import Chapter, Shelf, choice_of, mark, page, stretch
from deploy.grafana.generator.queries import SENSOR, metric
from deploy.grafana.generator.words import SEVERITIES, VERDICTS, join_colours

CHOSEN = ('rule=~"$rule"', 'severity=~"$severity"')
ID = "${alert}"


def dashboard() -> model.Dashboard:
    """For whoever was called at night."""
    return page(
        links.INCIDENT,
        "joinwatch / Incident",
        "One alert in its time: what was raised, who was in meetings then, what was tried before, and whether the "
        "sensor saw all of it. Choose the rule above, and paste the alert's id to be led to its lines in the journal.",
        [
            Chapter("What happened", [_first(), Shelf(9, [(24, shared.alert_bars(5, *CHOSEN))])]),
            Chapter(
                "Meanwhile", [Shelf(8, [(12, _present()), (12, _joins())]), Shelf(8, [(12, _tried()), (12, _active())])]
            ),
            Chapter("How much of it was seen", [Shelf(9, [(16, shared.sight(20)), (8, _lost())])]),
        ],
        since="now-3h",
        refresh="1m",
        variables=[
            choice_of("rule", "Rule", "joinwatch_alerts_total"),
            choice_of("severity", "Severity", "joinwatch_alerts_total"),
            build.TextBoxVariable("alert").label("Alert id").default_value(""),
        ],
        marks=_marks(),
    )


def _marks() -> list[build.AnnotationQuery]:
    last = metric("joinwatch_alert_last_timestamp_seconds", *CHOSEN)
    return [
        mark("Alerts", f"{last} * 1000 >= $__from", "semi-dark-orange", "{{rule}} ({{severity}})", "rule,severity"),
        stretch(
            "Called",
            f'ALERTS{{{SENSOR}, alertstate="firing", kind="detection"}}',
            "yellow",
            "{{alertname}}: somebody is called",
            "severity",
        ),
        stretch(
            "Blindness",
            f'ALERTS{{{SENSOR}, alertstate="firing", kind="blindness"}}',
            "purple",
            "{{alertname}}: it saw less than it should",
            "severity",
        ),
        mark("Began anew", f"{metric('process_start_time_seconds')} * 1000", "blue", "The sensor began anew"),
    ]


def _first() -> Shelf:
    (_, loki), (_, elasticsearch) = links.to_journal({"id": ID})
    steps = (
        f"1. **What and how bad?** The table: click a rule for its [runbook](${{runbooks}}).\n"
        "2. **Who?** Not here: metrics name nobody. Paste the alert's id above, then open the journal "
        f"[in Loki]({loki}) or [in Elasticsearch]({elasticsearch}), or run `joinwatch explain ID`.\n"
        "3. **Still in there?** *Participants* below, and *Active* in the table.\n"
        "4. **What came before?** *Attempts in vain*: a search or guesses, minutes or days ago.\n"
        "5. **Did it see all?** The last row. In a stretch of NO, think of what is not here."
    )
    guide = panels.words(
        2, "Where to look", "The five questions of whoever was called, in the order that saves most time.", steps
    )
    return Shelf(9, [(11, shared.alert_rows(1, *CHOSEN)), (7, guide), (6, shared.severity_numbers(3, *CHOSEN))])


def _present() -> model.Panel:
    return panels.series(
        10,
        "Participants, by verdict",
        "Who was in meetings at that time, of all meetings: the one in question is among them. Uninvited that ends is "
        "somebody who left, or was put out.",
        {"{{verdict}}": f"sum by (verdict) ({metric('joinwatch_participants_active')})"},
        colours=VERDICTS,
        fill=75,
        stacked=True,
    )


def _joins() -> model.Panel:
    return panels.bars(
        11,
        "Joins that were not invited",
        "When somebody came who was not expected, and by which way.",
        {
            "{{verdict}} {{method}}": queries.counted(
                "joinwatch_joins_total", 'verdict!="invited"', by="verdict, method"
            )
        },
        colours=join_colours(),
    )


def _tried() -> model.Panel:
    return panels.bars(
        12,
        "Attempts in vain",
        "Numbers that are no meeting's (tried) and wrong PINs (pin_refused): what often comes before somebody gets in.",
        {"{{kind}}": queries.counted("joinwatch_events_total", 'kind=~"tried|pin_refused"', by="kind")},
        colours=shared.VAIN,
    )


def _active() -> model.Panel:
    return panels.series(
        13,
        "Active alerts, by severity",
        "Alerts seen within the hour before each moment. It falls an hour after the last sign, or when new lists "
        "excuse what happened.",
        {"{{severity}}": f"sum by (severity) ({metric('joinwatch_alerts_active', *CHOSEN)})"},
        colours=SEVERITIES,
        fill=75,
        stacked=True,
    )


def _lost() -> model.Panel:
    return panels.bars(
        21,
        "Packets lost then",
        "Packets that found the ring full, and broken messages. An intruder may hide in either: look at the capture.",
        {
            "lost": queries.counted_in_all("joinwatch_packets_dropped_total", *queries.DROPPED),
            "oddities": queries.counted_in_all("joinwatch_oddities_total"),
        },
        colours={"lost": "dark-red", "oddities": "yellow"},
    )
