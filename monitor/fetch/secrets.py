"""The password for a server: from a file that nobody else may read, or from systemd."""

import os
import stat
from pathlib import Path

from monitor.fetch.keeping import Trouble

CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""Where systemd puts what `LoadCredential=` names (systemd.exec(5))."""
MAX_PASSWORD = 4096


def password_in(path: str) -> str:
    """The first line of it. Raises `Trouble`."""
    given = os.environ.get(CREDENTIALS)
    credential = Path(given, Path(path).name) if given else None
    file = credential if credential is not None and credential.exists() else Path(path)
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            raw = opened.read(MAX_PASSWORD + 1).split(b"\n", 1)[0].rstrip(b"\r")
    except OSError as error:
        raise Trouble(f"{file}: {(error.strerror or 'unreadable').lower()}") from None
    if file is not credential and stat.S_IMODE(mode) & 0o077:
        raise Trouble(f"{file}: others may read this password; chmod 600")
    if not raw or len(raw) > MAX_PASSWORD:
        raise Trouble(f"{file}: no password in its first line")
    return raw.decode("utf-8", "replace")
