"""Traffic: is this a whole, readable mirror of something that speaks SIP?"""

from monitor.doctor.checks.check import BLIND, DEGRADED, Check, Finding, Findings, percent
from monitor.doctor.contents import Content
from monitor.doctor.facts import Facts
from monitor.doctor.samples import Sample, named
from monitor.outputs.words import many

FEW = 20
"""Frames: from fewer, nothing is concluded."""
FEW_CONVERSATIONS = 5
COPIED = 0.3
"""From this share on, the whole mirror is doubled, and not only what passes two of its sources."""
MEDIA = 1
"""Streams from which on it is media, and no chance."""


def damaged(facts: Facts) -> Findings:
    """The capture is damaged or ends in the middle."""
    for report in facts.reports:
        for place in report.damage[:1]:
            yield Finding(
                gravity=DEGRADED if report.frames else BLIND,
                cause="The capture is damaged, or not of a kind that can be read whole.",
                proof=(f"{report.capture}: {place.what} (behind frame {place.frame:,}).",),
                next_step="Copy it again from where it comes; what could be read was read.",
                lines=("capinfos CAPTURE",),
            )


def empty(facts: Facts) -> Findings:
    """The capture holds no frame."""
    if not facts.live and facts.reports and not any(report.frames for report in facts.reports):
        yield Finding(
            gravity=BLIND,
            cause="The capture holds no frame.",
            proof=tuple(f"{report.capture}: 0 frames." for report in facts.reports[:3]),
            next_step="See how it was made: a filter that lets nothing through, or a port without traffic.",
            lines=("tcpdump -i eth1 -s 0 -w capture.pcap",),
        )


def unknown_envelope(facts: Facts) -> Findings:
    """Frames are of a link type, or in a tag or tunnel, that cannot be opened."""
    sample = _sample(facts)
    if sample is None or not (stopped := sum(sample.stopped.values())):
        return
    if stopped < sample.frames / 2:
        return
    yield Finding(
        gravity=BLIND if not facts.hears() else DEGRADED,
        cause="The frames are wrapped in something that cannot be opened here.",
        proof=(
            f"{percent(stopped, sample.frames)} of {sample.frames:,} frames end at:"
            f" {', '.join(named(sample.stopped))}.",
        ),
        next_step="Have the mirror wrap them in something of docs/what-it-sees.md: ERSPAN, VXLAN, a VLAN.",
        lines=("tshark -r CAPTURE -q -z io,phs",),
    )


def encrypted(facts: Facts) -> Findings:
    """The link is encrypted as a whole (MACsec, WPA, IPsec)."""
    sample = _sample(facts)
    if sample is None or not (hidden := sum(sample.encrypted.values())) or hidden < sample.frames / 2:
        return
    yield Finding(
        gravity=BLIND if not facts.hears() else DEGRADED,
        cause="The link is encrypted as a whole, and nobody without its key can read it.",
        proof=(f"{percent(hidden, sample.frames)} of {sample.frames:,} frames: {', '.join(named(sample.encrypted))}.",),
        next_step="Mirror behind the device that decrypts: the port of the exchange or the bridge.",
    )


def snap_length(facts: Facts) -> Findings:
    """Frames are cut by the snap length or by the switch."""
    sample = facts.sample
    cut = sum(report.cut for report in facts.reports)
    if sample is None or not (sample.cut or cut):
        return
    spoilt = facts.hearing.counts.get("datagrams_truncated", 0) if facts.hearing else 0
    if not spoilt and facts.hears() and not cut:
        return  # Media alone was cut, on purpose perhaps.
    yield Finding(
        gravity=BLIND if not facts.hears() or spoilt * 4 > facts.hearing.messages else DEGRADED,  # type: ignore[union-attr]
        cause="The snap length cuts frames, and with them what they say.",
        proof=(
            f"{percent(sample.cut, sample.frames)} of {sample.frames:,} frames are cut, to {sample.snap:,} bytes;"
            f" the longest had {sample.longest:,}.",
            *([f"{spoilt:,} of the wanted datagrams are cut."] if spoilt else []),
        ),
        next_step="Capture whole frames; on a switch, take the truncation out of the mirror session.",
        lines=("tcpdump -s 0 -i eth1 -w capture.pcap", "no mtu     (in Cisco's `monitor session`)"),
    )


