"""Makes every capture of this folder, with its labels: `python -m pcaps.make [--check] [NAME…]`.

`--check` writes nothing and fails when a file is not what the stories give.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from pcaps.evasions import trick_files
from pcaps.stories import STORIES, WORLD
from pcaps.stories.story import Story

HERE = Path(__file__).parent
MADE = "made by pcaps/make.py; nothing in it was recorded from a network"
CHECKED = (
    "tshark 4.0.17: no malformed frame, no warning but for separators in numbers (RFC 3966); tests/pcaps repeats it"
)


def files_of(story: Story) -> Iterator[tuple[Path, bytes]]:
    """What the story leaves: a capture and its labels."""
    world = story.told()
    path = HERE / story.path
    yield path.with_suffix(".pcap"), world.pcap()
    labels = world.toml(
        shows=story.shows,
        made_by=MADE,
        licence="EUPL-1.2",
        checked_with=CHECKED,
        checked_against=story.standards,
        meetings=story.meetings,
        directory=story.directory,
        policy=story.policy,
    )
    yield path.with_suffix(".toml"), labels.encode()


def every_file(names: list[str]) -> Iterator[tuple[Path, bytes]]:
    """What all stories leave, or those whose path has one of the names in it."""
    for path, content in WORLD.items():
        yield HERE / "scenarios" / "world" / path, content
    for path, content in trick_files():
        if not names or any(name in path for name in names):
            yield HERE / path, content
    for story in STORIES:
        if not names or any(name in story.path for name in names):
            yield from files_of(story)


def main(arguments: list[str]) -> int:
    """Writes the files, or says which differ."""
    check = "--check" in arguments
    names = [argument for argument in arguments if not argument.startswith("-")]
    differing = 0
    for path, content in every_file(names):
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        elif not path.is_file() or path.read_bytes() != content:
            differing += 1
            sys.stderr.write(f"{path.relative_to(HERE)} is not what its story gives\n")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
