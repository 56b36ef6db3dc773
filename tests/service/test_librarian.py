"""The library as its owner changes it: by the API and by `kewen docs`, with real files, to the bytes on disk."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from corpus import readers
from corpus.catalogue import Catalogue
from corpus.citations import verify_text
from corpus.intake import About, Found, check_about, find_files
from corpus.lines import line_starts
from corpus.readers import sandbox
from corpus.types import EditorialHeading
from index.locking import locked
from index.storage import IndexProblem
from service import librarian as module
from service.app import create_app
from service.assistant import Assistant
from service.errors import DAMAGED, LOCKED, OK, PARTIAL, USAGE, KewenError
from service.librarian import Librarian, LibraryReport
from service.links import Links
from service.settings import load_settings

FOLDER = """[[document]]
id = "甲区-2024"
file = "甲区.txt"
title = "甲区报告"
year = 2024
series = "甲区报告"
kind = "报告"
"""
GIVEN = "甲区科技创新报告\n\n一、总体情况\n\n2024年，甲区集聚生物医药企业449家，研发投入占比4.5%。\n"
OWN = "乙区科技创新报告\n\n一、总体情况\n\n2025年，乙区建成孵化器12家，服务企业300家。\n"
NEWER = OWN.replace("12家", "15家，比上年多3家")


@dataclass(frozen=True)
class Place:
    """A home whose index is built, its reports, a folder for files, and who changes the library."""

    home: Path
    reports: Path
    files: Path
    librarian: Librarian

    def open(self, notify=lambda line: None) -> Assistant:
        """As another process would find it."""
        return Assistant(load_settings({"home": self.home, "reports": self.reports}, {}), notify)

    def file(self, name: str, text: str | bytes = OWN) -> Path:
        path = self.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return path

    def add(self, *paths: Path, reread: bool = False, **about) -> LibraryReport:
        return self.librarian.add(find_files(map(str, paths), About(**about)), reread)

    def statuses(self, *paths: Path, **about) -> list[tuple[str, str | None]]:
        return [(x.status, x.id) for x in self.add(*paths, **about).documents]

    def texts(self) -> dict[str, str]:
        """The text of each document, as another process finds it in the index."""
        snapshot = self.open().retriever().snapshot
        return {name: snapshot.text(name) for name in snapshot.documents}

    def holds(self, words: str) -> list[Path]:
        """The files of the home that hold these words."""
        paths = (x for x in self.home.rglob("*") if x.is_file())
        return [x for x in paths if words.encode("utf-8") in x.read_bytes()]


@pytest.fixture(scope="module")
def built(tmp_path_factory, bundled):
    folder = tmp_path_factory.mktemp("library")
    (folder / "reports").mkdir()
    (folder / "reports" / "reports.toml").write_text(FOLDER, encoding="utf-8")
    (folder / "reports" / "甲区.txt").write_text(GIVEN, encoding="utf-8")
    assistant = Assistant(load_settings({"home": folder / "home", "reports": folder / "reports"}, {}))
    assistant._encoder = bundled
    assistant.build()
    return folder


@pytest.fixture
def place(built, tmp_path, monkeypatch):
    for name in ("home", "reports"):
        shutil.copytree(built / name, tmp_path / name)
    monkeypatch.setenv("KEWEN_REPORTS", str(tmp_path / "reports"))
    (tmp_path / "files").mkdir()
    settings = load_settings({"home": tmp_path / "home", "reports": tmp_path / "reports"}, {})
    return Place(tmp_path / "home", tmp_path / "reports", tmp_path / "files", Librarian(Assistant(settings)))


@pytest.fixture
def in_process(monkeypatch):
    """Our own reader of plain text, without a process for each file."""
    monkeypatch.setattr(sandbox, "read", lambda name, data, step=None: readers.read(name, data))


# -- adding ---------------------------------------------------------------------------------------


def test_an_added_file_is_found_cited_and_kept_byte_for_byte(place):
    report = place.add(place.file("乙区.txt"))
    (added,) = report.documents
    assert (added.status, added.id, added.passages, report.complete) == ("ok", "乙区", 1, True)
    assert (added.document.title, added.document.year) == ("乙区科技创新报告", 2025)
    hit = place.open().search("乙区有多少家孵化器").hits[0]
    assert hit.passage.document_id == "乙区"
    citation = hit.citation
    assert "".join(OWN[start:end] for start, end in citation.spans) == citation.quote
    record, data = place.librarian.file("乙区")
    assert (data, record.file, record.size) == (OWN.encode(), "乙区.txt", len(OWN.encode()))
    assert report.generation == place.librarian.assistant.store.current_name()


def test_the_command_adds_lists_and_shows(place, kewen):
    path = place.file("乙区.txt")
    code, out, _ = kewen("docs", "add", str(path))
    assert code == OK
    assert out.startswith(
        "已加入：乙区.txt → 乙区\n    《乙区科技创新报告》（正文首行），2025 年（正文最常述及2025年（1处）），报告；1 段\n"
    )
    assert "共 1 份：成功 1，失败 0" in out
    code, out, _ = kewen("docs", "list", "--json")
    listed = {x["id"]: x for x in json.loads(out)["documents"]}
    assert list(listed) == ["甲区-2024", "乙区"]
    assert (listed["乙区"]["file"], listed["乙区"]["passages"]) == ("乙区.txt", 1)
    code, out, _ = kewen("docs", "show", "乙区", "--json")
    assert code == OK
    assert [x["text"] for x in json.loads(out)["passages"]] == [OWN.strip().split("\n\n")[-1]]


def test_one_bad_file_of_several_costs_the_others_nothing_and_is_listed_last(place, kewen):
    bad = place.file("坏.pdf", b"%PDF-1.7\nbroken")
    code, out, _ = kewen("docs", "add", str(bad), str(place.file("乙区.txt")), str(place.files / "没有.txt"))
    assert code == PARTIAL
    first, *_, worse, worst, counted = out.splitlines()
    assert first.startswith("已加入：乙区.txt")
    assert worse.startswith("未加入（corrupt）坏.pdf：")
    assert worst.startswith("未加入（not_found）")
    assert "没有.txt" in worst
    assert counted.startswith("共 3 份：成功 1，失败 2")
    code, out, _ = kewen("docs", "add", str(bad), "--json")
    assert code == PARTIAL
    (said,) = json.loads(out)["documents"]
    assert (said["file"], said["status"], said["id"], said["document"]) == ("坏.pdf", "corrupt", None, None)
    assert set(place.texts()) == {"甲区-2024", "乙区"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{a}", "{b}", "--id", "x"], "只能用于一份文件"),
        (["{a}", "--year", "20260"], "年份应为"),
        (["{a}", "--id", "a/b"], "编号不能含"),
        (["{empty}"], "没有可加入的文件"),
        ([], "缺少"),
    ],
)
def test_a_wrong_request_adds_nothing(place, kewen, tmp_path, arguments, message):
    (tmp_path / "空").mkdir()
    paths = {"a": place.file("a.txt"), "b": place.file("b.txt"), "empty": tmp_path / "空"}
    code, _, err = kewen("docs", "add", *(x.format(**paths) for x in arguments))
    assert code == USAGE
    assert message in err
    assert place.librarian.documents.catalogue() == (Catalogue(), "")


# -- the rows of D-09 -----------------------------------------------------------------------------


def test_the_same_file_again_is_unchanged_and_makes_no_new_index(place, in_process):
    path = place.file("乙区.txt")
    first = place.add(path)
    again = place.add(path)
    assert [(x.status, x.id) for x in again.documents] == [("unchanged", "乙区")]
    assert again.generation == first.generation == place.librarian.assistant.store.names()[-1]


def test_the_same_content_elsewhere_is_a_duplicate(place, in_process):
    place.add(place.file("乙区.txt"))
    assert place.statuses(place.file("副本.txt")) == [("duplicate_of", "乙区")]
    assert place.statuses(place.file("甲.txt", GIVEN)) == [("duplicate_of", "甲区-2024")]
    assert list(place.texts()) == ["甲区-2024", "乙区"]


def test_twins_in_one_batch_are_one_document(place, in_process):
    assert place.statuses(place.file("a.txt"), place.file("b.txt")) == [("ok", "a"), ("duplicate_of", "a")]
    assert list(place.texts()) == ["甲区-2024", "a"]


def test_a_changed_file_replaces_the_old_text(place, in_process, tmp_path):
    path = place.file("乙区.txt")
    place.add(path)
    path.write_text(NEWER, encoding="utf-8")
    (said,) = place.add(path).documents
    assert (said.status, said.id, said.message) == ("replaced", "乙区", "第 2 版")
    assert place.texts()["乙区"] == NEWER
    hits = place.open().search("乙区有多少家孵化器", top_k=10).hits
    assert not [x for x in hits if "12家" in x.citation.quote]
    fresh = tmp_path / "fresh"
    settings = load_settings({"home": fresh, "reports": place.reports}, {})
    other = Librarian(Assistant(settings))
    other.add(find_files([str(path)]))
    assert len(place.open().retriever().snapshot.rows) == len(other.assistant.retriever().snapshot.rows)


def test_a_moved_file_is_the_same_document_and_nothing_is_embedded_anew(place, in_process, bundled, monkeypatch):
    path = place.file("乙区.txt")
    place.add(path, year=2030)
    path = path.rename(place.files / "新名.txt")
    monkeypatch.setattr(bundled, "means", None)  # without it no vector is made
    assert place.statuses(path) == [("moved", "乙区")]
    record = place.librarian.documents.catalogue()[0].documents["乙区"]
    assert (record.file, record.source, record.year) == ("新名.txt", str(path), 2030)


def test_an_earlier_version_can_come_back(place, in_process):
    path = place.file("乙区.txt")
    for text in (OWN, NEWER, OWN):
        path.write_text(text, encoding="utf-8")
        place.add(path)
    assert place.texts()["乙区"] == OWN
    record = place.librarian.documents.catalogue()[0].documents["乙区"]
    assert len(record.versions) == 2
    assert place.librarian.verify() == (1, [])


def test_a_citation_of_a_replaced_text_still_opens_at_its_words(place, in_process):
    path = place.file("乙区.txt")
    place.add(path)
    assistant = place.librarian.assistant
    old = assistant.search("乙区有多少家孵化器").hits[0].citation
    path.write_text("前言。\n\n" + NEWER, encoding="utf-8")
    place.add(path)
    assert list(assistant.documents_store.old_texts("乙区")) == [OWN]
    settings = assistant.settings
    with TestClient(create_app(assistant, settings), base_url="http://127.0.0.1") as client:
        page = client.get(Links(settings).url(old).removeprefix(settings.base_url))
    assert page.status_code == 200
    assert "12家" in page.text
    place.librarian.remove(["乙区"])
    assert list(assistant.documents_store.old_texts("乙区")) == []


def test_a_new_version_that_can_not_be_read_leaves_the_old_one(place, in_process):
    path = place.file("乙区.txt")
    place.add(path)
    path.write_bytes(b"")
    assert place.statuses(path) == [("empty", None)]
    assert place.texts()["乙区"] == OWN


@pytest.mark.parametrize("what", ["objects", "readings"])
def test_a_damaged_document_is_mended_by_adding_its_file_again(place, in_process, what):
    path = place.file("乙区.txt")
    place.add(path)
    for damaged in (place.home / "library" / what).iterdir():
        damaged.write_bytes(b"x")
    assert place.librarian.verify()[1]
    assert place.statuses(path) == [("unchanged", "乙区")]
    assert place.librarian.verify() == (1, [])
    place.open().build()
    assert place.texts()["乙区"] == OWN


def test_another_reading_of_a_file_harms_none_that_is_in_use(place, in_process):
    """Files are read before the writer's place is held: whoever reads anew may be killed before he gets it."""
    place.add(place.file("乙区.txt"))
    place.librarian.documents.put(OWN.encode(), readers.read("乙区.txt", NEWER.encode()))
    assert place.librarian.verify() == (1, [])
    place.open().build()
    assert place.texts()["乙区"] == OWN


