"""A listener for capture agents: real sockets on the loopback, and what comes of what is sent to them."""

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from select import select

import pytest

from monitor.model.oddities import Oddity
from monitor.model.packets import Datagram, Frame
from monitor.model.problems import ConfigError
from monitor.sources import hep
from monitor.sources.hep import COUNTS, MAX_MESSAGE, MESSAGE_SECONDS, HepListener, Listening
from monitor.wire import Wire
from pcaps.generator.hep import message
from pcaps.generator.wire import Host
from tests.corpus import ROOT

SIP = b"OPTIONS sip:a@example.org SIP/2.0\r\nContent-Length: 0\r\n\r\n"
ONE, TWO = Host("203.0.113.1"), Host("203.0.113.2")
NOW = 1_700_000_000 * 10**9
MESSAGE = message(SIP, ONE, TWO, at=NOW)
PATIENCE = 5.0
"""Seconds that the kernel may take to carry a few bytes from one socket to another."""

six = pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")


class Stopwatch:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@contextmanager
def listener(
    address: str = "127.0.0.1", *senders: str, watch: Callable[[], float] | None = None
) -> Iterator[HepListener]:
    listening = Listening(address=address, port=0, senders=senders or (address,))
    with HepListener(listening, now=lambda: NOW, seconds=watch or Stopwatch()) as opened:
        yield opened


@contextmanager
def agent(heard: HepListener, address: str = "127.0.0.1", kind: int = socket.SOCK_STREAM) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as mine:
        mine.connect((address, heard.port))
        yield mine


def until(heard: HepListener, enough: Callable[[list[Frame]], bool]) -> list[Frame]:
    """Polls until there is enough, with a limit to the number of polls, each of which waits for the kernel."""
    frames: list[Frame] = []
    for _ in range(50):
        if enough(frames):
            break
        frames += heard.poll(PATIENCE / 50)
    return frames


def counted(heard: HepListener, name: str, times: int = 1) -> Callable[[list[Frame]], bool]:
    return lambda _: heard.counts[name] >= times


def said_in(frames: list[Frame], *senders: str) -> list[Datagram | Oddity]:
    wire = Wire(hep_senders=senders or None)
    return [packet for frame in frames for packet in wire.feed(frame) if isinstance(packet, Datagram | Oddity)]


@pytest.mark.parametrize("address", ["127.0.0.1", pytest.param("::1", marks=six)])
@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["UDP", "TCP"])
def test_what_an_agent_sends_is_a_frame_that_wire_can_open(address: str, kind: int) -> None:
    with listener(address) as heard, agent(heard, address, kind) as mine:
        mine.sendall(MESSAGE)
        frames = until(heard, counted(heard, "hep_received"))
    assert [(frame.at, frame.capture, frame.number) for frame in frames] == [(NOW, "hep", 1)]
    (told,) = said_in(frames, address)
    assert isinstance(told, Datagram)
    assert (told.payload, told.reported_by) == (SIP, address)


def test_a_frame_is_an_ip_packet_for_every_tool() -> None:
    from scapy.layers.inet import IP, UDP

    with listener() as heard, agent(heard, kind=socket.SOCK_DGRAM) as mine:
        mine.sendall(MESSAGE)
        (frame,) = until(heard, counted(heard, "hep_received"))
        packet = IP(frame.data)
        assert (frame.link, packet.src, packet[UDP].sport) == (228, "127.0.0.1", mine.getsockname()[1])
        assert (packet.dst, packet[UDP].dport) == ("127.0.0.1", heard.port)
    assert bytes(packet[UDP].payload) == MESSAGE
    again = IP(bytes(IP(frame.data[:10] + b"\0\0" + frame.data[12:])))
    assert again.chksum in (0, packet.chksum)
    del packet.chksum
    assert bytes(packet) == frame.data, "the checksum is what scapy computes"


@six
def test_one_socket_for_all_addresses_serves_both_kinds() -> None:
    with listener("::", "127.0.0.0/8", "::1") as heard:
        for address in ("127.0.0.1", "::1"):
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                with agent(heard, address, kind) as mine:
                    mine.sendall(MESSAGE)
                    (frame,) = until(heard, counted(heard, "hep_received", heard.counts["hep_received"] + 1))
                (told,) = said_in([frame])
                assert isinstance(told, Datagram)
                assert told.reported_by == address


def test_a_stream_is_cut_into_its_messages() -> None:
    stream = MESSAGE * 7
    with listener() as heard, agent(heard) as mine:
        frames: list[Frame] = []
        for start in range(0, len(stream), 100):
            mine.sendall(stream[start : start + 100])
            frames += heard.poll(PATIENCE / 50)
        frames += until(heard, counted(heard, "hep_received", 7))
    assert [frame.data[28:] for frame in frames] == [MESSAGE] * 7
    assert [frame.number for frame in frames] == list(range(1, 8))


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["UDP", "TCP"])
def test_nobody_is_served_who_is_not_named(kind: int) -> None:
    with listener("127.0.0.1", "192.0.2.30") as heard, agent(heard, kind=kind) as mine:
        mine.sendall(MESSAGE)
        assert not until(heard, counted(heard, "hep_refused_sender"))
        assert heard.counts["hep_received"] == heard.counts["hep_connections"] == 0
        assert heard.counts["hep_refused_sender"] == 1


@pytest.mark.parametrize("senders", [None, ()], ids=["no key", "an empty list"])
def test_without_a_list_of_agents_it_does_not_start(senders: tuple[str, ...] | None) -> None:
    with pytest.raises(ConfigError, match=r"no agent may report; expected \[site\] hep_senders = "):
        HepListener(Listening(port=0, senders=senders))


