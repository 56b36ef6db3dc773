"""A generation on disk → a collection in Milvus, which readers see when it is whole.

Each generation is a collection of its own, `kewen_<n>`, and readers follow the alias `kewen`: a weight of BM25 depends on
the mean length of all passages, so that rows changed in place would be ranked by two measures, and a reader in between
would see half. Rows are upserted by id, so that a build that was killed goes on where it stopped: the rows that are there
are asked for, and only the others are sent. Nothing is published before all rows are counted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np

from index.described import dump_document
from index.lexical import VIEWS, inverse_frequency
from index.milvus import Milvus, Record
from index.milvus_rows import Rows, terms_of
from index.milvus_schema import (
    FORMAT,
    PARTITIONS,
    TABLE_FIELDS,
    TABLE_INDEXES,
    check_schema,
    generations,
    passage_fields,
    passage_indexes,
    tables_of,
)
from index.milvus_tables import Tables, Terms, blob_rows
from index.snapshot import Snapshot

Progress = Callable[[int, int], None]
"""Called with how many rows are there so far, and of how many."""

_MOST = 1_000
_NONE = np.zeros(())
_BYTES = 8_000_000


@dataclass(frozen=True, slots=True)
class Published:
    """What became of it: the collection, how many rows it has, and how many of them were sent now."""

    collection: str
    rows: int
    sent: int


def publish(snapshot: Snapshot, milvus: Milvus, alias: str, progress: Progress = lambda done, total: None) -> Published:
    """Bring a generation to Milvus and let the alias stand for it; one that stands for the same already stays.

    The generation before it is kept, older ones and what killed builds left are removed. Whatever goes wrong, the alias
    stands for what it stood for.

    Raises what `Milvus` does.
    """
    digest = content_digest(snapshot)
    current = milvus.aim(alias)
    known = generations(milvus, alias)
    name = current if current and _source(milvus, current) == digest else None
    sent = 0
    if name is None:
        name = _unfinished(milvus, alias, known, _number(current, known), digest)
        sent = _fill(snapshot, milvus, name, digest, progress)
        milvus.point(alias, name)
        for old in known.values():
            if old not in (name, current):
                _drop(milvus, old)
    return Published(name, milvus.count(name), sent)


def content_digest(snapshot: Snapshot) -> str:
    """Of what a generation holds, whenever it was built."""
    description = snapshot.description
    held = [FORMAT, *(description.get(x) for x in ("format", "encoder", "terms", "code", "files"))]
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode("ascii")).hexdigest()


def _number(current: str | None, known: dict[int, str]) -> int:
    return next((n for n, name in known.items() if name == current), 0)


def _source(milvus: Milvus, name: str) -> str | None:
    """What a collection was begun from; None where that isn't known."""
    if tables_of(name) not in milvus.names():
        return None
    milvus.open(tables_of(name), TABLE_INDEXES)
    found = Tables(milvus, name, strong=True).blob_or_none("source")
    return None if found is None else found.decode("ascii")


def _unfinished(milvus: Milvus, alias: str, known: dict[int, str], current: int, digest: str) -> str:
    """The name of the collection that a killed build of the same generation left, else of a new one."""
    for number, name in known.items():
        if number > current and _source(milvus, name) == digest:
            return name
    return f"{alias}_{max(known, default=0) + 1}"


def _fill(snapshot: Snapshot, milvus: Milvus, name: str, digest: str, progress: Progress) -> int:
    """Send what isn't there; returns how many rows that were."""
    dim = snapshot.plain.pieces.dim
    tables = tables_of(name)
    milvus.create(tables, TABLE_FIELDS)
    milvus.open(tables, TABLE_INDEXES)
    was_begun = name in milvus.names()
    milvus.upsert(tables, list(blob_rows("source", digest.encode("ascii"))))
    milvus.create(name, passage_fields(dim), PARTITIONS)
    check_schema(milvus, name, dim)
    terms = terms_of(snapshot)
    rows = Rows(snapshot, terms)
    if was_begun:
        milvus.open(name, passage_indexes(milvus))
    sent = _send_passages(rows, milvus, name, was_begun, progress)
    count = _send_tables(chain(_table_rows(snapshot, terms), rows.aside), milvus, tables)
    for collection in (name, tables):
        milvus.settle(collection)
    milvus.open(name, passage_indexes(milvus))
    milvus.load(tables)
    _check_count(milvus, name, rows.total)
    _check_count(milvus, tables, count + 2)  # the source is two
    return sent


