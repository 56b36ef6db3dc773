"""What is known of all passages, kept as rows of text in Milvus: documents, names, texts, and what each term weighs.

A blob is compressed and cut into rows under `name:0`, `name:1`, …; a row `name`, written behind them, says how many they
are and what their sha256 is. Terms lie in buckets by a hash of their keys: a question reads the few that it needs.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from index.counts import Keys
from index.milvus import Milvus, Record
from index.milvus_schema import tables_of
from index.terms import term_key
from index.types import Floats, Ints

_PART = 60_000
_IN_BUCKET = 128
# Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): the keys of similar terms lie close together.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def blob_rows(name: str, data: bytes) -> Iterator[Record]:
    """The rows of a blob, the one that makes it whole last."""
    packed = b64encode(zlib.compress(data, 6)).decode("ascii")
    parts = [packed[n : n + _PART] for n in range(0, len(packed), _PART)]
    for n, part in enumerate(parts):
        yield _row(f"{name}:{n}", part)
    head = {"parts": len(parts), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    yield _row(name, json.dumps(head))


def _row(name: str, content: str) -> Record:
    return {"id": name, "content": content, "nothing": [0.0, 1.0]}


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one view of lexical search, in the order of their buckets.

    `keys` uint64 `[terms]`; `plain` and `expanded` their inverse document frequencies in either view of the passages,
    float32 `[terms]`, 0 where none there has the term. Term `n` is dimension `first + n` of the sparse vectors.
    """

    view: str
    first: int
    bits: int
    keys: Keys
    plain: Floats
    expanded: Floats

    @classmethod
    def of(cls, view: str, first: int, keys: Keys, plain: Floats, expanded: Floats) -> Terms:
        """Of keys in any order, each once, and what they weigh."""
        order = np.argsort(keys * _GOLDEN)
        bits = (len(keys) // _IN_BUCKET).bit_length()
        return cls(view, first, bits, keys[order], plain[order], expanded[order])

    def dimensions(self, keys: Keys) -> Ints:
        """The dimensions of keys that all are here, int64 `[len(keys)]`."""
        return self.first + np.searchsorted(self.keys * _GOLDEN, keys * _GOLDEN)

    def rows(self) -> Iterator[Record]:
        """A row a bucket."""
        places = bucket_of(self.keys, self.bits)
        starts = np.searchsorted(places, np.arange((1 << self.bits) + 1, dtype=np.uint64))
        for n, (start, stop) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
            arrays = (x[start:stop].astype(x.dtype.newbyteorder("<")) for x in (self.keys, self.plain, self.expanded))
            content = [self.first + start, *(b64encode(x.tobytes()).decode("ascii") for x in arrays)]
            yield _row(f"{self.view}:{n}", json.dumps(content))


def bucket_of(keys: Keys, bits: int) -> Keys:
    """The buckets of keys, uint64."""
    return keys * _GOLDEN >> np.uint64(64 - bits) if bits else np.zeros_like(keys)


@dataclass(frozen=True, slots=True)
class Weight:
    """What a term weighs in either view of the passages, 0 where none there has it, and its dimension."""

    dimension: int
    plain: float
    expanded: float


class Tables:
    """The tables of one generation, read."""

    def __init__(self, milvus: Milvus, name: str, strong: bool = False) -> None:
        """`strong`: of a generation that is being built, so that what was just written is read."""
        self._milvus = milvus
        self._strong = strong
        self._name = tables_of(name)

    def blob(self, name: str) -> bytes:
        """A blob by name; the problem `index_damaged` is raised where it isn't there, or isn't what was written."""
        found = self.blob_or_none(name)
        if found is None:
            raise self._damaged(name)
        return found

    def blob_or_none(self, name: str) -> bytes | None:
        """A blob by name, or None; raises as `blob` where it is damaged."""
        rows = self._contents([name])
        if name not in rows:
            return None
        try:
            head = json.loads(rows[name])
            names = [f"{name}:{n}" for n in range(head["parts"])]
            parts = self._contents(names)
            packed = b64decode("".join(parts[x] for x in names), validate=True)
            data = zlib.decompressobj().decompress(packed, head["bytes"] + 1)
            if hashlib.sha256(data).hexdigest() != head["sha256"]:
                raise ValueError("another sha256")
        except (ValueError, KeyError, TypeError, zlib.error) as error:
            raise self._damaged(name) from error
        return data

    def weights(self, view: str, bits: int, terms: Iterable[str]) -> dict[str, Weight]:
        """What terms of one view of lexical search weigh; those that nothing has are absent."""
        wanted = list(terms)
        keys = np.fromiter(map(term_key, wanted), dtype=np.uint64, count=len(wanted))
        buckets = bucket_of(keys, bits).tolist()
        contents = self._contents(sorted({f"{view}:{n}" for n in buckets}))
        found = {}
        for term, key, bucket in zip(wanted, keys, buckets, strict=True):
            name = f"{view}:{bucket}"
            if name not in contents:
                raise self._damaged(name)
            first, *packed = json.loads(contents[name])
            held, plain, expanded = (
                np.frombuffer(b64decode(x), dtype=kind) for x, kind in zip(packed, ("<u8", "<f4", "<f4"), strict=True)
            )
            places = np.flatnonzero(held == key).tolist()
            if places:
                found[term] = Weight(first + places[0], float(plain[places[0]]), float(expanded[places[0]]))
        return found

    def _contents(self, names: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for n in range(0, len(names), _TOGETHER):
            where = f"id in {json.dumps(names[n : n + _TOGETHER], ensure_ascii=False)}"
            rows = self._milvus.query(self._name, where, ["id", "content"], strong=self._strong)
            found |= {row["id"]: row["content"] for row in rows}
        return found

    def _damaged(self, what: str) -> Exception:
        return self._milvus.problem(
            "index_damaged",
            f"Milvus（{self._milvus.place}）的集合 {self._name} 缺少 {what}，或内容不符。"
            "请运行 kewen index build --backend milvus 重建。",
        )


_TOGETHER = 256
"""So many rows are asked for at a time: 16 MB at most."""
