"""Real servers for fetchers, on loopback and in temporary folders: Debian's radicale and slapd, with TLS of our own."""

import base64
import http.client
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.daemon.stage import free_port

PASSWORD = "correct-horse-41"  # of invented servers
BASE = "ou=people,dc=ministry,dc=example"
READER = "cn=reader,dc=ministry,dc=example"

PEOPLE = f"""\
dn: dc=ministry,dc=example
objectClass: dcObject
objectClass: organization
o: Ministry
dc: ministry

dn: ou=people,dc=ministry,dc=example
objectClass: organizationalUnit
ou: people

dn: cn=Anna de Vries,{BASE}
objectClass: inetOrgPerson
cn: Anna de Vries
displayName: Anna de Vries
sn: Vries
mail: anna@ministry.example
telephoneNumber: +31 20 555 0101
mobile: 06 39550101

dn: cn=Bram,{BASE}
objectClass: inetOrgPerson
cn: Bram
sn: Bakker
displayName: =HYPERLINK("Bram")
mail: bram@ministry.example
telephoneNumber: 020 555 0102
telephoneNumber: tst. 12

dn: cn=Carla,{BASE}
objectClass: inetOrgPerson
cn: Carla
sn: Claes
displayName:: Q2FybGEKQ2xhZXMsICJkZSBiYWFzIg==
mail: carla@ministry.example

dn: cn=Dirk,{BASE}
objectClass: inetOrgPerson
cn: Dirk
sn: Dekker
telephoneNumber: +31 20 555 0104

dn: cn=Eva,{BASE}
objectClass: inetOrgPerson
cn: Eva
sn: Evers
mail: no address at all
telephoneNumber: +31 20 555 0105
"""


def needs(*programs: str) -> None:
    """Skips where one is not there."""
    for program in programs:
        if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin") is None:
            pytest.skip(f"{program} is not installed (make counterparts)")


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for `localhost` that signs itself, and its key."""
    needs("openssl")
    made, key = folder / "cert.pem", folder / "key.pem"
    words = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    words += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(made)]
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    return made, key


class Radicale:
    """A calendar server."""

    def __init__(self, folder: Path) -> None:
        needs("radicale")
        folder.mkdir()
        self.folder, self.port = folder, free_port()
        self.ca, key = certificate(folder)
        self.url = f"https://localhost:{self.port}/"
        (folder / "users").write_text(f"anna:{PASSWORD}\n", encoding="ascii")
        (folder / "config").write_text(
            f"[server]\nhosts = localhost:{self.port}\nssl = True\ncertificate = {self.ca}\nkey = {key}\n"
            f"[auth]\ntype = htpasswd\nhtpasswd_filename = {folder / 'users'}\nhtpasswd_encryption = plain\ndelay = 0\n"
            f"[storage]\nfilesystem_folder = {folder / 'storage'}\n[logging]\nlevel = warning\n",
            encoding="ascii",
        )
        self._process = subprocess.Popen(
            ["/usr/bin/radicale", "--config", str(folder / "config")],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _until_listening(self.port)

    def ask(self, method: str, path: str, body: str = "") -> int:
        """One request, as Anna; the status of its answer."""
        context = ssl.create_default_context(cafile=str(self.ca))
        connection = http.client.HTTPSConnection("localhost", self.port, context=context, timeout=10)
        user = base64.b64encode(f"anna:{PASSWORD}".encode()).decode()
        connection.request(method, path, body.encode(), {"Authorization": f"Basic {user}"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)


@contextmanager
def radicale(folder: Path) -> Iterator[Radicale]:
    """One at work, with an empty calendar `/anna/board/`."""
    made = Radicale(folder)
    try:
        body = (
            '<?xml version="1.0"?><C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
            "<D:set><D:prop><D:displayname>Board</D:displayname></D:prop></D:set></C:mkcalendar>"
        )
        assert made.ask("MKCALENDAR", "/anna/board/", body) == 201
        yield made
    finally:
        made.close()


class Slapd:
    """A directory server with five people."""

    def __init__(self, folder: Path) -> None:
        needs("slapd", "slapadd")
        folder.mkdir()
        (folder / "data").mkdir()
        self.port, self.tls_port = free_port(), free_port()
        self.ca, key = certificate(folder)
        schemas = "".join(f"include /etc/ldap/schema/{name}.schema\n" for name in ("core", "cosine", "inetorgperson"))
        (folder / "slapd.conf").write_text(
            f"{schemas}modulepath /usr/lib/ldap\nmoduleload back_mdb\npidfile {folder}/pid\n"
            f"TLSCertificateFile {self.ca}\nTLSCertificateKeyFile {key}\n"
            'database mdb\nsuffix "dc=ministry,dc=example"\n'
            f'rootdn "{READER}"\nrootpw {PASSWORD}\ndirectory {folder}/data\nmaxsize 16777216\n'
            "access to * by dn.exact=cn=nobody read by * none\n",
            encoding="ascii",
        )
        (folder / "people.ldif").write_text(PEOPLE, encoding="ascii")
        config = str(folder / "slapd.conf")
        subprocess.run(
            ["/usr/sbin/slapadd", "-f", config, "-l", str(folder / "people.ldif")], check=True, capture_output=True
        )
        self.url, self.tls_url = f"ldap://localhost:{self.port}", f"ldaps://localhost:{self.tls_port}"
        self._process = subprocess.Popen(
            ["/usr/sbin/slapd", "-f", config, "-h", f"{self.url} {self.tls_url}", "-d", "0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _until_listening(self.port)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)


@contextmanager
def slapd(folder: Path) -> Iterator[Slapd]:
    """One at work."""
    made = Slapd(folder)
    try:
        yield made
    finally:
        made.close()


def _until_listening(port: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection(("localhost", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the server never listened")
