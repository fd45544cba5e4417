"""Who calls, and what they and the network say about it."""

from dataclasses import dataclass, replace

NATIONAL = "+31"
"""Numbers of this country may be written with a leading 0 instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Somebody with a telephone or a SIP address, as their calls show them."""

    uri: str
    """In From (or To, when they are called)."""
    user: str
    """The user part of their Contact."""
    name: str = ""
    asserted: tuple[str, ...] = ()
    """P-Asserted-Identity (RFC 3325)."""
    preferred: str = ""
    remote_party: str = ""
    """A whole Remote-Party-ID value."""
    privacy: str = ""
    diversion: tuple[str, ...] = ()
    """Whole Diversion values (RFC 5806), newest first."""
    history: tuple[str, ...] = ()
    """Whole History-Info values (RFC 7044)."""
    passport: str = ""
    """A whole Identity value (RFC 8224)."""
    agent: str = ""

    @property
    def address(self) -> str:
        """As in From and To: name and URI."""
        return f'"{self.name}" <{self.uri}>' if self.name else f"<{self.uri}>"

    def but(self, **changes: object) -> "Party":
        """The same, except for this."""
        return replace(self, **changes)  # type: ignore[arg-type]


def national(number: str) -> str:
    """`+31205550112` as people in the country dial it: `0205550112`."""
    return "0" + number.removeprefix(NATIONAL) if number.startswith(NATIONAL) else "00" + number[1:]


def phone(number: str, name: str = "", *, spelled: str = "", trunk: str = "192.0.2.10", vouched: bool = True) -> Party:
    """A telephone behind a trunk. The trunk asserts the number in E.164; From has whatever spelling the PBX writes."""
    written = spelled or number
    return Party(
        uri=f"sip:{written}@{trunk};user=phone",
        user=written,
        name=name,
        asserted=(f"sip:{number}@{trunk};user=phone",) if vouched else (),
    )


def sip_user(address: str, name: str = "", *, vouched: bool = True, agent: str = "") -> Party:
    """A SIP phone or room system, by its address of record (`zaal-b1@ministry.example`)."""
    return Party(
        uri=f"sip:{address}",
        user=address.partition("@")[0],
        name=name,
        asserted=(f"sip:{address}",) if vouched else (),
        agent=agent,
    )


def withheld(number: str = "", *, trunk: str = "192.0.2.10") -> Party:
    """A caller who asked not to be shown (RFC 3323); the number, if any, is asserted under `Privacy: id` (RFC 3325)."""
    return Party(
        uri="sip:anonymous@anonymous.invalid",
        user="anonymous",
        name="Anonymous",
        asserted=(f"sip:{number}@{trunk};user=phone",) if number else (),
        privacy="id",
    )