def test_files_are_read_anew_when_that_is_asked(place, in_process, monkeypatch):
    path = place.file("乙区.txt")
    first = place.add(path, title="旧题")
    assert place.statuses(path) == [("unchanged", "乙区")]
    better = OWN.replace("孵化器", "科技企业孵化器")
    monkeypatch.setattr(sandbox, "read", lambda name, data, step=None: readers.read(name, better.encode()))
    (said,) = place.add(path, reread=True).documents
    assert (said.status, said.id, said.message, said.document.title) == ("replaced", "乙区", "已重新读取", "旧题")
    assert place.texts()["乙区"] == better
    record = place.librarian.documents.catalogue()[0].documents["乙区"]
    assert (record.versions, record.sha256) == ((), first.documents[0].document.sha256)


# -- describing and removing ----------------------------------------------------------------------


def test_what_is_known_of_a_document_is_set(place, kewen, in_process):
    path = place.file("乙区.txt")
    place.add(path)
    code, out, _ = kewen("docs", "set", "乙区", "--title", "乙区年度报告（2023）", "--year", "2023", "--json")
    assert code == OK
    (said,) = json.loads(out)["documents"]
    assert said["status"] == "updated"
    about = said["document"]
    assert (about["title"], about["year"], about["year_basis"], about["kind"]) == (
        "乙区年度报告（2023）",
        2023,
        None,
        "年度报告",
    )
    code, out, _ = kewen("docs", "set", "乙区", "--year", "2023")
    assert code == OK
    assert out.startswith("没有变化：乙区.txt")
    path.write_text(NEWER, encoding="utf-8")
    place.add(path)
    assert place.open().retriever().snapshot.documents["乙区"].year == 2023  # what a user said outlives a version


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["set", "没有", "--year", "2020"], "没有编号为 没有 的报告"),
        (["set", "甲区-2024", "--year", "2020"], "reports.toml"),
        (["set", "甲区-2024", "--year", "1"], "年份应为"),
        (["remove", "没有"], "没有编号为 没有 的报告"),
        (["show", "没有"], "没有编号为 没有 的报告"),
    ],
)
def test_what_is_not_there_is_said(place, kewen, arguments, message):
    code, _, err = kewen("docs", *arguments)
    assert code == USAGE
    assert message in err


