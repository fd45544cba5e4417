"""An alert's frames as somebody else reads them: tshark's dissection, or where it is absent the few fields we can read.

Of each frame only fields of a list are kept, so that no body, key, PIN or token is among them; what is kept is
masked once more. Nothing here runs while packets are judged.
"""

import asyncio
import gzip
import logging
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

import msgspec

from monitor.outputs.keys import key_words
from monitor.outputs.safe import masked

MAX_FRAMES = 24
"""Frames of one capture that are opened: more than anybody compares."""
MAX_FIELDS = 40
"""Lines of one layer."""
SECONDS = 60.0
"""What tshark may take for one capture; it reads about 70,000 packets a second."""
MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""Of tshark's answer for some dozen frames."""

OPTIONS = ("-n", "--enable-heuristic", "rtp_udp")
"""No name is looked up, and RTP is known for what it is also where no signalling told of it."""

Field: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Layer:
    """One protocol of a frame: `sip`, and the fields of it that may be shown."""

    name: str
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Dissected:
    """One frame, read."""

    number: int
    layers: tuple[Layer, ...]


@dataclass(slots=True)
class Reading:
    """What became of reading some frames: by whom, and what went wrong before."""

    by: str = ""
    frames: list[Dissected] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)


_SIP = (
    "Request-Line",
    "Status-Line",
    "Via",
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Contact",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Remote-Party-ID",
    "Privacy",
    "Diversion",
    "History-Info",
    "Refer-To",
    "Referred-By",
    "Replaces",
    "Join",
    "Session-ID",
    "Event",
    "Subscription-State",
    "Reason",
    "User-Agent",
    "Server",
    "Content-Type",
    "Content-Length",
)
_SDP = {"sdp.connection_info": "connection", "sdp.media": "media", "sdp.media_attribute_field": "attribute"}
"""Of a session description, which tshark puts inside the message; of attributes only their names: keys are values."""
SHOWN: Mapping[str, Mapping[str, str]] = {
    "frame": {"frame.time_epoch": "time", "frame.len": "bytes on the wire", "frame.cap_len": "bytes captured"},
    "vlan": {"vlan.id": "VLAN"},
    "ip": {"ip.src": "from", "ip.dst": "to", "ip.ttl": "time to live"},
    "ipv6": {"ipv6.src": "from", "ipv6.dst": "to", "ipv6.hlim": "hop limit"},
    "udp": {"udp.srcport": "from port", "udp.dstport": "to port"},
    "tcp": {"tcp.srcport": "from port", "tcp.dstport": "to port", "tcp.seq_raw": "sequence number"},
    "sip": {f"sip.{header}": header for header in _SIP} | _SDP,
    "rtp": {
        "rtp.ssrc": "SSRC",
        "rtp.seq": "sequence number",
        "rtp.timestamp": "timestamp",
        "rtp.p_type": "payload type",
    },
    "rtpevent": {"rtpevent.end_of_event": "end", "rtpevent.duration": "duration"},  # which key: see `key_words`
    "h225": {"h225.h323_message_body": "message"},
    "q931": {"q931.message_type": "message type", "q931.disc": "protocol"},
    "isup": {"isup.message_type": "message type"},
}
"""The fields that may be seen, and what they are called here. A telephone-event's digit is not among them."""


def read_frames(capture: Path, numbers: Iterable[int], *, tshark: str | None = None) -> Reading:
    """These frames of the capture, read by the best reader that works."""
    wanted = sorted({number for number in numbers if 0 < number < 2**53})[:MAX_FRAMES]
    reading = Reading()
    tshark = shutil.which("tshark") if tshark is None else tshark
    if tshark:
        for by, read in ((f"tshark ({tshark}) through pyshark", _by_pyshark), (f"tshark ({tshark})", _by_tshark)):
            try:
                reading.frames = read(capture, wanted, tshark)
            except TimeoutError:
                reading.trouble.append(f"tshark took longer than {SECONDS:.0f} s")
                break
            except Exception as error:
                reading.trouble.append(f"{by} failed: {type(error).__name__}")
                continue
            if reading.frames:
                reading.by = by
                return reading
    else:
        reading.trouble.append("tshark is not installed, so these are the few fields that joinwatch reads itself")
    try:
        reading.frames = _by_scapy(capture, wanted)
    except Exception as error:
        reading.trouble.append(f"the capture cannot be opened: {type(error).__name__}")
    reading.by = "joinwatch"
    return reading


