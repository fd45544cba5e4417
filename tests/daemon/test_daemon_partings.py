"""Decoders that come and go, as serve sees it: what they have said counts, and nobody dies of another's death."""

import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import msgspec
import pytest

from monitor.daemon.channel import Channel, Closed, connected
from monitor.daemon.messages import Alive, FromDecode, FromReader, Moved, Said, Taken, ToDecode, Traffic
from monitor.daemon.serve import Serve
from monitor.daemon.totals import Rising
from monitor.daemon.vitals import FATES, MAX_LIVES, Vitals
from monitor.model.calls import CallEnded
from monitor.model.evidence import SECOND, Evidence
from monitor.outputs.metrics import Metrics
from monitor.pipeline import Expected, load_expected
from tests.daemon.stage import daemon, mirror


def ended(number: int) -> CallEnded:
    return CallEnded(
        at=number * SECOND, evidence=Evidence(capture="eth1", frame=number), call=f"call {number}", by="caller"
    )


def said(decoder: str, number: int, **more: object) -> Said:
    return Said(decoder=decoder, number=number, now=number * SECOND, events=(ended(number),), **more)  # type: ignore[arg-type]


class World:
    """A serve without lists, to which decoders come."""

    def __init__(self, folder: Path) -> None:
        (folder / "state").mkdir()
        self.place = str(folder / "events.sock")
        self.metrics = Metrics()
        self.serve = Serve(self.place, folder / "state", self.load, self.metrics)
        self.loads: list[BaseException] = []

    def load(self) -> Expected:
        return load_expected()

    def decoder(self, *messages: Said) -> Channel[ToDecode]:
        """One that is welcome and says this, and which serve has not heard yet."""
        made: Channel[ToDecode] = Channel(connected(self.place), ToDecode)
        self.serve.step(0)
        for message in messages:
            made.send(message)
        return made

    def restarts(self) -> float:
        (family,) = [one for one in self.serve.vitals.collect() if one.name == "joinwatch_decoder_restarts"]
        return float(family.samples[0].value)


def full(*_: object) -> None:
    raise sqlite3.OperationalError("database or disk is full")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.serve.close()


def test_all_that_a_decoder_said_before_it_died_is_remembered(world: World) -> None:
    decoder = world.decoder(*(said("one", number) for number in range(1, 31)))
    decoder.close()  # with the lists unread in its socket, as one that is killed
    world.serve.step(0)
    world.serve.step(0)
    assert world.serve.memory.held == 30


def test_a_message_that_came_whole_is_read_though_its_sender_was_killed() -> None:
    ours, theirs = socket.socketpair()
    hearing: Channel[FromDecode] = Channel(ours, FromDecode)
    hearing.send(Taken(number=1))  # which nobody will read: the next look gives an error instead of an end
    body = msgspec.msgpack.encode(said("one", 1))
    theirs.send(len(body).to_bytes(4, "big") + body)
    theirs.close()
    assert [message.decoder for message in hearing.receive() if isinstance(message, Said)] == ["one"]
    with pytest.raises(Closed):
        hearing.receive()
    hearing.close()


def test_a_decoder_that_is_gone_before_it_is_welcome_is_nobody_s_death(world: World) -> None:
    connected(world.place).close()
    world.serve.step(0)
    world.serve.step(0)
    assert world.serve.memory.held == 0
    assert world.restarts() == 0


