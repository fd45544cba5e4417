"""One call, told step by step; each step moves the call's own clock on and leaves its messages on every hop."""

from __future__ import annotations

from typing import Literal

from pcaps.generator.dialog import Dialog, Side, Transaction
from pcaps.generator.labels import Join, Mark
from pcaps.generator.sip import Headers
from pcaps.generator.wire import Frame


class Call(Dialog):
    """One call between the first and the last host of a path."""

    # Setting up

    def invite(self, *, again: bool = False, **sdp: str) -> Call:
        """The INVITE, and 100 from the next host."""
        extra = self._identity_headers()
        self.invitation = self._transaction("INVITE", "caller")
        body = self._sdp("caller", **sdp)
        frames = self._send(self.invitation, self.target, extra, body, "application/sdp")
        if not again:
            self.offered = frames[0]
        if not self._fork_of:
            self._answer(self.invitation, 100, tag=False, hops=1)
        return self

    def again(self) -> Call:
        """The INVITE once more, because its answer was late."""
        if isinstance(self.offered, Frame):
            self.world.again(self.offered)
        return self

    def branch_of(self, other: Call) -> Call:
        """This call is another branch of that one, made by the proxy in its path (RFC 3261, section 16.6).

        Same Call-ID, From and CSeq, another target; what is said on the first hop is the other's.
        """
        self._fork_of = other
        self.call_id, self.to, self.now = other.call_id, other.to, other.now
        self.tags["caller"], self._sessions["caller"] = other.tags["caller"], other._sessions["caller"]
        return self

    def ring(self, *, after: float = 0.4, status: int = 180, headers: Headers = ()) -> Call:
        """A provisional answer: 180, 181, 183."""
        self._pass(after)
        body = self._sdp("callee") if status == 183 else b""
        self._answer(self._invited(), status, headers, body, contact=True)
        return self

    def answer(
        self, *, after: float = 1.5, focus: bool = False, asserted: str = "", headers: Headers = (), **sdp: str
    ) -> Call:
        """200 and ACK: the two can talk."""
        self._pass(after)
        extra = [("P-Asserted-Identity", asserted), *headers]
        frames = self._answer(
            self._invited(), 200, extra, self._sdp("callee", **sdp), contact=True, focus=";isfocus" if focus else ""
        )
        self.answered = self.answered or frames[0]
        self._acknowledge()
        return self

    def refuse(self, status: int, *, after: float = 0.5, headers: Headers = ()) -> Call:
        """A final answer that is none: 3xx to 6xx, acknowledged hop by hop."""
        self._pass(after)
        transaction = self._invited()
        self.ended = self._answer(transaction, status, headers)[-1]
        self._acknowledge_refusal(transaction)
        return self

    def challenge(self, status: int = 407, *, realm: str = "ministry.example") -> Call:
        """The callee wants to know who asks: 401 or 407; the INVITE again with credentials (RFC 3261, section 22)."""
        ours, theirs = ("Proxy-Authorization", "Proxy-Authenticate")
        if status == 401:
            ours, theirs = ("Authorization", "WWW-Authenticate")
        nonce = f"{self._random.getrandbits(64):016x}"
        self.refuse(status, after=0.05, headers=[(theirs, f'Digest realm="{realm}", nonce="{nonce}", algorithm=MD5')])
        answer = f"{self._random.getrandbits(128):032x}"
        self.credentials = (
            f'{ours}: Digest username="{self.caller.user}", realm="{realm}", nonce="{nonce}", uri="{self.target}", '
            f'response="{answer}", algorithm=MD5'
        )
        self.tags["callee"] = self._token()
        self._pass(0.02)
        return self.invite(again=True)

    def cancel(self, *, after: float = 4) -> Call:
        """The caller gives up before the answer (RFC 3261, section 9)."""
        self._pass(after)
        invited = self._invited()
        cancelling = Transaction("CANCEL", invited.number, "caller", invited.branches, invited.path)
        self._send(cancelling, self.target, [("Reason", 'SIP;cause=487;text="ORIGINATOR_CANCEL"')], tagged=False)
        self._answer(cancelling, 200)
        return self.refuse(487, after=0.02)

    # While it lasts

    def keys(
        self,
        keys: str,
        *,
        after: float = 4,
        via: Literal["rtp", "info"] = "rtp",
        by: Side = "caller",
        gap: float = 0.3,
        lost: int = 0,
    ) -> Call:
        """Keys pressed one after the other; of the packets of each, the first `lost` never reach the mirror port."""
        self._pass(after)
        self.pressed = []
        for key in keys:
            self.pressed.append((self.now, key))
            frames = self._key_info(by, key) if via == "info" else self._key_rtp(by, key, lost)
            self.last_key, self.last_key_at = frames[0], self.now
            self._pass(gap)
        return self

    def relay(self, other: Call) -> Call:
        """The keys just pressed in the other leg of a back-to-back agent, 15 ms later in this one."""
        for at, key in other.pressed:
            self.now = at + 15_000_000
            self.last_key, self.last_key_at = self._key_rtp("caller", key)[0], self.now
        return self

    def talk(self, by: Side, *, packets: int = 3, after: float = 0.1, silent: bool = False) -> Call:
        """Sound, a few packets of it."""
        self._pass(after)
        for at, payload in self._talkers[by].speech(self.now, packets, silent=silent):
            self._rtp(by, at, payload)
        self._pass(packets * 0.02)
        return self

    def reinvite(self, by: Side = "caller", *, after: float = 60, direction: str = "sendrecv") -> Call:
        """The session is changed or refreshed within the dialog: hold, resume, timer (RFC 4028). Nobody new comes."""
        self._pass(after)
        other: Side = "callee" if by == "caller" else "caller"
        self._version += 1
        transaction = self._transaction("INVITE", by)
        self._send(transaction, self._contact_uri(other), (), self._sdp(by, direction=direction), "application/sdp")
        answer = {"sendonly": "recvonly", "recvonly": "sendonly"}.get(direction, direction)
        self._answer(transaction, 200, (), self._sdp(other, direction=answer), contact=True)
        self._acknowledge(transaction)
        return self

    def ask(self, method: Literal["UPDATE", "OPTIONS"], by: Side = "caller", *, after: float = 60) -> Call:
        """A request that changes nothing: the session is refreshed (RFC 3311, RFC 4028), or the other side sought."""
        self._pass(after)
        other: Side = "callee" if by == "caller" else "caller"
        transaction = self._transaction(method, by)
        timer = [("Session-Expires", "1800;refresher=uac")] if method == "UPDATE" else []
        self._send(transaction, self._contact_uri(other), timer)
        self._answer(transaction, 200, timer, contact=method == "UPDATE")
        return self

    def refer(self, to: str, by: Side = "caller", *, after: float = 30, replaces: str = "") -> Call:
        """One side asks the other to call somebody else (RFC 3515), with `Replaces` to take over a call (RFC 3891)."""
        self._pass(after)
        other: Side = "callee" if by == "caller" else "caller"
        transaction = self._transaction("REFER", by)
        extra = [("Refer-To", f"<{to}{'?Replaces=' + replaces if replaces else ''}>"), ("Referred-By", self._who(by))]
        self._send(transaction, self._contact_uri(other), extra)
        self._answer(transaction, 202)
        return self

    def hang_up(self, by: Side = "caller", *, after: float = 1) -> Call:
        """BYE and its answer."""
        self._pass(after)
        other: Side = "callee" if by == "caller" else "caller"
        transaction = self._transaction("BYE", by)
        self.ended = self._send(transaction, self._contact_uri(other), [("Reason", "Q.850;cause=16")])[0]
        self._answer(transaction, 200)
        return self

    def until(self, moment: str) -> Call:
        """Nothing more in this call until then."""
        self.now = max(self.now, self.world.at(moment))
        return self

    def joins(self, subject: str, verdict: str, *, uid: str, key: str, method: str = "pstn") -> Call:
        """Says that by now this call has brought somebody into a meeting: at its answer, or at its last key."""
        if self.offered is None or self.answered is None:
            raise ValueError("nobody answered")
        marks = {"offered": self.offered, "answered": self.answered}
        at = self.answered.at
        if method == "pstn" and self.last_key is not None:
            marks["last_key"], at = self.last_key, self.last_key.at
        self.world.expect_join(
            Join(
                call=self.call_id, subject=subject, method=method, verdict=verdict, uid=uid, key=key, at=at, marks=marks
            )
        )
        return self

    def shown(self) -> list[Mark]:
        """The frames that show this call so far: offered, answered, last key."""
        return [mark for mark in (self.offered, self.answered, self.last_key) if mark is not None]

    def replaces_value(self) -> str:
        """This dialog, as a `Replaces` header names it."""
        return f"{self.call_id};to-tag={self.tags['callee']};from-tag={self.tags['caller']}"
