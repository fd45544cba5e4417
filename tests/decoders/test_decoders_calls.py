"""SIP calls: what is offered, answered, refused, forwarded and ended, each once."""

import pytest

from monitor.decoders import Decoders, decoder
from monitor.model.calls import CallAnswered, CallEnded, CallForwarded, CallOffered, CallRefused, Diversion, RemoteParty
from monitor.model.evidence import Evidence
from monitor.model.limits import Limits
from monitor.model.oddities import Oddity, Reason
from tests.decoders.calls_scene import ALICE, BRIDGE, TAGGED, Line, answer, flow, from_callee, invite, sdp, within

CALL = "one@192.0.2.10"
CALLER = "<sip:+31205550101@gw.example.com>;tag=a"


@pytest.fixture
def line() -> Line:
    return Line()


def test_a_call_is_offered_answered_and_ended(line: Line) -> None:
    line.talk(sdp(), sdp(BRIDGE))
    line.up(within("BYE"))
    line.down(answer(200, number=2, method="BYE"))
    offered, answered, ended = line.said
    assert isinstance(offered, CallOffered)
    assert (offered.call, offered.target, offered.evidence) == (
        CALL,
        "sip:98765@bridge.example.com",
        Evidence(capture="made.pcap", frame=1),
    )
    assert (offered.caller.uri, offered.caller.sent_from, offered.sent_to) == (
        "sip:+31205550101@gw.example.com",
        ALICE,
        BRIDGE,
    )
    assert isinstance(answered, CallAnswered)
    assert (answered.callee.uri, answered.callee.sent_from) == ("sip:98765@bridge.example.com", BRIDGE)
    assert isinstance(ended, CallEnded)
    assert ended.by == "caller"


def test_the_callee_may_hang_up(line: Line) -> None:
    line.talk()
    (ended,) = line.down(from_callee("BYE"))
    assert isinstance(ended, CallEnded)
    assert ended.by == "callee"


def test_everything_twice_says_it_once(line: Line) -> None:
    once = Line()
    once.talk(sdp(), sdp(BRIDGE))
    once.up(within("REFER", headers="Refer-To: <sip:bob@example.com>\r\n"))
    once.up(within("BYE", 3))

    def twice(step: bytes, up: bool) -> None:
        for _ in range(2):
            (line.up if up else line.down)(step)

    twice(invite(body=sdp()), True)
    twice(answer(180), False)
    twice(answer(200, body=sdp(BRIDGE)), False)
    twice(within("ACK", 1, branch="z9hG4bK2"), True)
    twice(within("REFER", headers="Refer-To: <sip:bob@example.com>\r\n"), True)
    twice(within("BYE", 3), True)
    twice(answer(200, number=3, method="BYE"), False)
    line.up(invite(body=sdp()))
    line.down(answer(200, body=sdp(BRIDGE)))
    assert line.kinds() == once.kinds() == ["CallOffered", "CallAnswered", "CallForwarded", "CallEnded"]


def test_claims_of_the_network_and_the_endpoint_are_told_apart(line: Line) -> None:
    headers = (
        'P-Asserted-Identity: "A" <sip:+31205550102@gw.example.com>, <tel:+31205550102>\r\n'
        "P-Preferred-Identity: <sip:+31205550103@gw.example.com>\r\n"
        "Remote-Party-ID: <sip:+31205550104@gw.example.com>;party=calling;screen=yes;privacy=full\r\n"
        "Privacy: id;Critical\r\n"
        "Diversion: <sip:+31205550105@gw.example.com>;reason=no-answer;counter=1\r\n"
        "History-Info: <sip:a@example.com>;index=1, <sip:b@example.com?Reason=SIP%3Bcause%3D302>;index=1.1\r\n"
        "Identity: eyJ.eyJ.sig;info=<https://cert.example.com/x>;alg=ES256;ppt=shaken\r\n"
        "User-Agent: Phone/1.0\r\nSession-ID: ab30317f1a784dc48ff824d0d3715d86;remote=0\r\n"
        "Replaces: other@192.0.2.11;to-tag=1;from-tag=2\r\n"
    )
    (offered,) = line.up(invite(headers=headers, caller='"Jan \\"x\\" B" <sip:+31205550101@gw.example.com>;tag=a'))
    assert isinstance(offered, CallOffered)
    claims = offered.caller
    assert claims.display == 'Jan "x" B'
    assert claims.asserted == ("sip:+31205550102@gw.example.com", "tel:+31205550102")
    assert claims.preferred == "sip:+31205550103@gw.example.com"
    assert claims.remote_party == (RemoteParty(uri="sip:+31205550104@gw.example.com", screen=True, privacy="full"),)
    assert claims.privacy == ("id", "critical")
    assert claims.history == (
        Diversion(uri="sip:+31205550105@gw.example.com", reason="no-answer"),
        Diversion(uri="sip:b@example.com", reason="302"),
        Diversion(uri="sip:a@example.com"),
    )
    assert claims.passport.startswith("eyJ.eyJ.sig;")
    assert claims.user_agent == "Phone/1.0"
    assert offered.session == "ab30317f1a784dc48ff824d0d3715d86"
    assert offered.replaces == "other@192.0.2.11"


