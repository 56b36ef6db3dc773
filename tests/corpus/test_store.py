"""The user's own documents on disk: whatever happens to a file, it is noticed, and nothing is lost twice."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import replace

import pytest

from corpus.catalogue import Catalogue, Record, Version, check_catalogue
from corpus.library import Library, shipped_folder
from corpus.manifest import LibraryError
from corpus.readers.types import Reading
from corpus.storage import StorageProblem
from corpus.store import DocumentStore
from corpus.types import EditorialHeading, HeadingMark

READING = Reading(
    "一、宝山区。\n\n正文。", "text/plain", heading_marks=(HeadingMark(0, 1),), page_starts=(0, 8), notes=("略",)
)


@pytest.fixture
def store(tmp_path):
    return DocumentStore(tmp_path / "library")


def record(store, data=b"bytes", name="a", **more):
    sha256, reading = store.put(data, READING)
    fields = {"file": "a.txt", "size": 5, "added": "2026-11-21", "media_type": "text/plain"}
    return Record(name, sha256, reading, title="标题", year=2026, series="系列", kind="报告", **{**fields, **more})


def keep(store, *records):
    catalogue = Catalogue().with_records(records)
    store.save(catalogue)
    return catalogue


def test_what_is_kept_comes_back_whole(store):
    headings = (EditorialHeading("前", "长宁区"),)
    kept = keep(
        store,
        record(store, versions=(Version(store.put(b"older", READING)[0], "2025-01-01"),), editorial_headings=headings),
    )
    kept = replace(kept, hidden=frozenset({"b"}))
    store.save(kept)
    catalogue, warning = DocumentStore(store.folder).catalogue()
    assert (catalogue, warning) == (kept, "")
    assert store.reading(catalogue.documents["a"]) == READING
    assert store.check(catalogue) == []


def test_nothing_there_is_an_empty_library(store):
    assert store.catalogue() == (Catalogue(), "")
    assert check_catalogue(store.folder) == []


def test_a_document_of_the_store_is_read_as_it_was_kept(store):
    keep(store, record(store))
    library = Library(shipped_folder(), store)
    document = library.read(library.entries[-1])
    assert (document.text, document.heading_marks, document.page_starts) == (
        READING.text,
        READING.heading_marks,
        (0, 8),
    )
    assert document.notes == ("略",)


def test_a_hidden_report_is_not_listed(store):
    store.save(Catalogue(hidden=frozenset({"shanghai-2015-districts"})))
    library = Library(shipped_folder(), store)
    assert len(library.entries) == 4
    assert [x.id for x in library.hidden] == ["shanghai-2015-districts"]


@pytest.mark.parametrize("name", ["catalogue.json", "catalogue.copy.json"])
def test_every_flipped_byte_of_a_catalogue_is_noticed_and_its_copy_stands_in(store, name):
    kept = keep(store, record(store))
    path = store.folder / name
    sound = path.read_bytes()
    for place in range(0, len(sound), 7):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        faults = check_catalogue(store.folder)
        if json.loads(sound) != _parsed(path):
            assert len(faults) == 1, place
        assert store.catalogue()[0] == kept


def _parsed(path):
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        return None


def test_two_damaged_copies_are_an_error_and_not_an_empty_library(store):
    keep(store, record(store))
    for name in ("catalogue.json", "catalogue.copy.json"):
        (store.folder / name).write_bytes(b"{}")
    with pytest.raises(LibraryError) as error:
        store.catalogue()
    assert error.value.code == "catalogue_damaged"


def test_damaged_files_readings_and_old_texts_are_named(store):
    kept = keep(store, record(store))
    store.archive("a", "旧文".encode())
    sha256 = kept.documents["a"].sha256
    assert list(store.old_texts("a")) == ["旧文"]
    (store.folder / "objects" / sha256).write_bytes(b"other")
    next((store.folder / "readings").glob("*")).write_bytes(b"{}")
    next((store.folder / "old").glob("*/*")).write_bytes(b"x")
    assert len(store.check(kept)) == 3
    assert list(store.old_texts("a")) == []
    with pytest.raises(LibraryError, match="index repair"):
        store.reading(kept.documents["a"])


def test_a_damaged_file_is_mended_by_adding_it_again(store):
    kept = keep(store, record(store))
    (store.folder / "objects" / kept.documents["a"].sha256).write_bytes(b"other")
    store.put(b"bytes", READING)
    assert store.check(kept) == []


def test_what_nobody_names_is_cleaned_away_once_it_is_old(store):
    kept = keep(store, record(store, versions=(Version(store.put(b"old version", READING)[0], ""),)))
    orphan = hashlib.sha256(b"orphan").hexdigest()
    store.put(b"orphan", READING)
    store.clean(kept)
    assert store.object_path(orphan).exists()  # it may be about to be named
    for path in store.folder.rglob("*"):
        os.utime(path, (time.time() - 2 * 86_400,) * 2)
    store.clean(kept)
    assert not store.object_path(orphan).exists()
    assert len(list((store.folder / "readings").iterdir())) == 1  # nobody reads an earlier version again
    assert store.check(kept) == []
    assert len(list((store.folder / "objects").iterdir())) == 2


def test_files_are_the_owners_alone(store):
    keep(store, record(store))
    assert all(x.stat().st_mode & 0o077 == 0 for x in [store.folder, *store.folder.rglob("*")])


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "a\0b"])
def test_no_name_leads_out_of_the_store(store, name):
    with pytest.raises(ValueError, match="not a"):
        store.archive(name, b"x")
    with pytest.raises(ValueError, match="not a"):
        store.object_path(name)


def test_a_full_disk_is_said_and_changes_nothing(store, monkeypatch):
    kept = keep(store, record(store))

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageProblem) as error:
        store.save(Catalogue())
    assert error.value.code == "insufficient_storage"
    monkeypatch.undo()
    assert store.catalogue()[0] == kept
