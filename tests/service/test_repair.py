"""What `kewen index repair` brings back, from where, and what it says of the rest."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from corpus import readers
from corpus.intake import About, find_files
from corpus.readers import sandbox
from service.assistant import Assistant
from service.errors import DAMAGED, LOCKED, OK, PARTIAL
from service.librarian import Librarian
from service.repair import RepairReport, repair
from service.settings import load_settings

OLD = "乙区科技创新报告\n\n一、总体情况\n\n2025年，乙区建成孵化器12家，服务企业300家。\n"
NEW = OLD.replace("12", "150")


@dataclass(frozen=True)
class Damaged:
    """A home with one document in its second version, to be damaged and mended."""

    home: Path
    reports: Path
    source: Path

    def open(self) -> Assistant:
        return Assistant(load_settings({"home": self.home, "reports": self.reports}, {}))

    def repair(self) -> RepairReport:
        return repair(self.open())

    @property
    def library(self) -> Path:
        return self.home / "library"

    def object(self, text: str) -> Path:
        return self.library / "objects" / hashlib.sha256(text.encode()).hexdigest()

    def reading(self) -> Path:
        (path,) = (self.library / "readings").iterdir()
        return path

    def old_text(self) -> Path:
        return self.library / "old" / "乙" / f"{hashlib.sha256(OLD.encode()).hexdigest()}.txt"

    def is_sound(self) -> bool:
        assistant = self.open()
        snapshot = assistant.retriever().snapshot
        whole = {name: snapshot.text(name) for name in snapshot.documents}["乙"] == NEW
        return whole and not assistant.verify()["faults"] and assistant.library_faults() == []


@pytest.fixture(scope="module")
def built(tmp_path_factory, small_library):
    folder = tmp_path_factory.mktemp("repair")
    assistant = small_library(folder)
    librarian = Librarian(assistant)
    for text in (OLD, NEW):
        (folder / "乙.txt").write_text(text, encoding="utf-8")
        librarian.add(find_files([str(folder / "乙.txt")], About(title="乙区报告", year=2025)))
    return folder


@pytest.fixture
def damaged(built, tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "read", lambda name, data, step=None: readers.read(name, data))
    shutil.copytree(built / "home", tmp_path / "home")
    shutil.copy(built / "乙.txt", tmp_path / "乙.txt")
    monkeypatch.setenv("KEWEN_REPORTS", str(built / "reports"))
    return Damaged(tmp_path / "home", built / "reports", built / "乙.txt")


def test_what_is_sound_stays_as_it_is(damaged):
    before = {x: x.read_bytes() for x in damaged.library.rglob("*") if x.is_file() and "catalogue" not in x.name}
    report = damaged.repair()
    assert (report.mended, report.lost, report.complete) == ([], [], True)
    assert {x: x.read_bytes() for x in before} == before
    assert damaged.is_sound()


@pytest.mark.parametrize("how", ["flipped", "gone", "folder", "link"])
@pytest.mark.parametrize("what", ["object", "reading", "old text", "catalogue.json", "catalogue.copy.json", "index"])
def test_every_single_file_is_brought_back(damaged, what, how):
    path = {
        "object": damaged.object(NEW),
        "reading": damaged.reading(),
        "old text": damaged.old_text(),
        "index": next((damaged.home / "index").glob("*/000/plain/words/vectors.npy")),
    }.get(what, damaged.library / what)
    data = bytearray(path.read_bytes())
    path.unlink()
    if how == "flipped":
        data[len(data) // 2] ^= 4
        path.write_bytes(data)
    elif how == "folder":
        path.mkdir()
    elif how == "link":
        path.symlink_to(path.name)
    report = damaged.repair()
    assert report.lost == []
    assert damaged.is_sound()
    if what == "old text" and how != "gone":  # that one was there, nothing lists
        assert damaged.old_text().read_text(encoding="utf-8") == OLD
    assert damaged.repair().mended == []


def test_a_lost_catalogue_is_made_anew_from_the_index(damaged):
    for name in ("catalogue.json", "catalogue.copy.json"):
        (damaged.library / name).write_bytes(b"{}")
    report = damaged.repair()
    assert report.mended == ["资料目录已依索引重建，含自有资料 1 份", "资料 乙 的文字已恢复"]
    assert damaged.is_sound()
    record = damaged.open().documents_store.catalogue()[0].documents["乙"]
    assert (record.title, record.year, record.file, record.size) == ("乙区报告", 2025, "乙.txt", len(NEW.encode()))


def test_a_lost_catalogue_and_a_lost_index_are_made_anew_from_the_files(damaged):
    for name in ("catalogue.json", "catalogue.copy.json"):
        (damaged.library / name).unlink()
    shutil.rmtree(damaged.home / "index")
    report = damaged.repair()
    assert (
        report.mended[0]
        == "资料目录与索引都已丢失，已依存下的文件重建，含自有资料 2 份；题名、年份请核对，旧版也在其中"
    )
    snapshot = damaged.open().retriever().snapshot
    assert {snapshot.text(name) for name in snapshot.documents} >= {OLD, NEW}
    assert damaged.open().library_faults() == []


def test_a_reading_without_its_file_comes_from_the_index(damaged):
    damaged.source.rename(damaged.source.with_name("away"))
    try:
        damaged.object(NEW).unlink()
        damaged.reading().unlink()
        report = damaged.repair()
    finally:
        damaged.source.with_name("away").rename(damaged.source)
    assert report.mended == ["资料 乙 的文字已恢复"]
    assert report.lost == ["资料 乙 的原文件（乙.txt）缺失或已损坏"]
    snapshot = damaged.open().retriever().snapshot
    assert (snapshot.text("乙"), snapshot.documents["乙"].notes) == (NEW, ("文字由索引恢复",))
    assert damaged.repair().mended == ["资料 乙 的原文件已由 " + str(damaged.source) + " 取回"]


def test_an_earlier_version_that_is_lost_is_named_once_and_let_go(damaged):
    damaged.object(OLD).unlink()
    damaged.old_text().write_bytes(b"x")
    report = damaged.repair()
    assert len(report.lost) == 2
    assert all("不再保留" in x for x in report.lost)
    assert damaged.is_sound()
    assert damaged.repair().complete


def test_a_report_that_was_hidden_stays_hidden_without_a_catalogue(damaged):
    Librarian(damaged.open()).remove(["a"])
    for name in ("catalogue.json", "catalogue.copy.json"):
        (damaged.library / name).unlink()
    damaged.repair()
    assert list(damaged.open().retriever().snapshot.documents) == ["乙"]


def test_the_command_says_what_it_did(damaged, kewen):
    assert kewen("index", "verify")[0] == OK
    damaged.object(OLD).write_bytes(b"x")
    damaged.reading().write_bytes(b"x")
    code, out, _ = kewen("index", "verify")
    assert code == DAMAGED
    assert "请运行 kewen index repair" in out
    code, out, _ = kewen("index", "repair", "--json")
    assert code == PARTIAL
    said = json.loads(out)
    assert said["mended"] == ["资料 乙 的文字已恢复"]
    assert len(said["lost"]) == 1
    assert said["generation"].startswith("gen-")
    code, out, _ = kewen("index", "repair")
    assert (code, out.count("\n")) == (OK, 1)
    assert out.startswith("已重建索引 gen-")
    assert kewen("docs", "verify") == (OK, "自有资料 1 份，全部完好。\n", "")


def test_a_writer_who_is_at_work_is_not_disturbed(damaged, kewen):
    with damaged.open().store.writer():
        code, _, err = kewen("index", "repair")
    assert code == LOCKED
    assert str(os.getpid()) in err
