"""Real captures in envelopes, through the whole of `decode`: the calls and the envelopes that tshark finds in them."""

from pathlib import Path

import pytest

from monitor.model.calls import CallOffered
from monitor.model.oddities import Oddity
from monitor.model.packets import Datagram
from monitor.pipeline import Decode, Record, captures_of, load_expected
from monitor.wire import Wire
from tests.corpus import captures, needs_corpus, truth_of
from tests.wire.packets import frames_of

CAPTURES = captures("encapsulation")
IN_PPPOE = captures("dtmf")
NAMES = {
    "gre": "in_gre",
    "erspan": "in_erspan",
    "vxlan": "in_vxlan",
    "geneve": "in_geneve",
    "gtp": "in_gtp",
    "mpls": "in_mpls",
    "sll": "in_linux_cooked",
    "vlan": "in_vlan",
    "pppoes": "in_pppoe",
}
"""What tshark calls an envelope, and what we do. It counts a frame once however often an envelope is in it."""
HP_ERM = {"hp-erm-1.cap": 4, "hp-erm-2.cap": 16}
"""HP's mirror, that tshark knows when told (-d udp.port==7932,hp_erm): some frames were mirrored twice."""

pytestmark = needs_corpus


class Kept:
    """An output that keeps what it is given."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def write(self, record: Record) -> None:
        self.records.append(record)

    def close(self) -> None:
        """Nothing to do."""


@pytest.mark.parametrize("capture", [*CAPTURES, *IN_PPPOE], ids=lambda path: path.name)
def test_the_calls_in_envelopes_are_those_that_tshark_sees(capture: Path) -> None:
    kept, truth = Kept(), truth_of(capture)
    pipeline = Decode(captures_of([capture]), load_expected(), [kept])
    pipeline.run()
    summary = pipeline.finish()
    assert summary.accounts.frames == truth["packets"]
    assert summary.counts["sip_messages"] == (truth["sip"].get("messages") or 0)
    invited = {call["call_id"] for call in truth["sip"].get("dialogs", ()) if call["methods"].get("INVITE")}
    assert {record.call for record in kept.records if isinstance(record, CallOffered)} == invited
    assert not [record for record in kept.records if isinstance(record, Oddity) and record.protocol in ("link", "ip")]


@pytest.mark.parametrize("capture", [*CAPTURES, *IN_PPPOE], ids=lambda path: path.name)
def test_the_envelopes_are_those_that_tshark_sees(capture: Path) -> None:
    wire, found = Wire(), truth_of(capture)["frames_by_protocol"]
    for each in frames_of(capture):
        wire.feed(each)
    opened = {name: wire.counts[ours] for name, ours in NAMES.items() if wire.counts[ours]}
    assert opened == {name: found[name] for name in NAMES if name in found}
    assert wire.counts["in_hp_erm"] == HP_ERM.get(capture.name, 0)


def test_what_hp_mirrors_is_read() -> None:
    """Pings, and a tagged datagram of the mirror that was itself mirrored."""
    capture = next(path for path in CAPTURES if path.name == "hp-erm-1.cap")
    wire = Wire()
    given = [packet for each in frames_of(capture) for packet in wire.feed(each)]
    assert not [packet for packet in given if isinstance(packet, Datagram)]
    assert wire.counts["unknown_protocols"] + wire.counts["duplicates"] == 8
