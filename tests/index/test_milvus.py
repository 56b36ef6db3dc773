"""Building in Milvus: whole or not at all, again and again, and what is left of a build that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from corpus.library import Library
from index.build import build_index
from index.generations import GenerationStore
from index.milvus import Milvus
from index.milvus_build import publish
from index.milvus_schema import HEADS, TABLE_FIELDS, generations, tables_of
from index.milvus_source import MilvusSource
from index.milvus_tables import Tables, Terms, blob_rows, bucket_of
from index.rows import dump_rows
from index.snapshot import Snapshot
from index.storage import IndexProblem
from index.terms import term_key

CITY = "# 上海科技创新报告\n\n" + "".join(
    f"## {place}\n\n{place}有{n + 3}家生物医药企业，建成{n + 1}个众创空间。{place}推进先投后股，成果转化加快。\n\n"
    for n, place in enumerate(("宝山区", "嘉定区", "松江区", "青浦区", "奉贤区"))
)


@pytest.fixture
def snapshot(make_folder, tmp_path, bundled) -> Snapshot:
    store = GenerationStore(tmp_path / "index")
    build_index(Library(make_folder({"city.md": CITY})), store, bundled)
    return Snapshot.load(store.open()[0])


@pytest.fixture
def milvus(tmp_path) -> Milvus:
    return Milvus(str(tmp_path / "milvus.db"))


def heads(milvus: Milvus, name: str) -> list[str]:
    return [x["id"] for x in milvus.query(name, "row >= 0", ["id"], [HEADS], strong=True)]


def other(snapshot: Snapshot) -> Snapshot:
    """The same passages as another generation."""
    return replace(snapshot, description={**snapshot.description, "files": {"another": "one"}})


def test_all_passages_are_there_with_every_piece(snapshot, milvus):
    published = publish(snapshot, milvus, "kewen")
    assert published.collection == milvus.aim("kewen") == "kewen_1"
    assert sorted(heads(milvus, "kewen_1")) == sorted(row.passage.id for row in snapshot.rows)
    every = np.arange(len(snapshot.rows))
    pieces = sum(int(x.pieces.pieces_of(every)[1].sum()) for x in (snapshot.plain, snapshot.expanded))
    words = {unit for n in every for x in (snapshot.plain, snapshot.expanded) for unit in x.words.units_of(n).tolist()}
    assert published.rows == published.sent == milvus.count("kewen_1") == pieces + len(words)


def test_the_same_generation_is_sent_once(snapshot, milvus):
    publish(snapshot, milvus, "kewen")
    assert publish(snapshot, milvus, "kewen").sent == 0
    assert milvus.names() == ["kewen_1", "kewen_1_tables"]


def test_a_new_generation_is_another_collection_and_the_one_before_is_kept(snapshot, milvus):
    publish(snapshot, milvus, "kewen")
    assert publish(other(snapshot), milvus, "kewen").collection == milvus.aim("kewen") == "kewen_2"
    assert list(generations(milvus, "kewen").values()) == ["kewen_1", "kewen_2"]
    publish(snapshot, milvus, "kewen")
    assert sorted(milvus.names()) == ["kewen_2", "kewen_2_tables", "kewen_3", "kewen_3_tables"]


def test_other_collections_are_left_alone(snapshot, milvus):
    publish(snapshot, milvus, "kewen_test")
    publish(snapshot, milvus, "kewen")
    publish(other(snapshot), milvus, "kewen")
    assert milvus.aim("kewen_test") == "kewen_test_1"
    assert "kewen_test_1" in milvus.names()


def test_nothing_is_published_where_a_row_is_missing(snapshot, milvus, monkeypatch):
    publish(snapshot, milvus, "kewen")
    count = milvus.count
    monkeypatch.setattr(milvus, "count", lambda name: count(name) - 1)
    with pytest.raises(IndexProblem, match="清点") as caught:
        publish(other(snapshot), milvus, "kewen")
    assert caught.value.code == "backend_incompatible"
    assert milvus.aim("kewen") == "kewen_1"


def test_a_build_goes_on_where_it_stopped(snapshot, milvus, monkeypatch):
    monkeypatch.setattr("index.milvus_build._MOST", 5)
    upsert, calls = milvus.upsert, []

    def broken(name, rows, partition=""):
        if len(calls) == 4:
            raise KeyboardInterrupt
        calls.append(len(rows))
        upsert(name, rows, partition)

    monkeypatch.setattr(milvus, "upsert", broken)
    with pytest.raises(KeyboardInterrupt):
        publish(snapshot, milvus, "kewen")
    assert milvus.aim("kewen") is None
    monkeypatch.setattr(milvus, "upsert", upsert)
    published = publish(snapshot, milvus, "kewen")
    assert 0 < published.sent < published.rows
    assert published.sent == published.rows - sum(calls[1:])
    assert published.collection == "kewen_1"


def test_what_another_build_left_is_no_beginning(snapshot, milvus, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("index.milvus_build._check_count", lambda *x: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            publish(other(snapshot), milvus, "kewen")
    published = publish(snapshot, milvus, "kewen")
    assert published.sent == published.rows
    assert published.collection == milvus.aim("kewen") == "kewen_2"
    assert "kewen_1" not in milvus.names()


KILLED = """
import sys
from pathlib import Path
import index.milvus_build as build
from index.generations import GenerationStore
from index.milvus import Milvus
from index.rows import dump_rows
from index.snapshot import Snapshot