def test_a_decoder_that_dies_while_the_disk_is_full_takes_nobody_along(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = world.serve.memory.add
    monkeypatch.setattr(world.serve.memory, "add", full)
    decoder = world.decoder(said("one", 1))
    world.serve.step(0)
    assert world.serve.memory.held == 0
    monkeypatch.setattr(world.serve.memory, "add", add)
    decoder.close()
    monkeypatch.setattr("monitor.daemon.serve.select.select", lambda *_: ([], [], []))  # its end is not heard yet
    world.serve.step(0)
    assert world.serve.memory.held == 1


def test_what_waits_for_room_on_the_disk_outlives_its_decoder(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as disk:
        disk.setattr(world.serve.memory, "add", full)
        decoder = world.decoder(said("one", 1), said("one", 2))
        world.serve.step(0)
        decoder.close()
        world.serve.step(0)
        assert world.serve.vitals.queued == 2
        assert world.serve.vitals.trouble == "memory: database or disk is full"
    world.serve.step(0)
    assert (world.serve.memory.held, world.serve.vitals.queued, len(world.serve._decoders.waiting)) == (2, 0, 0)


def test_a_jump_of_the_clock_waits_for_room_on_the_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = world.decoder(said("one", 1))
    world.serve.step(0)
    with monkeypatch.context() as disk:
        disk.setattr(world.serve.memory, "move", full)
        decoder.send(Moved(by=7 * SECOND, begin=0, end=2 * SECOND))
        world.serve.step(0)
        assert world.serve.vitals.trouble == "memory: database or disk is full"
        assert [event.at for event in world.serve.memory.events()] == [SECOND]
    world.serve.step(0)
    assert [event.at for event in world.serve.memory.events()] == [8 * SECOND]
    assert world.serve.vitals.trouble == ""
    decoder.close()


def test_what_waits_is_bounded_however_many_die(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.daemon.connections.MAX_QUEUED", 3)
    monkeypatch.setattr(world.serve.memory, "add", full)
    for life in range(10):
        decoder = world.decoder(said(f"life {life}", 1))
        world.serve.step(0)
        decoder.close()
        world.serve.step(0)
    assert world.serve.vitals.queued == 3


def test_a_decoder_that_took_over_is_counted_whoever_is_heard_first(world: World) -> None:
    first = world.decoder(said("one", 1))
    world.serve.step(0)
    assert world.restarts() == 0
    second = world.decoder(said("two", 2))
    world.serve.step(0)  # it is heard before the end of the first
    assert world.restarts() == 0
    first.close()
    world.serve.step(0)
    assert world.restarts() == 1
    second.close()
    world.serve.step(0)
    assert world.restarts() == 1
    third = world.decoder()
    assert world.restarts() == 2
    third.close()


def test_two_decoders_side_by_side_are_no_restart(world: World) -> None:
    both = [world.decoder(said(name, 1)) for name in ("one", "two")]
    world.serve.step(0)
    assert world.restarts() == 0
    for one in both:
        one.close()


def test_decoders_that_die_before_they_have_counted_take_no_counts_of_others_away() -> None:
    vitals = Vitals(["eth1"])
    vitals.hear("old", {"eth1": Traffic(received=7, dropped=2, taken=5)})
    for life in range(2 * MAX_LIVES):
        vitals.hear(f"short {life}", None)
        assert (vitals.traffic["eth1"].taken, vitals.traffic["eth1"].dropped) == (5, 2)


def test_who_reads_for_long_is_not_forgotten_for_those_who_do_not() -> None:
    vitals = Vitals(["eth1"])
    for life in range(2 * MAX_LIVES):
        vitals.hear("long", {"eth1": Traffic(received=0, dropped=0, taken=life)})
        vitals.hear(f"short {life}", None)
    assert vitals.traffic["eth1"].taken == 2 * MAX_LIVES - 1


def test_nobody_who_does_not_ask_for_descriptors_is_given_any() -> None:
    ours, theirs = socket.socketpair()
    hearing: Channel[FromReader] = Channel(ours, FromReader)
    sending: Channel[FromReader] = Channel(theirs, FromReader)
    for _ in range(3):
        sending.send_descriptors(Alive(frames=1), [0, 1, 2])
    assert len(hearing.receive()) == 3
    assert not hearing.descriptors
    hearing.close()
    sending.close()


def test_lists_that_wait_for_a_full_disk_keep_nobody_busy(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    wish = world.serve.wish_reload()
    world.serve.step(0)
    world.serve._reading.wait(10)
    monkeypatch.setattr("monitor.daemon.anew.Anew.go_on", lambda *_: False)
    world.serve.step(0)

    def looked(*words: object) -> tuple[list[int], list[int], list[int]]:
        waited.append(float(words[3]))  # type: ignore[arg-type]
        return [], [], []

    monkeypatch.setattr("monitor.daemon.serve.select.select", looked)
    world.serve.step(0.05)
    monkeypatch.setattr(type(world.serve.ledger), "is_full", property(lambda _: True))
    world.serve.step(0.05)
    assert waited == [0, 0.05]
    assert not wish.done()


def test_a_bug_beside_the_loop_is_a_refused_reload_and_the_next_one_works(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reloaded() -> int:
        wish: Future[object] = world.serve.wish_reload()  # type: ignore[assignment]
        for _ in range(1000):
            world.serve.step(0.01)
            if wish.done():
                return len(wish.result())  # type: ignore[arg-type]
        pytest.fail("nobody answers")

    with monkeypatch.context() as broken:
        broken.setattr(world.serve._reading, "digest", lambda: [].pop())
        assert reloaded() == 1
    assert reloaded() == 0


def test_what_interfaces_received_goes_on_when_capture_begins_anew() -> None:
    vitals = Vitals(["eth1"])
    for received, missed in ((10, 1), (50, 2), (3, 0), (7, 4)):
        vitals.hear("one", {"eth1": Traffic(received=received, dropped=0, taken=5, missed=missed)})
    assert (vitals.traffic["eth1"].received, vitals.traffic["eth1"].missed) == (57, 6)


def test_a_count_that_begins_anew_makes_no_total_go_back() -> None:
    rising = Rising(5)
    for count, total in ((7, 2), (1, 3), (1, 3), (4, 6)):
        rising.take(count)
        assert rising.total == total


def test_an_interface_that_was_removed_and_made_again_is_counted_on(tmp_path: Path) -> None:
    def received() -> float:
        fates = [running.metric(f'joinwatch_interface_packets_total{{fate="{fate}"') or 0 for fate in FATES]
        return sum(fates)

    frame = bytes.fromhex("ffffffffffff020000000001") + b"\x88\xb5" + bytes(46)
    with mirror("jwprem") as port, daemon(tmp_path, [port.near]) as running:
        port.send([frame] * 20)
        running.wait(lambda: received() == 20, "the first packets")
        port.close()
        running.wait(lambda: running.metric("joinwatch_interface_up") == 0, "an interface that is gone")
        assert received() == 20
        with mirror("jwprem") as again:
            assert again.near == port.near
            running.wait(lambda: running.metric("joinwatch_interface_up") == 1, "the interface again")
            again.send([frame] * 5)
            running.wait(lambda: received() == 25, "the later packets")


def test_a_decoder_without_serve_ends_of_its_own_accord_and_is_no_death(tmp_path: Path) -> None:
    with mirror("jwpend") as port, daemon(tmp_path, [port.near]) as running:
        first = running.pid_of("decode")
        running.kill("serve")
        running.wait(lambda: running.pid_of("decode") not in (0, first), "another decoder")
        (ended,) = [line for line in running.log.read_text("utf-8").splitlines() if "decode ended" in line]
        assert ended.endswith("(exit code 0)")
