"""What SIP says of media: session descriptions become announced addresses, and bodies with keys become keys."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, ip_address
from typing import Final

from monitor.decoders.decoder import NOTHING, Decoded, Widen, oddity_of
from monitor.decoders.media import NO_TYPES, CallMedia, MediaAddresses, Side
from monitor.decoders.multipart import bodies_of
from monitor.decoders.sdp import Media, parse_sdp
from monitor.decoders.sip_call import Call
from monitor.decoders.sip_message import SipMessage
from monitor.model.asks import Ask
from monitor.model.oddities import Malformed
from monitor.model.packets import Packet, source_of

MAX_WIDENED = 512
"""Ports that are asked of the packet filter for redundancy: a filter of thousands would slow down every packet."""

_NOWHERE: Final = bytes(4)
"""How RFC 2543 puts a call on hold."""

_EVENT_TYPES: Final = re.compile(rb"\na=rtpmap:([0-9]{1,2}|1[01][0-9]|12[0-7]) telephone-event/", re.IGNORECASE).findall
_UNUSUAL: Final = re.compile(rb"\na=(?:crypto|fingerprint|key-mgmt|rtpmap:[0-9]+ +red/)", re.IGNORECASE).search


class SipMedia:
    """Tells the media decoders which address belongs to which side of which call."""

    def __init__(self, addresses: MediaAddresses, widen: Widen | None) -> None:
        self._addresses = addresses
        self._widen = widen
        self._widened: set[int] = set()

    def announce(self, call: Call, side: Side, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """Takes the media addresses of an offer or answer; only media that can carry keys is of interest."""
        text = message.text
        # Most messages have no description, or none with telephone-events, and need not be read at all.
        if b"telephone-event" not in text and b"telephone-event" not in text.lower():
            return NOTHING
        at = text.find(b"\r\n\r\nv=0\r\n")
        body = text[at + 4 :] if at > 0 else message.body
        known = call.sdp
        name = hash(body)
        if known is None:
            call.sdp = {side: name}
        elif known.get(side) == name:
            return NOTHING
        else:
            known[side] = name
        sender = source_of(packet.flow)
        if at > 0 and (usual := usual_media(body)) is not None:
            self._take(call, side, *usual, NO_TYPES, sender)
            return NOTHING
        try:
            for kind, _, description in bodies_of(message):
                if kind == "application/sdp":
                    self._take_all(call, side, parse_sdp(description).media, sender)
        except Malformed as error:
            return (oddity_of(packet, "sdp", error),)
        return NOTHING

    def forget(self, call: Call) -> None:
        """The call is over."""
        if call.media is not None:
            self._addresses.forget(call.media)
            call.media = None
        call.sdp = None

    def _take_all(self, call: Call, side: Side, lines: tuple[Media, ...], sender: bytes) -> None:
        """The media lines that can carry keys. SRTP (RFC 3711) is left out: its events cannot be read."""
        for media in lines:
            if media.telephone_events and media.port and media.address and not media.secure:
                wraps = frozenset(media.redundancy)
                self._take(call, side, media.address, media.port, frozenset(media.telephone_events), wraps, sender)
                if wraps:
                    self._ask_for(media.port)

    def _take(
        self,
        call: Call,
        side: Side,
        address: bytes,
        port: int,
        events: frozenset[int],
        wraps: frozenset[int],
        sender: bytes,
    ) -> None:
        ours = call.media
        if ours is None:
            ours = call.media = CallMedia(call.id)
        if address != _NOWHERE:
            self._addresses.announce(ours, side, address, port, events, wraps)
        if address != sender and _is_private(address):
            # Behind NAT the description names an address that no packet has; the sender's own is the best guess.
            self._addresses.announce(ours, side, sender, port, events, wraps)

    def _ask_for(self, port: int) -> None:
        """The filter looks for 4 bytes of payload, and an event in redundancy is longer."""
        if self._widen is not None and port not in self._widened and len(self._widened) < MAX_WIDENED:
            self._widened.add(port)
            self._widen(Ask(protocol="rtp", udp_ports=(port,)))


def usual_media(body: bytes) -> tuple[bytes, int, frozenset[int]] | None:
    """Address, port and event types of a description with one media line of plain audio; none for any other.

    Says the same as `parse_sdp` for what nearly all telephones send, in a tenth of its time.
    """
    media, line = body.find(b"\nm=audio "), body.find(b"\nc=IN IP4 ")
    if media < 0 or line < 0 or body.find(b"\nm=", media + 1) > 0 or body.find(b"\nc=", line + 1) > 0:
        return None
    words = body[media + 9 : body.find(b"\r\n", media)].split(b" ", 2)
    if len(words) < 3 or words[1] != b"RTP/AVP":
        return None
    address = _packed(body[line + 10 : body.find(b"\r\n", line)])
    port = int(words[0]) if words[0].isdigit() and len(words[0]) <= 5 else 0
    if address is None or not 0 < port < 65536 or _UNUSUAL(body) is not None:
        return None
    return address, port, frozenset(map(int, _EVENT_TYPES(body)))


@lru_cache(maxsize=4096)
def _packed(text: bytes) -> bytes | None:
    """An IPv4 address as it stands in `c=`, without the multicast `/ttl`."""
    try:
        return IPv4Address(text.decode("ascii")).packed
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _is_private(address: bytes) -> bool:
    ip = ip_address(address)
    return ip.is_private or ip.is_unspecified
