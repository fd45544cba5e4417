"""How much a thing holds: every object that can be reached from it, once."""

import gc
import sys
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

PROGRAM = (type, ModuleType, FunctionType, BuiltinFunctionType, CodeType)
"""It holds no state of ours."""


def weight_of(thing: Any) -> int:
    """In bytes, as Python has them: without what SQLite and the allocator hold besides."""
    seen: set[int] = set()
    waiting, total = [thing], 0
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, PROGRAM):
            continue
        seen.add(id(one))
        total += sys.getsizeof(one)
        waiting += gc.get_referents(one)
        if isinstance(one, dict):
            waiting += one  # its keys are no referents where all of them are texts
    return total
