"""Interfaces: is anything connected, does anything arrive, and is it what a mirror gives?"""

from monitor.doctor.checks.check import BLIND, DEGRADED, HINT, Check, Finding, Findings
from monitor.doctor.contents import Content
from monitor.doctor.facts import Facts
from monitor.doctor.samples import Sample, named

LOSSES = ("rx_missed_errors", "rx_fifo_errors", "rx_dropped", "rx_crc_errors", "rx_errors")
"""Counters that tell of frames which were on the cable and reached nobody."""
FEW_FRAMES = 20
"""Of single receivers: from fewer, nothing is concluded."""


def missing(facts: Facts) -> Findings:
    """The interface is not there."""
    for link in facts.links:
        if not link.exists:
            yield Finding(
                gravity=BLIND,
                cause=f"There is no interface {link.name}.",
                proof=("The kernel knows none of that name (in this network namespace).",),
                next_step="Take a name that the first command shows, and put it into the configuration.",
                lines=("ip -brief link", "[capture]", 'interfaces = ["eth1"]'),
            )


def down(facts: Facts) -> Findings:
    """The interface is switched off."""
    for link in facts.links:
        if link.exists and not link.up:
            yield Finding(
                gravity=BLIND,
                cause=f"Interface {link.name} is switched off.",
                proof=("Its flag IFF_UP is not set.",),
                next_step="Switch it on, and have it so after the next start (systemd-networkd, ifupdown, nmcli).",
                lines=(f"ip link set {link.name} up",),
            )


def no_carrier(facts: Facts) -> Findings:
    """Nobody is at the other end of the cable."""
    for link in facts.links:
        if link.exists and link.up and not link.carrier:
            yield Finding(
                gravity=BLIND,
                cause=f"Nobody is at the other end of interface {link.name}: it has no carrier.",
                proof=("It is switched on, and the kernel reads carrier 0.",),
                next_step="Look at cable, transceiver and the switch's port: a mirror's destination must be enabled.",
                lines=(f"ethtool {link.name}",),
            )


def unreadable(facts: Facts) -> Findings:
    """The interface is of a kind whose frames cannot be read."""
    for link in facts.links:
        if link.exists and link.link is None:
            yield Finding(
                gravity=BLIND,
                cause=f"Frames of interface {link.name} cannot be read: it is neither Ethernet, loopback nor tun.",
                proof=("Its hardware type has no link type here.",),
                next_step="Watch the Ethernet interface below it.",
                lines=("ip -details link",),
            )


def elsewhere(facts: Facts) -> Findings:
    """The mirror arrives at an interface that is not watched."""
    if not facts.live or facts.hears():
        return
    below = {link.parent for link in facts.links}
    found = {
        name: what for name, sample in facts.elsewhere.items() if name not in below and (what := _wanted_in(sample))
    }
    if not found:
        return
    # That with the most; more of them are the two directions of a tap, or the two ends of a tunnel.
    name = max(found, key=lambda one: facts.elsewhere[one].sip)
    sample = facts.elsewhere[name]
    mine = [end for end in sample.ends if end[1] in facts.host_addresses]
    ends = f" It comes in {mine[0][0].upper()} to {mine[0][1]}, an address of this machine." if mine else ""
    yield Finding(
        gravity=BLIND,
        cause=f"The mirror arrives at interface {name}, which is not watched.{ends}",
        proof=(
            f"Within {sample.seconds:.1f} s, {name} brought {sample.frames:,} frames, among them {found[name]}.",
            f"The watched {', '.join(link.name for link in facts.links)} brought no signalling.",
            *(f"{other} brought {what} as well." for other, what in found.items() if other != name),
        ),
        next_step="Watch that one; a tunnel that ends here is opened as it is and needs no interface of its own.",
        lines=("[capture]", f'interfaces = ["{name}"]'),
    )


def silent(facts: Facts) -> Findings:
    """The interface is well, and not a single frame comes."""
    if not facts.live or facts.sample is None or facts.sample.frames:
        return
    for link in facts.links:
        if link.exists and link.up and link.carrier:
            yield Finding(
                gravity=BLIND,
                cause=f"Nothing at all arrives at interface {link.name}.",
                proof=(
                    f"Not a single frame within {facts.seconds:g} s; the kernel counted"
                    f" {link.growth.get('rx_packets', 0):,}.",
                ),
                next_step="See whether the switch has the mirror session active, with this port as its destination.",
                lines=(f"tcpdump -c 10 -eni {link.name}", "show monitor session all     (on Cisco's switches)"),
            )


