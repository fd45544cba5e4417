"""What SIP says of media: session descriptions become announced addresses, and bodies with keys become keys."""

from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from monitor.decoders.decoder import NOTHING, Decoded, Widen, oddity_of
from monitor.decoders.media import NO_TYPES, CallMedia, MediaAddresses, Side
from monitor.decoders.multipart import bodies_of
from monitor.decoders.sdp import Media, parse_sdp
from monitor.decoders.sip_call import ANSWERED, OVER, Call
from monitor.decoders.sip_message import SipMessage
from monitor.model.asks import Ask
from monitor.model.oddities import Malformed
from monitor.model.packets import Packet, source_of

MAX_WIDENED = 512
"""Ports that are asked of the packet filter for redundancy: a filter of thousands would slow down every packet."""

MAX_UNREAD_BYTES = 1024 * 1024
"""Of descriptions that wait to be read: some 4,000 as telephones send them."""

MAX_ADDRESS = len("255.255.255.255")

MIN_UNREAD = 64
"""So many may wait before those of calls that are over are looked for; then twice as many as are left."""

_NOWHERE: Final = bytes(4)
"""How RFC 2543 puts a call on hold."""

_ZERO: Final = ord("0")
_WHOLLY_PRIVATE: Final = frozenset({0, 10, 127, *range(240, 256)})
_PARTLY_PRIVATE: Final = frozenset({169, 172, 192, 198, 203})
"""First bytes of IPv4 addresses that no router of the Internet knows: all, or some of them (RFC 6890)."""
_EVENT: Final = b" telephone-event"
_INDENTED: Final = (b"\n ", b"\n\t", b"\n\r", b"\n\0")
"""Lines whose kind `parse_sdp` finds behind what does not belong there."""
_UNUSUAL: Final = (b"\na=crypto:", b"\na=fingerprint:", b"\na=key-mgmt:", b" red/", *_INDENTED)


class SipMedia:
    """Tells the media decoders which address belongs to which side of which call."""

    def __init__(self, addresses: MediaAddresses, widen: Widen | None) -> None:
        self._addresses = addresses
        self._widen = widen
        self._widened: set[int] = set()
        self._unread: list[tuple[Call, Side, bytes, bytes]] = []
        self._unread_bytes = 0
        self._crowded = MIN_UNREAD
        addresses.readers.append(self.read)

    def announce(self, call: Call, side: Side, message: SipMessage, packet: Packet) -> tuple[Decoded, ...]:
        """Takes the media addresses of an offer or answer; only media that can carry keys is of interest."""
        text = message.text
        at = text.find(b"\r\n\r\nv=0\r\n")
        body = text[at + 2 :].lower() if at > 0 else message.body.lower()
        # Most messages have no description, or none with telephone-events, and need not be read any further.
        if b"telephone-event" not in body:
            return NOTHING
        name = hash(body)
        if side == "caller":
            if call.offer == name:
                return NOTHING
            call.offer = name
        else:
            if call.reply == name:
                return NOTHING
            call.reply = name
        sender = source_of(packet.flow)
        if at > 0 and b"\n--" not in body and b" red/" not in body:
            # A plain description waits until somebody asks: in most calls nobody presses a key.
            self._unread.append((call, side, body, sender))
            self._unread_bytes += len(body)
            if self._unread_bytes >= MAX_UNREAD_BYTES:
                self.read()
            elif len(self._unread) > self._crowded:
                self._forget_unread()
            return NOTHING
        self.read()
        try:
            for kind, _, description in bodies_of(message):
                if kind == "application/sdp":
                    self._take_all(call, side, parse_sdp(description).media, sender)
        except Malformed as error:
            return (oddity_of(packet, "sdp", error),)
        return NOTHING

    def read(self) -> None:
        """Reads the descriptions that wait, in the order in which they came."""
        if self._unread:
            unread, self._unread, self._unread_bytes = self._unread, [], 0
            for call, side, body, sender in unread:
                if call.state is not OVER:
                    if (usual := usual_media(body)) is not None:
                        self._take(call, side, *usual, NO_TYPES, sender)
                    else:
                        self._take_all(call, side, parse_sdp(body).media, sender)

    def _forget_unread(self) -> None:
        """Nobody will ask for descriptions of calls that are over, and they hold their calls."""
        self._unread = [one for one in self._unread if one[0].state is not OVER]
        self._unread_bytes = sum(len(body) for _, _, body, _ in self._unread)
        self._crowded = 2 * len(self._unread) + MIN_UNREAD

    def forget(self, call: Call) -> None:
        """The call is over, or must be forgotten as if it were."""
        call.state = OVER
        if call.media is not None:
            self._addresses.forget(call.media)
            call.media = None

    def _take_all(self, call: Call, side: Side, lines: tuple[Media, ...], sender: bytes) -> None:
        """The media lines that can carry keys. SRTP (RFC 3711) is left out: its events cannot be read."""
        for media in lines:
            if media.telephone_events and media.port and media.address and not media.secure:
                wraps = frozenset(media.redundancy)
                self._take(call, side, media.address, media.port, _shared(tuple(media.telephone_events)), wraps, sender)
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
            ours.is_answered = call.state is ANSWERED
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


