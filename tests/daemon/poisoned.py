"""A daemon whose decoder has a bug: it dies of one frame, and hangs in another. For tests; the tree around it is ours.

`poisoned.py tree CONFIG` is the whole, `poisoned.py decode CAPTURE EVENTS` its decoder.
"""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from monitor import pipeline
from monitor.daemon import decode, roles
from monitor.model.packets import Frame
from monitor.sources.settings import load_settings

DEADLY, ENDLESS = b"poison for decoders", b"a loop without end"


class Poisoned(pipeline.Signals):
    """Reads every frame as it should, but two."""

    def events_of(self, frame: Frame) -> Sequence[pipeline.SignallingEvent]:  # type: ignore[override]
        if DEADLY in frame.data:
            os._exit(1)
        while ENDLESS in frame.data:
            time.sleep(0.01)
        return super().events_of(frame)  # type: ignore[return-value]


def main(words: Sequence[str]) -> int:
    """Either role."""
    if words[0] == "tree":
        config = Path(words[1])
        return roles.capture_and_tree(
            load_settings(config), config, [sys.executable, "-m", "tests.daemon.poisoned", "decode"]
        )
    roles.die_with_parent()
    decode.Signals = Poisoned  # type: ignore[misc]
    return decode.run(*words[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
