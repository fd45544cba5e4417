"""The table of contents: a module with targets in it, and one line here."""

from fuzz import configuration, pipeline, rosters, savefiles, signalling, texts, wire
from fuzz.target import TARGETS, Target

__all__ = ["TARGETS", "Target", "configuration", "pipeline", "rosters", "savefiles", "signalling", "texts", "wire"]
