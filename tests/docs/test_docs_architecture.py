"""The page on the architecture names what is there: each object of a stage, what it is given, and what it can."""

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import pytest

from tests.corpus import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text()


def rows() -> Iterator[tuple[str, str]]:
    """Stage, and what the page says of an object of it."""
    table = PAGE.split("| stage | the object |")[1].split("\n\n")[0]
    stage = ""
    for line in table.splitlines()[2:]:
        first, said, _ = (cell.strip() for cell in line.strip("|").split("|", 2))
        stage = first.strip("`") or stage
        yield stage, said


def found_in(stage: str, name: str) -> Any:
    """The object in the stage or in one of its files."""
    package = import_module(f"monitor.{stage}")
    modules: list[ModuleType] = [package]
    modules += [
        import_module(f"monitor.{stage}.{module.name}")
        for module in iter_modules([str(Path(package.__file__ or "").parent)])
    ]
    return next(getattr(module, name) for module in modules if hasattr(module, name))


@pytest.mark.parametrize(("stage", "said"), list(rows()))
def test_each_object_is_there_and_takes_and_gives_what_is_said(stage: str, said: str) -> None:
    object_, *others = re.findall(r"`([^`]+)`", said)
    named = re.match(r"(\w+)\(([^)]*)\)(?:\.(\w+))?", object_)
    if named is None or stage == "outputs":  # whatever has these methods
        assert {"write", "close"} <= set(dir(found_in(stage, "Output")))
        assert isinstance(found_in(stage, "OUTPUTS"), tuple)
        return
    thing = found_in(stage, named[1])
    taken = set(inspect.signature(thing).parameters)
    assert {name.strip() for name in named[2].split(",") if name.strip() not in ("", "…")} <= taken
    members = [named[3], *(re.sub(r"\W.*", "", other) for other in others)]
    text = inspect.getsource(thing)
    for member in filter(None, members):
        assert hasattr(thing, member) or f"self.{member}" in text or hasattr(found_in(stage, member), "__len__"), member


def test_every_package_of_the_house_is_on_the_page() -> None:
    packages = {path.parent.name for path in (ROOT / "monitor").glob("*/__init__.py")} - {"model"}
    named = {stage for stage, _ in rows()} | set(re.findall(r"`monitor/(\w+)`", PAGE))
    assert packages - named == set()
