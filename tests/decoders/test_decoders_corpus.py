"""What the decoders say of real captures, beside what tshark says of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from monitor.decoders import ASKS, Decoders, sip
from monitor.decoders.decoder import Decoded
from monitor.decoders.rtp_events import fresh_keys
from monitor.decoders.sip_claims import uri_of
from monitor.decoders.sip_message import SipMessage
from monitor.model.calls import CallAnswered, CallEnded, CallOffered, CallRefused, DigitDialled, KeySource
from monitor.model.oddities import Oddity
from monitor.model.packets import Datagram, Packet
from monitor.model.problems import ConfigError
from monitor.sources import Captures
from monitor.wire import Wire
from tests.corpus import CORPUS, captures, needs_corpus, truth_of

pytestmark = needs_corpus

FOLDERS = ("sip", "dtmf", "conference", "pstn", "h323", "malformed", "webex")

UNREADABLE = {"cr_ss101.cap": "a NetXRay capture: neither pcap nor pcapng"}

FUZZED = {"fuzzed-aaa.pcap": "damaged at random: how much is found depends on how much damage is borne"}

NO_SIGNALLING = "no signalling tells the payload type, which is never guessed; tshark was told the port"
DIFFERENCES: dict[str, dict[str, Any]] = {
    "lan1.pcap": {"messages": -4, "why": "YAHOOREF ends in no SIP/2.0: it is no SIP"},
    "sipp-branch-scenario.pcapng": {
        "no_end": 446,
        "answers": 3,
        "why": "a refused call does not end; an ACK such as a 2xx alone has shows an answer that was not seen",
    },
    "BRIDGE_003_bridge_no_200_fail.pcap": {"no_end": 1, "why": "BYE of a call that was redirected and never answered"},
    "INVITE_ESRP_009_pass.pcap": {
        "offers": 1,
        "why": "the Call-ID is used again from another address, seven seconds after its call ended",
    },
    "FAX-Call-t38-CA-TDM-SIP-FB-1.pcap": {
        "messages": -23,
        "keys": "<194>",
        "why": "23 frames are copies of a mirror port; event 194 is no key, on a type that no description names",
    },
    **{f"dtmf_2833_{key}.pcap": {"keys": key, "why": NO_SIGNALLING} for key in "012356"},
    "dtmf_2833_pound.pcap": {"keys": "#", "why": NO_SIGNALLING},
    "opus-2013785496.pcap": {"keys": "2013785496", "why": NO_SIGNALLING},
    "ulaw-2013785496.pcap": {"keys": "2013785496", "why": NO_SIGNALLING},
}
"""Where our word differs from tshark's, by how much, and why ours stands: `messages` more or less, `no_end` told
for so many BYEs, `answers` and `offers` more, `keys` that tshark alone finds."""


def packets_of(capture: Path, decoders: Decoders | None = None) -> tuple[list[Packet], list[Decoded]]:
    """All packets of a capture as the pipeline has them, and what the decoders say of them."""
    source, wire = Captures([capture], ASKS), Wire()
    decoders = decoders or Decoders(source.widen)
    packets: list[Packet] = []
    said: list[Decoded] = []

    def take(found: Iterable[Packet | Oddity]) -> None:
        for one in found:
            if isinstance(one, Oddity):
                said.append(one)
            else:
                packets.append(one)
                said.extend(decoders.feed(one))

    for frame in source:
        take(wire.feed(frame))
    take(wire.finish())
    said.extend(decoders.finish())
    return packets, said


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the messages that reach the calls, by method and by code."""
    counted: Counter[str] = Counter()
    take = sip.Sip.take

    def counting(self: sip.Sip, message: SipMessage, packet: Packet) -> Iterable[Decoded]:
        counted[str(message.status or message.method)] += 1
        return take(self, message, packet)

    monkeypatch.setattr(sip.Sip, "take", counting)
    return counted


