"""kewen remembers the hashes of the reports, and answers and warns as if it had read them all."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from corpus import manifest, remembered
from index.types import Filters
from service.assistant import Assistant
from service.checks import check_filters
from service.cli import main
from service.errors import KewenError
from service.settings import load_settings

MANIFEST = """
[[document]]
id = "{name}"
file = "{name}.txt"
title = "甲区报告"
year = {year}
series = "甲区报告"
kind = "报告"
"""
TEXT = "一、总体情况\n\n甲区集聚生物医药企业449家，研发投入占比4.5%。\n"
OTHER = TEXT.replace("449", "450")


@pytest.fixture(scope="module")
def made(tmp_path_factory, bundled):
    """A folder with two reports, and an index of them from which all is remembered."""
    folder = tmp_path_factory.mktemp("remembering")
    (folder / "reports").mkdir()
    for name, year in (("a", 2024), ("b", 2025)):
        (folder / "reports" / f"{name}.txt").write_text(TEXT, encoding="utf-8")
        with (folder / "reports" / "reports.toml").open("a", encoding="utf-8") as file:
            file.write(MANIFEST.format(name=name, year=year))
    assistant = Assistant(load_settings({"home": folder / "home", "reports": folder / "reports"}, {}))
    assistant._encoder = bundled
    assistant.build()
    return folder


@pytest.fixture
def place(made, tmp_path, monkeypatch):
    """A copy of it; all files have lain unchanged for long, and have been looked at once."""
    monkeypatch.setattr(remembered, "_SETTLED_NS", -(10**18))
    for name in ("home", "reports"):
        shutil.copytree(made / name, tmp_path / name)
    assert notices(tmp_path) == []
    return tmp_path


@pytest.fixture
def read(monkeypatch):
    """What is hashed or parsed, as that happens."""
    names: list[str] = []
    digest, loads = hashlib.file_digest, manifest.tomllib.loads

    def hashes(file, kind):
        names.append(Path(file.name).name)
        return digest(file, kind)

    def parses(text):
        names.append("reports.toml")
        return loads(text)

    monkeypatch.setattr(remembered.hashlib, "file_digest", hashes)
    monkeypatch.setattr(manifest.tomllib, "loads", parses)
    return names


def opened(place: Path, said: list[str]) -> Assistant:
    """As another process finds it; `said` hears what it tells."""
    return Assistant(load_settings({"home": place / "home", "reports": place / "reports"}, {}), said.append)


def notices(place: Path) -> list[str]:
    """What a first question is told."""
    said: list[str] = []
    opened(place, said).retriever()
    return said


def in_place(path: Path, text: str) -> None:
    """Other bytes in the same file, of the same number, and its mtime put back."""
    times = path.stat()
    with path.open("r+b") as file:
        file.write(text.encode("utf-8"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_the_next_question_reads_no_report(place, read):
    assert notices(place) == []
    assert read == []


@pytest.mark.skipif(os.name == "nt", reason="Windows tells no time of the last change of a file's state")
def test_a_changed_report_is_told_though_size_and_mtime_are_as_before(place, read):
    in_place(place / "reports" / "b.txt", OTHER)
    [notice] = notices(place)
    assert "报告 b 的文件在编入索引后有改动" in notice
    assert read == ["b.txt"]
    report = opened(place, []).build()
    assert [x.reused for x in report.documents] == [True, False]
    assert notices(place) == []


def test_a_touched_report_is_hashed_again_and_nothing_is_made_anew(place, read):
    os.utime(place / "reports" / "a.txt")
    assert notices(place) == []
    assert read == ["a.txt"]
    assert all(x.reused for x in opened(place, []).build().documents)
    assert read == ["a.txt"]


def test_reports_are_hashed_again_where_what_is_remembered_is_damaged(place, read):
    path = place / "home" / "remembered.json"
    sound = path.read_bytes()
    path.write_bytes(sound.replace(b"a", b"b", 1) if b"a" in sound[:64] else sound[1:])
    assert notices(place) == []
    assert sorted(read) == ["a.txt", "b.txt", "reports.toml"]
    assert path.read_bytes() == sound


def test_a_home_that_cannot_be_written_answers_all_the_same(place, read, monkeypatch):
    (place / "home" / "remembered.json").unlink()

    def refused(path, data):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(remembered, "replace_synced", refused)
    for _ in range(2):
        read.clear()
        assert notices(place) == []
        assert sorted(read) == ["a.txt", "b.txt", "reports.toml"]


def test_verifying_finds_a_report_that_changed_without_a_sign(place, monkeypatch):
    monkeypatch.setattr(remembered, "_stamp", lambda status: (status.st_size, 0, 0, 0))
    (place / "home" / "remembered.json").unlink()
    assert notices(place) == []
    (place / "reports" / "b.txt").write_text(OTHER, encoding="utf-8")
    assert notices(place) == []  # size, times and inode are as they were
    said: list[str] = []
    assert opened(place, said).verify()["faults"] == []
    assert ["报告 b" in x for x in said] == [True]
    assert notices(place) == said  # and it is known from then on


def test_verifying_says_so_to_who_asks(place, capsys):
    (place / "reports" / "b.txt").write_text(OTHER, encoding="utf-8")
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["index", "verify", "--home", str(place / "home"), "--reports", str(place / "reports")])
    assert "警告：报告 b 的文件在编入索引后有改动" in capsys.readouterr().err


def test_an_index_of_other_reports_can_still_be_verified(place, tmp_path):
    said: list[str] = []
    settings = load_settings({"home": place / "home", "reports": tmp_path / "nowhere"}, {})
    assert Assistant(settings, said.append).verify()["faults"] == []
    assert said == []


def test_where_nothing_is_filtered_no_document_is_read(place, monkeypatch):
    snapshot = opened(place, []).snapshot()
    asked: list[int] = []
    monkeypatch.setattr("index.opened.load_document", lambda line: asked.append(1))
    check_filters(snapshot, Filters())
    check_filters(snapshot, Filters(years=(2024, 2030), series=frozenset({"甲区报告"}), document_ids=frozenset({"a"})))
    assert asked == []


@pytest.mark.parametrize(
    ("filters", "code", "named"),
    [
        (Filters(years=(2019, 2020)), "unknown_year", "2024、2025"),
        (Filters(series=frozenset({"乙区报告"})), "invalid_request", "现有：甲区报告"),
        (Filters(document_ids=frozenset({"c"})), "unknown_document", "a、b"),
    ],
)
def test_a_filter_that_nothing_can_pass_is_named_with_what_there_is(place, filters, code, named):
    with pytest.raises(KewenError, match=named) as error:
        check_filters(opened(place, []).snapshot(), filters)
    assert error.value.code == code
