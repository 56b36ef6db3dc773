"""Files that are to be added: found, described, and never taken from outside a folder."""

from __future__ import annotations

import os
import shutil

import pytest

from corpus.intake import About, check_about, find_files
from corpus.library import shipped_folder
from corpus.readers import ReadError


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "资料"
    (folder / "下级").mkdir(parents=True)
    for name in ("甲.txt", "乙.md", "下级/丙.pdf", ".隐藏.txt", "~$乙.docx", "表.xlsx"):
        (folder / name).write_text("文")
    return folder


def names(found):
    return sorted(x.name for x in found if x.problem is None)


def test_a_folder_gives_its_readable_files_and_says_what_it_passes_over(folder):
    found = find_files([str(folder)])
    assert names(found) == ["丙.pdf", "乙.md", "甲.txt"]
    assert [(x.name, x.problem[0]) for x in found if x.problem] == [("表.xlsx", "skipped")]


def test_a_pattern_a_file_and_a_folder_give_each_file_once(folder):
    found = find_files([str(folder / "*.txt"), str(folder / "甲.txt"), str(folder), str(folder / "**/*.pdf")])
    assert names(found) == ["丙.pdf", "乙.md", "甲.txt"]


@pytest.mark.parametrize("name", ["没有.txt", "没有*.txt", "a\0b", "x" * 5000])
def test_what_is_not_there_is_said(tmp_path, name):
    (found,) = find_files([str(tmp_path / name)])
    assert found.problem[0] == "not_found"


def test_links_that_lead_out_are_not_followed(folder, tmp_path):
    (tmp_path / "秘密.txt").write_text("秘密")
    (folder / "链接.txt").symlink_to(tmp_path / "秘密.txt")
    (folder / "外面").symlink_to(tmp_path)
    (folder / "圆").symlink_to(folder)
    (folder / "自己.txt").symlink_to(folder / "自己.txt")
    (folder / "里面.txt").symlink_to(folder / "甲.txt")
    assert names(find_files([str(folder)])) == ["丙.pdf", "乙.md", "甲.txt", "里面.txt"]


def test_only_plain_files_are_opened(folder):
    os.mkfifo(folder / "管道.txt")
    found = {x.name: x for x in find_files([str(folder)])}
    with pytest.raises(ReadError) as error:
        found["管道.txt"].read()
    assert error.value.code == "unsupported"


def test_a_file_that_vanished_is_said(folder):
    found = {x.name: x for x in find_files([str(folder)])}
    (folder / "甲.txt").unlink()
    with pytest.raises(ReadError, match="打不开"):
        found["甲.txt"].read()


def test_what_stands_beside_a_file_describes_it(folder):
    (folder / "甲.txt.toml").write_text('title = "甲报告"\nyear = 2024\n', encoding="utf-8")
    found = {x.name: x for x in find_files([str(folder)], About(year=2025))}
    assert found["甲.txt"].about == About(title="甲报告", year=2025)


@pytest.mark.parametrize("text", ["year = 'x'", "jahr = 2024", "year = 24", "= =", "title = ''"])
def test_a_wrong_sidecar_is_said(folder, text):
    (folder / "甲.txt.toml").write_text(text, encoding="utf-8")
    found = {x.name: x for x in find_files([str(folder)])}
    assert found["甲.txt"].problem[0] == "sidecar_invalid"


def test_a_folders_manifest_describes_its_files(tmp_path):
    shutil.copytree(shipped_folder(), tmp_path / "reports")
    found = {x.about.id: x.about for x in find_files([str(tmp_path / "reports")])}
    assert len(found) == 5
    assert found["shanghai-2022-districts"].year == 2022
    assert len(found["shanghai-2022-districts"].editorial_headings) == 10


def test_old_names_are_shown_as_text(tmp_path):
    raw = os.fsencode(tmp_path) + b"/" + "报告.txt".encode("gb18030")
    with open(raw, "wb") as file:  # noqa: PTH123 - a name of bytes
        file.write(b"x")
    assert names(find_files([str(tmp_path)])) == ["报告.txt"]


@pytest.mark.parametrize("about", [About(year=1), About(title="\n"), About(id="a/b"), About(series="​")])
def test_what_is_said_of_a_document_is_checked(about):
    with pytest.raises(ValueError, match=r"."):
        check_about(about)
