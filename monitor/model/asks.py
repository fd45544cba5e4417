"""What a decoder asks of the packet filter: enough to make a BPF program, and nothing of its syntax."""

import msgspec


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """The packets that one protocol needs. Any line that fits lets a packet through."""

    protocol: str
    udp_ports: tuple[int, ...] = ()
    """Either end."""
    tcp_ports: tuple[int, ...] = ()
    """Either end; every segment, so that streams are whole."""
    udp_heads: tuple[bytes, ...] = ()
    """First 4 bytes of a datagram's payload, on any port."""
    tcp_heads: tuple[bytes, ...] = ()
    """First 4 bytes of a segment's payload, on any port; the flow's ports are then asked for as a whole."""
    rtp_payload_bytes: tuple[int, ...] = ()
    """RTP on any port whose payload (after CSRC list and header extension) has one of these lengths."""