def not_promiscuous(facts: Facts) -> Findings:
    """The configuration forbids promiscuous mode, so that frames for others are dropped."""
    sample = facts.sample
    if not facts.live or facts.promiscuous or not facts.links:
        return
    strangers = sum(sample.receivers.values()) - max(sample.receivers.values(), default=0) if sample else 0
    if strangers > FEW_FRAMES or any(link.promiscuous for link in facts.links):
        return
    yield Finding(
        gravity=BLIND,
        cause="The interface is not promiscuous, so the adapter drops what is for others: all that a mirror brings.",
        proof=("The configuration has promiscuous = false.", _receivers(sample)),
        next_step="Leave that line out; true is the default.",
        lines=("[capture]", "promiscuous = true"),
    )


def no_mirror(facts: Facts) -> Findings:
    """Only broadcast, ARP, spanning tree and such arrive: the port is no mirror's destination."""
    sample = facts.sample
    if sample is None or not sample.frames or facts.hears() or not facts.promiscuous:
        return
    if not facts.live and sample.frames < FEW_FRAMES:
        return
    singles, group = sum(sample.receivers.values()), sample.group
    if sample.sip or sample.ends or singles > max(2, group / 4):
        return
    if group + sum(sample.housekeeping.values()) < sample.frames / 2 or sample.frames == sum(sample.stopped.values()):
        return
    where = ", ".join(link.name for link in facts.links) or "the capture"
    yield Finding(
        gravity=BLIND,
        cause=f"What arrives at {where} is no mirror: it is what a switch sends to any port.",
        proof=(
            f"Of {sample.frames:,} frames {group:,} were for everybody or a group, {singles:,} for single receivers.",
            *([f"Among them: {', '.join(named(sample.housekeeping))}."] if sample.housekeeping else []),
        ),
        next_step="Make this port the destination of a mirror session whose source is the trunk to the telephone"
        " exchange or the bridge. On a virtual switch, allow promiscuous mode for this port group.",
        lines=("monitor session 1 source interface Gi1/0/1 both", "monitor session 1 destination interface Gi1/0/2"),
    )


def one_vlan(facts: Facts) -> Findings:
    """A VLAN sub-interface is watched, and the signalling is in another VLAN."""
    for link in facts.links:
        if link.vlan is None or facts.hears():
            continue
        parent = facts.elsewhere.get(link.parent)
        others = sorted(vid for vid in parent.sip_vlans if vid != link.vlan) if parent else []
        where = f" Signalling is in VLAN {others[0]}." if others else ""
        yield Finding(
            gravity=BLIND if others or (facts.sample is not None and facts.sample.frames) else HINT,
            cause=f"Interface {link.name} sees VLAN {link.vlan} alone.{where}",
            proof=(
                f"It is the sub-interface of {link.parent} for VLAN {link.vlan}, and brought no signalling.",
                *([f"{link.parent} brought SIP in VLAN {', '.join(map(str, others))}."] if others else []),
            ),
            next_step="Watch the interface below it: tags are opened, all VLANs at once.",
            lines=("[capture]", f'interfaces = ["{link.parent}"]'),
        )


