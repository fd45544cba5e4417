"""A morning on a trunk in which twenty-five secrets pass by, and twenty-five people: each written down here.

Every way by which a PIN, a password, a token or a key comes near this program is used once.
"""

import base64
import hashlib
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from pcaps.generator import World, phone, sip_user
from pcaps.generator import hep as agents
from pcaps.generator.sip import message
from pcaps.generator.wire import SECOND
from pcaps.stories.town import ACCESS, BRIDGE, SBC, SITE, STRANGER, TRUNK
from tests.daemon.stage import NUMBER

KEYS_RTP, KEYS_INFO, KEYS_KPML, KEYS_NOTIFY = "73914628", "61527384", "48261739", "95173628"
"""Passcodes that are typed: none is the PIN of the invitation."""
PASSED = {
    "password in a link": "Rk7mWq2xVd",
    "password in a URI": "Hs4Kd93mQzX",
    "pin behind a number": "40718265",
    "pin behind commas": "52907413",
    "parameter pin": "83460917",
    "parameter passcode": "Zt8pLw6n",
    "digest response": "5f1c9e7ab2d843609a7b1e4cd2f08653",
    "proxy digest response": "c8a27d10e94b4f6da3c51b8e07f29d46",
    "bearer token": "tkn_9QmVx27RbLs4",
    "token of a transfer": "Xw5Rt8Yu1Iop",
    "zak of Zoom": "QpLm29xKzzak7",
    "agent's key (HEP)": "hepKey77Qw31",
    "SDES key": "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
    "signature of a PASSporT": "c2lnbmF0dXJlT2ZQYXNz",
}
EXPECTED = {
    "PIN of the invitation": "85772699",
    "password of the invitation": "Wq8tRz3nVb5",
    "password in its text": "Gv6Yh2Nk9Tj",
}
"""In the calendar."""
SETTINGS = {
    "password of Alertmanager": "amPass_8Rk2LqZ",
    "bcrypt of the web server": "$2b$04$abcdefghijklmnopqrstuuu7Wj0jcM6G1qkq0o3JmFQmB0pPbbBtW",
    "secret of the webhook": "whKeyQ83nRt6LpXs92VbYm41ZcDe",
    "key of the pseudonyms": "pseuKeyW7x2Lq93RvTn5Bz81Ys6Dj0Mf",
}
"""In files of the operator."""
SECRETS = {
    "keys by RTP": KEYS_RTP,
    "keys by INFO": KEYS_INFO,
    "keys by KPML": KEYS_KPML,
    "keys by NOTIFY": KEYS_NOTIFY,
    **PASSED,
    **EXPECTED,
    **SETTINGS,
}
FIRST = (
    "Aldert Bauke Cisca Doeke Evert Froukje Gijsbert Hiltje Ineke Jelmer Klaaske Lolke Meindert "
    "Nynke Oeds Popke Quirijn Rixt Sjoerdtje Tjitske Uilke Vrouwkje Wobbe Xandrine Ytsje"
)
LAST = (
    "Abbinga Boersema Cnossen Dijkgraaf Eizinga Feitsma Gaastra Hoekema Idzinga Jongstra Kuperus Lolkama Miedema "
    "Noordhof Okkinga Palsma Quist Rypkema Sinnema Talsma Ubels Venema Wiarda Xhofleer Ypma"
)
PEOPLE = tuple(
    (f"{first} {last}", f"+3120555{7000 + index}", f"{first}.{last}@people.example".lower())
    for index, (first, last) in enumerate(zip(FIRST.split(), LAST.split(), strict=True))
)
"""Name, telephone number and address."""


