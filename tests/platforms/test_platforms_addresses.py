"""SIP, H.323 and telephone addresses: which meeting, which voice, and what of them may leave."""

import pytest

from monitor.model.calls import (
    CallAnswered,
    CallForwarded,
    CallOffered,
    CallRefused,
    Claims,
    DialInReached,
    Diversion,
    MeetingNamed,
    RemoteParty,
)
from monitor.model.meetings import Kind, MeetingRef
from monitor.model.policy import Policy, Site
from monitor.model.problems import ConfigError
from monitor.platforms import Platforms
from monitor.platforms.catalog import shipped
from tests.platforms.platforms_kit import (
    EVIDENCE,
    OWN_BRIDGE,
    WEBEX_BRIDGE,
    answered,
    ended,
    number_text,
    offered,
    platforms,
    written,
)

ROOM = MeetingRef(platform="generic", kind=Kind.ROOM, value="raadzaal")

FORMS: dict[tuple[str, str], tuple[dict[str, str], tuple[str, ...]]] = {
    ("webex", "Skype for Business to a meeting: number.site@lync.webex.com"): (
        {"sip:27311234567.ministry@lync.webex.com": "webex number:27311234567"},
        ("sip:2731.1.1@lync.webex.com.example",),
    ),
    ("webex", "Skype for Business to a personal room: user.site@lync.webex.com"): (
        {"sip:jan.jansen.ministry@lync.webex.com": "webex personal:jan.jansen@ministry"},
        ("sip:jan@lync.example.com",),
    ),
    ("webex", "meeting number, with or without a PIN behind a dot"): (
        {
            "sip:27311234567@webex.com": "webex number:27311234567",
            "sips:27311234567@Ministry.Webex.com:5061;transport=tls": "webex number:27311234567",
            "<sip:27311234567.4711@ministry.webex.com>": "webex number:27311234567",
            "h323:27311234567@webex.com": "webex number:27311234567",
            f"sip:27311234567@{WEBEX_BRIDGE}": "webex number:27311234567",
        },
        (
            "sip:273112345678@webex.com",
            "sip:27311234@webex.com",
            "sip:27311234567@notwebex.com",
            "sip:27311234567@webex.com.example",
        ),
    ),
    ("webex", "personal room: user@site.webex.com"): (
        {"sip:Jan.Jansen@ministry.webex.com": "webex personal:jan.jansen@ministry"},
        ("sip:messenger@webex.com", "sip:jan@ministry.calls.webex.com", "sip:jan@ministry.rooms.webex.com"),
    ),
    ("zoom", "number[.passcode[.layout[.hostkey]]] at the conference room connector"): (
        {
            "sip:81500000000@zoomcrc.com": "zoom number:81500000000",
            "sip:81500000000.471147@us01.zoomcrc.com": "zoom number:81500000000",
            "sip:81500000000..20.998877@zmeu.us": "zoom number:81500000000",
        },
        ("sip:8150000@zoomcrc.com", "sip:81500000000x@zoomcrc.com", "sip:81500000000@zoomcrc.example"),
    ),
    ("zoom", "H.323: ##number#passcode#layout#hostkey"): (
        {"h323:##81500000000#471147#20#998877@162.255.37.11": "zoom number:81500000000"},
        ("h323:##815#471147@162.255.37.99",),
    ),
    ("teams", "video id at Webex interop: id.tenant@m.webex.com"): (
        {"sip:1123456789.ministry@m.webex.com": "teams number:1123456789"},
        ("sip:1123.ministry.x@m.webex.com",),
    ),
    ("teams", "voice of Webex interop: tenant@m.webex.com"): (
        {"sip:ministry@m.webex.com": "teams ministry"},
        ("sip:the.ministry@m.webex.com",),
    ),
    ("teams", "video id at Poly and BlueJeans interop: tenant.id@t.plcm.vc"): (
        {
            "sip:ministry.1123456789@t.plcm.vc": "teams number:1123456789",
            "sip:42.1123456789@teams.bjn.vc": "teams number:1123456789",
        },
        ("sip:ministry.11@t.plcm.vc",),
    ),
    ("teams", "voice of Pexip interop on an own host: teams@…"): (
        {"sip:teams@interop.example.org": "teams "},
        ("sip:team@interop.example.org",),
    ),
    ("teams", "conference id on an own interop host"): (
        {"sip:123456789@interop.example.org": "teams number:123456789"},
        ("sip:123456@interop.example.org",),
    ),
    ("meet", "universal PIN at a gateway on an own host"): (
        {"sip:1234567890123@gateway.example.org": "meet number:1234567890123"},
        ("sip:123456789012@gateway.example.org",),
    ),
    ("generic", "number, with or without a PIN behind it"): (
        {
            f"sip:71234@{OWN_BRIDGE}": "generic number:71234",
            f"sip:71234*4711@{OWN_BRIDGE};transport=tcp": "generic number:71234",
            "sip:71234@bridge.example.net": "generic number:71234",
        },
        ("sip:71@bridge.example.net", "sip:71234@pbx.example.net"),
    ),
    ("generic", "alias of a room that a calendar has"): (
        {"sip:Raadzaal@bridge.example.net": "generic room:raadzaal"},
        ("sip:reception@bridge.example.net",),
    ),
}