def test_a_removed_document_is_gone_from_the_disk(place, kewen, in_process):
    path = place.file("乙区.txt")
    place.add(path)
    path.write_text(NEWER, encoding="utf-8")
    place.add(path)
    assert place.holds("服务企业300家")
    code, out, _ = kewen("docs", "remove", "乙区")
    assert code == OK
    assert out.startswith("已移除：乙区.txt → 乙区\n")
    assert place.holds("服务企业300家") == []
    assert place.open().search("乙区有多少家孵化器").hits[0].passage.document_id == "甲区-2024"
    assert place.statuses(path) == [("ok", "乙区")]


def test_a_report_of_the_folder_is_hidden_and_comes_back(place):
    (said,) = place.add(place.file("乙区.txt")).documents
    (said,) = place.librarian.remove(["甲区-2024"]).documents
    assert (said.status, said.message) == ("removed", "原文件未动；重新加入它即可恢复")
    assert set(place.texts()) == {"乙区"}
    assert place.statuses(place.reports / "甲区.txt") == [("ok", "甲区-2024")]
    assert set(place.texts()) == {"甲区-2024", "乙区"}


def test_the_last_document_is_not_removed(place):
    before = place.texts()
    with pytest.raises(KewenError) as error:
        place.librarian.remove(["甲区-2024"])
    assert error.value.code == "invalid_request"
    assert place.texts() == before


