"""What SIP says of media: session descriptions become announced addresses, and bodies with keys become keys."""

from ipaddress import ip_address

from monitor.decoders.decoder import NOTHING, Decoded, Widen, oddity_of
from monitor.decoders.media import CallMedia, MediaAddresses, Side
from monitor.decoders.multipart import bodies_of
from monitor.decoders.sdp import Media, parse_sdp
from monitor.decoders.sip_call import Call
from monitor.decoders.sip_message import SipMessage
from monitor.model.asks import Ask
from monitor.model.oddities import Malformed
from monitor.model.packets import Packet, source_of

MAX_WIDENED = 512
"""Ports that are asked of the packet filter for redundancy: a filter of thousands would slow down every packet."""


class SipMedia:
    """Tells the media decoders which address belongs to which side of which call."""

    def __init__(self, addresses: MediaAddresses, widen: Widen | None) -> None:
        self._addresses = addresses
        self._widen = widen
        self._widened: set[int] = set()

    def announce(self, call: Call, side: Side, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """Takes the media addresses of an offer or answer; only media that can carry keys is of interest."""
        # Most bodies that come without telephone-event, or once more, need not be read at all.
        if b"telephone-event" not in message.text.lower():
            return NOTHING
        known = call.sdp
        body = hash(message.body)
        if known is None:
            call.sdp = {side: body}
        elif known.get(side) == body:
            return NOTHING
        else:
            known[side] = body
        try:
            for kind, _, description in bodies_of(message):
                if kind == "application/sdp":
                    for media in parse_sdp(description).media:
                        self._take(call, side, media, source_of(packet.flow))
        except Malformed as error:
            return (oddity_of(packet, "sdp", error),)
        return NOTHING

    def forget(self, call: Call) -> None:
        """The call is over."""
        if call.media is not None:
            self._addresses.forget(call.media)
            call.media = None
        call.sdp = None

    def _take(self, call: Call, side: Side, media: Media, sender: bytes) -> None:
        """One media line. SRTP (RFC 3711) is left out: its events cannot be read."""
        if not media.telephone_events or not media.port or media.address is None or "SAVP" in media.protocol.upper():
            return
        ours = call.media
        if ours is None:
            ours = call.media = CallMedia(call.id)
        events = media.telephone_events.keys()
        wraps = frozenset(media.redundancy)
        if any(media.address):
            self._addresses.announce(ours, side, media.address, media.port, events, wraps)
        if media.address != sender and _is_private(media.address):
            # Behind NAT the description names an address that no packet has; the sender's own is the best guess.
            self._addresses.announce(ours, side, sender, media.port, events, wraps)
        if wraps:
            self._ask_for(media.port)

    def _ask_for(self, port: int) -> None:
        """The filter looks for 4 bytes of payload, and an event in redundancy is longer."""
        if self._widen is not None and port not in self._widened and len(self._widened) < MAX_WIDENED:
            self._widened.add(port)
            self._widen(Ask(protocol="rtp", udp_ports=(port,)))


def _is_private(address: bytes) -> bool:
    ip = ip_address(address)
    return ip.is_private or ip.is_unspecified
