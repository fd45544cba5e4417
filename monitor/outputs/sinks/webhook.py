"""Signed JSON to a webhook: one line a request, as https://www.standardwebhooks.com says, version 1.

`webhook-id` is the same whenever the same line is delivered: who has seen it may drop it.
"""

import hmac
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from monitor.model.sinks import WebhookSink
from monitor.outputs.mappings import Object
from monitor.outputs.safe import escaped_json
from monitor.outputs.sinks import is_wanted, outgoing
from monitor.outputs.sinks.poster import Poster
from monitor.outputs.sinks.secrets import signing_key


class Webhook:
    """One webhook."""

    batch = 1

    def __init__(
        self, settings: WebhookSink, techniques: Mapping[str, str], clock: Callable[[], float] = time.time
    ) -> None:
        self._settings, self._techniques, self._clock = settings, techniques, clock
        self._key = signing_key(settings.secret_file)
        self._poster = Poster(settings)

    def wants(self, said: Object) -> bool:
        """Lines of the types that were asked for."""
        return is_wanted(said, self._settings.records, self._settings)

    def deliver(self, lines: Sequence[Object]) -> None:
        """One request a line."""
        for said in lines:
            body = self.body_of(said)
            stamp = str(int(self._clock()))
            name = id_of_line(said)
            self._poster.post(
                body,
                {
                    "webhook-id": name,
                    "webhook-timestamp": stamp,
                    "webhook-signature": signature(self._key, name, stamp, body),
                },
            )

    def body_of(self, said: Object) -> bytes:
        """The line as it is sent."""
        line = outgoing(said, self._settings)
        if self._settings.format == "ecs":
            from monitor.outputs.mappings.ecs import ecs_of

            line = ecs_of(line, self._techniques, self._settings.sensor)
        elif self._settings.format == "ocsf":
            from monitor.outputs.mappings.ocsf import ocsf_of

            line = ocsf_of(line, self._techniques, self._settings.sensor)
        return escaped_json(msgspec.json.encode(line).decode()).encode()

    def due(self) -> float:
        """Nothing is told again."""
        return 3600.0

    def again(self) -> None:
        """Nothing is told again."""

    def kept(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def close(self) -> None:
        """The connection ends."""
        self._poster.close()


def id_of_line(said: Object) -> str:
    """The name of a line: of an alert its id, count and severity; of anything else a digest. Never with a full stop."""
    match said:
        case {"type": "alert", "id": str(name), "count": int(count), "severity": str(severity)} if (
            (name + severity).isascii() and (name + severity).isalnum() and len(name) <= 64
        ):
            return f"alert-{name}-{count}-{severity}"
        case _:
            return f"line-{blake2b(msgspec.json.encode(said), digest_size=16).hexdigest()}"


def signature(key: bytes, name: str, stamp: str, body: bytes) -> str:
    """The value of `webhook-signature`."""
    signed = f"{name}.{stamp}.".encode() + body
    return "v1," + b64encode(hmac.digest(key, signed, "sha256")).decode()
