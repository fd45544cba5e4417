"""Panels that more than one dashboard has."""

from typing import Any

from grafana_foundation_sdk.models import dashboard as model

from deploy.grafana.generator import panels, queries
from deploy.grafana.generator.links import data_links, to_incident, to_journal, to_runbook
from deploy.grafana.generator.queries import CHECKS, equal, metric
from deploy.grafana.generator.words import GOOD, SEVERITIES, SEVERITY_NAMES, TROUBLE, TRUST, YES_NO, Step, rule_colours

REASONS = "\n\n".join(f"**{check.name}**: {check.means}" for check in CHECKS)
RULE = "${__field.labels.rule}"
ALERT_LINKS = (to_incident(RULE), to_runbook(RULE), *to_journal({"type": "alert", "rule": RULE}))
NOTHING = "No alert in this time: good news only if the silence can be trusted"
VAIN = {"tried": "yellow", "pin_refused": "semi-dark-orange"}
"""What is tried before somebody gets in."""
BINARY = (Step(None, TROUBLE), Step(1, GOOD))


def silence(number: int) -> model.Panel:
    """The one question that comes before all others."""
    return panels.numbers(
        number,
        "Can I trust this silence?",
        "YES when every reason beside it holds: the sensor is reached, is ready, hears, loses nothing, is on time, "
        "writes, has the newest lists, forgets nothing, tells its sinks, and no alert says that it is blind. At NO, no "
        "alert means nothing. YES is not a promise: what goes past the mirror, or is encrypted, nobody sees here.",
        {"trust": queries.trust()},
        steps=BINARY,
        mappings=TRUST,
        solid=True,
        named=False,
    )


def reasons(number: int) -> model.Panel:
    """What the answer is made of."""
    return panels.numbers(
        number,
        "Why",
        f"Each reason by itself, now.\n\n{REASONS}",
        {check.name: check.expr for check in CHECKS},
        steps=BINARY,
        mappings=YES_NO,
    )


def sight(number: int, title: str = "What it could see, and when not") -> model.Panel:
    """The reasons over time."""
    return panels.states(
        number,
        title,
        f"The same reasons over time: in a stretch of NO something may have happened that nobody told.\n\n{REASONS}",
        {check.name: check.expr for check in CHECKS},
    )


def alert_rows(number: int, *labels: str) -> model.Panel:
    """Each rule that has something to say."""
    by = "rule, severity"
    newest = f"max by ({by}) ({metric('joinwatch_alert_last_timestamp_seconds', *labels)} * 1000)"
    rule = "${__value.raw}"
    ways = data_links(to_incident(rule), to_runbook(rule), *to_journal({"type": "alert", "rule": rule}))
    centred: dict[str, Any] = {"custom.align": "center"}
    return panels.rows(
        number,
        "Alerts by rule",
        "A line for each rule that raised something in this time, or has an alert of the last hour. Click a rule for "
        "its runbook, for what happened around it, and for its lines in the journal, which alone says who it was.",
        {
            "Raised": queries.total("joinwatch_alerts_total", *labels, by=by) + " > 0",
            "Active": f"sum by ({by}) ({metric('joinwatch_alerts_active', *labels)}) > 0",
            "Last seen": f"{newest} >= $__from",
        },
        labels=("rule", "severity"),
        properties={
            "Rule": {"links": ways, "custom.minWidth": 210},
            "Severity": {
                "mappings": [mapping.to_json() for mapping in SEVERITY_NAMES],
                "custom.cellOptions": {"type": "color-background"},
                "custom.width": 90,
            },
            "Raised": {**centred, "decimals": 0, "custom.width": 80},
            "Active": {**centred, "decimals": 0, "custom.width": 80},
            "Last seen": {"unit": "dateTimeFromNow", "custom.minWidth": 120},
        },
        sorted_by="Last seen",
        empty=NOTHING,
    )


def alert_bars(number: int, *labels: str) -> model.Panel:
    """Alerts over time, with exemplars."""
    return panels.bars(
        number,
        "Alerts raised, by rule",
        "How many alerts each rule raised, when. An alert that becomes more severe counts again. The small diamonds "
        "(where Prometheus keeps exemplars) are single alerts: their id leads to the journal.",
        {"{{rule}} ({{severity}})": queries.counted("joinwatch_alerts_total", *labels, by="rule, severity")},
        colours=rule_colours(),
        links=ALERT_LINKS,
        exemplars=True,
    )


def severity_numbers(number: int, *labels: str) -> model.Panel:
    """What is going on now, by how bad it is."""
    active = {
        name: f"sum({metric('joinwatch_alerts_active', *labels, equal('severity', name))})"
        for name in reversed(SEVERITIES)
    }
    return panels.numbers(
        number,
        "Active alerts",
        "Alerts that were seen within the last hour, by severity. They end by themselves an hour after the last sign, "
        "or when new lists say that it was no alert.",
        active,
        colours=SEVERITIES,
    )
