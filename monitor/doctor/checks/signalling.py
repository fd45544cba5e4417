"""Signalling that is heard: can the keys be read, is it sound, and where do its calls go?"""

from collections import Counter

from monitor.doctor.checks.check import BLIND, DEGRADED, HINT, Check, Finding, Findings
from monitor.doctor.facts import Facts
from monitor.doctor.hearing import USUAL_PORTS
from monitor.doctor.shapes import shape_of
from monitor.model.networks import Networks

FEW_CALLS = 5
"""Calls: that fewer of them lead to no meeting says nothing."""
FEW_MESSAGES = 10
SHOWN = 4


def secure_media(facts: Facts) -> Findings:
    """Media, and the keys in it, is encrypted."""
    hearing = facts.hearing
    if hearing is None or hearing.secure_media < 2 or hearing.plain_media or hearing.counts.get("sip_keys"):
        return
    yield Finding(
        gravity=DEGRADED if hearing.dial_ins else HINT,
        cause="Media is encrypted (SRTP), and the keys that people press with it: who dials in reaches no meeting.",
        proof=(f"All {hearing.secure_media:,} descriptions of media offer RTP/SAVP, and no key came by INFO or KPML.",),
        next_step="Have the border controller send keys by SIP INFO or KPML as well, or mirror its inner leg.",
    )


def no_key_events(facts: Facts) -> Findings:
    """Keys are sent as tones, for telephone-events are not offered."""
    hearing = facts.hearing
    if hearing is None or hearing.plain_media < FEW_CALLS or hearing.key_events:
        return
    if hearing.counts.get("sip_keys") or hearing.counts.get("rtp_keys"):
        return
    yield Finding(
        gravity=DEGRADED if hearing.dial_ins else HINT,
        cause="Keys are sent as tones within the sound, which is not read: who dials in reaches no meeting.",
        proof=(f"None of {hearing.plain_media:,} descriptions of media offers telephone-events (RFC 4733).",),
        next_step="Switch on RFC 2833/4733 at the trunk.",
        lines=("dtmf-relay rtp-nte     (on Cisco's gateways)",),
    )


def no_keys(facts: Facts) -> Findings:
    """People dial in, and the media with their keys does not come here."""
    hearing = facts.hearing
    if hearing is None or len(hearing.dial_ins & hearing.answered.keys()) < 2 or hearing.keyed or hearing.secure_media:
        return
    if not hearing.key_events:
        return  # said by the check before
    yield Finding(
        gravity=BLIND,
        cause="People dial in, and none of their keys is seen: the media does not come here.",
        proof=(
            f"{len(hearing.dial_ins):,} calls to access numbers, 0 keys;"
            f" {hearing.counts.get('rtp_packets', 0):,} packets with telephone-events.",
        ),
        next_step="Mirror the media as well: it often takes another interface or VLAN than the signalling.",
    )


def malformed(facts: Facts) -> Findings:
    """Much of the SIP is broken."""
    counts = facts.hearing.counts if facts.hearing else {}
    wrong, right = counts.get("sip_malformed", 0), counts.get("sip_messages", 0)
    if wrong >= 5 and wrong * 5 > right:
        odd = facts.hearing.oddities if facts.hearing else Counter[str]()
        yield Finding(
            gravity=DEGRADED,
            cause="Much of the SIP is broken, and is not read to its end.",
            proof=(
                f"{wrong:,} messages of {right + wrong:,}.",
                *(f"{count:,} × {what}" for what, count in odd.most_common(3)),
            ),
            next_step="See whether frames are cut or rewritten on the way.",
            lines=("joinwatch decode CAPTURE --json - | grep oddity",),
        )


def odd_ports(facts: Facts) -> Findings:
    """SIP is spoken on unusual ports alone."""
    hearing = facts.hearing
    if hearing is None or hearing.messages < FEW_MESSAGES or any(hearing.ports[port] for port in USUAL_PORTS):
        return
    ports = ", ".join(str(port) for port, _ in hearing.ports.most_common(SHOWN))
    yield Finding(
        gravity=HINT,
        cause="SIP is spoken on unusual ports alone.",
        proof=(f"{hearing.messages:,} messages, on {ports}.",),
        next_step="Nothing to do: it is known by its words. Filters of your own must know the port.",
    )


def unvouched(facts: Facts) -> Findings:
    """Identities are asserted by senders that the policy does not trust."""
    hearing, lists = facts.hearing, facts.lists
    if hearing is None or lists is None or not hearing.unvouched:
        return
    trusted = Networks(lists.policy.site.trusted_trunks)
    strangers = [address for address, _ in hearing.unvouched.most_common() if address not in trusted]
    if not strangers or len(strangers) < len(hearing.unvouched):
        return
    yield Finding(
        gravity=HINT,
        cause="Who vouches for callers is not trusted: their identities count as no more than a claim.",
        proof=(
            f"{sum(hearing.unvouched.values()):,} calls bear P-Asserted-Identity, from {', '.join(strangers[:SHOWN])};"
            " the policy trusts none of these.",
        ),
        next_step="List the trunk as trusted, if it is one that removes what callers assert themselves.",
        lines=("[site]", f'trusted_trunks = ["{strangers[0]}"]'),
    )


