"""*Sensor*: does it see what it should, and how much of it is it able to tell."""

from grafana_foundation_sdk.models import dashboard as model

from deploy.grafana.generator import links, panels, queries, shared
from deploy.grafana.generator.page import Chapter, Shelf, mark, page, stretch
from deploy.grafana.generator.queries import SENSOR, metric
from deploy.grafana.generator.words import ANY_IS_TROUBLE, FATES, LOSSES, NEUTRAL, UP_DOWN, Step

AGES = (*NEUTRAL, Step(300, "yellow"), Step(900, "semi-dark-orange"))
FULL = (Step(None, "blue"), Step(0.7, "yellow"), Step(0.9, "semi-dark-orange"))
NO_SINK = "No sink is set up"


def dashboard() -> model.Dashboard:
    """For whoever keeps it running."""
    return page(
        links.SENSOR,
        "joinwatch / Sensor",
        "Whether the monitor sees what it should: packets, losses, filter, queue, errors, memory, lists and sinks.",
        [
            Chapter("Can it be trusted?", [_answers(), Shelf(9, [(24, shared.sight(3))])]),
            Chapter("Packets", [_packets(), Shelf(8, [(8, _classes()), (8, _filter()), (8, _interfaces())])]),
            Chapter("Reading", [Shelf(8, [(12, _oddities()), (12, _events())])]),
            Chapter("Time and queue", [Shelf(8, [(8, _lag()), (8, _queue()), (8, _restarts())])]),
            Chapter("Memory", [Shelf(9, [(8, _memory()), (8, _tables()), (8, _evictions())])]),
            Chapter("Sinks, lists and scrapes", [_sinks(), _rest()]),
        ],
        since="now-6h",
        refresh="30s",
        marks=[
            mark("Began anew", f"{metric('process_start_time_seconds')} * 1000", "purple", "serve began anew"),
            mark(
                "Lists taken",
                f"{metric('joinwatch_config_last_reload_success_timestamp_seconds')} * 1000",
                "blue",
                "The lists were read anew",
            ),
            stretch(
                "Blindness",
                f'ALERTS{{{SENSOR}, alertstate="firing", kind="blindness"}}',
                "semi-dark-orange",
                "{{alertname}}",
                "instance,severity",
            ),
        ],
    )


def _answers() -> Shelf:
    quiet = panels.numbers(
        2,
        "Last packet",
        "How long ago a packet was last taken from an interface. On a trunk with calls these are seconds; minutes are "
        "a mirror that was taken away, or night.",
        {"ago": f"max(time() - {metric('joinwatch_last_packet_timestamp_seconds')})"},
        unit="s",
        steps=AGES,
        named=False,
    )
    lists = panels.numbers(
        4,
        "Lists read",
        "How long ago calendars, directory and policy were last taken. They are read anew whenever they change.",
        {"ago": f"max(time() - {metric('joinwatch_config_last_reload_success_timestamp_seconds')})"},
        unit="s",
        named=False,
    )
    running = panels.numbers(
        5,
        "Running for",
        "How long ago the process that answers scrapes (serve) was started.",
        {"for": f"min(time() - {metric('process_start_time_seconds')})"},
        unit="s",
        named=False,
    )
    lost = panels.numbers(
        6,
        "Packets lost",
        "Packets that found the ring full, in the time that is shown: what was in them nobody knows.",
        {"lost": queries.total("joinwatch_packets_dropped_total", *queries.DROPPED)},
        steps=ANY_IS_TROUBLE,
        named=False,
    )
    version = panels.numbers(
        7,
        "Version",
        "Which versions run, and how many sensors have each.",
        {"{{version}}": f"count by (version) ({metric('joinwatch_build_info')})"},
        value=False,
    )
    return Shelf(5, [(5, shared.silence(1)), (4, lost), (4, quiet), (4, running), (4, lists), (3, version)])