def _filter_of(numbers: Sequence[int]) -> str:
    """A display filter that every version of Wireshark reads alike."""
    return " || ".join(f"frame.number == {number}" for number in numbers)


def _kept(layer: str, fields: Iterable[tuple[str, str]]) -> Layer:
    """The fields of a layer that may be shown, masked."""
    names = SHOWN.get(layer, {})
    fields = list(fields)
    kept = [(names[key], masked(value[:1024])) for key, value in fields if key in names]
    if layer == "rtpevent":
        kept.insert(0, ("", key_words(dict(fields).get("rtpevent.event_id", ""))))
    return Layer(layer, tuple(dict.fromkeys(kept))[:MAX_FIELDS])


def _by_pyshark(capture: Path, numbers: Sequence[int], tshark: str) -> list[Dissected]:
    """Through pyshark, with an event loop of our own: since Python 3.14 there is none to find."""
    import pyshark
    from pyshark.capture.capture import TSharkCrashException

    # asyncio warns of a race between its own watcher and pyshark's closing, which harms nobody.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    packets = pyshark.FileCapture(
        str(capture.absolute()),
        display_filter=_filter_of(numbers),
        tshark_path=tshark,
        custom_parameters=[*OPTIONS, "-c", str(numbers[-1])],
        eventloop=loop,
    )
    try:
        try:
            packets.load_packets(timeout=SECONDS)
        except TSharkCrashException:
            # Before Python 3.12 asyncio may lose the exit code of a process that ended well; what came, came.
            if len(packets) < len(numbers):
                raise
        else:
            if not packets.loaded:
                raise TimeoutError
        return [_of_pyshark(packets[index]) for index in range(len(packets))]
    finally:
        with suppress(TSharkCrashException):
            packets.close()
        # Whatever close() has left: pyshark's __del__ would want to end it in a loop that is closed by then.
        packets._running_processes.clear()  # noqa: SLF001 - pyshark has no other way.
        loop.close()


def _of_pyshark(packet: Any) -> Dissected:
    layers = [_kept("frame", _fields_of(packet.frame_info))]
    layers += [_kept(str(layer.layer_name).lower(), _fields_of(layer)) for layer in packet.layers]
    return Dissected(int(packet.number), tuple(layers))


def _fields_of(layer: Any) -> Iterable[tuple[str, str]]:
    """Every field of a layer, as tshark names it, with its value."""
    for container in layer._all_fields.values():  # noqa: SLF001 - pyshark has no other way to the full names.
        for one in container.all_fields:
            yield str(one.name), str(one.show or "")


def _by_tshark(capture: Path, numbers: Sequence[int], tshark: str) -> list[Dissected]:
    """From tshark's own JSON."""
    command = [tshark, *OPTIONS, "-r", str(capture.absolute()), "-c", str(numbers[-1]), "-Y", _filter_of(numbers)]
    command += ["-T", "json", "--no-duplicate-keys"]
    try:
        ran = subprocess.run(command, capture_output=True, check=False, timeout=SECONDS)  # noqa: S603 - no shell
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    if len(ran.stdout) > MAX_ANSWER_BYTES:
        raise ValueError("too long an answer")
    found = []
    for packet in msgspec.json.decode(ran.stdout):
        layers = packet["_source"]["layers"]
        read = [_kept(name.lower(), _leaves(layers[name])) for name in layers]
        found.append(Dissected(int(layers["frame"]["frame.number"]), tuple(read)))
    return found


def _leaves(tree: object) -> Iterable[tuple[str, str]]:
    """Every field below this one that has a value."""
    waiting: list[tuple[str, object]] = [("", tree)]
    while waiting:
        key, value = waiting.pop(0)
        if isinstance(value, dict):
            waiting[:0] = value.items()
        elif isinstance(value, list):
            waiting[:0] = [(key, one) for one in value]
        else:
            yield key, str(value)


def _by_scapy(capture: Path, numbers: Sequence[int]) -> list[Dissected]:
    """By our own means: addresses, ports, a SIP message's headers, an RTP header."""
    from scapy.utils import RawPcapReader

    wanted, last, found = set(numbers), numbers[-1] if numbers else 0, []
    # Scapy leaves a file open that it cannot read, so it is given an open one.
    with _opened(capture) as file, RawPcapReader(cast("str", file)) as reader:
        for number, (raw, seen) in enumerate(reader, start=1):
            if number in wanted:
                link = getattr(seen, "linktype", getattr(reader, "linktype", 1))
                found.append(Dissected(number, (_about(raw, seen, reader), *_layers_of(raw, link))))
            if number >= last:
                break
    return found