def test_one_unknown_name_removes_nothing(place, in_process):
    place.add(place.file("乙区.txt"))
    with pytest.raises(KewenError) as error:
        place.librarian.remove(["乙区", "没有"])
    assert error.value.code == "not_found"
    assert set(place.texts()) == {"甲区-2024", "乙区"}


def test_twice_named_is_once_removed(place, in_process):
    place.add(place.file("乙区.txt"))
    assert [x.status for x in place.librarian.remove(["乙区", "乙区"]).documents] == ["removed"]


def test_damage_is_named_and_costs_an_exit_code(place, kewen, in_process):
    path = place.file("乙区.txt")
    place.add(path)
    path.write_text(NEWER, encoding="utf-8")
    place.add(path)
    assert kewen("docs", "verify") == (OK, "自有资料 1 份，全部完好。\n", "")
    store = place.librarian.documents
    store.object_path(hashlib.sha256(NEWER.encode()).hexdigest()).write_bytes(b"x")
    next((store.folder / "old").glob("*/*")).write_bytes(b"x")
    (store.folder / "catalogue.copy.json").unlink()
    code, out, _ = kewen("docs", "verify", "--json")
    assert code == DAMAGED
    said = json.loads(out)
    assert (said["documents"], len(said["faults"])) == (1, 3)
    with pytest.raises(KewenError, match="kewen docs verify") as error:
        place.librarian.file("乙区")
    assert error.value.code == "library_error"
    assert place.texts()["乙区"] == NEWER  # the index answers all the same