def bridges_unseen(facts: Facts) -> Findings:
    """No bridge or trunk of the policy is in the traffic."""
    hearing, lists = facts.hearing, facts.lists
    if hearing is None or lists is None or len(hearing.calls) < FEW_CALLS or hearing.reached or hearing.dial_ins:
        return
    site = lists.policy.site
    named = {*site.bridges, *site.trusted_trunks}
    networks = Networks(named)
    if not named or any(address in networks for address in hearing.addresses):
        return
    family = ""
    if not hearing.versions[4] and all(":" not in address for address in named):
        family = " All SIP here is IPv6, and the policy names IPv4 addresses alone."
    yield Finding(
        gravity=DEGRADED,
        cause="None of the bridges and trunks of the policy is in this traffic: their addresses are others, or it is"
        " another link's." + family,
        proof=(
            f"The policy names {_some(sorted(named))}.",
            f"SIP goes between {_some(sorted(hearing.addresses))}.",
        ),
        next_step="Name the addresses as they are on this side of any address translation.",
        lines=("[site.bridges]", f'"{next(iter(sorted(hearing.addresses)), "192.0.2.20")}" = "webex"'),
    )


def nowhere(facts: Facts) -> Findings:
    """No call leads to a number, bridge or host that is known."""
    hearing = facts.hearing
    if hearing is None or not hearing.calls:
        return
    strange = hearing.counts.get("unknown_bridges", 0)
    known = bool(facts.lists and (facts.lists.numbers or facts.lists.policy.site.bridges))
    some = {call for call, _ in hearing.reached} | hearing.dial_ins
    if some and (known or strange < 2):
        return
    on = facts.lists.on if facts.lists else 0
    # Where ways in are known, nobody may have taken them: a trunk has other calls, and call centres ask for keys too.
    enough = not known and (bool(strange) or (bool(on) and len(hearing.calls) >= FEW_CALLS))
    targets = Counter(
        shape_of(target, people=facts.show_people) for call, target in hearing.calls.items() if call not in some
    )
    yield Finding(
        gravity=HINT if not enough else DEGRADED if some else BLIND,
        cause="There are calls that lead to no meeting: neither their numbers nor their hosts are known.",
        proof=(
            f"{len(hearing.calls):,} calls, {len(some):,} to a platform.",
            *([f"In {strange:,} of them a number as of a meeting was entered by keys."] if strange else []),
            *([f"By the calendars, {on:,} meetings were on."] if on else []),
            "They go to " + ", ".join(f"{target} ({count:,})" for target, count in targets.most_common(SHOWN)) + ".",
            _numbers(facts),
        ),
        next_step="If one of these is how people dial in, or is a bridge, tell the policy."
        + ("" if facts.show_people else " `--people` shows the numbers."),
        lines=_ways_in(targets.most_common(1)[0][0] if targets else ""),
    )


def _ways_in(target: str) -> tuple[str, ...]:
    """What the policy would say if this, as it is shown, were the way in."""
    number, _, rest = target.partition(":")[2].partition("@")
    host = rest.partition(";")[0].partition(":")[0]
    return (
        "[site.access_numbers]",
        f'"{number if number.startswith("+") else "+31205550100"}" = "webex"',
        "[site.bridges]",
        f'"{host if host.replace(".", "").isdecimal() else "192.0.2.20"}" = "webex"',
    )


def unanswered(facts: Facts) -> Findings:
    """Calls are made, and none is ever accepted."""
    hearing = facts.hearing
    if (
        hearing is None
        or len(hearing.calls) < FEW_CALLS
        or hearing.answered
        or hearing.refused
        or not hearing.responses
    ):
        return
    yield Finding(
        gravity=DEGRADED,
        cause="No call is ever answered here: nobody is known to have been let in.",
        proof=(f"{len(hearing.calls):,} calls, {hearing.responses:,} answers of SIP, none of them final.",),
        next_step="See whether the answers take another way, or whether this is a scan.",
        lines=("joinwatch decode CAPTURE",),
    )


def _numbers(facts: Facts) -> str:
    lists = facts.lists
    numbers = len(lists.numbers) if lists else 0
    bridges = len(lists.policy.site.bridges) if lists else 0
    return f"Known are {numbers:,} access numbers, {bridges:,} bridges, and the public hosts of every platform."


def _some(addresses: list[str]) -> str:
    more = len(addresses) - SHOWN
    return ", ".join(addresses[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")


CHECKS = (
    Check("only-srtp", secure_media),
    Check("keys-as-tones", no_key_events),
    Check("no-keys", no_keys),
    Check("malformed-sip", malformed),
    Check("unanswered", unanswered),
    Check("no-known-target", nowhere),
    Check("bridges-unseen", bridges_unseen),
    Check("odd-ports", odd_ports),
    Check("unvouched", unvouched),
)
