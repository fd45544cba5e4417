"""What is read: capture files, invitations, the directory and the policy come in, frames and their nouns go out.

The table of contents. A name is imported when it is first asked for, so that a command pays only for what it reads.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.sources.captures import Captures as Captures
    from monitor.sources.filters import filter_text as filter_text

_PLACES = {
    "Captures": "captures",
    "filter_text": "filters",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
