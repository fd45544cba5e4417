"""The container files: no registry is asked, so they are held to their rules by what they say."""

import configparser
import json
import re
from fnmatch import fnmatch

import yaml

from tests.corpus import ROOT
from tests.deploy.linters import linter, told_by

FOLDER = ROOT / "deploy" / "container"
USER = "65532"


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Containerfile and what it says, continued lines in one."""
    text = (FOLDER / "Containerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    parts = (line.partition(" ") for line in joined.splitlines())
    return [(word, " ".join(rest.split())) for word, _, rest in parts]


def said(word: str) -> list[str]:
    return [rest for name, rest in instructions() if name == word]


def last_stage() -> list[tuple[str, str]]:
    found = instructions()
    begin = max(place for place, (word, _) in enumerate(found) if word == "FROM")
    return found[begin:]


def test_every_base_is_named_in_full_with_a_version() -> None:
    bases = [rest.partition(" AS ")[0] for rest in said("FROM")]
    assert len(bases) == 2
    for base in bases:
        assert re.fullmatch(r"docker\.io/library/python:3\.\d+-slim", base)


def test_it_runs_as_nobody_in_particular() -> None:
    users = [rest for word, rest in last_stage() if word == "USER"]
    assert users == [f"{USER}:{USER}"]
    behind = [word for word, _ in last_stage()][[word for word, _ in last_stage()].index("USER") :]
    assert "RUN" not in behind
    assert "COPY" not in behind


def test_nothing_is_fetched_unseen() -> None:
    words = {word for word, _ in instructions()}
    assert words <= {"FROM", "WORKDIR", "RUN", "COPY", "LABEL", "ENV", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK"} | {
        "ENTRYPOINT",
        "CMD",
    }
    for run in said("RUN"):
        assert not re.search(r"\b(curl|wget|sudo|chmod 777|apt-get upgrade)\b", run)
        if "apt-get install" in run:
            assert "--no-install-recommends" in run
            assert "rm -rf /var/lib/apt/lists/*" in run
        if "pip download" in run:
            assert "--require-hashes" in run
        if "pip install" in run:
            assert "--no-index" in run


def test_it_answers_and_says_whether_it_is_well() -> None:
    assert said("EXPOSE") == ["9464"]
    (check,) = said("HEALTHCHECK")
    words = json.loads(check[check.index("[") :])
    assert "/-/healthy" in words[-1]
    compile(words[-1], "healthcheck", "exec")
    assert json.loads(said("ENTRYPOINT")[0])[0].startswith("/")
    assert json.loads(said("CMD")[0])[0] == "watch"


def test_only_what_the_image_needs_is_given_to_its_build() -> None:
    ignored = (FOLDER / ".containerignore").read_text(encoding="utf-8")
    assert ignored == (FOLDER / "Containerfile.dockerignore").read_text(encoding="utf-8")
    rules = [line for line in ignored.splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = [rule[1:] for rule in rules if rule.startswith("!")]
    for rest in said("COPY"):
        if rest.startswith("--from"):
            continue
        for source in rest.split()[:-1]:
            path = source.removeprefix("./")
            assert (ROOT / path).exists()
            assert any(fnmatch(path, rule) or rule.startswith(f"{path}/") for rule in let_in), path


def test_compose_and_quadlet_hold_the_same_rules() -> None:
    service = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))["services"]["joinwatch"]
    assert (service["user"], service["read_only"]) == (f"{USER}:{USER}", True)
    assert (service["cap_drop"], service["cap_add"]) == (["ALL"], ["NET_RAW"])
    assert "privileged" not in service
    assert (ROOT / "deploy" / "container" / service["build"]["context"]).resolve() == ROOT.resolve()
    assert [volume.endswith(":ro") for volume in service["volumes"]] == [True, False]
    quadlet = configparser.ConfigParser(strict=False, interpolation=None)
    quadlet.optionxform = str  # type: ignore[method-assign,assignment]
    quadlet.read(FOLDER / "joinwatch.container", encoding="utf-8")
    container = quadlet["Container"]
    assert (container["User"], container["ReadOnly"]) == (USER, "true")
    assert (container["DropCapability"], container["AddCapability"]) == ("ALL", "NET_RAW")
    assert container["Image"] == service["image"]
    assert not container["Image"].endswith(":latest")


def test_a_second_opinion_finds_nothing() -> None:
    # Versions are Debian's, of that day.
    code, said = told_by(linter("hadolint"), "--ignore", "DL3008", str(FOLDER / "Containerfile"))
    assert (said, code) == ("", 0)
