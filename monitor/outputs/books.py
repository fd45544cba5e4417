"""The books of a run on the page: where the frames went, what they were wrapped in, and what is known to be missing."""

from typing import TYPE_CHECKING

from monitor.outputs.words import many, name

if TYPE_CHECKING:
    from monitor.model.summary import Summary
    from monitor.outputs.page import Page

CLASSES = {
    "decoded": "decoded",
    "copies": "copies made by the mirror",
    "joined": "parts of packets in fragments",
    "silent": "TCP without content",
    "repeated": "TCP sent again or late",
    "undecoded": "known to no decoder",
    "malformed": "malformed",
    "encrypted": "encrypted as a whole",
    "incomplete": "fragments without their rest",
    "passed_over": "passed over, since no decoder asks for such",
    "unreadable": "of a link type that is not read",
}
"""Each class of frames, in the order of the page."""
ENVELOPES = {
    "8021br": "802.1BR",
    "arista": "Arista timestamp",
    "erspan": "ERSPAN",
    "fabricpath": "FabricPath",
    "geneve": "GENEVE",
    "gre": "GRE",
    "gtp": "GTP-U",
    "hdlc": "Cisco HDLC",
    "hep": "HEP",
    "hp_erm": "HP ERM",
    "ip_in_ip": "IP in IP",
    "linux_cooked": "Linux cooked",
    "loopback": "loopback",
    "mac_in_mac": "MAC in MAC",
    "macsec": "MACsec",
    "mpls": "MPLS",
    "nsh": "NSH",
    "ppp": "PPP",
    "pppoe": "PPPoE",
    "qinq": "QinQ",
    "raw_ip": "raw IP",
    "trustsec": "TrustSec",
    "tzsp": "TZSP",
    "vlan": "VLAN",
    "vn_tag": "VN-Tag",
    "vxlan": "VXLAN",
    "wifi": "802.11",
}
"""What people call an envelope; one that is not here keeps its own name."""


def book_lines(page: "Page", summary: "Summary", *, interrupted: bool = False) -> None:
    """Frames by class, envelopes, and what is missing, in a line each."""
    accounts = summary.accounts
    if not accounts.frames:
        return
    page.hanging("Frames: ", _sum(summary, interrupted) + ".")
    found = [f"{ENVELOPES.get(which, name(which))} {count:,}" for which, count in summary.envelopes.items() if count]
    if found:
        page.hanging("Around them: ", ", ".join(found) + ".")
    missing = _missing(summary)
    page.hanging("Missing: ", (", ".join(missing) if missing else "nothing, as far as can be known") + ".")


def _sum(summary: "Summary", interrupted: bool) -> str:
    accounts = summary.accounts
    parts = [f"{count:,} {words}" for which, words in CLASSES.items() if (count := getattr(accounts, which))]
    if accounts.open:
        # Without an interruption there are none, and if there are, nobody shall be told otherwise.
        why = "in hand when it was interrupted" if interrupted else "not accounted for, which is a fault of joinwatch"
        parts.append(f"{accounts.open:,} {why}")
    reported = f" and {many(accounts.reported, 'message')} reported by agents" if accounts.reported else ""
    return f"{accounts.frames:,}{reported} = {' + '.join(parts)}"


def _missing(summary: "Summary") -> list[str]:
    losses = summary.losses
    parts = []
    if losses.stream_gaps:
        parts.append(f"{many(losses.stream_gap_bytes, 'byte')} in {many(losses.stream_gaps, 'gap')} of TCP streams")
    if losses.missed_packets:
        parts.append(f"{many(losses.missed_packets, 'packet')} between others that count")
    if losses.cut_frames:
        parts.append(f"the ends of {many(losses.cut_frames, 'frame')}, cut by the snap length")
    if losses.dropped_by_system:
        parts.append(f"{many(losses.dropped_by_system, 'frame')} that the capturing system dropped")
    if losses.dropped_by_interface:
        parts.append(f"{many(losses.dropped_by_interface, 'frame')} that its interface dropped")
    if losses.damaged_places:
        parts.append(f"what stood at {many(losses.damaged_places, 'damaged place')}")
    return parts
