"""People of vCards and tables, asked by address."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.model.invitations import Directory, Invitee, addresses_of
from monitor.model.problems import ConfigError
from monitor.sources.directories import load_directory
from monitor.sources.numbers import number_text_for

JAN = "mailto:jan@ministry.example"


def load(*paths: Path) -> Directory:
    return load_directory(paths, number_text=number_text_for("31"))


def directory_of(folder: Path, text: str | bytes, name: str = "people.csv") -> Directory:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path)


def card(*lines: str, version: str = "4.0") -> str:
    return "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""])


def names(directory: Directory, address: str) -> list[str]:
    return [person.name for person in directory.people_with(address)]


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("EMAIL;TYPE=work:Jan@Ministry.example", JAN),
        ("EMAIL;PREF;INTERNET:jan@ministry.example", JAN),
        ("item1.EMAIL;TYPE=INTERNET:jan@ministry.example", JAN),
        ("TEL;TYPE=WORK,VOICE:+31 (0)20 555 0123", "tel:+31205550123"),
        ('TEL;VALUE=uri;TYPE="voice,work":tel:+31-20-555-0123;ext=7', "tel:+31205550123"),
        ("TEL;WORK;VOICE:020-555 01 23", "tel:+31205550123"),
        ("TEL;TYPE=CELL:06-12345678", "tel:+31612345678"),
        ("TEL;VALUE=uri:sip:zaal1@video.example.org", "sip:zaal1@video.example.org"),
        ("IMPP;X-SERVICE-TYPE=SIP:sip:Jan@Ministry.example", "sip:jan@ministry.example"),
        ("X-SIP:jan@ministry.example", "sip:jan@ministry.example"),
        ("X-SIP;TYPE=work:sip:+31205550123@gw.example.net", "tel:+31205550123"),
        ("X-DDI:+31 20 555 01xx", "tel:+31205550142"),
    ],
)
@pytest.mark.parametrize("version", ["2.1", "3.0", "4.0"])
def test_every_address_of_a_card(tmp_path: Path, version: str, line: str, address: str) -> None:
    directory = directory_of(tmp_path, card("FN:Jan Jansen", line, version=version), "jan.vcf")
    assert names(directory, address) == ["Jan Jansen"]


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (["FN:Jan\\, de Wit"], "Jan, de Wit"),
        (["N:Jansen;Jan;;;"], "Jan Jansen"),
        (["ORG:Ministerie;Zaal 1"], "Ministerie;Zaal 1"),
        (["FN;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:J=C3=B6rg =", "M=C3=BCller"], "Jörg Müller"),
        (["FN;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:J=F6rg"], "Jörg"),
        (["FN:Jan van", " der Berg"], "Jan vander Berg"),
        ([], ""),
    ],
)
def test_the_name_on_a_card(tmp_path: Path, lines: list[str], name: str) -> None:
    directory = directory_of(tmp_path, card(*lines, "EMAIL:jan@ministry.example"), "jan.vcf")
    assert names(directory, JAN) == [name]


@pytest.mark.parametrize(
    ("line", "delegates"),
    [
        ("RELATED;TYPE=agent:mailto:Piet@Ministry.example", ("mailto:piet@ministry.example", "tel:+31205550124")),
        ("RELATED;TYPE=agent:urn:uuid:1234-piet", ("mailto:piet@ministry.example", "tel:+31205550124")),
        ('RELATED;VALUE=text;TYPE="work,agent":Piet Pietersen', ("mailto:piet@ministry.example", "tel:+31205550124")),
        ("X-ASSISTANT:piet pietersen", ("mailto:piet@ministry.example", "tel:+31205550124")),
        ("X-DELEGATE:an@ministry.example", ("mailto:an@ministry.example",)),
        ("X-DELEGATE:+31 20 555 0125", ("tel:+31205550125",)),
        ("X-ASSISTANT:Nobody Known", ()),
        ("RELATED;TYPE=friend:mailto:piet@ministry.example", ()),
        ("RELATED;TYPE=spouse,work:mailto:piet@ministry.example", ()),
    ],
)
def test_who_comes_in_somebodys_place(tmp_path: Path, line: str, delegates: tuple[str, ...]) -> None:
    piet = card("FN:Piet Pietersen", "UID:urn:uuid:1234-PIET", "EMAIL:piet@ministry.example", "TEL:+31205550124")
    directory = directory_of(tmp_path, card("FN:Jan", "EMAIL:jan@ministry.example", line) + piet, "all.vcf")
    [jan] = directory.people_with(JAN)
    expected = addresses_of([Invitee(address=JAN)], directory)
    assert expected == {JAN, *delegates}
    assert set(jan.delegates) <= set(delegates)


def test_the_members_of_a_group_come_for_the_group(tmp_path: Path) -> None:
    group = card("KIND:group", "FN:Team", "EMAIL:team@ministry.example", "MEMBER:mailto:jan@ministry.example")
    jan = card("FN:Jan", "EMAIL:jan@ministry.example", "TEL:+31205550123")
    directory = directory_of(tmp_path, group + jan, "all.vcf")
    assert "tel:+31205550123" in addresses_of([Invitee(address="mailto:team@ministry.example")], directory)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_a_table_is_read_however_it_was_saved(tmp_path: Path, separator: str, newline: str, encoding: str) -> None:
    rows = [["E-mail Address", "Display Name", "Business Phone"], ["jan@ministry.example", "Jörg", "020 555 0123"]]
    text = newline.join(separator.join(row) for row in rows)
    directory = directory_of(tmp_path, text.encode(encoding))
    assert names(directory, JAN) == names(directory, "tel:+31205550123") == ["Jörg"]


@pytest.mark.parametrize(
    ("header", "row", "addresses"),
    [
        ("NAME;EMAIL;PHONE", "Jan;jan@x.example;+31205550123", ["mailto:jan@x.example", "tel:+31205550123"]),
        ("name;emails", "Jan;jan@x.example|j@x.example", ["mailto:jan@x.example", "mailto:j@x.example"]),
        ("name;emails", "Jan;jan@x.example j@x.example", ["mailto:jan@x.example", "mailto:j@x.example"]),
        ("name,numbers", 'Jan,"020 555 0123; 06 12345678"', ["tel:+31205550123", "tel:+31612345678"]),
        ("name;numbers", "Jan;+31205550123 +31612345678", ["tel:+31205550123", "tel:+31612345678"]),
        ("name;numbers", "Jan;+31 20 555 0123 +31 6 1234 5678", ["tel:+31205550123", "tel:+31612345678"]),
        ("name;numbers", "Jan;0205550123 0612345678", ["tel:+31205550123", "tel:+31612345678"]),
        ("name;tel;mobile", "Jan;020-5550123;06-12345678", ["tel:+31205550123", "tel:+31612345678"]),
        ("name;phone 1;phone 2", "Jan;020-5550123;06-12345678", ["tel:+31205550123", "tel:+31612345678"]),
        ("name;sip", "Jan;sip:jan@x.example", ["sip:jan@x.example"]),
        (
            "name,sip",
            "Jan,jan@x.example|sip:j@x.example;transport=tls;x@x.example",
            ["sip:jan@x.example", "sip:j@x.example"],
        ),
        ("name;range", "Jan;+3120555014", ["tel:+31205550140", "tel:+31205550149"]),
        ("room;ddi", "Zaal 1;+31 20 555 014x", ["tel:+31205550140"]),
        ("name;phone;department;remarks", "Jan;020-5550123;Juridische Zaken;ext 4", ["tel:+31205550123"]),
        ("name;phone", "Jan;1234|020-5550123", ["tel:+31205550123"]),
        ("name;phone", 'Jan;"020-5550123";;;', ["tel:+31205550123"]),
        ("sep=;\nname;phone", "Jan;020-5550123", ["tel:+31205550123"]),
        ("# people, by hand\nname;phone", "\n#x\nJan;020-5550123", ["tel:+31205550123"]),
    ],
)
def test_what_a_row_may_hold(tmp_path: Path, header: str, row: str, addresses: list[str]) -> None:
    directory = directory_of(tmp_path, f"{header}\n{row}\n")
    for address in addresses:
        assert len(directory.people_with(address)) == 1, address


def test_delegates_of_a_row_are_addresses_or_names(tmp_path: Path) -> None:
    table = (
        "name,email,delegates\n"
        "Jan,jan@ministry.example,piet@ministry.example|An de Boer\n"
        "Piet,piet@ministry.example,\n"
        "An de Boer,an@ministry.example,\n"
    )
    directory = directory_of(tmp_path, table)
    [jan] = directory.people_with(JAN)
    assert jan.delegates == ("mailto:piet@ministry.example", "mailto:an@ministry.example")


def test_a_shared_phone_is_everybodys(tmp_path: Path) -> None:
    directory = directory_of(tmp_path, "name;phone\nJan;020 555 0123\nAn;+31 (0)20 5550123\nPiet;0205550124\n")
    assert names(directory, "tel:+31205550123") == ["Jan", "An"]


def test_an_exact_number_comes_before_a_range_and_a_narrow_range_before_a_wide_one(tmp_path: Path) -> None:
    table = "name;phone;range\nMinistry;;+3120555\nJan;+31205550123;\nZaal;;+3120555014\n"
    directory = directory_of(tmp_path, table)
    assert names(directory, "tel:+31205550123") == ["Jan"]
    assert names(directory, "tel:+31205550145") == ["Zaal"]
    assert names(directory, "tel:+31205559999") == ["Ministry"]
    assert names(directory, "tel:+31305559999") == []
    assert names(directory, "sip:+3120555@x.example") == []


def test_one_person_of_two_files_is_one_person(tmp_path: Path) -> None:
    (tmp_path / "a.vcf").write_text(card("FN:Jan", "EMAIL:jan@ministry.example", "TEL:+31205550123"))
    (tmp_path / "b.csv").write_text("name,email,mobile\nJAN,jan@ministry.example,06-12345678\nJan,jan@other.example,\n")
    directory = load(tmp_path)
    [jan] = directory.people_with(JAN)
    assert set(jan.addresses) == {JAN, "tel:+31205550123", "tel:+31612345678"}
    assert len(directory.people_with("mailto:jan@other.example")) == 1


def test_a_file_of_another_name_is_known_by_what_it_begins_with(tmp_path: Path) -> None:
    assert names(directory_of(tmp_path, card("FN:Jan", "TEL:+31205550123"), "export"), "tel:+31205550123") == ["Jan"]


@given(st.binary(max_size=200) | st.text(alphabet='namephoneil;,\t"\n@.+0123456789|# ', max_size=200).map(str.encode))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("name", ["a.csv", "a.vcf"])
def test_any_bytes_are_a_directory_or_told_mistakes(tmp_path: Path, name: str, raw: bytes) -> None:
    try:
        told = [repr(directory_of(tmp_path, raw, name).people_with("tel:+31205550123"))]
    except ConfigError as error:
        told = [problem.expected for problem in error.problems]
    assert told
    assert all(told)
