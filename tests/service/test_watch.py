"""Keeping up with a folder, look by look: nothing is read half written, and nothing is removed by mistake."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from corpus import readers
from corpus.readers import sandbox
from service.assistant import Assistant
from service.errors import KewenError
from service.librarian import Librarian
from service.settings import load_settings
from service.watch import Watch

TEXT = "乙区科技创新报告\n\n一、总体情况\n\n2025年，乙区建成孵化器12家，服务企业300家。\n"


class Watched:
    """A folder that is watched, what was said, and what the library holds."""

    def __init__(self, librarian: Librarian, folder: Path) -> None:
        self.librarian, self.folder, self.said = librarian, folder, list[str]()
        self.watch = Watch(librarian, str(folder), self.said.append)

    def write(self, name: str, text: str = TEXT) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def look(self, times: int = 1) -> str:
        """What these looks say."""
        del self.said[:]
        for _ in range(times):
            self.watch.look()
        return "\n".join(self.said)

    @property
    def sources(self) -> dict[str, str]:
        """The documents by id, with where each came from, seen from the folder."""
        documents = self.librarian.documents.catalogue()[0].documents.values()
        return {x.id: os.path.relpath(str(x.source), self.folder) for x in documents}


@pytest.fixture(scope="module")
def built(tmp_path_factory, small_library):
    folder = tmp_path_factory.mktemp("watch")
    small_library(folder)
    return folder


@pytest.fixture
def watched(built, bundled, tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "read", lambda name, data, step=None: readers.read(name, data))
    shutil.copytree(built / "home", tmp_path / "home")
    assistant = Assistant(load_settings({"home": tmp_path / "home", "reports": built / "reports"}, {}))
    assistant._encoder = bundled
    (tmp_path / "watched").mkdir()
    return Watched(Librarian(assistant), tmp_path / "watched")


def test_a_file_is_taken_once_it_has_settled_and_once_only(watched):
    path = watched.write("乙.txt", TEXT[:30])
    assert watched.look() == ""
    path.write_text(TEXT, encoding="utf-8")  # it was still being written
    assert watched.look() == ""
    assert "已加入：乙.txt → 乙" in watched.look()
    assert watched.look(3) == ""
    assert watched.librarian.assistant.retriever().snapshot.text("乙") == TEXT


def test_a_file_that_grows_all_the_time_is_left_alone(watched):
    for n in range(5):
        watched.write("乙.txt", TEXT * (n + 1))
        assert watched.look() == ""
    assert watched.sources == {}


def test_a_change_replaces_and_a_change_back_too(watched):
    watched.write("乙.txt")
    watched.look(2)
    watched.write("乙.txt", TEXT.replace("12", "150"))
    assert "已更新：乙.txt → 乙，第 2 版" in watched.look(2)
    watched.write("乙.txt")
    assert "第 3 版" in watched.look(2)


def test_what_is_deleted_is_removed_at_the_second_look(watched):
    watched.write("丙.txt", TEXT + "丙。\n")
    path = watched.write("乙.txt")
    watched.look(2)
    path.unlink()
    assert watched.look() == ""
    assert "已移除：乙.txt → 乙" in watched.look()
    assert watched.sources == {"丙": "丙.txt"}
    watched.write("乙.txt")
    assert "已加入" in watched.look(2)


def test_a_file_that_is_saved_anew_under_its_name_keeps_what_was_said_of_it(watched):
    """Office programs delete the old file and rename the new one: a look may come between."""
    watched.write("丙.txt", TEXT + "丙。\n")
    path = watched.write("乙.txt")
    watched.look(2)
    path.unlink()
    assert watched.look() == ""
    watched.write("乙.txt", TEXT.replace("12", "150"))
    assert "第 2 版" in watched.look(2)


def test_a_renamed_file_is_the_same_document_and_back_again(watched):
    watched.write("丙.txt", TEXT + "丙。\n")
    path = watched.write("乙.txt")
    watched.look(2)
    path.rename(watched.folder / "新名.txt")
    assert "已改记位置：新名.txt → 乙" in watched.look(3)
    assert watched.sources["乙"] == "新名.txt"
    (watched.folder / "新名.txt").rename(path)
    assert "已改记位置：乙.txt → 乙" in watched.look(3)
    assert watched.sources["乙"] == "乙.txt"


def test_an_empty_or_vanished_folder_removes_nothing(watched):
    path = watched.write("下/乙.txt")
    watched.look(2)
    away = watched.folder.rename(watched.folder.with_name("away"))
    assert watched.look(3) == ""
    watched.folder.mkdir()
    assert watched.look(3) == ""
    watched.folder.rmdir()
    away.rename(watched.folder)
    watched.look(3)
    assert watched.sources == {"乙": "下/乙.txt"}
    assert path.exists()


def test_a_file_that_can_not_be_reached_is_not_gone(watched, monkeypatch):
    watched.write("丙.txt", TEXT + "丙。\n")
    watched.write("乙.txt")
    watched.look(2)
    real = Path.stat

    def stale(self, **more):
        if self.name == "乙.txt":
            raise OSError(errno.ESTALE, "Stale file handle")
        return real(self, **more)

    monkeypatch.setattr(Path, "stat", stale)
    watched.look(3)
    assert set(watched.sources) == {"乙", "丙"}


def test_documents_from_elsewhere_are_left_alone(watched, tmp_path):
    from corpus.intake import find_files

    other = tmp_path / "丁.txt"
    other.write_text(TEXT + "丁。\n", encoding="utf-8")
    watched.librarian.add(find_files([str(other)]))
    other.unlink()
    watched.write("乙.txt")
    watched.look(3)
    assert set(watched.sources) == {"乙", "丁"}


def test_what_goes_wrong_is_told_and_tried_again(watched, monkeypatch):
    watched.write("乙.txt")
    watched.look()

    def locked(*arguments):
        raise KewenError("index_locked", "另一个程序正在写索引。")

    with monkeypatch.context() as patched:
        patched.setattr(watched.librarian, "add", locked)
        assert watched.look() == "错误（index_locked）：另一个程序正在写索引。下次再试。"
    assert "已加入：乙.txt" in watched.look()


def test_a_bad_file_is_told_once_and_not_again_until_it_changes(watched):
    watched.write("坏.txt", "")
    watched.write("图.png", "x")
    assert "未加入（empty）坏.txt" in watched.look(2)
    assert watched.look(3) == ""
    watched.write("坏.txt")
    assert "已加入：坏.txt" in watched.look(2)


def test_what_was_removed_by_hand_stays_removed_while_its_file_does_not_change(watched):
    watched.write("乙.txt")
    watched.look(2)
    watched.librarian.remove(["乙"])
    assert watched.look(3) == ""
    assert watched.sources == {}


def test_there_must_be_a_folder(watched, tmp_path):
    with pytest.raises(KewenError, match="没有文件夹"):
        Watch(watched.librarian, str(tmp_path / "没有"), print)


def test_the_command_watches_until_it_is_interrupted(watched, kewen, built, monkeypatch):
    watched.write("乙.txt")
    looks = []

    def sleep(seconds):
        looks.append(seconds)
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("service.watch.time.sleep", sleep)
    home = str(watched.librarian.assistant.settings.home)
    code, _, err = kewen(
        "docs", "watch", str(watched.folder), "--every", "7", "--home", home, "--reports", str(built / "reports")
    )
    assert (code, looks) == (130, [7, 7, 7])
    assert "每 7 秒看一次" in err
    assert "已加入：乙.txt → 乙" in err