# -- files of all sorts: D-11, D-12, D-13 ---------------------------------------------------------

ODD = {
    "一行": "创新" * 200_000,
    "无标点": "".join(f"乙区科技企业孵化器数量持续增长到{n}个\n" for n in range(300)),
    "数字": "".join(f"{n * 7919:010d}\n" for n in range(200)),
    "表情": "🚀👩‍🔬" * 500,
    "控制符": "创新中心与研究院的建设。\n" * 50 + "尾\x07声\u202e与\u200b余\ufeff音。\n",
    "扩展区": "𠮷野家的报告与𪚥龘，𠀀𠀁。\n" * 50,
    "空白多": "报告\n" + "\n" * 5000 + "　　正文。\n",
}


@pytest.mark.parametrize("name", ODD)
def test_citations_of_odd_texts_select_exactly_the_quoted_words(place, in_process, name):
    (said,) = place.add(place.file(f"{name}.txt", ODD[name])).documents
    assert (said.status, said.id) == ("ok", name)
    snapshot = place.librarian.assistant.retriever().snapshot
    text = snapshot.text(name)
    starts = line_starts(text)
    rows = snapshot.rows_of(name)
    assert rows
    for row in rows:
        citation = snapshot.citation(snapshot.rows[row].passage)
        verify_text(text, starts, citation)
        assert "".join(text[start:end] for start, end in citation.spans) == citation.quote


def test_what_is_no_plain_file_is_refused_by_name_and_hangs_nothing(place, in_process):
    started = time.monotonic()
    os.mkfifo(place.files / "管道.txt")
    listener = socket.socket(socket.AF_UNIX)
    os.chdir(place.files)  # a socket's path is short
    listener.bind("套接字.txt")
    (place.files / "环.txt").symlink_to("环.txt")
    (place.files / "圈").symlink_to(".", target_is_directory=True)
    (place.files / "设备.txt").symlink_to("/dev/zero")
    said = {
        x.file: x.status for x in place.add(place.files, place.files / "环.txt", place.files / "设备.txt").documents
    }
    listener.close()
    assert said == {
        "管道.txt": "unsupported",
        "套接字.txt": "unsupported",
        "环.txt": "corrupt",
        "设备.txt": "unsupported",
    }
    assert time.monotonic() - started < 5