def goal_of(stage: Platforms, event: CallOffered) -> str:
    """What the stage says of a call beside the call itself."""
    first, *others = stage.place(event)
    assert isinstance(first, CallOffered)
    match others:
        case []:
            return ""
        case [MeetingNamed() as named]:
            return f"{named.meeting.platform} {named.meeting.key}"
        case [DialInReached() as reached]:
            return f"{reached.platform} {reached.site}"
        case _:
            raise AssertionError(others)


def test_every_family_of_addresses_has_its_samples() -> None:
    assert set(FORMS) == {(name, form.reads) for name, platform in shipped().items() for form in platform.addresses}


@pytest.mark.parametrize(("address", "told"), [item for fitting, _ in FORMS.values() for item in fitting.items()])
def test_an_address_leads_to_its_meeting(address: str, told: str) -> None:
    assert goal_of(platforms([ROOM]), offered(address)) == told


@pytest.mark.parametrize("address", [address for _, others in FORMS.values() for address in others])
def test_an_address_that_is_nearly_so_leads_nowhere(address: str) -> None:
    assert goal_of(platforms([ROOM]), offered(address)) == ""


@pytest.mark.parametrize(
    "address",
    [
        "sip:+31207654321@sbc.example.com",
        "sip:31207654321@sbc.example.com",
        "sip:0031207654321@sbc.example.com;user=phone",
        "sip:0207654321@192.0.2.1:5060",
        "tel:+31207654321",
        "tel:+31-20-765-4321",
        "sip:+31(0)20-765.4321@sbc.example.com",
        "tel:0207654321;phone-context=+31",
        "sip:0207654321;phone-context=example.com@sbc.example.com",
        f"sip:+31207654321@{WEBEX_BRIDGE}",
        f"sip:0207654321@{WEBEX_BRIDGE}",
    ],
)
def test_an_access_number_is_reached_in_any_spelling(address: str) -> None:
    assert goal_of(platforms(), offered(address)) == "webex "


@pytest.mark.parametrize(
    "address",
    [
        "sip:+31207654322@sbc.example.com",
        "sip:7654321@sbc.example.com",
        "sip:+49207654321@sbc.example.com",
        "sip:@",
        "",
        ":",
        "@",
    ],
)
def test_another_number_is_no_access_number(address: str) -> None:
    assert goal_of(platforms(), offered(address)) == ""


@pytest.mark.parametrize(
    ("event", "told"),
    [
        pytest.param(offered(f"sip:{WEBEX_BRIDGE}"), "webex ", id="the bridge alone"),
        pytest.param(offered(f"sip:+31205550199@{WEBEX_BRIDGE}"), "webex ", id="a telephone number at the bridge"),
        pytest.param(offered("sip:jan@sbc.example.com", sent_to=WEBEX_BRIDGE), "webex ", id="sent to the bridge"),
        pytest.param(
            offered("sip:27311234567@sbc.example.com", sent_to=WEBEX_BRIDGE),
            "webex number:27311234567",
            id="number sent to it",
        ),
        pytest.param(
            offered("sip:gw@192.0.2.7", to="sip:27311234567@webex.com"),
            "webex number:27311234567",
            id="target rewritten",
        ),
        pytest.param(offered("sip:gw@192.0.2.7", to="sip:0207654321@pbx.example.com"), "webex ", id="number rewritten"),
        pytest.param(
            offered(f"sip:gw@{WEBEX_BRIDGE}", to="sip:81500000000@zoomcrc.com"),
            "zoom number:81500000000",
            id="To is surer",
        ),
        pytest.param(
            offered(f"sip:71234@{OWN_BRIDGE}", to="sip:+31207654321@pbx.example.com"),
            "generic number:71234",
            id="mapped",
        ),
        pytest.param(offered("sip:173.243.2.68"), "webex ", id="public address of a voice"),
        pytest.param(offered("sip:[2001:db8::5]:5060"), "", id="another IPv6 address"),
    ],
)
def test_what_leads_nearer_wins(event: CallOffered, told: str) -> None:
    assert goal_of(platforms(), event) == told


def test_a_bridge_has_an_ipv6_address() -> None:
    stage = Platforms(Policy(site=Site(bridges={"2001:DB8:0:0::5": "generic"})), number_text=number_text)
    assert goal_of(stage, offered("sip:71234@[2001:db8:0::5]:5060")) == "generic number:71234"
    assert goal_of(stage, offered("sip:71234@example.com", sent_to="2001:db8::5")) == "generic number:71234"


def test_a_policy_that_names_an_unknown_platform_is_wrong() -> None:
    with pytest.raises(ConfigError, match="'wbex'"):
        Platforms(Policy(site=Site(access_numbers={"+31207654321": "wbex"})), number_text=number_text)