@pytest.mark.parametrize("capture", [pytest.param(path, id=path.name) for path in captures(*FOLDERS)])
def test_calls_and_keys_are_those_that_tshark_sees(capture: Path, messages: Counter[str]) -> None:
    if capture.name in UNREADABLE:
        with pytest.raises(ConfigError):
            Captures([capture], ASKS)
        return
    truth = truth_of(capture)
    known = truth.get("sip") or {}
    differs = DIFFERENCES.get(capture.name, {})
    _, said = packets_of(capture)
    if capture.name in FUZZED:
        assert {type(event).__name__ for event in said} >= {"CallOffered", "Oddity"}
        return

    expected = Counter(known.get("requests_by_method", {})) + Counter(known.get("responses_by_code", {}))
    assert messages.total() - expected.total() == differs.get("messages", 0)
    if "messages" not in differs:
        assert messages == expected

    calls: defaultdict[str, list[Decoded]] = defaultdict(list)
    for event in said:
        if not isinstance(event, Oddity):
            calls[event.call].append(event)
    more: list[str] = []
    unended = 0
    counted: Counter[str] = Counter()
    for dialog in known.get("dialogs", []):
        ours = calls.pop(dialog["call_id"], [])
        if "INVITE" not in dialog["methods"]:
            # Answers within a call, and refusals, tell of an INVITE that the capture does not have.
            partial = bool(ours) and isinstance(ours[0], CallOffered) and ours[0].partial
            more += [] if partial else [type(event).__name__ for event in ours]
            continue
        counted += compare(dialog, ours)
        unended += dialog["bye_ts"] is not None and not any(isinstance(event, CallEnded) for event in ours)
    assert more == []
    assert unended == differs.get("no_end", 0)
    assert (counted["offers"], counted["answers"]) == (differs.get("offers", 0), differs.get("answers", 0))
    if len(known.get("dialogs", [])) == known.get("dialog_count", 0):
        assert calls == {}, "calls that tshark does not see"

    keys = "".join(stream["digits"] for stream in truth["rtp_telephone_events"])
    ours = "".join(event.digit for event in said if isinstance(event, DigitDialled) and event.via is KeySource.RTP)
    assert keys == ours + differs.get("keys", "")


def compare(dialog: dict[str, Any], ours: list[Decoded]) -> Counter[str]:
    """One dialog with an INVITE; gives the offers beyond the first, and the answers that tshark does not know."""
    offered = [event for event in ours if isinstance(event, CallOffered)]
    first = offered[0]
    assert first.at == pytest.approx(dialog["first_invite_ts"] * 1e9, abs=2000)
    if "INVITE" in dialog["methods"] and dialog["first_ts"] == dialog["first_invite_ts"]:
        assert first.evidence.frame == dialog["first_frame"]
    assert (first.caller.uri, first.addressed_to) == (dialog["from"], dialog["to"])
    assert list(first.caller.asserted) == [uri_of(value) for value in dialog["pai"]]
    refused = [event.status for event in ours if isinstance(event, CallRefused)]
    final = 200 if any(isinstance(event, CallAnswered) for event in ours) else next(reversed(refused), None)
    inferred = final == 200 and dialog["final_answer"] is None
    assert inferred or final == dialog["final_answer"]
    keys = "".join(event.digit for event in ours if isinstance(event, DigitDialled) and event.via is not KeySource.RTP)
    assert keys == dialog["dtmf_info"] + dialog["dtmf_kpml"]
    return Counter(offers=len(offered) - 1, answers=int(inferred))


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        *((f"dtmf_2833_{key}.pcap", key) for key in "012356"),
        ("dtmf_2833_pound.pcap", "#"),
        ("ulaw-2013785496.pcap", "2013785496"),
        ("opus-2013785496.pcap", "2013785496"),
    ],
)
def test_events_are_read_where_the_payload_type_is_given(name: str, keys: str) -> None:
    packets, said = packets_of(CORPUS / "dtmf" / name)
    known: dict[bytes, bytes] = {}
    found = "".join(
        fresh_keys(packet.payload, frozenset({101}), frozenset(), known)
        for packet in packets
        if isinstance(packet, Datagram)
    )
    assert found == keys
    assert [event for event in said if not isinstance(event, Oddity)] == []


def test_a_replay_says_the_same_each_time() -> None:
    capture = CORPUS / "dtmf" / "SIP_DTMF2.cap"
    assert packets_of(capture)[1] == packets_of(capture)[1]


@pytest.mark.parametrize(
    "capture", [pytest.param(path, id=path.name) for path in captures("sip", "dtmf", "conference")]
)
def test_everything_doubled_says_the_same(capture: Path) -> None:
    """Copies of a mirror port that the wire stage did not know for such."""
    datagrams = [packet for packet in packets_of(capture)[0] if isinstance(packet, Datagram)]

    def said_of(times: int) -> list[Decoded]:
        decoders = Decoders()
        said = [event for packet in datagrams for _ in range(times) for event in decoders.feed(packet)]
        return [event for event in said if not isinstance(event, Oddity)]

    assert said_of(2) == said_of(1)