def test_who_answers_is_asserted_in_the_answer_and_a_focus_says_so(line: Line) -> None:
    headers = "P-Asserted-Identity: <tel:+31205550109>\r\nContact: <sip:98765@198.51.100.20>;isfocus\r\n"
    line.talk(headers=headers)
    answered = line.said[-1]
    assert isinstance(answered, CallAnswered)
    assert answered.callee.asserted == ("tel:+31205550109",)
    assert (answered.contact, answered.focus) == ("sip:98765@198.51.100.20", True)


def test_a_challenge_refuses_nothing(line: Line) -> None:
    line.up(invite())
    line.down(answer(407))
    line.up(within("ACK", 1))
    line.up(invite(number=2, headers='Proxy-Authorization: Digest username="x"\r\n', branch="z9hG4bK9"))
    line.down(answer(200, number=2))
    assert line.kinds() == ["CallOffered", "CallAnswered"]


def test_what_the_network_asserts_on_a_later_hop_or_try_is_told(line: Line) -> None:
    line.up(invite())
    again = invite(number=2, headers="P-Asserted-Identity: <tel:+31205550109>\r\n")
    (offered,) = line.up(again)
    assert isinstance(offered, CallOffered)
    assert offered.caller.asserted == ("tel:+31205550109",)
    assert line.udp(again, flow(BRIDGE, "198.51.100.30")) == []
    other = invite(number=2, headers="P-Asserted-Identity: <tel:+31205550110>\r\n")
    assert len(line.udp(other, flow("198.51.100.30", "198.51.100.31"))) == 1


def test_a_cancelled_call_is_refused_and_a_crossing_answer_overrules(line: Line) -> None:
    line.up(invite())
    line.up(within("CANCEL", 1, callee="<sip:98765@bridge.example.com>"))
    line.down(answer(200, number=1, method="CANCEL"))
    (refused,) = line.down(answer(487))
    assert isinstance(refused, CallRefused)
    assert refused.status == 487
    assert line.down(answer(487)) == []
    (answered,) = line.down(answer(200))
    assert isinstance(answered, CallAnswered)


def test_a_redirect_refuses_and_forwards_and_the_next_invite_is_the_same_call(line: Line) -> None:
    line.up(invite())
    refused, forwarded = line.down(answer(302, headers="Contact: <sip:bob@chicago.example.com>, <sip:x@y.example>\r\n"))
    assert isinstance(refused, CallRefused)
    assert isinstance(forwarded, CallForwarded)
    assert forwarded.to == ("sip:bob@chicago.example.com", "sip:x@y.example")
    assert forwarded.how == "redirect"
    assert line.up(invite("sip:bob@chicago.example.com", number=2)) == []
    assert [type(event) for event in line.down(answer(200, number=2))] == [CallAnswered]


def test_a_181_tells_once_that_the_call_goes_on(line: Line) -> None:
    line.up(invite())
    (forwarded,) = line.down(answer(181))
    assert isinstance(forwarded, CallForwarded)
    assert (forwarded.how, forwarded.to) == ("progress", ())
    assert line.down(answer(181)) == []


