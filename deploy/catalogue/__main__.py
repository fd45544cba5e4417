"""`python -m deploy.catalogue [--check]`: make Prometheus' rules, their tests, the runbooks, and sinks' Dutch."""

import argparse
import sys
from pathlib import Path

from deploy.catalogue import cases, rules, runbooks, sentences
from deploy.catalogue.entries import Catalogue, Mistake, catalogue

ROOT = Path(__file__).resolve().parents[2]
RULES, TESTS, RUNBOOKS = Path("deploy/prometheus"), Path("deploy/prometheus/tests"), Path("docs/runbooks")


def files(told: Catalogue) -> dict[Path, str]:
    """Every file that is made, by its path."""
    made = {RULES / name: rules.as_yaml(document) for name, document in rules.documents(told).items()}
    tested = tuple(f"../{path.name}" for path in made)
    made |= {TESTS / name: cases.as_yaml(document) for name, document in cases.documents(told, tested).items()}
    made[Path(sentences.MADE)] = sentences.as_toml(told)
    return made | {RUNBOOKS / name: text for name, text in runbooks.pages(told).items()}


def main(words: list[str]) -> int:
    """0 done; 1 what is there is not what the catalogue says; 2 the catalogue has a mistake."""
    parser = argparse.ArgumentParser(prog="python -m deploy.catalogue", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; say which files differ")
    parser.add_argument("--output", type=Path, default=ROOT, help="write below this folder instead of the repository")
    parser.add_argument("--runbooks", help="where the runbooks can be read (URL)")
    parser.add_argument("--job", help="the job under which Prometheus scrapes joinwatch")
    given = parser.parse_args(words)
    try:
        made = files(catalogue(runbooks=given.runbooks, job=given.job))
    except Mistake as mistake:
        print(f"deploy/catalogue: {mistake}", file=sys.stderr)  # noqa: T201
        return 2
    if given.check:
        different = [path for path, text in made.items() if _text_in(given.output / path) != text]
        made_of = {given.output / path for path in made}
        for folder, ending in ((RUNBOOKS, "*.md"), (RULES, "*.rules.yml")):
            different += [path for path in (given.output / folder).rglob(ending) if path not in made_of]
        for path in different:
            print(f"{path} is not what the catalogue says; run `python -m deploy.catalogue`", file=sys.stderr)  # noqa: T201
        return 1 if different else 0
    for path, text in made.items():
        (given.output / path).parent.mkdir(parents=True, exist_ok=True)
        (given.output / path).write_text(text, encoding="utf-8")
    return 0


def _text_in(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