def _opened(capture: Path) -> BinaryIO:
    """The bytes of a capture, compressed or not."""
    with capture.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return cast("BinaryIO", gzip.open(capture)) if compressed else capture.open("rb")


def _about(raw: bytes, seen: Any, reader: Any) -> Layer:
    """When the frame came and how long it is, of either kind of capture."""
    if hasattr(seen, "tsresol"):
        ticks, resolution = (seen.tshigh << 32) + seen.tslow, seen.tsresol or 1_000_000
    else:
        resolution = 1_000_000_000 if getattr(reader, "nano", False) else 1_000_000
        ticks = seen.sec * resolution + seen.usec
    microseconds = ticks * 1_000_000 // resolution
    at = f"{microseconds // 1_000_000}.{microseconds % 1_000_000:06d}"
    return Layer("frame", (("time", at), ("bytes on the wire", str(seen.wirelen)), ("bytes captured", str(len(raw)))))


def _layers_of(raw: bytes, link: Any) -> Iterable[Layer]:
    from scapy.config import conf
    from scapy.layers import inet6, l2, ppp, vxlan  # noqa: F401 - importing them teaches scapy these protocols.
    from scapy.layers.inet import IP, TCP, UDP
    from scapy.packet import Raw

    link_layer: Any = conf.l2types.get(link, Raw)
    packet = link_layer(raw)
    # The innermost, for a mirror may come in a tunnel.
    inner = max((packet.getlayer(ip, nb) for ip in (IP, inet6.IPv6) for nb in (1, 2, 3)), key=_depth)
    if inner is None:
        return
    yield Layer("ip", (("from", str(inner.src)), ("to", str(inner.dst))))
    for transport, name in ((UDP, "udp"), (TCP, "tcp")):
        if transport in inner:
            part = inner[transport]
            yield Layer(name, (("from port", str(part.sport)), ("to port", str(part.dport))))
            # What follows a datagram in its frame is padding.
            payload = bytes(part.payload)
            yield from _payload(payload[: max((part.len or 8) - 8, 0)] if transport is UDP else payload)
            return


def _depth(layer: Any) -> int:
    """The fewer bytes are left, the deeper; none at all is no layer."""
    return -len(layer) if layer is not None else -(2**32)


def _payload(payload: bytes) -> Iterable[Layer]:
    """What stands in a datagram or segment, where it is a SIP message or RTP."""
    head = payload[:64].split(b"\r\n", 1)[0]
    if head.startswith(b"SIP/2.0 ") or b" SIP/2.0" in payload[:1024].split(b"\r\n", 1)[0]:
        yield _sip(payload)
    elif len(payload) >= 12 and payload[0] >> 6 == 2:
        kind, seq = payload[1] & 0x7F, int.from_bytes(payload[2:4], "big")
        fields: tuple[Field, ...] = (("payload type", str(kind)), ("sequence number", str(seq)))
        if len(payload) == 16:
            fields = (*fields, ("", f"as long as a {key_words(str(payload[12]))}"))
        yield Layer("rtp", fields)


def _sip(payload: bytes) -> Layer:
    """Start line and the headers that may be shown; never the body."""
    lines = payload[:65536].split(b"\r\n\r\n", 1)[0].decode("utf-8", "backslashreplace").split("\r\n")
    allowed = {header.lower(): header for header in _SIP}
    start = "Status-Line" if lines[0].startswith("SIP/2.0 ") else "Request-Line"
    found = [(start, masked(lines[0][:1024]))]
    for line in lines[1:200]:
        name, _, value = line.partition(":")
        header = allowed.get(name.strip().lower()) or _COMPACT.get(name.strip().lower())
        if header:
            found.append((header, masked(value.strip()[:1024])))
    return Layer("sip", tuple(found)[:MAX_FIELDS])


_COMPACT = {
    "v": "Via",
    "f": "From",
    "t": "To",
    "i": "Call-ID",
    "m": "Contact",
    "r": "Refer-To",
    "b": "Referred-By",
    "o": "Event",
    "c": "Content-Type",
    "l": "Content-Length",
}
"""One-letter header names (RFC 3261, 7.3.3, and the registry)."""
