"""Truth under loss, in short form: a few captures and draws of what `make loss` measures at length."""

from pathlib import Path
from random import Random

import pytest

from bench.damage import Packet, copied, late, lost, shuffled, translated
from bench.losses import BEGIN, CONDITIONS, END, PAGE, PCAPS, Condition, Tally, broken, labelled, scenario_of

SEEDS = 2
NAMES = (
    "anonymous-participant/benign-asserted",
    "duplicate-identity/attack-same-number",
    "duplicate-identity/benign-b2bua",
    "duplicate-identity/benign-lost-and-back",
    "identity-mismatch/benign-extension",
    "meeting-enumeration/attack-sip",
    "outside-schedule/attack-stays-on",
    "pin-bypass/attack-empty-pin-info",
    "pin-bypass/benign-wrong-once",
    "uninvited-participant/attack-outsider-with-the-pin",
    "uninvited-participant/benign-never-admitted",
)
SAMPLE = tuple(PCAPS / "scenarios" / f"{name}.pcap" for name in NAMES)
PROMISED = [condition for condition in CONDITIONS if condition.seeds > 1]


def tally_of(condition: Condition, captures: tuple[Path, ...] = SAMPLE, seeds: int = SEEDS) -> Tally:
    tally = Tally()
    for capture in captures:
        scenario = scenario_of(capture)
        draws = (Random(f"{condition.name} {scenario.name} {seed}") for seed in range(seeds))
        tally.add(scenario.name, (scenario.score(condition.damage(scenario.packets, draw)) for draw in draws))
    return tally


def test_the_sample_is_of_the_labelled_captures() -> None:
    assert set(SAMPLE) <= set(labelled())


@pytest.mark.parametrize("condition", PROMISED, ids=lambda condition: condition.name)
def test_what_is_promised_of_damaged_captures_holds(condition: Condition) -> None:
    # Few draws say little of a share: recall is measured at length, and here only what holds for every draw.
    certain = condition._replace(recall=1 if condition.recall == 1 else None)
    assert broken(certain, tally_of(condition)) == []


@pytest.mark.parametrize("condition", [c for c in CONDITIONS if c.seeds == 1], ids=lambda condition: condition.name)
def test_what_a_mirror_leaves_out_raises_no_alert(condition: Condition) -> None:
    assert broken(condition, tally_of(condition, seeds=1)) == []


def test_requests_alone_show_who_joins_and_who_searches() -> None:
    found = {"meeting-enumeration/attack-sip", "uninvited-participant/attack-outsider-with-the-pin"}
    condition = next(c for c in CONDITIONS if c.name == "only what goes to the bridge")
    tally = tally_of(condition, tuple(PCAPS / "scenarios" / f"{name}.pcap" for name in found), 1)
    assert tally.found == tally.labelled > 0


def test_no_single_packet_decides_on_a_bypass_by_telephone() -> None:
    scenario = scenario_of(PCAPS / "scenarios" / "pin-bypass" / "attack-one-slot.pcap")
    signalling = [n for n, packet in enumerate(scenario.packets) if len(packet.data) > 100]
    for missing in signalling:
        score = scenario.score([packet for n, packet in enumerate(scenario.packets) if n != missing])
        assert (score.missed, score.false) == ((), ())


# ── the damage itself ────────────────────────────────────────────────────────────────────────────────────────────────

FRAME = bytes(12) + b"\x08\x00\x45" + bytes(20)


def some(count: int) -> list[Packet]:
    return [Packet(1_000_000_000 * n, FRAME + bytes([n % 256]), len(FRAME) + 1) for n in range(count)]


def test_damage_is_the_same_for_the_same_draw_and_in_time() -> None:
    packets = scenario_of(SAMPLE[0]).packets
    for damage in (copied, late, translated):
        once, again = damage(packets, Random(1)), damage(packets, Random(1))
        assert once == again != damage(packets, Random(2))
        assert [packet.at for packet in once] == sorted(packet.at for packet in once)


def test_copies_are_behind_a_router_and_soon_after() -> None:
    packets = scenario_of(SAMPLE[0]).packets
    for times in (2, 3):
        assert len(copied(packets, Random(1), times=times)) == times * len(packets)


def test_a_shuffle_moves_no_packet_out_of_its_block() -> None:
    packets = some(200)
    mixed = shuffled(packets, Random(1))
    assert mixed != packets
    for start in range(0, 200, 64):
        assert sorted(mixed[start : start + 64]) == packets[start : start + 64]


def test_a_share_is_lost() -> None:
    assert 40 < 1000 - len(lost(some(1000), Random(1), share=0.05)) < 60


def test_the_page_has_room_for_the_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert 0 < page.find(BEGIN) < page.find(END)