def _packets() -> Shelf:
    fates = panels.series(
        10,
        "Packets, by what became of them",
        "Of all that the interfaces received: filtered is media, web and all else that the kernel keeps out, which is "
        "most of it; taken was read; dropped found the ring full, and must be zero.",
        {"{{fate}}": queries.rate("joinwatch_interface_packets_total", by="fate")},
        unit="pps",
        colours=FATES,
        fill=75,
        stacked=True,
    )
    kernel, mirror, own = LOSSES
    missed = 'what=~"packets_missed|stream_gaps|fragments_lost"'
    losses = panels.bars(
        11,
        "Losses",
        "What is known to be missing. Full ring: the sensor was too slow, give it a larger ring or less to do. Missing "
        "in the mirror: the switch or the network lost it, look at the mirror session. Forgotten: a table was full, "
        "see Memory below.",
        {
            kernel: queries.counted_in_all("joinwatch_packets_dropped_total", *queries.DROPPED),
            mirror: queries.counted_in_all("joinwatch_work_total", missed),
            own: queries.counted_in_all("joinwatch_evictions_total"),
        },
        colours=LOSSES,
    )
    return Shelf(8, [(12, fates), (12, losses)])


def _classes() -> model.Panel:
    return panels.series(
        12,
        "Frames read, by what they were",
        "Every frame is in exactly one class. Much undecoded or encrypted: it is given what it cannot read. Many "
        "copies: the mirror sends each packet more than once, which is harmless.",
        {"{{class}}": queries.rate("joinwatch_frames_total", 'class!="passed_over"', by="class") + " > 0"},
        unit="pps",
    )


def _filter() -> model.Panel:
    seen = queries.rate("joinwatch_interface_packets_total")
    kept_out = queries.rate("joinwatch_interface_packets_total", 'fate="filtered"')
    return panels.series(
        13,
        "Share that the filter keeps out",
        "How much the kernel's filter spares the sensor. If it falls while calls do not rise, new traffic comes that "
        "the filter does not know, such as a tunnel.",
        {"kept out": f"{kept_out} / ({seen} > 0)"},
        unit="percentunit",
        colours={"kept out": FATES["filtered"]},
    )


def _interfaces() -> model.Panel:
    return panels.states(
        14,
        "Interfaces",
        "Whether each mirror port is there and up. Down: cable, switch, or a name that changed.",
        {"{{interface}}": f"min by (interface) ({metric('joinwatch_interface_up')})"},
        mappings=UP_DOWN,
    )


def _oddities() -> model.Panel:
    return panels.bars(
        20,
        "Oddities, by protocol and reason",
        "Bytes that did not follow their protocol. A few are devices with habits; a flood is a broken device, a mirror "
        "that cuts packets, or somebody who tries the sensor. The journal has each with its frame.",
        {"{{protocol}} {{reason}}": queries.counted("joinwatch_oddities_total", by="protocol, reason")},
        links=links.to_journal({"type": "oddity", "protocol": "${__field.labels.protocol}"}),
    )


def _events() -> model.Panel:
    return panels.bars(
        21,
        "Events, by kind",
        "What was understood: calls, keys, meetings, joins. Calls without keys, where people dial in: the keys travel "
        "by a way that the mirror does not show.",
        {"{{kind}}": queries.counted("joinwatch_events_total", by="kind")},
    )


def _lag() -> model.Panel:
    return panels.series(
        30,
        "Lag",
        "How far packet time is behind the clock. It grows when the sensor cannot keep up, and jumps when a clock "
        "does.",
        {"{{instance}}": f"max by (instance) ({metric('joinwatch_event_lag_seconds')})"},
        unit="s",
    )


def _queue() -> model.Panel:
    return panels.series(
        31,
        "Events that wait",
        "Events that could not be written to memory yet. Anything but zero for long is a disk that is slow or full; "
        "the rings fill behind it.",
        {"waiting": f"sum({metric('joinwatch_queue_events')})"},
        colours={"waiting": "semi-dark-orange"},
    )


def _restarts() -> model.Panel:
    decoders = queries.counted_in_all("joinwatch_decoder_restarts_total")
    begun = f"sum(changes({metric('process_start_time_seconds')}[$__rate_interval]))"
    return panels.bars(
        32,
        "Restarts",
        "A decoder that died or hung, and was replaced; serve, begun anew. Nothing is lost while the ring has room. "
        "Again and again is a bug: the log says where, and please report it.",
        {"decoder": decoders, "serve": begun},
        colours={"decoder": "yellow", "serve": "semi-dark-orange"},
    )


def _memory() -> model.Panel:
    return panels.series(
        40,
        "Memory",
        "What each process holds for itself, rings not among it; the units stop capture at 512 MiB, decode at 1 GiB, "
        "serve at 2 GiB. Level over days is well.",
        {"{{instance}} {{role}}": f"max by (instance, role) ({metric('joinwatch_process_private_memory_bytes')})"},
        unit="bytes",
    )