def one_sided(facts: Facts) -> Findings:
    """Only one direction is mirrored: requests without answers, TCP of which one side is seen."""
    sample, hearing = facts.sample, facts.hearing
    if sample is None or hearing is None:
        return
    ways, pairs = hearing.one_sided
    conversations, one = sample.conversations
    mute = not hearing.responses and hearing.witnesses.total() >= FEW_CONVERSATIONS
    proof = [f"SIP: {hearing.requests:,} requests, and 0 answers."] if mute else []
    proof += [
        f"SIP: {hearing.witnesses[way]:,} messages from {way[0]} to {way[1]} show that it spoke, and 0 of its own came."
        for way in ways[:3]
    ]
    if conversations >= FEW_CONVERSATIONS and one > 0.8 * conversations:
        proof.append(f"TCP: of {one:,} in {conversations:,} conversations only one side was ever seen.")
    if ways or mute or (proof and not facts.hears()):
        yield Finding(
            gravity=BLIND if mute or len(ways) == pairs else DEGRADED,
            cause="The mirror gives one direction only: questions without answers, or answers without questions.",
            proof=tuple(proof),
            next_step="Mirror both directions, and both ways of an asymmetric route. Without answers nobody is known to"
            " have been let in.",
            lines=("monitor session 1 source interface Gi1/0/1 both",),
        )


def doubled(facts: Facts) -> Findings:
    """Each packet comes twice or more."""
    sample = facts.sample
    if sample is None or sample.packets < FEW or sample.copies < COPIED * sample.packets:
        return
    yield Finding(
        gravity=DEGRADED,
        cause="The mirror gives each packet twice or more, which costs half of what this sensor can carry.",
        proof=(
            f"{percent(sample.copies, sample.packets)} of {sample.packets:,} packets came within 50 ms of their like.",
        ),
        next_step="Mirror one port in both directions, or several in one; not a whole VLAN in both. Alerts are not"
        " doubled by it.",
        lines=("monitor session 1 source vlan 20 rx",),
    )


def lossy(facts: Facts) -> Findings:
    """Packets are lost before they are captured."""
    counts = facts.hearing.counts if facts.hearing else {}
    dropped = sum(report.dropped_by_system + report.dropped_by_interface for report in facts.reports)
    gaps, missed = counts.get("stream_gaps", 0), counts.get("packets_missed", 0)
    fragments = counts.get("fragments_lost", 0)
    heard = max(1, counts.get("rtp_packets", 0) + counts.get("sip_messages", 0))
    proof = []
    if dropped:
        proof.append(f"The capturing system itself tells of {dropped:,} frames that it dropped.")
    if gaps > 2 and gaps * 50 > counts.get("segments", 0):
        proof.append(f"{gaps:,} gaps in TCP streams ({counts.get('stream_gap_bytes', 0):,} bytes).")
    if missed > 5 and missed * 200 > heard:
        proof.append(f"{missed:,} packets of RTP and SIP are missing between others that count them.")
    if fragments > 2 and fragments * 5 > counts.get("fragments", 0):
        proof.append(f"{fragments:,} of {counts.get('fragments', 0):,} fragments never found the rest of their packet.")
    if proof:
        yield Finding(
            gravity=DEGRADED,
            cause="Packets are lost on the way here.",
            proof=tuple(proof),
            next_step="The mirror of a full line does not fit a port of its speed: mirror less, or onto a faster one.",
            lines=("show interface Gi1/0/2 | include drops",),
        )


def only_tls(facts: Facts) -> Findings:
    """SIP comes over TLS alone."""
    sample = _silent(facts)
    if sample is None or not sample.contents[Content.SIP_TLS]:
        return
    yield Finding(
        gravity=BLIND,
        cause="All signalling is encrypted: SIP over TLS, and none that can be read.",
        proof=(f"{sample.contents[Content.SIP_TLS]:,} packets of TLS on SIP's ports, 0 of SIP.",),
        next_step="Have the border controller or the exchange report its SIP by HEP to this sensor, or mirror the leg"
        " behind it that is not encrypted.",
        lines=("[site]", 'hep_senders = ["192.0.2.30"]'),
    )