def test_a_transfer_tells_who_asked_for_it(line: Line) -> None:
    line.talk()
    (forwarded,) = line.down(from_callee("REFER", headers="r: <sip:carol@example.com>\r\n"))
    assert isinstance(forwarded, CallForwarded)
    assert (forwarded.how, forwarded.by, forwarded.to) == ("transfer", "callee", ("sip:carol@example.com",))


def test_forks_answer_once_and_the_bye_to_the_second_ends_nothing(line: Line) -> None:
    second = "<sip:98765@bridge.example.com>;tag=c"
    line.up(invite())
    line.down(answer(180))
    line.down(answer(180, callee=second))
    line.down(answer(200))
    line.down(answer(200, callee=second))
    assert line.up(within("BYE", 2, callee=second)) == []
    assert [type(event) for event in line.up(within("BYE", 3))] == [CallEnded]
    assert line.kinds().count("CallAnswered") == 1


def test_a_bye_with_foreign_tags_ends_nothing(line: Line) -> None:
    line.talk()
    (odd,) = line.up(within("BYE", caller="<sip:x@y>;tag=z", callee="<sip:x@y>;tag=y"))
    assert isinstance(odd, Oddity)
    assert odd.reason is Reason.CONFLICT
    assert [type(event) for event in line.up(within("BYE", 3))] == [CallEnded]


def test_hops_of_one_call_are_one_call(line: Line) -> None:
    hop = flow("198.51.100.20", "198.51.100.30")
    back = flow("198.51.100.30", "198.51.100.20")
    line.up(invite())
    line.udp(
        invite("sip:98765@198.51.100.30", caller="<sip:+31205550101@gw.example.com>;tag=h", branch="z9hG4bKh"), hop
    )
    line.udp(answer(200, caller="<sip:+31205550101@gw.example.com>;tag=h", callee="<sip:x@y>;tag=i"), back)
    line.down(answer(200))
    line.up(within("BYE"))
    line.udp(within("BYE", caller="<sip:+31205550101@gw.example.com>;tag=h", callee="<sip:x@y>;tag=i"), hop)
    assert line.kinds() == ["CallOffered", "CallAnswered", "CallEnded"]


def test_an_answer_without_its_invite_still_tells_of_the_call(line: Line) -> None:
    offered, answered = line.down(answer(200))
    assert isinstance(offered, CallOffered)
    assert isinstance(answered, CallAnswered)
    assert offered.evidence == answered.evidence
    assert (offered.caller.sent_from, offered.sent_to, offered.target) == (
        ALICE,
        BRIDGE,
        "sip:98765@bridge.example.com",
    )
    (late,) = line.up(invite(headers="P-Asserted-Identity: <tel:+31205550109>\r\n"))
    assert isinstance(late, CallOffered)
    assert late.caller.asserted == ("tel:+31205550109",)


def test_an_ack_shows_that_an_answer_was_not_seen(line: Line) -> None:
    line.up(invite())
    (answered,) = line.up(within("ACK", 1, branch="z9hG4bK2"))
    assert isinstance(answered, CallAnswered)
    assert answered.callee.uri == "sip:98765@bridge.example.com"


def test_an_ack_shows_that_a_refusal_was_not_seen(line: Line) -> None:
    line.up(invite())
    (refused,) = line.up(within("ACK", 1, branch="z9hG4bK1"))
    assert isinstance(refused, CallRefused)
    assert refused.status == 0
    assert line.up(within("ACK", 1, branch="z9hG4bK1")) == []
    (refused,) = line.down(answer(404))  # late
    assert isinstance(refused, CallRefused)
    assert refused.status == 404


def test_the_answer_to_a_bye_ends_a_call_whose_bye_was_not_seen(line: Line) -> None:
    line.talk()
    (ended,) = line.up(answer(200, number=7, method="BYE", caller=TAGGED, callee=CALLER))
    assert isinstance(ended, CallEnded)
    assert ended.by == "callee"
    assert line.down(from_callee("BYE")) == []
    assert line.down(answer(481, number=2, method="BYE")) == []