def lossy(facts: Facts) -> Findings:
    """The adapter's own counters of losses grow."""
    for link in facts.links:
        lost = {name: link.growth[name] for name in LOSSES if link.growth.get(name)}
        received = link.growth.get("rx_packets", 0)
        if sum(lost.values()) > max(10, received // 1000):
            yield Finding(
                gravity=DEGRADED,
                cause=f"Interface {link.name} loses frames before anybody can read them.",
                proof=(
                    f"While {received:,} were received: "
                    + ", ".join(f"{name} grew by {count:,}" for name, count in lost.items())
                    + ".",
                ),
                next_step="Give the adapter longer queues; crc errors mean cable or transceiver.",
                lines=(f"ethtool -g {link.name}", f"ethtool -G {link.name} rx 4096"),
            )


def too_long(facts: Facts) -> Findings:
    """Frames are longer than the interface's MTU allows, and dropped."""
    for link in facts.links:
        if dropped := link.growth.get("rx_length_errors", 0) + link.growth.get("rx_over_errors", 0):
            yield Finding(
                gravity=DEGRADED,
                cause=f"Frames are too long for interface {link.name}, and are dropped.",
                proof=(f"{dropped:,} within {facts.seconds:g} s; its MTU is {link.mtu}.",),
                next_step="A mirror's tunnel adds some 50 bytes; jumbo frames need more.",
                lines=(f"ip link set {link.name} mtu 9216",),
            )


def ring_full(facts: Facts) -> Findings:
    """Wanted frames come faster than they are read."""
    if facts.dropped:
        yield Finding(
            gravity=DEGRADED,
            cause="More comes than can be read: wanted frames did not fit the ring.",
            proof=(f"{facts.dropped:,} within {facts.seconds:g} s, with a ring of 16 MiB.",),
            next_step='Give the daemon larger rings, and see joinwatch_interface_packets_total{fate="dropped"}.',
            lines=("[capture]", "ring_mebibytes = 256"),
        )


def merged(facts: Facts) -> Findings:
    """Adapter or driver put TCP segments together (GRO, LRO, TSO)."""
    sample = facts.sample
    if sample is None or not sample.merged:
        return
    offloads = [
        f"{link.name} has {name.upper()} on" for link in facts.links for name, on in link.offloads.items() if on
    ]
    yield Finding(
        gravity=HINT,
        cause="Adapter or driver put TCP segments together (offload): frames are not as they were on the wire.",
        proof=(
            f"{sample.merged:,} segments hold more than a frame can; the longest frame has {sample.longest:,} bytes.",
            *([f"{', '.join(offloads)}."] if offloads else []),
        ),
        next_step="Nothing is lost by it here. For frames as the analyst's Wireshark would see them, switch it off.",
        lines=tuple(f"ethtool -K {link.name} gro off lro off" for link in facts.links)
        or ("ethtool -K eth1 gro off lro off",),
    )


def tunnel_ends_here(facts: Facts) -> Findings:
    """The mirror comes in a tunnel to an address of this machine, whose kernel may answer."""
    sample = facts.sample
    if sample is None:
        return
    for (tunnel, address), count in sample.ends.items():
        if address in facts.host_addresses and tunnel in ("gre", "vxlan", "geneve"):
            yield Finding(
                gravity=HINT,
                cause=f"The mirror comes in a tunnel to {address}, an address of this machine; its kernel may answer.",
                proof=(f"{count:,} of {sample.frames:,} frames are {tunnel.upper()} to {address}.",),
                next_step="They are read as they are, and need no tunnel interface. So that the kernel sends no ICMP"
                " errors back, drop them behind the capture.",
                lines=(f"nft add rule inet filter input ip daddr {address} meta l4proto {{ gre, udp }} drop",),
            )
            return


def _wanted_in(sample: Sample) -> str:
    found = [f"{sample.contents[what]:,} of {what}" for what in (Content.SIP, Content.SIP_TLS) if sample.contents[what]]
    tunnels = [f"{count:,} in {name.upper()}" for (name, _), count in sample.ends.most_common(2)]
    return ", ".join(found + (tunnels if found else []))


def _receivers(sample: Sample | None) -> str:
    if sample is None or not sample.frames:
        return "No frame was seen."
    return (
        f"All {sum(sample.receivers.values()):,} frames for single receivers were for {len(sample.receivers)} of them."
    )


CHECKS = (
    Check("no-such-interface", missing),
    Check("link-down", down),
    Check("no-carrier", no_carrier),
    Check("unreadable-interface", unreadable),
    Check("not-promiscuous", not_promiscuous),
    Check("wrong-vlan", one_vlan),
    Check("other-interface", elsewhere),
    Check("nothing-arrives", silent),
    Check("no-mirror", no_mirror),
    Check("interface-loses", lossy),
    Check("frames-too-long", too_long),
    Check("ring-full", ring_full),
    Check("offload", merged),
    Check("tunnel-ends-here", tunnel_ends_here),
)