def _check_count(milvus: Milvus, name: str, wanted: int) -> None:
    found = milvus.count(name)
    if found != wanted:
        raise milvus.problem(
            "backend_incompatible",
            f"Milvus（{milvus.place}）的集合 {name} 应有 {wanted} 行，清点得 {found} 行，未发布。请重新运行本命令。",
        )


def _send_passages(rows: Rows, milvus: Milvus, name: str, was_begun: bool, progress: Progress) -> int:
    sent = done = 0
    every = iter(rows)
    while batch := list(islice(every, _MOST)):
        there = _there(milvus, name, [row["id"] for _, row in batch]) if was_begun else frozenset()
        missing = [(partition, row) for partition, row in batch if row["id"] not in there]
        for partition in PARTITIONS:
            for some in _batches(row for other, row in missing if other == partition):
                milvus.upsert(name, some, partition)
        done += len(batch)
        sent += len(missing)
        progress(done, rows.total)
    return sent


def _send_tables(rows: Iterable[Record], milvus: Milvus, name: str) -> int:
    count = 0
    for some in _batches(rows):
        milvus.upsert(name, some)
        count += len(some)
    return count


def _there(milvus: Milvus, name: str, ids: Sequence[str]) -> frozenset[str]:
    where = f"id in {json.dumps(ids, ensure_ascii=False)}"
    return frozenset(row["id"] for row in milvus.query(name, where, ["id"], strong=True))


def _batches(rows: Iterable[Record]) -> Iterator[list[Record]]:
    """Rows together, as many as a server takes well."""
    batch: list[Record] = []
    size = 0
    for row in rows:
        weight = _size(row)
        if batch and (len(batch) >= _MOST or size + weight > _BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += weight
    if batch:
        yield batch


def _size(row: Record) -> int:
    """About how many bytes a row has on its way."""
    texts = sum(3 * len(value) for value in row.values() if isinstance(value, str))
    vectors = (row.get(x, ()) for x in ("dense", "plain", "expanded", "nothing"))
    return texts + sum(len(x) * (8 if isinstance(x, dict) else 4) for x in vectors) + 256


def _table_rows(snapshot: Snapshot, terms: dict[str, Terms]) -> Iterator[Record]:
    """What a reader must know of all passages."""
    head = {
        "format": FORMAT,
        "name": snapshot.name,
        "description": {name: x for name, x in snapshot.description.items() if name not in ("files", "sizes")},
        "passages": len(snapshot.rows),
        "counts": [len(snapshot.ranges[x]) for x in snapshot.documents],
        "bits": {name: x.bits for name, x in terms.items()},
        "unknown": [
            {name: float(inverse_frequency(_NONE, view.lexical.views[name].size)) for name in VIEWS}
            for view in (snapshot.plain, snapshot.expanded)
        ],
    }
    yield from blob_rows("head", json.dumps(head, ensure_ascii=False).encode("utf-8"))
    yield from blob_rows("names", snapshot.names.dump())
    yield from blob_rows("documents", b"".join(dump_document(x) for x in snapshot.documents.values()))
    for document_id in snapshot.documents:
        yield from blob_rows(f"text:{document_id}", snapshot.text(document_id).encode("utf-8"))
    for some in terms.values():
        yield from some.rows()


def _drop(milvus: Milvus, name: str) -> None:
    for collection in (name, tables_of(name)):
        milvus.drop(collection)