@pytest.mark.parametrize(
    ("address", "left"),
    [
        ("sip:123456789.4711@zoomcrc.com", "sip:123456789@zoomcrc.com"),
        ("sip:123456789.4711.20.998877@zoomcrc.com:5060;transport=tcp", "sip:123456789@zoomcrc.com:5060;transport=tcp"),
        ("sip:123456789..20.998877@zoomcrc.com", "sip:123456789@zoomcrc.com"),
        ("h323:##81500000000#4711#20#998877@162.255.37.11", "h323:##81500000000@162.255.37.11"),
        ("sip:27311234567.4711@198.51.100.20", "sip:27311234567@198.51.100.20"),
        ("sip:71234*4711@bridge.example.net", "sip:71234@bridge.example.net"),
        ("sip:71.4711@bridge.example.net", "sip:71@bridge.example.net"),
        ("sip:jan:4711@pbx.example.com", "sip:jan@pbx.example.com"),
        ("sip:+31205550100,,27311234567#4711#@pbx.example.com", "sip:+31205550100@pbx.example.com"),
        ("tel:+31205550100,,27311234567#4711#", "tel:+31205550100"),
        ("tel:+31205550100;postd=pp27311234567p4711", "tel:+31205550100"),
        ("sip:1123456789.ministry@m.webex.com", "sip:1123456789.ministry@m.webex.com"),
        ("sip:jan.4711@pbx.example.com", "sip:jan.4711@pbx.example.com"),
        ("sip:81500000000.471147@pbx.example.com", "sip:81500000000@pbx.example.com"),
        ("sip:71234*4711@pbx.example.com", "sip:71234@pbx.example.com"),
        ("sip:*21*1000@pbx.example.com", "sip:*21*1000@pbx.example.com"),
        ("sip:192.0.2.1", "sip:192.0.2.1"),
        ("sip:123456789%2e4711@zoomcrc.com", "sip:123456789@zoomcrc.com"),
        ("123456789.4711@zoomcrc.com", "123456789@zoomcrc.com"),
        ("sip:jan@pbx.example.com?Replaces=abc%40192.0.2.1", "sip:jan@pbx.example.com?Replaces=abc%40192.0.2.1"),
        ("sip:27311234567@webex.com?X-Pin=4711", "sip:27311234567@webex.com"),
        ("sip:27311234567@webex.com;pin=4711;transport=tcp", "sip:27311234567@webex.com;transport=tcp"),
    ],
)
def test_an_address_leaves_without_its_secrets(address: str, left: str) -> None:
    stage = platforms()
    claims = Claims(
        uri=address,
        asserted=(address,),
        preferred=address,
        remote_party=(RemoteParty(uri=address),),
        history=(Diversion(uri=address),),
    )
    event = next(iter(stage.place(offered(address, to=address, caller=claims))))
    assert isinstance(event, CallOffered)
    caller = event.caller
    told = {event.target, event.addressed_to, caller.uri, *caller.asserted, caller.preferred}
    assert told | {p.uri for p in caller.remote_party} | {hop.uri for hop in caller.history} == {left}
    [answer] = stage.place(CallAnswered(at=0, evidence=EVIDENCE, call="c", callee=claims, contact=address))
    [forward] = stage.place(CallForwarded(at=0, evidence=EVIDENCE, call="c", to=(address,), how="transfer"))
    assert isinstance(answer, CallAnswered)
    assert isinstance(forward, CallForwarded)
    assert (answer.contact, answer.callee.uri, forward.to) == (left, left, (left,))


def test_a_redirect_leads_where_its_contact_leads() -> None:
    stage = platforms()
    event = CallForwarded(at=0, evidence=EVIDENCE, call="c", to=("sip:27311234567.4711@webex.com",), how="redirect")
    forwarded, named = stage.place(event)
    assert isinstance(named, MeetingNamed)
    assert named.meeting.key == "number:27311234567"
    assert "4711@" not in written([forwarded, named])
    event = CallForwarded(at=0, evidence=EVIDENCE, call="d", to=("sip:0207654321@sbc.example.com",), how="redirect")
    assert [type(said) for said in stage.place(event)] == [CallForwarded, DialInReached]


def test_what_holds_no_secret_passes_as_it_is() -> None:
    stage = platforms()
    events = [
        offered("sip:+31205550199@pbx.example.com", caller=Claims(uri="sip:jan.jansen@example.com")),
        answered(callee=Claims(uri="sip:+31205550199@pbx.example.com")),
        CallForwarded(at=0, evidence=EVIDENCE, call="c", to=("sip:jan@example.com",), how="redirect"),
        CallRefused(at=0, evidence=EVIDENCE, call="c", status=486),
        ended(),
    ]
    for event in events:
        assert [passed is event for passed in stage.place(event)] == [True]


def test_a_secret_is_dropped_before_a_bridge_that_only_the_network_names() -> None:
    event, named = platforms().place(offered("sip:27311234567.4711@sbc.example.com", sent_to=WEBEX_BRIDGE))
    assert isinstance(event, CallOffered)
    assert isinstance(named, MeetingNamed)
    assert event.target == "sip:27311234567@sbc.example.com"


def test_no_secret_of_an_address_is_written() -> None:
    stage = platforms()
    events = [event for pin in ("471199",) for event in stage.place(offered(f"sip:815000000.{pin}..{pin}@zoomcrc.com"))]
    assert "471199" not in written(events)
