"""What a SIP message says of the offer of its call: an INVITE all of it, any later message some."""

from monitor.decoders.decoder import oddity_of
from monitor.decoders.sip_claims import claims_of, party_in, session_of, taken_over_by, uri_of
from monitor.decoders.sip_head import Head
from monitor.decoders.sip_message import SipMessage
from monitor.model.calls import CallOffered, Claims
from monitor.model.meetings import Method
from monitor.model.oddities import Malformed, Oddity, Reason
from monitor.model.packets import Packet, destination_of, evidence_of, source_of, text_of


def offered_in(message: SipMessage, head: Head, packet: Packet, *, partial: bool = False) -> CallOffered:
    """The offer as the INVITE states it; in part, when it is a later INVITE of a call whose first one was not seen."""
    source = text_of(source_of(packet.flow))
    return CallOffered(
        at=packet.at,
        evidence=evidence_of(packet),
        call=message.call_id,
        method=Method.SIP,
        target=message.target,
        addressed_to=uri_of(head.first("to")),
        caller=claims_of(head, "from", source),
        sent_to=text_of(destination_of(packet.flow)),
        session="" if head.plain else session_of(head),
        replaces="" if head.plain else taken_over_by(head),
        partial=partial,
    )


def offered_behind(message: SipMessage, target: str, to: str, packet: Packet) -> CallOffered:
    """The offer of which only an answer is here: without what the network asserts of the caller."""
    display, uri = party_in(message.first("from"))
    return CallOffered(
        at=packet.at,
        evidence=evidence_of(packet),
        call=message.call_id,
        method=Method.SIP,
        target=target,
        addressed_to=to,
        caller=Claims(uri=uri, display=display, sent_from=text_of(destination_of(packet.flow))),
        sent_to=text_of(source_of(packet.flow)),
        partial=True,
    )


def call_id_of(message: SipMessage) -> str:
    """The Call-ID, without which a message belongs to nothing."""
    call_id = message.call_id
    if not call_id:
        raise Malformed(Reason.MISSING, 0, "no Call-ID")
    return call_id


def number_of(message: SipMessage) -> int:
    """The number of CSeq; 0 when it is broken, for a request can be understood without."""
    try:
        return message.cseq[0]
    except Malformed:
        return 0


def broken_in(message: SipMessage, head: Head, packet: Packet) -> tuple[Oddity, ...]:
    """What is wrong with a request and matters to its call; `SipMessage.problems` knows much more, at its price."""
    found: list[Malformed] = []
    try:
        if message.cseq[1] != message.method:
            found.append(Malformed(Reason.CONFLICT, 0, "CSeq names another method"))
    except Malformed as error:
        found.append(error)
    if message.version != "2.0":
        found.append(Malformed(Reason.UNSUPPORTED, 0, "a version of SIP that is not 2.0"))
    length = head.first("content-length")
    there = len(message.text) - message.text.find(b"\r\n\r\n") - 4
    if length.isascii() and length.isdigit() and len(length) < 10 and int(length) > there:
        found.append(Malformed(Reason.BAD_LENGTH, message.body_at, "Content-Length is larger than the body"))
    return tuple(oddity_of(packet, "sip", error) for error in found) if found else ()