def test_a_file_that_vanishes_or_may_not_be_read_is_said(place, in_process, monkeypatch):
    found = find_files([str(place.file("乙区.txt")), str(place.file("密.txt"))])
    found[0].path.unlink()
    opened = os.open

    def guarded(path, *rest, **more):
        if str(path).endswith("密.txt"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *rest, **more)

    monkeypatch.setattr(os, "open", guarded)
    said = place.librarian.add(found).documents
    assert [(x.file, x.status) for x in said] == [("乙区.txt", "corrupt"), ("密.txt", "corrupt")]


def test_a_long_id_serves_for_old_texts_and_expansions_too(place, in_process):
    path = place.file("长.txt")
    with pytest.raises(ValueError, match="66 个汉字"):
        check_about(About(id="甲" * 67))
    about = check_about(About(id="甲" * 66))
    for text, status in ((OWN, "ok"), (NEWER, "replaced")):
        path.write_text(text, encoding="utf-8")
        (said,) = place.librarian.add(find_files([str(path)], about)).documents
        assert said.status == status
    assert list(place.librarian.documents.old_texts("甲" * 66)) == [OWN]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("乙区规划.txt".encode("gb18030"), "乙区规划.txt"),
        (b"a" * 251 + b".txt", "a" * 251 + ".txt"),
        ("两\n行.txt".encode(), "两 行.txt"),
        (b"-rf.txt", "-rf.txt"),
        ("🚀.txt".encode(), "🚀.txt"),
        ("\u202egpj.txt".encode(), "gpj.txt"),
        (b"CON.txt", "CON.txt"),
        (b"...txt", "...txt"),
    ],
)
def test_every_file_name_can_be_added_listed_shown_and_removed(place, in_process, kewen, raw, shown):
    path = Path(os.fsdecode(os.fsencode(place.files) + b"/" + raw))
    path.write_bytes(OWN.encode())
    (said,) = place.add(path).documents
    assert (said.status, said.file) == ("ok", shown)
    listed = json.loads(kewen("docs", "list", "--json")[1])["documents"]
    assert [x["file"] for x in listed if x["id"] == said.id] == [shown]
    assert kewen("docs", "show", "--", said.id)[0] == OK
    assert kewen("docs", "remove", "--", said.id)[0] == OK
    assert place.holds("服务企业300家") == []


# -- changes that fail, that are cut short, and that meet -----------------------------------------


def test_a_document_that_can_not_be_indexed_is_not_kept(place, in_process):
    found = find_files([str(place.file("丙.txt", NEWER)), str(place.file("乙区.txt"))])
    about = About(editorial_headings=(EditorialHeading("没有这一句", "长宁区"),))
    bad = Found(found[0].name, found[0].path, about=about)
    report = place.librarian.add([bad, found[1]])
    assert [(x.status, x.id) for x in report.documents] == [("manifest_invalid", None), ("ok", "乙区")]
    assert set(place.librarian.documents.catalogue()[0].documents) == {"乙区"}
    assert set(place.texts()) == {"甲区-2024", "乙区"}
    notices = []
    place.open(notices.append).retriever()
    assert notices == []


def test_a_new_version_that_can_not_be_indexed_leaves_the_old_one(place, in_process, monkeypatch):
    path = place.file("乙区.txt")
    place.add(path)
    before = place.librarian.documents.catalogue()[0]
    monkeypatch.setattr("index.parts.MAX_PASSAGES", 1)
    place.file("乙区.txt", "\n\n".join(f"{n}、第{n}节\n\n{n}号正文，讲一件事。" for n in "一二三"))
    assert place.statuses(path) == [("too_large", None)]
    assert place.librarian.documents.catalogue()[0] == before
    assert place.texts()["乙区"] == OWN


