"""The decoders that are connected to serve: what each has said and nobody could remember yet, and what it is told."""

import socket
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress

from monitor.daemon.channel import Channel, Closed, listening
from monitor.daemon.messages import FromDecode, Said, ToDecode

MAX_DECODERS = 64
MAX_QUEUED = 20_000
"""Events that wait for room on the disk: beyond, those of a decoder that dies are left to its rings."""


class Decoders:
    """Where they connect to, and those who have."""

    def __init__(self, path: str) -> None:
        self._listener: socket.socket = listening(path)
        self._living: list[Channel[FromDecode]] = []
        self._sizes: dict[Channel[FromDecode], dict[str, int]] = {}
        """How full the tables of each are."""
        self.waiting: dict[Channel[FromDecode], deque[Said]] = {}
        """Messages that could not be remembered yet, also of one that is gone: reports of agents come once."""

    def fileno(self) -> int:
        """For a selector: somebody connects."""
        return self._listener.fileno()

    def __iter__(self) -> Iterator[Channel[FromDecode]]:
        return iter(self._living)

    def welcome(self) -> Channel[FromDecode] | None:
        """Who connects; none where there are too many."""
        sock, _ = self._listener.accept()
        if len(self._living) >= MAX_DECODERS:
            sock.close()
            return None
        decoder: Channel[FromDecode] = Channel(sock, FromDecode)
        self._living.append(decoder)
        return decoder

    def part(self, decoder: Channel[FromDecode]) -> None:
        """This one is gone."""
        decoder.close()
        self._living.remove(decoder)
        self._sizes.pop(decoder, None)
        if self.queued > MAX_QUEUED or not self.waiting.get(decoder):
            self.waiting.pop(decoder, None)

    def answer(self, decoder: Channel[FromDecode], *messages: ToDecode) -> None:
        """Tell one. If it has just died it has perhaps said more than was read yet: its end will be heard."""
        with suppress(Closed):
            for message in messages:
                decoder.send(message)

    def answer_all(self, message: ToDecode) -> None:
        """Tell everybody."""
        for decoder in self._living:
            self.answer(decoder, message)

    @property
    def queued(self) -> int:
        """Events that could not be remembered yet."""
        return sum(len(said.events) for waiting in self.waiting.values() for said in waiting)

    def take_sizes(self, decoder: Channel[FromDecode], sizes: dict[str, int]) -> None:
        """So full its tables are now."""
        self._sizes[decoder] = sizes

    @property
    def sizes(self) -> dict[str, int]:
        """The same of all together."""
        together = Counter[str]()
        for sizes in self._sizes.values():
            together.update(sizes)
        return dict(together)

    def close(self) -> None:
        """Nobody is heard any more."""
        for decoder in self._living:
            decoder.close()
        self._listener.close()
