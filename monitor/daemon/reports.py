"""What capture agents send to this machine, as a decoder reads it: frames out of two sockets that capture has opened.

A frame of a ring can be read again by the next decoder; what an agent sent comes once. So each is noted by its digest
before it is looked into, and one that has killed two decoders is left alone when it is sent again.
"""

import socket
from collections.abc import Iterator, Sequence

from monitor.daemon.page import Page
from monitor.model.evidence import Evidence, Nanoseconds
from monitor.model.oddities import Oddity, Reason
from monitor.model.packets import Frame
from monitor.sources.hep import COUNTS, LINKTYPE_IPV4, HepListener, Listening

NAME = "hep"
"""As which they stand in evidence."""
BEFORE_UDP = {True: 20, False: 40}
"""Bytes of the IP header that a frame was given; it has a number in it, and the message has not."""
NO_COUNTS = dict.fromkeys(COUNTS, 0)
"""Where nobody listens."""


class Reports:
    """The listener of one decoder."""

    def __init__(self, sockets: tuple[socket.socket, socket.socket], senders: Sequence[str], page: Page) -> None:
        """`senders` are those of the policy: reports of all others are counted, and nothing else. Raises `ConfigError`
        where there are none.
        """
        self._page = page
        self._killer = page.accuse_report()
        self._heard = HepListener(Listening(senders=tuple(senders)), name=NAME, sockets=sockets, before=page.reports)

    @property
    def accepting(self) -> int:
        """Where connections are accepted."""
        return self._heard.accepting

    def fileno(self) -> int:
        """For a selector: something came."""
        return self._heard.fileno()

    @property
    def counts(self) -> dict[str, int]:
        """Totals since this decoder began."""
        return self._heard.counts

    def inherited(self, at: Nanoseconds) -> Sequence[Oddity]:
        """What there is to say of the report that the decoder before died on."""
        if not self._killer:
            return ()
        left_alone = self._page.is_left_alone(self._killer)
        return (
            Oddity(
                at=at,
                evidence=Evidence(capture=NAME, frame=max(1, self._page.reports[0])),
                protocol="decoder",
                reason=Reason.UNSUPPORTED,
                what=f"a decoder died of the report of a capture agent, SHA-256 {self._killer[:16]}"
                + ("; it is left alone from now on" if left_alone else ""),
            ),
        )

    def poll(self) -> Sequence[Frame]:
        """What has come, without waiting for it."""
        return self._heard.poll()

    def each(self, frames: Sequence[Frame]) -> Iterator[Frame]:
        """One after the other, those that may be looked into; it must be done with one before it takes the next."""
        for frame in frames:
            message = frame.data[BEFORE_UDP[frame.link == LINKTYPE_IPV4] + 8 :]
            if self._page.begin_report(frame.number, message):
                yield frame
        self._page.end_reports(self._heard.told)