@pytest.mark.parametrize("address", ["192.0.2.1", "example.org", ""])
def test_an_address_that_is_not_ours_is_told(address: str) -> None:
    with pytest.raises(ConfigError, match="an address of this machine"):
        HepListener(Listening(address=address, port=0, senders=("192.0.2.30",)))


def test_a_port_that_is_taken_is_told() -> None:
    with listener() as heard, pytest.raises(ConfigError, match=f"port {heard.port}: Address already in use"):
        HepListener(Listening(port=heard.port, senders=("127.0.0.1",)))


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "hep_dropped_not_hep3"),
        (b"HEP3\0\x05", "hep_dropped_not_hep3"),
        (b"HEP3\xff\xff" + bytes(20), "hep_dropped_too_long"),
    ],
)
def test_a_connection_that_speaks_something_else_is_closed(sent: bytes, why: str) -> None:
    with listener() as heard, agent(heard) as mine:
        mine.sendall(MESSAGE + sent)
        frames = until(heard, counted(heard, why))
        assert len(frames) == 1, "what was whole before it stands"
        mine.settimeout(PATIENCE)
        assert mine.recv(1) == b""


def test_a_datagram_of_something_else_is_dropped() -> None:
    with listener() as heard, agent(heard, kind=socket.SOCK_DGRAM) as mine:
        mine.sendall(b"HEP2" + MESSAGE[4:])
        assert not until(heard, counted(heard, "hep_dropped_not_hep3"))


def test_the_longest_message_fits_a_frame() -> None:
    content = message(bytes(MAX_MESSAGE - len(MESSAGE) + len(SIP)), ONE, TWO, at=NOW)
    assert len(content) == MAX_MESSAGE
    with listener() as heard, agent(heard) as mine:
        mine.setblocking(False)
        sent, frames = 0, list[Frame]()
        while not frames:
            sent += mine.send(content[sent:]) if sent < len(content) else 0
            frames += heard.poll(PATIENCE / 50)
    assert len(frames[0].data) == 0xFFFF
    (told,) = said_in(frames)
    assert isinstance(told, Datagram)


def test_an_agent_that_does_not_end_its_message_is_closed_and_one_that_waits_between_two_is_not() -> None:
    watch = Stopwatch()
    with listener(watch=watch) as heard, agent(heard) as slow, agent(heard) as idle:
        slow.sendall(MESSAGE + MESSAGE[:20])
        idle.sendall(MESSAGE)
        until(heard, counted(heard, "hep_received", 2))
        watch.seconds += MESSAGE_SECONDS
        slow.sendall(MESSAGE[20:21])  # one byte now and then keeps no connection open
        heard.poll(PATIENCE)
        watch.seconds += 1
        until(heard, counted(heard, "hep_dropped_too_slow"))
        assert heard.counts["hep_dropped_too_slow"] == 1
        idle.sendall(MESSAGE)
        until(heard, counted(heard, "hep_received", 3))
        watch.seconds += hep.IDLE_SECONDS + 1
        heard.poll()
        assert heard.counts["hep_closed_idle"] == 1
        assert heard.counts["hep_received"] == 3


def test_connections_are_bounded_for_each_agent_and_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hep, "MAX_CONNECTIONS_EACH", 2)
    with listener() as heard, agent(heard), agent(heard), agent(heard) as third:
        until(heard, counted(heard, "hep_refused_busy"))
        assert (heard.counts["hep_connections"], heard.counts["hep_refused_busy"]) == (2, 1)
        third.settimeout(PATIENCE)
        assert third.recv(1) == b""


def test_an_agent_that_leaves_within_a_message_is_counted_and_may_come_again() -> None:
    with listener() as heard:
        with agent(heard) as mine:
            mine.sendall(MESSAGE[:30])
        until(heard, counted(heard, "hep_dropped_incomplete"))
        with agent(heard) as mine:
            mine.sendall(MESSAGE)
            assert until(heard, counted(heard, "hep_received"))


def test_a_loop_may_wait_for_its_descriptor() -> None:
    with listener() as heard, agent(heard, kind=socket.SOCK_DGRAM) as mine:
        assert heard.poll() == []
        assert select([heard.fileno()], [], [], 0)[0] == []
        mine.sendall(MESSAGE)
        assert select([heard.fileno()], [], [], PATIENCE)[0] == [heard.fileno()]
        assert len(heard.poll()) == 1


def test_it_can_be_read_as_long_as_it_is_open() -> None:
    with listener() as heard, agent(heard) as mine:
        mine.sendall(MESSAGE * 3)
        assert len(list(islice(heard, 3))) == 3
    assert list(heard) == []
    assert tuple(heard.counts) == COUNTS


@pytest.mark.skipif(shutil.which("sngrep") is None, reason="sngrep is not installed")
def test_what_another_agent_sends_is_read() -> None:
    capture = ROOT / "pcaps" / "scenarios" / "pin-bypass" / "attack-empty-pin.pcap"
    with listener() as heard:
        command = ["sngrep", "-N", "-q", "-I", str(capture), "-H", f"udp:127.0.0.1:{heard.port}"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as sngrep:
            frames = until(heard, lambda found: bool(found) and b"BYE sip" in found[-1].data)
            sngrep.kill()
    told = [packet for packet in said_in(frames, "127.0.0.1") if isinstance(packet, Datagram)]
    assert told[0].payload.startswith(b"INVITE sip:")
    assert len(told) == len(frames) > 3
