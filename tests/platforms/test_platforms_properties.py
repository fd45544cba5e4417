"""Whatever comes in: no exception, no secret, and the same again for the same."""

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from monitor.model.calls import CallOffered, KeyPressed, SignallingEvent
from monitor.model.meetings import SlotState
from tests.platforms.platforms_kit import (
    NUMBERS,
    OWN_BRIDGE,
    WEBEX_BRIDGE,
    WEBEX_NUMBER,
    answered,
    key,
    numbered,
    offered,
    platforms,
    typed,
    written,
)

WEBEX = numbered("webex", "27311234567")
KEYS = "0123456789*#ABCD"
HOSTS = [
    "webex.com",
    "ministry.webex.com",
    "lync.webex.com",
    "m.webex.com",
    "zoomcrc.com",
    "teams.bjn.vc",
    "gateway.example.org",
    "bridge.example.net",
    WEBEX_BRIDGE,
    OWN_BRIDGE,
    "pbx.example.com",
]
SNIPPETS = st.sampled_from(
    [
        "https://",
        "ministry.webex.com/",
        "zoom.us/j/81500000000",
        "?pwd=",
        "sip:",
        "@",
        "tel:+31205550199",
        ",,",
        "#",
        "*01*",
        "27311234567",
        "Meeting ID: ",
        "PIN: ",
        "&#",
        ";",
        "%",
        "<",
        ">",
        "(",
        "\n",
        "safelinks.protection.outlook.com/?url=",
    ]
)
TEXTS = st.lists(SNIPPETS | st.text(max_size=12), max_size=20).map("".join)


@given(TEXTS)
def test_any_text_is_read(text: str) -> None:
    told = platforms().read_text(text)
    assert len(told.refs) <= 32
    assert all(ref.value for ref in told.refs)
    assert told.refs == platforms().read_text(text).refs


@given(TEXTS)
def test_any_address_is_placed(address: str) -> None:
    stage = platforms()
    events = list(stage.place(offered(address, to=address[::-1])))
    assert 1 <= len(events) <= 2
    assert isinstance(events[0], CallOffered)
    for ref in stage.refs_of(address):
        assert ref.value


@given(st.sampled_from([*NUMBERS, "+31205550177"]), st.text(KEYS, max_size=200))
def test_any_keys_are_read(number: str, keys: str) -> None:
    stage = platforms(pins={WEBEX: "57637966"})
    list(stage.place(offered(f"sip:{number}@sbc.example.com")))
    events = typed(stage, keys)
    for event in events:
        assert msgspec.json.decode(msgspec.json.encode(event), type=SignallingEvent) == event
        if isinstance(event, KeyPressed):
            assert (event.attempt == 0) == (event.meeting is None)
    assert sorted(stage.counts) == sorted(platforms().counts)


@given(st.integers(100_000, 99_999_999), st.sampled_from(["##{}#", "#{}#", "##1111#{}#", "#*{}#", "###{}", "##*6{}#"]))
def test_no_key_of_a_pin_is_written(pin: int, rest: str) -> None:
    stage = platforms(pins={WEBEX: str(pin)})
    list(stage.place(offered(f"sip:{WEBEX_NUMBER}@sbc.example.com", at=0)))
    list(stage.place(answered()))
    events = [e for k in "27311234567" + rest.format(pin) for e in stage.place(key(k))]
    told = written(events).replace("27311234567", "").replace("57637966", "")
    assert str(pin) not in told
    last = events[-1]
    assert isinstance(last, KeyPressed)
    if rest.endswith("#"):
        assert last.slots[-1].state is SlotState.RIGHT


@given(
    st.integers(100_000, 99_999_999),
    st.sampled_from(HOSTS),
    st.sampled_from(".*#,"),
    st.sampled_from(["sip", "sips", "h323"]),
)
def test_no_pin_of_an_address_is_written(pin: int, host: str, mark: str, scheme: str) -> None:
    stage = platforms()
    # Digits that stand in the call anyway, in its number or its time, prove nothing.
    assume(str(pin) not in written(list(platforms().place(offered(f"{scheme}:81500000000@{host}")))))
    events = list(stage.place(offered(f"{scheme}:81500000000{mark}{pin}{mark}{mark}{pin}@{host}")))
    assert str(pin) not in written(events)
    assert isinstance(events[0], CallOffered)
    assert events[0].target.endswith(f"@{host}")


@given(st.integers(1000, 99_999_999).filter(lambda pin: str(pin) not in "27311234567"))
def test_no_pin_of_an_invitation_is_written(pin: int) -> None:
    text = (
        "https://ministry.webex.com/ministry/m.php?AT=JM&MK=27311234567\n"
        f"Meeting password: aB3dE ({pin} from phones)\ntel:+31205550199,,*01*27311234567%23{pin}%23*01*\n"
    )
    told = platforms().read_text(text)
    assert [secret.matches(str(pin)) for secret in told.pins] == [True]
    assert str(pin) not in written([told]).replace("27311234567", "")


@pytest.mark.parametrize(
    "hostile", ["9" * 65536, "sip:" + "a." * 32768 + "@x", "sip:" + "1" * 65536 + "@webex.com", "sip:@" + "." * 65536]
)
def test_a_hostile_address_is_survived(hostile: str) -> None:
    stage = platforms()
    assert isinstance(next(iter(stage.place(offered(hostile)))), CallOffered)
    assert stage.refs_of(hostile) == ()
