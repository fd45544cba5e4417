"""This machine: privileges, folders, the port, the clock, memory, and whether sinks answer."""

from datetime import UTC, datetime

from monitor.doctor.checks.check import BLIND, DEGRADED, HINT, Check, Finding, Findings
from monitor.doctor.facts import Facts
from monitor.model.evidence import SECOND

MIB = 1024 * 1024
LITTLE_BYTES = 256 * MIB
"""Less room than this is soon none: a flood of oddities writes it in minutes."""
FEW_FILES = 100
EARLIEST = 1_735_689_600 * SECOND
"""2025: before it, no clock of a machine with this program was right."""
LATEST = 4_102_444_800 * SECOND
LAG_SECONDS = 5.0


def no_privilege(facts: Facts) -> Findings:
    """CAP_NET_RAW is missing, and why: user, bounding set, no_new_privs."""
    found = facts.privileges
    if found is None or found.may_capture:
        return
    why = [f"A packet socket was refused: {found.refused}."]
    if found.user_id:
        why.append(f"This is user {found.user}.")
    if found.bounded:
        why.append("CAP_NET_RAW is not in the bounding set: a container or unit took it away.")
    if found.no_new_privileges:
        why.append("no_new_privs is set: capabilities of the file do not count.")
    step = "Start it as a service that has the capability, or once as root."
    if found.bounded:
        step = "Give the container or the unit the capability."
    yield Finding(
        gravity=BLIND,
        cause="Packets may not be captured here: CAP_NET_RAW is missing."
        if not found.capable
        else "Packets may not be captured here, although CAP_NET_RAW is there.",
        proof=tuple(why),
        next_step=step,
        lines=("AmbientCapabilities=CAP_NET_RAW     (systemd)", "docker run --cap-add NET_RAW --network host …"),
    )


def no_seccomp(facts: Facts) -> Findings:
    """Libseccomp is missing, without which no decoder starts."""
    if facts.privileges is not None and facts.live and facts.privileges.seccomp:
        yield Finding(
            gravity=BLIND,
            cause="Decoders cannot be confined, and refuse to start.",
            proof=(f"libseccomp cannot be used: {facts.privileges.seccomp}",),
            next_step="Install libseccomp.",
            lines=("apt-get install libseccomp2",),
        )


def unknown_user(facts: Facts) -> Findings:
    """The configuration's user does not exist."""
    if facts.user_unknown:
        yield Finding(
            gravity=BLIND,
            cause="The user whose name the daemon shall take does not exist.",
            proof=(f"user = {facts.user_unknown!r}, which this machine does not know.",),
            next_step="Make it, without a shell.",
            lines=("useradd --system --shell /usr/sbin/nologin joinwatch",),
        )


def full(facts: Facts) -> Findings:
    """There is no room for journal and memory."""
    for place in facts.places:
        if place.full:
            yield Finding(
                gravity=BLIND,
                cause=f"The disk is full: nothing can be written to {place.path}.",
                proof=(f"Of {place.role}, {place.free_bytes or 0:,} bytes are free; a trial of 64 KiB failed.",),
                next_step="Make room: alerts wait in memory until then, and no more than 100,000 of them.",
                lines=(f"df -h {place.path}", f"du -xh --max-depth 2 {place.path} | sort -h | tail"),
            )


def unwritable(facts: Facts) -> Findings:
    """The folders for state or runtime cannot be written, or their path is too long."""
    for place in facts.places:
        if place.role in ("state", "runtime") and place.trouble and not place.full:
            yield Finding(
                gravity=BLIND,
                cause=f"The folder for {place.role} cannot be used: {place.path}.",
                proof=(
                    f"{place.trouble[:1].upper()}{place.trouble[1:]}"
                    + (f", says the system to {place.user}." if place.user else "."),
                ),
                next_step="Give it to the daemon's user, and let nobody else in.",
                lines=(f"install -d -m 700 -o joinwatch {place.path}",),
            )


def unreadable(facts: Facts) -> Findings:
    """Calendars, directory or policy are not there, or the daemon's user may not read them."""
    for place in facts.places:
        if place.role not in ("state", "runtime") and place.trouble:
            yield Finding(
                gravity=BLIND,
                cause=f"The daemon cannot read {place.path}, which its {place.role} needs.",
                proof=(f"It {place.trouble}" + (f" by {place.user}." if place.user else "."),),
                next_step="Mend the path, or let the daemon's user read it.",
                lines=(f"namei -l {place.path}",),
            )