@pytest.mark.parametrize("failing", ["publish", "check_space"])
def test_where_the_index_can_not_be_written_the_library_is_as_it_was(place, in_process, monkeypatch, failing):
    place.add(place.file("乙区.txt"))
    store = place.librarian.assistant.store
    before, names = place.librarian.documents.catalogue(), store.names()

    def full(*arguments, **more):
        raise IndexProblem("insufficient_storage", "磁盘空间不足。")

    monkeypatch.setattr(store, failing, full)
    for change in (lambda: place.add(place.file("丙.txt", NEWER)), lambda: place.librarian.remove(["乙区"])):
        with pytest.raises(KewenError) as error:
            change()
        assert (error.value.code, error.value.exit_code) == ("insufficient_storage", 6)
        assert (place.librarian.documents.catalogue(), store.names()) == (before, names)
    monkeypatch.undo()
    assert place.librarian.verify() == (1, [])


def test_a_folder_that_fails_to_sync_changes_nothing(place, in_process, monkeypatch):
    """The catalogue is replaced, and only then does the disk fail: what was told to have failed must not happen later."""
    place.add(place.file("乙区.txt"))
    before = place.librarian.documents.catalogue()
    real, failed = os.fsync, []

    def failing(descriptor):
        target = Path(f"/proc/self/fd/{descriptor}").resolve()
        if target == place.home / "library" and not failed:
            failed.append(target)
            raise OSError(errno.EIO, "Input/output error")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(KewenError) as error:
        place.librarian.remove(["乙区"])
    assert failed
    assert error.value.code == "storage_error"
    assert place.librarian.documents.catalogue() == before


def test_a_change_that_was_cut_short_is_finished_by_the_next_command(place, in_process):
    path = place.file("乙区.txt")
    place.add(path)
    store = place.librarian.documents
    whole = store.catalogue()[0]
    place.librarian.remove(["乙区"])
    store.put(OWN.encode(), readers.read("乙区.txt", OWN.encode()))
    store.save(whole)  # and here the writer is killed
    notices = []
    assistant = place.open(notices.append)
    assert "乙区" in assistant.retriever().snapshot.documents
    assert notices == ["上次对资料的改动没有做完，已补编索引。"]
    assert place.librarian.verify() == (1, [])


def test_a_writer_who_is_at_work_is_named(place, kewen, in_process, monkeypatch):
    monkeypatch.setattr(module, "_WAIT_SECONDS", 0.1)
    with place.librarian.assistant.store.writer():
        code, _, err = kewen("docs", "add", str(place.file("乙区.txt")))
    assert code == LOCKED
    assert f"（进程 {os.getpid()}，自 20" in err
    assert place.statuses(place.files / "乙区.txt") == [("ok", "乙区")]


def test_a_file_whose_document_is_removed_meanwhile_is_added(place, in_process, monkeypatch):
    """Between the reading of a known file and its turn, somebody else removes the document that it was."""
    path = place.file("乙区.txt")
    place.add(path)
    other = Librarian(place.open())
    read_all = place.librarian._read_all

    def then_removed(*arguments):
        arrivals = read_all(*arguments)
        other.remove(["乙区"])
        return arrivals

    monkeypatch.setattr(place.librarian, "_read_all", then_removed)
    assert place.statuses(path) == [("ok", "乙区")]
    assert place.librarian.verify() == (1, [])


def test_a_file_that_is_dropped_meanwhile_is_kept_again(place, in_process, monkeypatch):
    """Its bytes were an earlier version of another document, which is removed before this one's turn."""
    path = place.file("乙区.txt")
    place.add(path)
    path.write_text(NEWER, encoding="utf-8")
    place.add(path)
    other = Librarian(place.open())
    read_all = place.librarian._read_all

    def then_removed(*arguments):
        arrivals = read_all(*arguments)
        other.remove(["乙区"])
        return arrivals

    monkeypatch.setattr(place.librarian, "_read_all", then_removed)
    assert place.statuses(place.file("丙.txt", OWN)) == [("ok", "丙")]
    assert place.librarian.verify() == (1, [])


