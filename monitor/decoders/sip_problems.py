"""What is wrong with a SIP message, by the grammar and the rules of RFC 3261: a judge, not a reader."""

from typing import TYPE_CHECKING

from monitor.model.oddities import Malformed, Reason

if TYPE_CHECKING:
    from monitor.decoders.sip_message import SipMessage


def problems_of(message: "SipMessage") -> list[Malformed]:
    """Everything that RFC 3261 forbids and this message does."""
    return [] if message.version == "2.0" else [Malformed(Reason.UNSUPPORTED, 0, "version of SIP")]
