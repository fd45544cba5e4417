"""One decoder and what it says, with both neighbours played by the test: no interface, no privilege."""

import os
import socket
from collections.abc import Iterator

import pytest

from monitor.daemon.channel import Channel, Closed
from monitor.daemon.clock import Known
from monitor.daemon.clock import Moved as Jump
from monitor.daemon.decode import Decode
from monitor.daemon.messages import FromDecode, FromReader, Lists, Received, Resume, Rings, Said, Used
from monitor.daemon.page import Page
from monitor.decoders.losses import Losses
from monitor.model.evidence import SECOND
from monitor.model.policy import Policy


class World:
    """Capture and serve, as a decoder knows them."""

    def __init__(self) -> None:
        (ours, to_capture), (mine, to_serve) = socket.socketpair(), socket.socketpair()
        self.capture: Channel[FromReader] = Channel(ours, FromReader)
        self.serve: Channel[FromDecode] = Channel(mine, FromDecode)
        self.decode = Decode(to_capture, to_serve)
        self._sockets = to_capture, to_serve
        page = Page.made()
        self.capture.send_descriptors(Rings(rings=()), [page])
        os.close(page)
        self.serve.send(Lists(policy=Policy(), access_numbers={}, meetings=(), key=b"key"))
        self.serve.send(Resume(calls=(), keypads=()))
        self.decode.prepare()

    def said(self) -> list[Said]:
        return [message for message in self.serve.receive() if isinstance(message, Said)]

    def close(self) -> None:
        for sock in (self.capture, self.serve, *self._sockets):
            sock.close()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def test_losses_are_told_with_every_look_at_the_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Losses, "are_felt", True)
    monkeypatch.setattr("monitor.daemon.decode.PULSE", 0)
    for _ in range(3):
        world.decode._mind_the_clock()
        world.decode._beat(idle=True)
    said = world.said()
    assert len(said) == 3
    assert all(one.lossy for one in said)


def test_what_both_processes_use_is_told_without_opening_anything(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.capture.send(Received(packets={}, used=Used(private_bytes=5, cpu_seconds=0.5)))
    world.decode._listen_to([world.decode._capture.fileno()])

    def refused(*_: object) -> int:
        raise AssertionError("a decoder at work opens nothing")

    with monkeypatch.context() as confined:
        confined.setattr(os, "open", refused)
        world.decode._beat(idle=True)
    (said,) = world.said()
    assert said.capture_used == Used(private_bytes=5, cpu_seconds=0.5)
    assert said.used is not None
    assert said.used.private_bytes > 10_000_000
    assert said.used.cpu_seconds > 0


def test_there_are_no_accounts_before_capture_has_told_what_came(world: World) -> None:
    world.decode._beat(idle=True)
    world.capture.send(Received(packets={}))
    world.decode._listen_to([world.decode._capture.fileno()])
    world.decode._beaten = 0
    world.decode._beat(idle=True)
    assert [one.traffic for one in world.said()] == [None, {}]


def test_a_jump_is_noted_only_when_serve_has_it_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = world.decode._page.clock
    jump = Jump(by=SECOND, begin=1, end=2)
    monkeypatch.setattr(world.decode._clock, "look", lambda *_: jump)
    world.decode._clock.known = Known(1, 2, 0, 4)
    noted: list[object] = []

    def flushed() -> None:
        noted.append(world.decode._page.clock)
        world.decode._serve.waiting = 0

    monkeypatch.setattr(world.decode._serve, "send", lambda _: setattr(world.decode._serve, "waiting", 9))
    monkeypatch.setattr(world.decode._serve, "flush", flushed)
    with pytest.raises(Closed):
        world.decode._mind_the_clock()
    assert noted == [before]
    assert world.decode._page.clock == Known(1, 2, 0, 4)
