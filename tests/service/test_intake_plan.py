"""What becomes of a file that arrives, decided without writing anything."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from corpus.catalogue import Catalogue
from corpus.guess import guess
from corpus.intake import About, Found
from corpus.library import Library, shipped_folder
from corpus.readers.types import Reading
from service.errors import KewenError
from service.intake_plan import Arrival, Plan

NOW = "2026-11-21T12:00:00+08:00"
SHIPPED = "shanghai-2015-districts"


@pytest.fixture
def library():
    return Library(shipped_folder())


def arrive(name="报告.txt", data=b"1", path=None, known=False, **about):
    sha256 = hashlib.sha256(data).hexdigest()
    found = Found(name, path, data, About(**about))
    if known:
        return Arrival(found, sha256, len(data))
    text = f"{name}\n\n2025年，{data!r}。"
    return Arrival(found, sha256, len(data), "r" + sha256, "text/plain", guess(name, Reading(text, "text/plain"), 2026))


def taken(library, *arrivals, catalogue=None):
    if catalogue is not None:
        library.catalogue = catalogue
    plan = Plan(library, NOW)
    for arrival in arrivals:
        plan.take(arrival)
    return plan, [(x.status, x.id) for x in plan.outcomes]


def test_a_new_file_is_a_new_document(library):
    plan, said = taken(library, arrive())
    assert said == [("ok", "报告")]
    record = plan.catalogue.documents["报告"]
    assert (record.title, record.year, record.set_by_user) == ("报告.txt", 2025, ())


def test_the_same_content_twice_is_one_document(library):
    first, _ = taken(library, arrive())
    _, said = taken(library, arrive(name="别名.txt", known=True), arrive(known=True), catalogue=first.catalogue)
    assert said == [("duplicate_of", "报告"), ("unchanged", "报告")]
    _, said = taken(library, arrive(), arrive(name="别名.txt"), catalogue=Catalogue())
    assert [x for x, _ in said] == ["ok", "replaced"] or said[1][0] in ("unchanged", "duplicate_of")


def test_a_content_of_a_shipped_report_is_that_report(library):
    data = (shipped_folder() / f"{SHIPPED}.txt").read_bytes()
    _, said = taken(library, arrive(data=data))
    assert said == [("duplicate_of", SHIPPED)]


def test_a_report_that_was_removed_comes_back_by_its_content():
    library = Library(shipped_folder())
    plan = Plan(library, NOW)
    plan.remove(SHIPPED)
    assert plan.catalogue.hidden == {SHIPPED}
    library.catalogue = plan.catalogue
    data = (shipped_folder() / f"{SHIPPED}.txt").read_bytes()
    plan, said = taken(library, arrive(data=data))
    assert said == [("ok", SHIPPED)]
    assert plan.catalogue.hidden == frozenset()


def test_a_changed_file_is_a_new_version_under_the_same_id(library, tmp_path):
    path = tmp_path / "报告.txt"
    first, _ = taken(library, arrive(path=path))
    plan, said = taken(library, arrive(path=path, data=b"2"), catalogue=first.catalogue)
    assert said == [("replaced", "报告")]
    record = plan.catalogue.documents["报告"]
    assert [x.sha256 for x in record.versions] == [hashlib.sha256(b"1").hexdigest()]
    assert record.sha256 == hashlib.sha256(b"2").hexdigest()


def test_what_the_user_said_outlives_a_new_version(library, tmp_path):
    path = tmp_path / "报告.txt"
    first, _ = taken(library, arrive(path=path, title="我的题名", year=2020))
    plan, _ = taken(library, arrive(path=path, data=b"2"), catalogue=first.catalogue)
    record = plan.catalogue.documents["报告"]
    assert (record.title, record.year, record.title_basis, record.year_basis) == ("我的题名", 2020, None, None)


def test_a_moved_file_is_the_same_document_elsewhere(library, tmp_path):
    first, _ = taken(library, arrive(path=tmp_path / "旧.txt"))
    plan, said = taken(library, arrive(path=tmp_path / "新.txt", known=True), catalogue=first.catalogue)
    assert said == [("moved", "报告")]
    assert plan.catalogue.documents["报告"].source == str(tmp_path / "新.txt")
    assert first.catalogue.documents["报告"].reading == plan.catalogue.documents["报告"].reading


def test_a_copied_file_is_a_duplicate(library, tmp_path):
    (tmp_path / "旧.txt").write_bytes(b"1")
    first, _ = taken(library, arrive(path=tmp_path / "旧.txt"))
    _, said = taken(library, arrive(path=tmp_path / "新.txt", known=True), catalogue=first.catalogue)
    assert said == [("duplicate_of", "报告")]


def test_two_files_of_one_name_are_two_documents(library, tmp_path):
    _, said = taken(
        library, arrive(path=tmp_path / "a" / "报告.txt"), arrive(path=tmp_path / "b" / "报告.txt", data=b"2")
    )
    assert said == [("ok", "报告"), ("ok", "报告-2")]


def test_an_id_names_the_document_to_replace(library):
    first, _ = taken(library, arrive(id="mine"))
    _, said = taken(library, arrive(name="x.pdf", data=b"2", id="mine"), catalogue=first.catalogue)
    assert said == [("replaced", "mine")]


def test_a_shipped_reports_id_can_not_be_taken(library):
    plan, said = taken(library, arrive(id=SHIPPED))
    assert said == [("invalid_request", None)]
    assert plan.catalogue == Catalogue()


@pytest.mark.parametrize("name", ["../../etc/passwd", "a:b c.txt", "。.txt", "CON", "x" * 300, "\u202e.txt", ".txt"])
def test_every_name_gives_a_usable_id(library, name):
    plan, _ = taken(library, arrive(name=name))
    (record,) = plan.catalogue.documents.values()
    assert len(record.id.encode()) <= 180
    assert Path(record.id).name == record.id


def test_a_file_that_could_not_be_read_changes_nothing(library):
    plan, said = taken(library, Arrival(Found("a.pdf"), problem=("encrypted", "已加密")))
    assert said == [("encrypted", None)]
    assert plan.catalogue == Catalogue()


def test_a_description_is_set(library):
    first, _ = taken(library, arrive())
    library.catalogue = first.catalogue
    plan = Plan(library, NOW).describe("报告", About(title="2025上海科技进步报告", year=2025))
    record = plan.catalogue.documents["报告"]
    assert (record.series, record.kind, record.set_by_user) == ("上海科技进步报告", "报告", ("title", "year"))


@pytest.mark.parametrize(("name", "code"), [("nobody", "not_found"), (SHIPPED, "invalid_request")])
def test_only_own_documents_can_be_described(library, name, code):
    with pytest.raises(KewenError) as error:
        Plan(library, NOW).describe(name, About(year=2020))
    assert error.value.code == code


def test_removing_drops_the_files_of_all_versions(library, tmp_path):
    path = tmp_path / "报告.txt"
    first, _ = taken(library, arrive(path=path))
    library.catalogue = first.catalogue
    second, _ = taken(library, arrive(path=path, data=b"2"))
    library.catalogue = second.catalogue
    plan = Plan(library, NOW)
    plan.remove("报告")
    files = [hashlib.sha256(x).hexdigest() for x in (b"1", b"2")]
    assert second.dropped == {f"r{files[0]}"}
    assert plan.dropped == {*files, f"r{files[1]}"}
    with pytest.raises(KewenError, match="没有编号"):
        plan.remove("报告")
