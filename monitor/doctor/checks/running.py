"""A daemon that runs: what it says of itself."""

import time

from monitor.doctor.checks.check import BLIND, DEGRADED, HINT, Check, Finding, Findings
from monitor.doctor.facts import DaemonFacts, Facts

QUIET_SECONDS = 600
LATE_SECONDS = 60
MUCH = 0.1


def not_ready(facts: Facts) -> Findings:
    """The daemon says itself that it is not ready."""
    daemon = facts.daemon
    if daemon is not None and not daemon.ready:
        yield Finding(
            gravity=BLIND,
            cause="The daemon runs, and is not ready.",
            proof=daemon.reasons or ("It does not say why.",),
            next_step="Its log says more.",
            lines=(f"curl {daemon.address}/-/ready", "journalctl -u joinwatch -n 50"),
        )


def dropping(facts: Facts) -> Findings:
    """The daemon lost wanted frames."""
    daemon = facts.daemon
    dropped, taken = _sum(daemon, 'fate="dropped"'), _sum(daemon, 'fate="taken"')
    if daemon is not None and dropped:
        yield Finding(
            gravity=DEGRADED,
            cause="The daemon has lost frames that it wanted: they did not fit the ring.",
            proof=(f"{dropped:,.0f} since it began; {taken:,.0f} were taken.",),
            next_step="Give it larger rings, or less to read.",
            lines=("[capture]", "ring_mebibytes = 256"),
        )


def old_lists(facts: Facts) -> Findings:
    """The daemon judges by old lists, for those of now have mistakes."""
    daemon = facts.daemon
    if daemon is not None and daemon.series.get("joinwatch_config_last_reload_successful", 1.0) == 0:
        yield Finding(
            gravity=DEGRADED,
            cause="The daemon judges by old lists: those of now have mistakes.",
            proof=("joinwatch_config_last_reload_successful is 0.",),
            next_step="Mend them; it says itself what is wrong.",
            lines=("joinwatch check FILE",),
        )


def unwritten(facts: Facts) -> Findings:
    """The daemon cannot write its journal."""
    daemon = facts.daemon
    if daemon is not None and daemon.series.get("joinwatch_journal_writable", 1.0) == 0:
        yield Finding(
            gravity=BLIND,
            cause="The daemon cannot write its journal.",
            proof=("joinwatch_journal_writable is 0.",),
            next_step="See disk and permissions of the state folder.",
        )


def restarted(facts: Facts) -> Findings:
    """Decoders of the daemon died and were replaced."""
    daemon = facts.daemon
    restarts = daemon.series.get("joinwatch_decoder_restarts_total", 0.0) if daemon else 0.0
    if restarts:
        yield Finding(
            gravity=DEGRADED if restarts > 2 else HINT,
            cause="Decoders of the daemon died or hung, and were replaced.",
            proof=(f"{restarts:.0f} times since it began.",),
            next_step="Its journal names the frames under protocol decoder; please report them.",
            lines=('grep \'"protocol":"decoder"\' /var/lib/joinwatch/journal/*.jsonl',),
        )


def quiet(facts: Facts) -> Findings:
    """Signalling comes, and the daemon takes none of it."""
    daemon = facts.daemon
    last = daemon.series.get("joinwatch_last_packet_timestamp_seconds") if daemon else None
    if daemon is None or last is None:
        return
    silence = time.time() - last
    if not last and not facts.hears():
        yield Finding(
            gravity=HINT,
            cause="The daemon has not taken a single packet since it began.",
            proof=("joinwatch_last_packet_timestamp_seconds is 0.",),
            next_step="The other findings say why; without any, listen longer.",
            lines=("joinwatch doctor --config FILE --seconds 300",),
        )
    elif last and silence > QUIET_SECONDS and facts.hears():
        yield Finding(
            gravity=BLIND,
            cause="Signalling comes, and the daemon takes none of it.",
            proof=(f"It took its last packet {silence / 60:.0f} minutes ago.",),
            next_step="Start it anew, and please report this with its log.",
            lines=("systemctl restart joinwatch",),
        )


def late(facts: Facts) -> Findings:
    """The daemon is behind the clock."""
    lag = facts.daemon.series.get("joinwatch_event_lag_seconds", 0.0) if facts.daemon else 0.0
    if lag > LATE_SECONDS:
        yield Finding(
            gravity=DEGRADED,
            cause="The daemon is behind: it judges what was long ago.",
            proof=(f"Packet time is {lag:,.0f} s behind the clock.",),
            next_step="Give it another core, or less to read.",
        )


def odd(facts: Facts) -> Findings:
    """Much of the journal is oddities."""
    daemon = facts.daemon
    count = sum(daemon.oddities.values()) if daemon else 0
    if daemon is not None and count > 20 and count > MUCH * daemon.lines:
        kinds = sorted(daemon.oddities.items(), key=lambda item: -item[1])[:4]
        yield Finding(
            gravity=HINT,
            cause="Much of what the daemon journals is oddities: bytes that do not follow their protocol.",
            proof=(
                f"{count:,} of the last {daemon.lines:,} lines.",
                ", ".join(f"{kind} ({number:,})" for kind, number in kinds) + ".",
            ),
            next_step="A few are normal; many of one kind mean a broken mirror, or an attack.",
        )


def _sum(daemon: DaemonFacts | None, label: str) -> float:
    series = daemon.series if daemon else {}
    return sum(
        v for name, v in series.items() if name.startswith("joinwatch_interface_packets_total") and label in name
    )


CHECKS = (
    Check("not-ready", not_ready),
    Check("journal-unwritable", unwritten),
    Check("daemon-quiet", quiet),
    Check("daemon-drops", dropping),
    Check("daemon-late", late),
    Check("old-lists", old_lists),
    Check("decoders-died", restarted),
    Check("oddities", odd),
)
