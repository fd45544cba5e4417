"""The stories, one function each, and the table of contents."""

from pcaps.stories import keys, people, rosters, search, times, town, ways
from pcaps.stories.incident import INCIDENT
from pcaps.stories.story import Story

SCENARIOS = people.SCENARIOS | ways.SCENARIOS | keys.SCENARIOS | search.SCENARIOS | times.SCENARIOS | rosters.SCENARIOS
VLANS = {"duplicate-identity/benign-every-frame-twice": 110, "meeting-enumeration/attack-sip-over-tcp": 120}

STORIES: tuple[Story, ...] = (
    INCIDENT,
    *(
        Story(
            path=f"scenarios/{name}",
            tell=tell,
            day=town.DAY,
            meetings=("../world/meetings",),
            directory=("../world/directory.vcf",),
            policy="../world/policy.toml",
            vlan=VLANS.get(name),
        )
        for name, tell in SCENARIOS.items()
    ),
)
WORLD = town.world_files()
"""Calendar, directory and policy of the scenarios, below `scenarios/world/`."""

__all__ = ["STORIES", "WORLD", "Story"]
