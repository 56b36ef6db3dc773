"""Names of files that mean harm: from a folder, from a program, over HTTP. A name is shown and never a path."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata

import pytest
from fastapi.testclient import TestClient

from corpus.guess import clean_name
from corpus.intake import Found, find_files
from corpus.types import is_document_id
from service.app import create_app
from tests.faults.common import bench, in_process

NAMES = (
    "../../x.txt", "..\\..\\x.txt", "../../../../../../var/evil.txt", "/var/evil.txt", "/etc/cron.d/evil.txt", "C:\\Windows\\x.txt", "\\\\host\\share\\x.txt",
    "file:///var/evil.txt", "%2e%2e%2fx.txt", "%2e%2e/%2e%2e/x.txt", "..%2f..%2fx.txt", "..%5cx.txt", "%252e%252e%252fx.txt", "..%c0%af..%c0%afx.txt",
    "..", ".", "...", "../", "/", "\\", "", " ", ".txt", "..txt", "~/x.txt", "~root/x.txt", "$HOME/x.txt", "`touch x`.txt", "$(touch x).txt", "; rm -rf x.txt",
    "a\0b.txt", "a.pdf\0.txt", "a\nb.txt", "a\r\nX-Evil: 1.txt", "a\tb.txt", "\x1b[31m红.txt", "\x7f.txt", "CON", "NUL.txt", "COM1.txt", "aux.txt", "x.txt:stream", "x.txt.", "x.txt ",
    "-rf.txt", "--help.txt", "\u2215etc\u2215passwd.txt", "..\u2215..\u2215x.txt", "\uff0e\uff0e\uff0fx.txt", "\u202egpj.txt", "\u2066x\u2069.txt", "\u200b.txt", "\ufeffx.txt", "\u0301.txt",
    "报告" * 150 + ".txt", "a" * 5000 + ".txt", "😀报告👨‍👩‍👧.txt", "𠮷野家.txt", "e\u0301.txt", "<script>alert(1)</script>.txt", "\"';--.txt", "{{7*7}}.txt", "%s%n.txt",
    "catalogue.json", "objects/x.txt", "library", "reports.toml", "x.toml", ".htaccess", "键" * 80 + ".txt",
)  # fmt: skip
RAW = (
    "报告.txt".encode("gb18030"),
    b"\xff\xfe.txt",
    b"\x80\x81\x82.txt",
    "報告.txt".encode("big5"),
    b"a\xf0\x90\x80.txt",
)


@pytest.fixture(scope="module")
def place():
    with bench() as made, in_process():
        yield made


@pytest.fixture
def home(place):
    return place.home("home")


def content(name):
    """A text that no other name has; it says nothing of its own title."""
    return f"一、基础\n\n有企业{int(hashlib.sha256(repr(name).encode()).hexdigest()[:8], 16)}家。\n".encode()


def listing(folder, home):
    """All that lies beside a home, with its time of change."""
    return {x: x.lstat().st_mtime_ns for x in folder.rglob("*") if home not in x.parents and x != home}


def is_plain(name):
    return len(name.encode()) <= 255 and not any(
        unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs") for c in name
    )


def check_and_remove(place, home, count):
    """Each is listed under a plain name and id, its file lies under its sum alone, and it is removed by its id."""
    librarian = place.librarian(home)
    records = librarian.documents.catalogue()[0].documents
    assert len(records) == count
    for name, record in records.items():
        assert is_document_id(name)
        assert is_plain(record.file)
        assert is_plain(record.title)
        assert librarian.file(name)[1].startswith("一、基础".encode())
    for folder in ("objects", "readings"):
        assert all(len(x.name.split(".")[0]) >= 64 for x in (home / "library" / folder).iterdir())
    listed = {document.id for document, _ in librarian.assistant.documents()}
    assert set(records) < listed
    report = librarian.remove(list(records))
    assert [x.status for x in report.documents] == ["removed"] * count
    assert {document.id for document, _ in place.assistant(home).documents()} == listed - set(records)
    assert not list((home / "library" / "objects").iterdir())


def test_names_that_a_program_gives(place, home):
    before = listing(place.folder, home)
    report = place.librarian(home).add([Found(name, data=content(name)) for name in NAMES])
    assert len(report.documents) == len(NAMES)
    assert {x.status for x in report.documents} == {"ok", "replaced"}
    check_and_remove(place, home, len({clean_name(x) for x in NAMES}))
    assert listing(place.folder, home) == before


def test_names_of_files_in_a_folder(place, home):
    folder = place.folder / "odd"
    folder.mkdir()
    made = 0
    names = [x.encode() for x in NAMES if "/" not in x and "\0" not in x]
    for name in {*names, *RAW}:
        if name.endswith(b".txt") and not name.startswith(b".") and len(name) <= 255:
            with open(os.fsencode(folder) + b"/" + name, "wb") as file:  # noqa: PTH123 - a name of bytes
                file.write(content(name))
            made += 1
    assert made >= 35
    before = listing(place.folder, home)
    report = place.librarian(home).add(find_files([str(folder)]))
    assert [x.status for x in report.documents] == ["ok"] * made
    again = place.librarian(home).add(find_files([str(folder)]))
    assert [x.status for x in again.documents] == ["unchanged"] * made
    check_and_remove(place, home, made)
    assert listing(place.folder, home) == before


def test_names_that_are_sent(place, home):
    assistant = place.assistant(home)
    before = listing(place.folder, home)
    with TestClient(create_app(assistant, assistant.settings), base_url="http://127.0.0.1:8765") as client:
        for batch in batches([*(x.encode() for x in NAMES if len(x) < 1_000), *RAW], 40):
            answer = send(client, b"".join(part(escaped(x), content(x)) for x in batch))
            assert answer.status_code == 200, answer.text
            documents = answer.json()["documents"]
            assert len(documents) == len(batch)
            assert {x["status"] for x in documents} <= {"ok", "replaced"}, documents
            assert all(is_plain(x["file"]) and not re.search(r"[/\\]", x["file"]) for x in documents)
        for broken in (b"a\0b.txt", b"a\r\nX-Evil: 1.txt", b'a".txt', b"a" * 5_000 + b".txt", b"a" * 100_000):
            assert send(client, part(broken, content(broken))).status_code in (200, 400, 413, 422)
    check_and_remove(place, home, len(place.librarian(home).documents.catalogue()[0].documents))
    assert listing(place.folder, home) == before


def part(name, data):
    return b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n%s\r\n' % (name, data)


def escaped(name):
    """As browsers write it."""
    return name.replace(b'"', b"%22").replace(b"\r", b"%0D").replace(b"\n", b"%0A").replace(b"\0", b"%00")


def send(client, parts):
    headers = {"Content-Type": "multipart/form-data; boundary=xyz"}
    return client.post("/v1/documents", content=parts + b"--xyz--\r\n", headers=headers)


def batches(items, size):
    return [items[n : n + size] for n in range(0, len(items), size)]
