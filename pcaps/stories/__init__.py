"""The stories, one function each, and the table of contents."""

from pcaps.stories.incident import INCIDENT
from pcaps.stories.story import Story

STORIES: tuple[Story, ...] = (INCIDENT,)