def only_h323(facts: Facts) -> Findings:
    """Signalling is H.323."""
    sample = _silent(facts)
    if sample is not None and sample.contents[Content.H323]:
        yield Finding(
            gravity=BLIND,
            cause="Signalling is H.323, which is not read yet.",
            proof=(f"{sample.contents[Content.H323]:,} packets of H.225 on port 1720, 0 of SIP.",),
            next_step="Mirror the leg between gateway and bridge if that speaks SIP.",
        )


def only_media(facts: Facts) -> Findings:
    """RTP comes without the signalling that belongs to it."""
    sample = _silent(facts)
    if sample is None or sample.streams < MEDIA or sample.contents[Content.SIP_TLS]:
        return
    if sample.contents[Content.RTP] < sample.frames / 4:
        return
    yield Finding(
        gravity=BLIND,
        cause="Media comes, and the signalling that belongs to it does not.",
        proof=(
            f"{sample.contents[Content.RTP]:,} of {sample.frames:,} frames are RTP,"
            f" in {many(sample.streams, 'stream')}; 0 are SIP.",
        ),
        next_step="Mirror also where the border controller or exchange signals: often another interface or VLAN.",
        lines=("tshark -r CAPTURE -q -z rtp,streams",),
    )


def no_signalling(facts: Facts) -> Findings:
    """Traffic comes in which nobody signals."""
    sample = _silent(facts)
    if sample is None or sample.streams >= MEDIA or sample.contents[Content.SIP_TLS] or sample.contents[Content.H323]:
        return
    packets = sum(sample.transports.values())
    if packets < FEW or sample.encrypted.total() > sample.frames / 2 or sample.contents[Content.HEP]:
        return
    web = sample.contents[Content.TLS] + sample.contents[Content.QUIC]
    tags = ", ".join("none" if vid == 0 else str(vid) for vid, _ in sample.vlans.most_common(6))
    yield Finding(
        gravity=BLIND,
        cause="Traffic comes, but no signalling: it is another VLAN's or another link's mirror.",
        proof=(
            f"0 of {packets:,} packets are SIP; VLAN tags: {tags}; most on {sample.top_ports()}.",
            *([f"{web:,} are TLS or QUIC: joins by browser cannot be seen here."] if web > packets / 2 else []),
            *([f"That was within {facts.seconds:g} s: in the quietest hours, listen longer."] if facts.live else []),
        ),
        next_step="Mirror the trunk, or the VLAN, of the border controller, the exchange or the bridge.",
        lines=("joinwatch doctor --interface eth1 --seconds 300",)
        if facts.live
        else ("tshark -r CAPTURE -q -z io,phs",),
    )


def agents_refused(facts: Facts) -> Findings:
    """Reports of capture agents are refused, since the policy does not list them."""
    counts = facts.hearing.counts if facts.hearing else {}
    refused = counts.get("hep_unlisted", 0)
    if refused:
        yield Finding(
            gravity=BLIND if not facts.hears() else DEGRADED,
            cause="Reports of capture agents (HEP) are refused: the policy does not list who sends them.",
            proof=(f"{refused:,} reports were refused, {counts.get('hep_messages', 0):,} were read.",),
            next_step="List the agents.",
            lines=("[site]", 'hep_senders = ["192.0.2.30"]'),
        )


def _sample(facts: Facts) -> Sample | None:
    """The sample, if there is enough of it."""
    return facts.sample if facts.sample is not None and facts.sample.frames >= FEW else None


def _silent(facts: Facts) -> Sample | None:
    """The sample, if there is enough of it and nothing was said in it that can be read."""
    return None if facts.hears() or (facts.sample is not None and facts.sample.sip) else _sample(facts)


CHECKS = (
    Check("empty-capture", empty),
    Check("unknown-envelope", unknown_envelope),
    Check("encrypted-link", encrypted),
    Check("only-tls", only_tls),
    Check("only-h323", only_h323),
    Check("only-media", only_media),
    Check("no-signalling", no_signalling),
    Check("one-sided", one_sided),
    Check("snap-length", snap_length),
    Check("hep-unlisted", agents_refused),
    Check("doubled-mirror", doubled),
    Check("losses", lossy),
    Check("damaged-capture", damaged),
)