def places_of(message: SipMessage, packet: Packet) -> tuple[bytes, ...] | None:
    """The addresses and ports at which whoever sent this message wants its keys; none when that takes a closer look."""
    body = message.body.lower()
    if b"telephone-event" not in body:
        return ()
    usual = usual_media(body)
    if usual is None:
        return None
    address, port = usual[0], usual[1].to_bytes(2, "big")
    sender = source_of(packet.flow)
    return (address + port,) if address == sender or not _is_private(address) else (address + port, sender + port)


def usual_media(body: bytes) -> tuple[bytes, int, frozenset[int]] | None:
    """Address, port and event types of a description with one media line of plain audio; none for any other.

    Takes a description in lower case. Says the same as `parse_sdp` for what nearly all telephones send, in a tenth of
    its time.
    """
    media, line = body.find(b"\nm=audio "), body.find(b"\nc=in ip4 ")
    if media < 0 or line < 0 or body.find(b"\nm=", media + 1) > 0 or body.find(b"\nc=", line + 1) > 0:
        return None
    if not body.startswith((b"\r\nv=", b"v=")):
        return None
    if body.find(b"\nm=", 0, media) >= 0 or body.find(b"\nc=", 0, line) >= 0 or body.find(_EVENT, 0, media) >= 0:
        return None  # The address, or the type, may be of another media line, or of none.
    words = body[media + 9 : body.find(b"\r\n", media)].split(b" ", 2)
    if len(words) < 3 or words[1] != b"rtp/avp" or any(map(body.__contains__, _UNUSUAL)):
        return None
    place = body[line + 10 : body.find(b"\r\n", line)]
    address = _packed(place) if len(place) <= MAX_ADDRESS else None
    port = int(words[0]) if words[0].isdigit() and len(words[0]) <= 5 else 0
    events = _event_types(body)
    return (address, port, events) if address is not None and events and 0 < port < 65536 else None


def _event_types(body: bytes) -> frozenset[int] | None:
    """The numbers in all `a=rtpmap:101 telephone-event/…`; none when one of them is written otherwise."""
    types: list[int] = []
    at = body.find(_EVENT)
    while at >= 0:
        number = body[body.rfind(b"\n", 0, at) : at]
        digits = number[10:]
        if not number.startswith(b"\na=rtpmap:") or not digits.isdigit() or len(digits) > 3 or int(digits) > 127:
            return None
        if body[at + len(_EVENT) : at + len(_EVENT) + 1] != b"/":
            return None
        types.append(int(digits))
        at = body.find(_EVENT, at + 1)
    return _shared(tuple(types))


_shared: Final = lru_cache(maxsize=256)(frozenset[int])  # Nearly all calls have the same few.


@lru_cache(maxsize=4096)
def _packed(text: bytes) -> bytes | None:
    """An IPv4 address as it stands in `c=`, without the multicast `/ttl`."""
    octets = text.split(b".", 4)
    if len(octets) != 4:
        return None
    for octet in octets:
        if not octet.isdigit() or len(octet) > 3 or (octet[0] == _ZERO and len(octet) > 1):
            return None
    numbers = [int(octet) for octet in octets]
    return bytes(numbers) if max(numbers) < 256 else None


def _is_private(address: bytes) -> bool:
    first = address[0]
    if len(address) == 4 and first not in _PARTLY_PRIVATE:
        return first in _WHOLLY_PRIVATE
    return _is_in_private_network(address)


@lru_cache(maxsize=4096)
def _is_in_private_network(address: bytes) -> bool:
    ip = ip_address(address)
    return ip.is_private or ip.is_unspecified