def _tables() -> model.Panel:
    share = f"max by (table) ({metric('joinwatch_table_entries')} / {metric('joinwatch_table_limit')})"
    return panels.gauges(
        41,
        "Fullest tables",
        "How full the ten fullest tables are. A full one forgets its oldest, which is counted beside this. Limits are "
        "in the policy, `[limits]`.",
        {"{{table}}": f"topk(10, {share})"},
        unit="percentunit",
        steps=FULL,
        largest=1,
    )


def _evictions() -> model.Panel:
    return panels.series(
        42,
        "Forgotten by full tables",
        "How much each table had to forget in an hour; zero everywhere is well. With a flood of one protocol, that "
        "protocol's tables come first.",
        {
            "tables": f"sum(increase({metric('joinwatch_evictions_total')}[1h]))",
            "metrics' own": f"sum(increase({metric('joinwatch_metrics_evictions_total')}[1h]))",
        },
        colours={"tables": "semi-dark-orange", "metrics' own": "yellow"},
    )


def _sinks() -> Shelf:
    newest = f"max by (sink) ({metric('joinwatch_sink_last_delivery_timestamp_seconds')} * 1000) > 0"
    centred = {"custom.align": "center", "decimals": 0}
    told = panels.rows(
        50,
        "Sinks",
        "Who is told, and what became of it, in the time that is shown. Refused: lines that the other side will not "
        "have, put aside in `NAME.dead.jsonl`. Missed: files of the journal that were gone before they were read.",
        {
            "State": f"min by (sink) ({metric('joinwatch_sink_up')})",
            "Told": queries.total("joinwatch_sink_delivered_total", by="sink"),
            "Failed": queries.total("joinwatch_sink_failures_total", by="sink"),
            "Refused": queries.total("joinwatch_sink_dead_letters_total", by="sink"),
            "Missed": queries.total("joinwatch_sink_missed_files_total", by="sink"),
            "Waiting": f"max by (sink) ({metric('joinwatch_sink_behind_bytes')})",
            "Last": newest,
        },
        labels=("sink",),
        properties={
            "State": {
                "mappings": [one.to_json() for one in UP_DOWN],
                "custom.cellOptions": {"type": "color-background"},
                "custom.width": 70,
            },
            "Told": {**centred, "custom.width": 70},
            "Failed": {**centred, "custom.width": 70},
            "Refused": {**centred, "custom.width": 80},
            "Missed": {**centred, "custom.width": 80},
            "Waiting": {"unit": "bytes", "custom.align": "center", "custom.width": 90},
            "Last": {"unit": "dateTimeFromNow"},
        },
        sorted_by="Waiting",
        empty=NO_SINK,
    )
    behind = panels.series(
        51,
        "Journal that sinks have not read",
        "How much of the journal waits for each sink. It grows while the other side is away, and falls to zero within "
        "half a minute when it is back. Nothing is lost meanwhile.",
        {"{{sink}}": f"max by (sink) ({metric('joinwatch_sink_behind_bytes')})"},
        unit="bytes",
    )
    return Shelf(7, [(14, told), (10, behind)])


def _rest() -> Shelf:
    quiet = panels.numbers(
        52,
        "Suppressions",
        "Rules of your own that keep alerts quiet. Expired ones do so no more: take them out.",
        {"{{state}}": f"sum by (state) ({metric('joinwatch_suppressions')})"},
        colours={"expired": "yellow"},
        named=True,
    )
    suppressed = panels.numbers(
        53,
        "Alerts kept quiet",
        "Alerts that a suppression kept quiet in the time that is shown. They are in the journal, marked.",
        {"suppressed": queries.total("joinwatch_alerts_suppressed_total")},
        named=False,
    )
    remembered = panels.series(
        54,
        "Events remembered",
        "What serve keeps to judge by, for 26 hours. A fall to nothing is a memory that had to begin anew.",
        {"{{instance}}": f"max by (instance) ({metric('joinwatch_memory_events')})"},
    )
    asked = panels.bars(
        55,
        "HTTP, by what became of it",
        "Who asks the sensor: Prometheus, mostly. Unauthorized, malformed or turned away: somebody else does.",
        {"{{event}}": queries.counted("joinwatch_http_total", by="event")},
    )
    return Shelf(7, [(4, quiet), (4, suppressed), (8, remembered), (8, asked)])