def world(name: str) -> World:
    """All of it within two seconds from now."""
    made = World(name, day=datetime.now(UTC).strftime("%Y-%m-%d"), zone="UTC")
    now = time.time_ns() // SECOND * SECOND
    for index, (who, number, mail) in enumerate(PEOPLE):
        if index % 2:
            call = made.call(sip_user(mail, who), f"sip:{NUMBER}@{SITE}", (SBC, BRIDGE), at=now)
            call.answer(after=0.05, focus=True)
        else:
            call = made.call(phone(number, who), ACCESS, (TRUNK, SBC, BRIDGE), at=now)
            call.ring(after=0.01).answer(after=0.02)
            call.keys(f"{NUMBER}#", after=0.05, gap=0.02)
            if index < 4:
                call.keys(
                    f"{(KEYS_RTP, KEYS_INFO)[index // 2]}#", after=0.05, gap=0.02, via=("rtp", "info")[index // 2]
                )
        if index == 1:
            call.refer(f"sip:{NUMBER}@{SITE};token={PASSED['token of a transfer']}", after=0.1)
    raw = [(STRANGER, SBC, text) for text in _texts()]
    for count, (source, destination, text) in enumerate(raw):
        made.datagram(now + count * 10_000_000, source, destination, text)
    told = agents.message(_texts()[0], STRANGER, SBC, at=now, key=PASSED["agent's key (HEP)"].encode())
    made.datagram(now, agents.AGENT, agents.COLLECTOR, told)
    return made


def _texts() -> list[bytes]:
    """SIP messages with a secret in each place where one may be, each of a call of its own; some of them broken."""
    of = PASSED
    targets = [
        f"sip:{NUMBER}@{SITE};pwd={of['password in a link']}",
        f"sip:guest:{of['password in a URI']}@{SITE}",
        f"sip:{NUMBER}.{of['pin behind a number']}@{SITE}",
        f"sip:{NUMBER},,{of['pin behind commas']}#@{SITE}",
        f"sip:{NUMBER}@{SITE};pin={of['parameter pin']}",
        f"sip:{NUMBER}@{SITE}?passcode={of['parameter passcode']}&zak={of['zak of Zoom']}",
        f"sip:{NUMBER}@{SITE}",
    ]
    headers = [
        (
            "Authorization",
            f'Digest username="u", realm="r", nonce="n", uri="sip:x", response="{of["digest response"]}"',
        ),
        (
            "Proxy-Authorization",
            f'Digest username="u", realm="r", nonce="n", uri="sip:x", response="{of["proxy digest response"]}"',
        ),
        ("Authorization", f"Bearer {of['bearer token']}"),
        ("Identity", f"eyJhbGciOiJFUzI1NiJ9.eyJvcmlnIjp7InRuIjoiMzEyMDU1NSJ9fQ.{of['signature of a PASSporT']}"),
        ("Refer-To", f"<https://{SITE}/join?token={of['token of a transfer']}>"),
        ("Alert-Info", f"<https://{SITE}/j.php?MTID=m1&pwd={of['password in a link']}>"),
    ]
    sdp = (
        "v=0\r\no=- 1 1 IN IP4 203.0.113.66\r\ns=-\r\nc=IN IP4 203.0.113.66\r\nt=0 0\r\n"
        "m=audio 30000 RTP/SAVP 8 101\r\n"
        f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{of['SDES key']}\r\n"
    ).encode()
    made = []
    for count, (target, header) in enumerate(zip(targets, [*headers, ("", "")], strict=True)):
        made.append(_request("INVITE", target, count, [header], sdp, "application/sdp"))
        made.append(_request("INVITE", target, 100 + count, [header]).replace(b"CSeq: 1 INVITE", b"CSeq: x"))
    for count, key in enumerate(KEYS_KPML):
        xml = f'<?xml version="1.0"?><kpml-response version="1.0" code="200" text="OK" digits="{key}" tag="dtmf"/>'
        made.append(
            _request(
                "NOTIFY", targets[-1], 6, [("Event", "kpml")], xml.encode(), "application/kpml-response+xml", count
            )
        )
    for count, key in enumerate(KEYS_NOTIFY):
        event = ("Event", "telephone-event")
        body = f"Signal={key}\r\nDuration=160\r\n".encode()
        number = len(KEYS_KPML) + count  # the next one: no request is missing between them
        made.append(_request("INFO", targets[-1], 6, [event], body, "application/dtmf-relay", number))
    return made


def _request(
    method: str,
    target: str,
    call: int,
    headers: list[tuple[str, str]],
    body: bytes = b"",
    kind: str = "",
    number: int = 0,
) -> bytes:
    return message(
        f"{method} {target} SIP/2.0",
        [
            ("Via", f"SIP/2.0/UDP {STRANGER.hostport};branch=z9hG4bK{call}x{number}"),
            ("From", "<sip:guest@elsewhere.example>;tag=1"),
            ("To", f"<{target}>"),
            ("Call-ID", f"planted-{call}@elsewhere.example"),
            ("CSeq", f"{1 + number} {method}"),
            ("Contact", f"<sip:guest@{STRANGER.hostport}>"),
            *headers,
        ],
        body,
        kind,
    )


def files_of_operator(folder: Path) -> dict[str, Path]:
    """What settings name: each holds a secret."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "password": SETTINGS["password of Alertmanager"],
        "web.yml": f"basic_auth_users:\n  prometheus: {SETTINGS['bcrypt of the web server']}\n",
        "webhook": SETTINGS["secret of the webhook"],
        "pseudonyms": SETTINGS["key of the pseudonyms"],
    }
    for name, text in contents.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    return {name: folder / name for name in contents}


def spellings(secret: str) -> set[bytes]:
    """As it is, and as it would stand in other clothes."""
    raw = secret.encode()
    shifted = {base64.b64encode(b"x" * n + raw)[4 if n else 0 : -4] for n in range(3)} if len(raw) > 8 else set()
    dressed = {
        base64.b64encode(raw).rstrip(b"="),
        raw.hex().encode(),
        raw.hex().upper().encode(),
        quote(secret).encode(),
    }
    digests = {hashlib.new(kind, raw).hexdigest().encode() for kind in ("md5", "sha1", "sha256")}
    return {raw, raw[::-1], *dressed, *digests, *(part for part in shifted if len(part) > 8)}


def fresh() -> bytes:
    """A key for a test."""
    return secrets.token_bytes(32)
