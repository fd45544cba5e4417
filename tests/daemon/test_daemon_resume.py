"""A call that goes on while its decoder dies: the next decoder knows it, its media and what was entered so far."""

from pathlib import Path

import pytest

from tests.daemon.stage import NUMBER, Daemon, intruder_by_phone, mirror

OUTSIDER = "+31205550177"


@pytest.mark.parametrize("role", ["decode", "serve", ""], ids=["decode", "serve", "the whole tree"])
def test_keys_pressed_after_a_death_are_still_those_of_their_call(tmp_path: Path, role: str) -> None:
    with mirror(f"jwr{role[:6]}") as port:
        running = Daemon(tmp_path, [port.near])
        try:
            running.start()
            frames = intruder_by_phone("one", OUTSIDER, f"{NUMBER}#", "#")
            hash_alone = max(place for place, (_, frame) in enumerate(frames) if len(frame) > 200) + 1
            before, after = frames[:hash_alone], frames[hash_alone:]
            cut = len(after) * 25 // 26  # within the `#` that stands for the PIN, or just before it
            port.play([*before, *after[:cut]])
            running.wait(lambda: _events(running) > 10, "the number in memory")
            first = running.pid_of("decode")
            running.kill(role)
            if role:
                running.wait(lambda: running.pid_of("decode") not in (0, first), "another decoder")
            running.start_again(role)
            port.play([(0, frame) for _, frame in after[cut:]])
            running.wait(lambda: len({*running.alerts()}) >= 2, "both alerts")
            assert sorted({*running.alerts()}) == [
                ("pin-bypass", f"tel:{OUTSIDER}"),
                ("uninvited-participant", f"tel:{OUTSIDER}"),
            ]
        finally:
            running.stop()


def _events(running: Daemon) -> int:
    import sqlite3

    with sqlite3.connect(f"file:{running.folder}/state/memory.db?mode=ro", uri=True) as base:
        return int(base.execute("SELECT count(*) FROM event").fetchone()[0])
