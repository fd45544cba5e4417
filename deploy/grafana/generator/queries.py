"""What is asked of Prometheus: every query holds the sensor that was chosen, which comes in by `metric` alone."""

from typing import NamedTuple

SENSOR = 'job=~"$job", instance=~"$instance"'
BUCKET = "1m"
"""The shortest bar of what is counted: no shorter than the time between two scrapes."""


def metric(name: str, *labels: str) -> str:
    """The series of the chosen sensors."""
    return f"{name}{{{', '.join((SENSOR, *labels))}}}"


def equal(label: str, value: str) -> str:
    """A matcher."""
    return f'{label}="{value}"'


NOTHING = "nothing else"
"""The series that is there while none of the others is: silence is a line at zero, and only blindness is *No data*."""


def counted(name: str, *labels: str, by: str) -> str:
    """How often, in each bar, for each value of the labels that came up at all."""
    first = by.split(",")[0]
    nothing = f'label_replace(sum({metric(name, *labels)}) * 0, "{first}", "{NOTHING}", "", "")'
    return f"sum by ({by}) ({_steps(name, *labels)}) > 0 or {nothing}"


def counted_in_all(name: str, *labels: str) -> str:
    """How often, in each bar."""
    return f"sum({_steps(name, *labels)})"


def _steps(name: str, *labels: str) -> str:
    """How much a counter grew in each bar: exactly, for what one bar ends with the next begins with. `increase` would
    stretch what it sees over its window, and see some of it twice, or not at all.

    A life of the daemon begins at zero. In the bar of its birth all that it has counts, and what the life before had
    counted since the bar began; that is known where the former is less than the latter.
    """
    now = metric(name, *labels)
    before = f"{now} offset $__interval"
    most = f"max_over_time({now}[$__interval])"
    born = f"on (job, instance) (time() - {metric('process_start_time_seconds')} < $__interval_ms / 1000)"
    two_lives = f"{now} + clamp_min({most} - {before}, 0) * ({most} > bool {now})"
    return f"{two_lives} and {born} or {now} and {born} or clamp_min({now} - {before}, 0)"


def total(name: str, *labels: str, by: str = "") -> str:
    """How often, in the whole time that is shown."""
    grown = f"round(increase({metric(name, *labels)}[$__range]))"
    return f"sum by ({by}) ({grown})" if by else f"sum({grown})"


def rate(name: str, *labels: str, by: str = "") -> str:
    """How many in a second."""
    grows = f"rate({metric(name, *labels)}[$__rate_interval])"
    return f"sum by ({by}) ({grows})" if by else f"sum({grows})"


class Check(NamedTuple):
    """One reason to trust the silence: 1 when it holds."""

    name: str
    expr: str
    means: str


DROPPED = ('source="interface"', 'where="kernel"')
BLIND = ('alertstate="firing"', 'kind="blindness"', 'severity!="low"')
CHECKS = (
    Check(
        "reached",
        f"min({metric('up')}) or vector(0)",
        "Prometheus reaches the sensor. If not: is it running, is a firewall in between?",
    ),
    Check(
        "ready",
        f"min({metric('joinwatch_ready')}) or vector(0)",
        "The sensor says so itself: lists are loaded, somebody decodes, interfaces are up. Ask it: `curl …/-/ready`.",
    ),
    Check(
        "hears",
        f"min(sum by (job, instance, interface) (increase({metric('joinwatch_interface_packets_total')}[15m]))"
        " > bool 0) or vector(0)",
        "Every interface received something in the last 15 minutes. If not: did somebody take the mirror session away?",
    ),
    Check(
        "loses nothing",
        f"sum(increase({metric('joinwatch_packets_dropped_total', *DROPPED)}[5m])) == bool 0 or vector(0)",
        "No packet found the ring full in the last 5 minutes. If not: a larger ring, a faster machine, less mirrored.",
    ),
    Check(
        "on time",
        f"max({metric('joinwatch_event_lag_seconds')}) < bool 10 or vector(0)",
        "What it judges is less than ten seconds old. If not: it is overloaded, or a clock is wrong.",
    ),
    Check(
        "writes",
        f"min({metric('joinwatch_journal_writable')}) or vector(0)",
        "Journal and memory take what is written. If not: the disk is full, or not its own.",
    ),
    Check(
        "lists are new",
        f"min({metric('joinwatch_config_last_reload_successful')}) or vector(0)",
        "The calendars and the policy on disk are those in use. If not: its log names file and line of the mistake.",
    ),
    Check(
        "forgets nothing",
        f"sum(increase({metric('joinwatch_evictions_total')}[1h])) == bool 0 or vector(0)",
        "No table was full in the last hour. If not: somebody floods, or a limit is too small for this network.",
    ),
    Check(
        "tells",
        f"min({metric('joinwatch_sink_up')}) or vector(1)",
        "Every sink took its last delivery; yes, too, where no sink is set up. If not: alerts wait here.",
    ),
    Check(
        "no blind alert",
        f"count({metric('ALERTS', *BLIND)}) == bool 0 or vector(1)",
        "No alert of kind blindness fires: one-way mirrors, keys that are not seen, encryption, stale lists and more. "
        "Yes, too, where the shipped rules are not loaded. If not: that alert has a runbook.",
    ),
)


def trust() -> str:
    """1 when every reason holds."""
    return " * ".join(f"({check.expr})" for check in CHECKS)
