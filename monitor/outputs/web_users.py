"""Basic authentication (RFC 7617) with bcrypt hashes: who may look.

A check costs a tenth of a second, on a thread of its own. One that succeeded is remembered by a keyed digest, so that
a scrape each 15 seconds costs nothing; one that failed is not, and a name that nobody has costs as much as a wrong
password.
"""

import base64
import binascii
import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from hmac import digest
from secrets import token_bytes

from monitor.outputs.web_client import Busy

MAX_REMEMBERED = 128
MAX_WAITING = 16
"""Checks that wait for their turn; whoever comes then is asked to come again."""
MAX_CREDENTIALS = 1024
BCRYPT_BYTES = 72
"""bcrypt looks at no more of a password."""


class Users:
    """Checks names and passwords."""

    def __init__(self) -> None:
        self._key = token_bytes(32)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()
        self._waiting: dict[bytes, Future[bool]] = {}
        self._strangers: dict[bytes, bytes] = {}
        """A hash that nothing fits, for each cost: what a name that nobody has is checked against."""
        self._checking = ThreadPoolExecutor(1, thread_name_prefix="web-users")

    def allows(self, users: Mapping[str, bytes], authorization: bytes) -> "bool | Future[bool]":
        """Whether these words of a request are a user's: now if that is known, else when it is checked."""
        told = credentials_of(authorization)
        if told is None:
            return False
        name, password = told
        hashed = users.get(name)
        seal = digest(self._key, b"\0".join((hashed or b"", name.encode(), password)), "sha256")
        with self._lock:
            if hashed is not None and seal in self._known:
                self._known.move_to_end(seal)
                return True
            if seal in self._waiting:
                return self._waiting[seal]
            if len(self._waiting) >= MAX_WAITING:
                raise Busy("Too many passwords are being checked.")
            check = self._checking.submit(self._check, users, hashed, password)
            self._waiting[seal] = check
        check.add_done_callback(lambda done: self._learn(seal, done))
        return check

    def close(self) -> None:
        """Checks no more."""
        self._checking.shutdown(wait=False, cancel_futures=True)

    def _check(self, users: Mapping[str, bytes], hashed: bytes | None, password: bytes) -> bool:
        import bcrypt

        against = hashed or self._stranger(users)
        fits = bcrypt.checkpw(password[:BCRYPT_BYTES], against)
        return fits and hashed is not None

    def _stranger(self, users: Mapping[str, bytes]) -> bytes:
        """A hash as dear as those of the users."""
        import bcrypt

        cost = max((hashed[4:6] for hashed in users.values()), default=b"10")
        if cost not in self._strangers:
            # Any salt and any digest do: what is compared with it was never hashed to it.
            self._strangers[cost] = b"$2b$" + cost + b"$" + bcrypt.gensalt(4)[7:29] + b"." * 31
        return self._strangers[cost]

    def _learn(self, seal: bytes, done: "Future[bool]") -> None:
        with self._lock:
            self._waiting.pop(seal, None)
            if not done.cancelled() and done.exception() is None and done.result():
                self._known[seal] = None
                if len(self._known) > MAX_REMEMBERED:
                    self._known.popitem(last=False)


def credentials_of(authorization: bytes) -> tuple[str, bytes] | None:
    """Name and password; none when this is no basic authentication."""
    scheme, _, rest = authorization.strip().partition(b" ")
    if scheme.lower() != b"basic" or len(rest) > MAX_CREDENTIALS:
        return None
    try:
        name, colon, password = base64.b64decode(rest.strip(), validate=True).partition(b":")
        text = name.decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return (text, password) if colon and b"\0" not in password else None