@pytest.mark.parametrize("method", ["BYE", "INFO", "UPDATE"])
def test_an_answer_within_a_call_shows_that_there_is_one(line: Line, method: str) -> None:
    assert line.down(answer(481, number=2, method=method)) == []
    offered, answered, *ended = line.down(answer(200, number=2, method=method))
    assert isinstance(offered, CallOffered)
    assert (offered.partial, offered.caller.uri) == (True, "sip:+31205550101@gw.example.com")
    assert (offered.target, offered.sent_to) == ("sip:98765@bridge.example.com", BRIDGE)
    assert isinstance(answered, CallAnswered)
    assert [type(event) for event in ended] == ([CallEnded] if method == "BYE" else [])


def test_a_refusal_shows_the_attempt(line: Line) -> None:
    assert line.down(answer(407)) == []
    offered, refused = line.down(answer(404))
    assert isinstance(offered, CallOffered)
    assert (offered.partial, offered.target) == (True, "sip:98765@bridge.example.com")
    assert isinstance(refused, CallRefused)


def test_a_later_invite_shows_a_call_that_began_before_the_capture(line: Line) -> None:
    again = invite("sip:98765@198.51.100.20", number=5, callee=TAGGED, headers="P-Asserted-Identity: <tel:+1>\r\n")
    (offered,) = line.up(again)
    line.down(answer(200, number=5))
    assert isinstance(offered, CallOffered)
    assert (offered.partial, offered.caller.asserted) == (True, ("tel:+1",))
    assert line.kinds() == ["CallOffered", "CallAnswered"]


def test_a_bye_of_an_unknown_or_refused_call_says_nothing(line: Line) -> None:
    assert line.up(within("BYE")) == []
    line.up(invite())
    line.down(answer(486))
    assert line.up(within("BYE")) == []


def test_a_bye_ends_a_call_whose_answer_was_not_seen(line: Line) -> None:
    line.up(invite())
    (ended,) = line.down(from_callee("BYE"))
    assert isinstance(ended, CallEnded)
    assert ended.by == "callee"


def test_a_search_under_one_call_id_shows_every_target(line: Line) -> None:
    for number in range(1, 6):
        target = f"sip:9876{number}@bridge.example.com"
        line.up(invite(target, number=number, branch=f"z9hG4bK{number}"))
        line.down(answer(404, number=number))
    offered = [event for event in line.said if isinstance(event, CallOffered)]
    assert [one.target for one in offered] == [f"sip:9876{number}@bridge.example.com" for number in range(1, 6)]
    assert line.kinds().count("CallRefused") == 5


def test_a_second_call_hidden_behind_a_first_is_told_and_odd(line: Line) -> None:
    line.talk()
    odd, offered = line.up(invite("sip:11111@bridge.example.com", number=2, caller="<sip:m@example.com>;tag=m"))
    assert isinstance(odd, Oddity)
    assert isinstance(offered, CallOffered)
    assert offered.target == "sip:11111@bridge.example.com"


def test_a_call_id_may_be_used_again_after_the_call(line: Line) -> None:
    line.talk()
    line.up(within("BYE"))
    assert [type(event) for event in line.up(invite(number=3))] == [CallOffered]


@pytest.mark.parametrize(
    ("headers", "hours", "over"),
    [
        pytest.param("Session-Expires: 1800;refresher=uac\r\n", 0.4, False, id="within its session timer"),
        pytest.param("Session-Expires: 1800;refresher=uac\r\n", 0.6, True, id="past its session timer"),
        pytest.param("x: 1\r\n", 0.02, False, id="an absurdly short timer is the shortest allowed"),
        pytest.param("", 3.9, False, id="no timer, four hours not over"),
        pytest.param("", 4.1, True, id="no timer, four hours over"),
    ],
)
def test_a_silent_call_ends_unseen(line: Line, headers: str, hours: float, over: bool) -> None:
    line.talk(headers=headers)
    ended = line.up(within("OPTIONS", call="other"), later=3600 * hours)
    assert [(type(event), getattr(event, "by", "")) for event in ended] == ([(CallEnded, "unknown")] if over else [])


