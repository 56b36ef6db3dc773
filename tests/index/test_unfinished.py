"""Segments of a build that was stopped are gone on from, where they are whole and would be made the same today."""

from __future__ import annotations

import json

import pytest

from index import making
from index.build import build_index
from index.generations import GenerationStore
from index.storage import IndexProblem
from tests.index.pieces import cut, written

TEXTS = dict(list(cut().items())[:8])


@pytest.fixture
def stopped(bundled, tmp_path, monkeypatch):
    """A store whose first build was stopped at its last document, with what is done on disk."""
    monkeypatch.setattr(making, "SEGMENT", 10)
    store = GenerationStore(tmp_path / "index")
    library = written(tmp_path / "reports", TEXTS)
    last = list(TEXTS)[-1]
    real = type(library).read

    def read(self, entry):
        if entry.id == last:
            raise KeyboardInterrupt
        return real(self, entry)

    with monkeypatch.context() as patch:
        patch.setattr(type(library), "read", read)
        with pytest.raises(KeyboardInterrupt):
            build_index(library, store, bundled)
    assert len(list(store.folder.glob("building/seg-*"))) > 1
    return store


def fresh(tmp_path, texts, encoder):
    store = GenerationStore(tmp_path / "fresh" / "index")
    build_index(written(tmp_path / "reports", texts), store, encoder)
    return store.open()[0].files


def test_the_next_build_makes_only_what_is_missing(stopped, bundled, tmp_path):
    done = set()
    for path in stopped.folder.glob("building/seg-*"):
        done.update(json.loads((path / "shares.json").read_text(encoding="utf-8"))["id"])
    report = build_index(written(tmp_path / "reports", TEXTS), stopped, bundled)
    assert {x.id for x in report.documents if x.reused} == done
    assert done
    assert report.embedded < report.reused
    assert not (stopped.folder / "building").exists()
    assert stopped.open()[0].files == fresh(tmp_path, TEXTS, bundled)


def test_what_is_damaged_is_made_anew(stopped, bundled, tmp_path):
    flipped, missing, about, older, *sound = sorted(stopped.folder.glob("building/seg-*"))
    path = flipped / "plain" / "words" / "vectors.npy"
    data = path.read_bytes()
    path.write_bytes(data[:-9] + bytes([data[-9] ^ 4]) + data[-8:])
    (missing / "texts.bin").unlink()
    (about / "segment.json").write_bytes(b"{" + (about / "segment.json").read_bytes())
    line = (older / "segment.json").read_bytes()
    (older / "segment.json").write_bytes(line.replace(b'"format": 5', b'"format": 4'))
    (stopped.folder / "building" / "tmp-half").mkdir()
    (stopped.folder / "building" / "seg-empty").mkdir()
    reused = {x for path in sound for x in json.loads((path / "shares.json").read_text(encoding="utf-8"))["id"]}
    report = build_index(written(tmp_path / "reports", TEXTS), stopped, bundled)
    assert report.complete
    assert {x.id for x in report.documents if x.reused} == reused
    assert reused
    assert stopped.open()[0].files == fresh(tmp_path, TEXTS, bundled)


def test_what_was_changed_or_removed_since_is_not_taken(stopped, bundled, tmp_path):
    names = list(TEXTS)
    texts = {name: TEXTS[name] for name in names[1:]}
    texts[names[1]] += "\n后来补的一句。\n"
    build_index(written(tmp_path / "reports", texts), stopped, bundled)
    assert stopped.open()[0].files == fresh(tmp_path, texts, bundled)
    word = f"独词{names[0]}。".encode()
    assert not [x for x in stopped.folder.rglob("*") if x.is_file() and word in x.read_bytes()]


def test_with_nothing_wanted_nothing_is_left_of_it(stopped, bundled, tmp_path):
    library = written(tmp_path / "reports", {next(iter(TEXTS)): "x"})
    (tmp_path / "reports" / f"{next(iter(TEXTS))}.txt").unlink()
    with pytest.raises(IndexProblem) as error:
        build_index(library, stopped, bundled)
    assert error.value.code == "no_documents"
    assert not (stopped.folder / "building").exists()


def test_room_is_asked_for_before_the_work(bundled, tmp_path, monkeypatch):
    from index import generations

    store = GenerationStore(tmp_path / "index")
    library = written(tmp_path / "reports", TEXTS)
    size = sum(entry.path.stat().st_size for entry in library)
    usage = generations.shutil.disk_usage(tmp_path)
    free = generations._SPARE + 8 * size - 1
    monkeypatch.setattr(generations.shutil, "disk_usage", lambda path: usage._replace(free=free))
    monkeypatch.setattr(type(library), "read", lambda self, entry: pytest.fail("it was read"))
    with pytest.raises(IndexProblem, match="写入索引需要 65 MiB，只剩 64 MiB") as error:
        build_index(library, store, bundled)
    assert error.value.code == "insufficient_storage"
    monkeypatch.undo()
    build_index(library, store, bundled)
    assert sum(store.open()[0].manifest["sizes"].values()) > 8 * size
