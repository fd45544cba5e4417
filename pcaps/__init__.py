"""Captures made by the project itself: the generator, the stories it tells, and what they must lead to."""
