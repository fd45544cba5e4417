"""A bar for somebody who waits, and nothing for anybody else."""

import io

from monitor.outputs.progress import PATIENCE_SECONDS, Progress


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def run(stream: io.StringIO, seconds: float, total: int | None = 1000) -> tuple[str, int]:
    """What was shown by the end of a run of that length, and how often somebody asked how far it is."""
    clock, polls = Clock(), 0

    def poll() -> tuple[int, int | None]:
        nonlocal polls
        polls += 1
        return int((clock.now - 100) * 100), total

    with Progress(poll, stream, clock=clock) as progress:
        for _ in range(round(seconds * 1000)):
            clock.now += 0.001
            progress.tick()
        shown = stream.getvalue()
    return shown, polls


def test_a_short_run_shows_nothing() -> None:
    assert run(Screen(), PATIENCE_SECONDS - 0.1) == ("", 0)


def test_a_long_run_shows_how_far_it_is() -> None:
    shown, polls = run(Screen(), 5)
    assert "reading" in shown
    assert "1.0 kB" in shown
    assert "/s" in shown
    assert "left" in shown
    assert polls < 20


def test_a_length_that_nobody_knows_is_no_obstacle() -> None:
    shown = run(Screen(), 4, None)[0]
    assert "reading" in shown
    assert "/s" in shown
    assert "?" not in shown.rsplit("reading", 1)[1]
    assert "left" not in shown


def test_a_file_or_a_pipe_gets_nothing() -> None:
    assert run(io.StringIO(), 60) == ("", 0)


def test_after_its_end_nothing_is_drawn() -> None:
    stream, clock = Screen(), Clock()
    progress = Progress(lambda: (1, 2), stream, clock=clock)
    progress.close()
    clock.now += 60
    progress.tick()
    assert stream.getvalue() == ""