def little_room(facts: Facts) -> Findings:
    """There is little room for journal and memory."""
    for place in facts.places:
        if place.role != "state" or place.trouble:
            continue
        files = place.free_files is not None and place.free_files < FEW_FILES
        if files or (place.free_bytes is not None and place.free_bytes < LITTLE_BYTES):
            yield Finding(
                gravity=DEGRADED,
                cause=f"The disk of {place.path} is nearly full.",
                proof=(f"{(place.free_bytes or 0) // MIB:,} MiB are free, and {place.free_files or 0:,} files.",),
                next_step="Make room, or put the state elsewhere.",
                lines=(f"df -h {place.path}", f"df -i {place.path}"),
            )


def port_taken(facts: Facts) -> Findings:
    """Another program has the port of `[serve]`, or nobody can listen at that address."""
    port = facts.port
    if port is None or port.by_us or not port.trouble:
        return
    if port.taken:
        yield Finding(
            gravity=BLIND,
            cause=f"Another program has the port of [serve], {port.address}; the daemon cannot start.",
            proof=(f"{port.trouble}. It is {port.owner}." if port.owner else f"{port.trouble}.",),
            next_step="Take another port, or end that program.",
            lines=(f"ss -ltnp 'sport = :{port.address.rpartition(':')[2]}'", "[serve]", 'listen = "127.0.0.1:9465"'),
        )
    else:
        yield Finding(
            gravity=BLIND,
            cause=f"Nobody can listen on {port.address}, the address of [serve].",
            proof=(f"{port.trouble}.",),
            next_step="Take an address of this machine, and a port above 1023.",
            lines=("[serve]", 'listen = "127.0.0.1:9464"'),
        )


def sink_refused(facts: Facts) -> Findings:
    """A sink does not answer (only looked for with `--connect`)."""
    for sink in facts.sinks:
        if sink.trouble:
            yield Finding(
                gravity=BLIND,
                cause=f"The sink at {sink.place} does not answer: alerts do not leave this machine.",
                proof=(f"{sink.key}: {sink.trouble}.",),
                next_step="See whether it runs, and whether a firewall is between; alerts wait in the journal.",
                lines=(f"nc -vz {sink.place.replace(':', ' ')}",),
            )


def wrong_clock(facts: Facts) -> Findings:
    """The clock is years wrong."""
    clock = facts.clock
    if clock is None or EARLIEST <= clock.now <= LATEST:
        return
    yield Finding(
        gravity=BLIND,
        cause="The clock of this machine is years wrong, so no meeting is on.",
        proof=(f"It says {datetime.fromtimestamp(max(0, clock.now) // SECOND, UTC):%Y-%m-%d %H:%M} UTC.",),
        next_step="Set it, and have a time server hold it.",
        lines=("timedatectl set-ntp true", "chronyc makestep"),
    )


def stamped_wrong(facts: Facts) -> Findings:
    """The adapter's time stamps differ from the clock."""
    if facts.lag is not None and abs(facts.lag) > LAG_SECONDS * SECOND:
        yield Finding(
            gravity=BLIND,
            cause="Frames bear other times than the clock: the adapter stamps them by a clock of its own.",
            proof=(f"They differ by {facts.lag / SECOND:,.1f} s.",),
            next_step="Have the adapter's clock follow the system's.",
            lines=("phc2sys -s CLOCK_REALTIME -c eth1 -O 0",),
        )


def unsynchronised(facts: Facts) -> Findings:
    """No time server holds the clock."""
    if facts.live and facts.clock is not None and facts.clock.synchronised is False:
        yield Finding(
            gravity=HINT,
            cause="No time server holds the clock of this machine.",
            proof=("The kernel says that it is not synchronised (adjtimex).",),
            next_step="Have one hold it: a clock that is minutes wrong takes people for early or late.",
            lines=("timedatectl set-ntp true",),
        )


def little_memory(facts: Facts) -> Findings:
    """The rings do not fit the memory."""
    if facts.memory_bytes is not None and facts.ring_bytes > facts.memory_bytes:
        yield Finding(
            gravity=BLIND,
            cause="The rings do not fit the memory of this machine.",
            proof=(f"They want {facts.ring_bytes // MIB:,} MiB, and {facts.memory_bytes // MIB:,} MiB can be had.",),
            next_step="Make them smaller.",
            lines=("[capture]", "ring_mebibytes = 64"),
        )


CHECKS = (
    Check("no-privilege", no_privilege),
    Check("no-seccomp", no_seccomp),
    Check("unknown-user", unknown_user),
    Check("full-disk", full),
    Check("unwritable-folder", unwritable),
    Check("unreadable-list", unreadable),
    Check("little-room", little_room),
    Check("port-taken", port_taken),
    Check("sink-refused", sink_refused),
    Check("wrong-clock", wrong_clock),
    Check("stamped-wrong", stamped_wrong),
    Check("unsynchronised", unsynchronised),
    Check("little-memory", little_memory),
)
