"""What every made page is made with: docstrings out of the code, and tables."""

import ast
import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path

MADE = "<!-- Made by `make docs`; do not edit. -->"


def documented(structure: type) -> dict[str, str]:
    """The docstring of each field, those of the classes before it first."""
    found: dict[str, str] = {}
    for kind in reversed(structure.__mro__[:-1]):
        if kind is not structure and "__struct_fields__" not in vars(kind):
            continue
        if kind.__module__.startswith("monitor."):
            body = class_of(kind)
            found |= dict(_fields_in(body))
    return found


def class_of(kind: type) -> ast.ClassDef:
    """Its definition, as it stands in its file."""
    source = ast.parse(Path(inspect.getfile(kind)).read_text(encoding="utf-8"))
    return next(node for node in source.body if isinstance(node, ast.ClassDef) and node.name == kind.__name__)


def _fields_in(structure: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, text in zip(structure.body, [*structure.body[1:], ast.Pass()], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            said = text.value if isinstance(text, ast.Expr) else None
            yield field.target.id, inspect.cleandoc(str(said.value)) if isinstance(said, ast.Constant) else ""


def cell(text: str) -> str:
    """A docstring as one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def docstring_of(thing: object) -> str:
    """Its docstring; without one there is no page."""
    text = inspect.getdoc(thing) or ""
    assert text, f"{thing} has no docstring"
    return text


def table(*rows: Iterable[str]) -> str:
    """A table of Markdown, its head first."""
    head, *rest = (list(row) for row in rows)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rest)).replace("  |", " |")