build._MOST = 3
snapshot = Snapshot.load(GenerationStore(Path(sys.argv[1])).open()[0])
build.publish(snapshot, Milvus(sys.argv[2]), "kewen", lambda done, total: print(done, flush=True))
"""


def test_a_killed_build_leaves_nothing_to_be_seen_and_is_resumed(snapshot, tmp_path):
    database = tmp_path / "killed.db"
    command = [sys.executable, "-c", KILLED, str(tmp_path / "index"), str(database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    milvus = Milvus(str(database))
    assert milvus.aim("kewen") is None
    published = publish(snapshot, milvus, "kewen")
    assert 0 < published.sent < published.rows
    assert sorted(heads(milvus, published.collection)) == sorted(row.passage.id for row in snapshot.rows)


def test_a_collection_of_that_name_that_is_none_of_ours_is_not_written_to(snapshot, milvus):
    publish(snapshot, milvus, "kewen")
    fields = [
        {"field_name": "id", "datatype": "VARCHAR", "max_length": 9, "is_primary": True},
        {"field_name": "dense", "datatype": "FLOAT_VECTOR", "dim": 4},
    ]
    milvus.create("kewen_7", fields)
    assert publish(other(snapshot), milvus, "kewen").collection == "kewen_8"


def test_a_record_too_long_for_a_field_is_kept_beside(snapshot, milvus, monkeypatch):
    lengths = [len(dump_rows([row])) for row in snapshot.rows]
    monkeypatch.setattr("index.milvus_rows.LONGEST", max(lengths) - 1)
    name = publish(snapshot, milvus, "kewen").collection
    stored = milvus.query(name, "row >= 0", ["row", "record"], [HEADS])
    assert sum(x["record"] == "" for x in stored) == lengths.count(max(lengths))
    assert list(MilvusSource(milvus, name).rows) == list(snapshot.rows)


def test_tables_that_were_changed_are_damage(snapshot, milvus):
    publish(snapshot, milvus, "kewen")
    (row,) = [x for x in blob_rows("names", b"{}") if x["id"] == "names:0"]
    milvus.upsert(tables_of("kewen_1"), [row])
    with pytest.raises(IndexProblem) as caught:
        MilvusSource(milvus, "kewen_1")
    assert caught.value.code == "index_damaged"


@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_a_blob_comes_back_whole(milvus, size):
    milvus.create("some_tables", TABLE_FIELDS)
    data = np.random.default_rng(0).bytes(size)
    milvus.upsert("some_tables", list(blob_rows("blob", data)))
    milvus.open("some_tables", [{"field_name": "nothing", "index_type": "FLAT", "metric_type": "IP"}])
    assert Tables(milvus, "some", strong=True).blob("blob") == data
    assert Tables(milvus, "some", strong=True).blob_or_none("none") is None


def test_each_term_is_in_its_bucket_with_a_dimension_of_its_own(milvus):
    plain = {f"词语{n}": 1.0 + n for n in range(3000)}
    expanded = {f"词语{n}": 2.0 + n for n in range(2000, 4000)}
    known = [f"词语{n}" for n in range(4000)]
    keys = np.array([term_key(x) for x in known], dtype=np.uint64)
    weights = (np.array([some.get(x, 0) for x in known], dtype=np.float32) for some in (plain, expanded))
    terms = Terms.of("words", 1, keys, *weights)
    milvus.create("some_tables", TABLE_FIELDS)
    milvus.upsert("some_tables", list(terms.rows()))
    milvus.open("some_tables", [{"field_name": "nothing", "index_type": "FLAT", "metric_type": "IP"}])
    asked = [f"词语{n}" for n in range(0, 4500, 7)]
    found = Tables(milvus, "some", strong=True).weights("words", terms.bits, asked)
    assert set(found) == {x for x in asked if x in plain or x in expanded}
    assert all(found[x].plain == plain.get(x, 0) and found[x].expanded == expanded.get(x, 0) for x in found)
    assert len({x.dimension for x in found.values()}) == len(found)
    keys = np.array([term_key(x) for x in found], dtype=np.uint64)
    assert terms.dimensions(keys).tolist() == [x.dimension for x in found.values()]


def test_keys_that_lie_close_together_are_spread_over_the_buckets():
    keys = np.array([term_key(chr(c)) for c in range(0x4E00, 0x4E00 + 4096)], dtype=np.uint64)
    assert np.bincount(bucket_of(keys, 5).astype(np.int64), minlength=32).max() < 2 * len(keys) / 32