def test_a_build_that_waited_for_a_change_sees_it(place, in_process, monkeypatch):
    """The library is read once the writer's place is held: else an index without the newest document is published."""
    store, path = place.librarian.assistant.store, place.file("乙区.txt")
    late = place.open()

    def after_another(folder, wait):
        monkeypatch.undo()
        place.add(path)
        return locked(folder, wait)

    monkeypatch.setattr("index.generations.locked", after_another)
    late.build()
    name = store.current_name()
    assert "乙区".encode() in store.read(name).files["000/documents.jsonl"]


def test_eight_who_add_one_file_make_one_document(place):
    path = place.file("乙区.txt")
    said: list[str] = []

    def add():
        said.extend(x.status for x in Librarian(place.open()).add(find_files([str(path)])).documents)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["ok"] + ["unchanged"] * 7
    assert list(place.texts()) == ["甲区-2024", "乙区"]


# -- D-10 -----------------------------------------------------------------------------------------

_PLACES = ("浦东", "徐汇", "宝山", "长宁", "杨浦", "闵行", "嘉定", "松江")
_THINGS = ("孵化器", "实验室", "高新技术企业", "独角兽企业", "创业投资", "技术合同", "专利", "人才")


def _some_text(rng: random.Random) -> str:
    lines = [f"{rng.choice(_PLACES)}区科技创新报告"]
    for _ in range(rng.randint(1, 4)):
        lines.append(
            f"{rng.randint(2015, 2026)}年，{rng.choice(_PLACES)}区{rng.choice(_THINGS)}达到{rng.randint(2, 900)}家。"
        )
    return "\n\n".join(lines) + "\n"


def _step(rng: random.Random, place: Place, files: dict[str, Path]) -> None:
    """One random change, to the files and to the library."""
    kind = rng.choice(["add", "add", "replace", "remove", "rename"])
    if kind == "add" or not files:
        path = place.file(f"{len(list(place.files.iterdir()))}-{rng.randint(0, 10**9)}.txt", _some_text(rng))
        (said,) = place.add(path).documents
        files |= {said.id: path} if said.status == "ok" else {}
        return
    name = rng.choice(sorted(files))
    if kind == "replace":
        files[name].write_text(_some_text(rng), encoding="utf-8")
        place.add(files[name])
    elif kind == "rename":
        files[name] = files[name].rename(place.files / f"moved-{rng.randint(0, 10**9)}.txt")
        assert place.statuses(files[name]) == [("moved", name)]
    else:
        assert place.librarian.remove([name]).complete
        files.pop(name).unlink()


def test_any_sequence_of_changes_ends_where_a_fresh_build_does(place, in_process, tmp_path):
    rng = random.Random(20261121)  # noqa: S311 - chance, not a secret
    files: dict[str, Path] = {}
    for _ in range(60):
        _step(rng, place, files)
    catalogue = place.librarian.documents.catalogue()[0]
    assert {x.id: x.source for x in catalogue.documents.values()} == {k: str(v) for k, v in files.items()}
    fresh = Assistant(load_settings({"home": tmp_path / "fresh", "reports": place.reports}, {}))
    shutil.copytree(place.home / "library", tmp_path / "fresh" / "library")
    fresh.build()
    grown = place.librarian.assistant
    ours, theirs = (x.store.read(x.store.current_name()).files for x in (grown, fresh))
    assert dict(ours) == dict(theirs)
    for n in range(20):
        question = f"{_PLACES[n % 8]}区有多少家{_THINGS[n // 3]}"
        found = [[(x.passage.id, x.score) for x in a.search(question, 10).hits] for a in (grown, fresh)]
        assert found[0] == found[1]
        assert found[0]
    assert place.librarian.verify() == (len(files), [])
    assert len(list((place.home / "library" / "objects").iterdir())) == sum(
        1 + len(x.versions) for x in catalogue.documents.values()
    )
