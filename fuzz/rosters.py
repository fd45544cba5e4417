"""Documents about conferences (RFC 4575): XML that defines nothing, is not deep, and ends."""

from contextlib import suppress

import msgspec

from fuzz.target import target
from monitor.decoders.conference_info import MAX_ENDPOINTS, MAX_LIST, MAX_USERS, read_conference_info
from monitor.model.calls import MAX_TEXT
from monitor.model.oddities import Malformed

WORDS = (
    *(
        b'<conference-info entity="sip:',
        b' state="partial"',
        b' version="1"',
        b"<users>",
        b'<user entity="',
        b"<endpoint ",
    ),
    *(
        b"<status>connected</status>",
        b"<!DOCTYPE x [",
        b'<!ENTITY a "',
        b"&a;",
        b"<![CDATA[",
        b"]]>",
        b"</user>",
        b"</users>",
    ),
    *(
        b"</conference-info>",
        b'<?xml version="1.0" encoding="',
        b"&#x41;",
        b"<joining-method>dialed-in</joining-method>",
    ),
)


@target("conference-info", "decoders.conference_info", words=WORDS)
def conference_info(data: bytes) -> None:
    """A roster: bounded, and read alike whether it is said to be cut or not."""
    for cut in (False, True):
        with suppress(Malformed):
            read = read_conference_info(data, cut=cut)
            assert len(read.users) <= MAX_USERS
            assert len(read.uris) <= MAX_LIST
            assert all(len(user.endpoints) <= MAX_ENDPOINTS for user in read.users)
            assert all(len(text) <= MAX_TEXT for text in (read.entity, read.title, read.subject, *read.uris))
            assert read.problem is not None or b"<!DOCTYPE" not in data
            written = msgspec.json.encode(read.users)
            assert len(written) <= 12 * len(data) + 4096 * (1 + len(read.users))