def test_a_refresh_keeps_a_call_alive(line: Line) -> None:
    line.talk(headers="Session-Expires: 1800\r\n")
    for number in range(2, 6):
        line.up(within("UPDATE", number), later=900)
        line.down(answer(200, number=number, method="UPDATE"))
    assert line.kinds() == ["CallOffered", "CallAnswered"]


@pytest.mark.parametrize(
    ("payload", "reason", "events"),
    [
        pytest.param(invite().replace(b"CSeq: 1 INVITE\r\n", b""), Reason.MISSING, ["CallOffered"], id="no CSeq"),
        pytest.param(invite().replace(b"CSeq:", b"CSeq"), Reason.MISSING, ["CallOffered"], id="CSeq without colon"),
        pytest.param(invite().replace(b"1 INVITE", b"1 BYE"), Reason.CONFLICT, ["CallOffered"], id="another method"),
        pytest.param(
            invite(body=sdp()).replace(b"Length: ", b"Length: 9"), Reason.BAD_LENGTH, ["CallOffered"], id="length"
        ),
        pytest.param(
            invite().replace(b"SIP/2.0\r\nVia", b"SIP/7.0\r\nVia"), Reason.UNSUPPORTED, ["CallOffered"], id="version"
        ),
        pytest.param(invite(call=""), Reason.MISSING, [], id="no Call-ID"),
        pytest.param(answer(200).replace(b"CSeq: 1", b"CSeq: x"), Reason.BAD_SYNTAX, [], id="answer with broken CSeq"),
    ],
)
def test_what_is_broken_is_told_and_the_rest_is_used(
    line: Line, payload: bytes, reason: Reason, events: list[str]
) -> None:
    line.up(payload)
    odd = [event for event in line.said if isinstance(event, Oddity)]
    assert [one.reason for one in odd] == [reason]
    assert [kind for kind in line.kinds() if kind != "Oddity"] == events


def test_a_full_table_forgets_unanswered_calls_first_and_says_so_once_a_minute(
    line: Line,
) -> None:
    line.decoders = Decoders(limits=Limits(calls=10))
    line.talk()
    for number in range(100):
        line.up(invite(call=f"flood-{number}"))
    odd = [event for event in line.said if isinstance(event, Oddity)]
    assert [one.reason for one in odd] == [Reason.EVICTED]
    assert line.decoders.counts["calls_evicted"] == 91
    line.up(invite(call="flood-late"), later=61)
    assert line.kinds().count("Oddity") == 2
    assert [type(event) for event in line.up(within("BYE"))] == [CallEnded]


def test_unanswered_calls_are_forgotten_in_time(line: Line) -> None:
    line.up(invite(body=sdp()))
    line.up(within("OPTIONS", call="other"), later=601)
    assert [type(event) for event in line.down(answer(200))] == [CallOffered, CallAnswered]


def test_nothing_is_said_at_the_end_of_calls_that_go_on(line: Line) -> None:
    line.talk()
    assert list(line.decoders.finish()) == list(decoder.NOTHING)


def test_requests_that_belong_to_no_call_say_nothing(line: Line) -> None:
    for method in ("REGISTER", "OPTIONS", "MESSAGE", "PUBLISH", "SUBSCRIBE", "NOTIFY", "INFO", "REFER", "UPDATE"):
        assert line.up(within(method)) == []
    assert line.down(answer(200, method="REGISTER")) == []
    assert line.down(answer(404, method="INFO")) == []
    assert line.decoders.counts["sip_messages"] == 11


def test_a_re_invite_is_no_new_call(line: Line) -> None:
    line.talk(sdp(), sdp(BRIDGE))
    line.up(invite(number=2, callee=TAGGED, body=sdp(port=12_000)))
    line.down(answer(200, number=2, body=sdp(BRIDGE)))
    line.down(from_callee("INVITE", body=sdp(BRIDGE, 13_000)))
    line.up(answer(488, number=7, caller=TAGGED, callee="<sip:+31205550101@gw.example.com>;tag=a"))
    assert line.kinds() == ["CallOffered", "CallAnswered"]
