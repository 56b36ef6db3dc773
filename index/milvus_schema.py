"""How a generation lies in Milvus: one collection of passages and one of what is known of them all.

A row is a piece of a passage: a sentence of its text, or a way to ask for it; or a word. The first piece of each passage carries the
passage itself, its record and its sparse vectors, and stands in a partition of its own: the lexical arm searches that one,
the dense arm the pieces of a view. Every row carries what filters ask for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from index.milvus import Milvus

FORMAT = 1
HEADS, SENTENCES, QUESTIONS = "passages", "sentences", "questions"
WORDS = "words"
"""The partition with a row for each word that occurs, where the encoder offers late interaction: its vector, and its id as
the `piece`."""
PARTITIONS = (HEADS, SENTENCES, QUESTIONS, WORDS)
TEXT = (HEADS, SENTENCES)
"""The partitions with the pieces of the passages' own text."""

PLACES, LONGEST_PLACE = 1024, 128
LONGEST = 65_535
"""Bytes of a VARCHAR, at most."""
WORD = 1 << 31
"""From here on the dimensions of a sparse vector are words of late interaction that the passage holds; before are terms."""
NOWHERE = 0
"""A dimension that no term has: Milvus Lite takes no empty sparse vector, and rows without terms need one."""

_Field = Mapping[str, Any]
_ID: _Field = {"field_name": "id", "datatype": "VARCHAR", "max_length": 320, "is_primary": True}


def passage_fields(dim: int) -> list[_Field]:
    """The fields of the collection of passages, for vectors of `dim` dimensions."""
    return [
        _ID,
        {"field_name": "row", "datatype": "INT64"},
        {"field_name": "piece", "datatype": "INT64"},
        {"field_name": "document", "datatype": "VARCHAR", "max_length": 256},
        {"field_name": "year", "datatype": "INT64"},
        {
            "field_name": "places",
            "datatype": "ARRAY",
            "element_type": "VARCHAR",
            "max_capacity": PLACES,
            "max_length": LONGEST_PLACE,
        },
        {"field_name": "enriched", "datatype": "BOOL"},
        {"field_name": "record", "datatype": "VARCHAR", "max_length": LONGEST},
        {"field_name": "units", "datatype": "VARCHAR", "max_length": LONGEST},
        {"field_name": "asked", "datatype": "VARCHAR", "max_length": LONGEST},
        {"field_name": "dense", "datatype": "FLOAT_VECTOR", "dim": dim},
        {"field_name": "plain", "datatype": "SPARSE_FLOAT_VECTOR"},
        {"field_name": "expanded", "datatype": "SPARSE_FLOAT_VECTOR"},
    ]


TABLE_FIELDS: Sequence[_Field] = (
    _ID,
    {"field_name": "content", "datatype": "VARCHAR", "max_length": LONGEST},
    # A collection needs a vector; nothing is ever searched by this one.
    {"field_name": "nothing", "datatype": "FLOAT_VECTOR", "dim": 2},
)
TABLE_INDEXES: Sequence[_Field] = ({"field_name": "nothing", "index_type": "FLAT", "metric_type": "IP"},)


def passage_indexes(milvus: Milvus) -> list[_Field]:
    """The indexes of the collection of passages: exact in Milvus Lite, a graph on a server."""
    dense = (
        {"index_type": "FLAT"} if milvus.is_lite else {"index_type": "HNSW", "params": {"M": 32, "efConstruction": 256}}
    )
    indexes: list[_Field] = [
        {"field_name": "dense", "metric_type": "IP", **dense},
        *({"field_name": x, "index_type": "SPARSE_INVERTED_INDEX", "metric_type": "IP"} for x in ("plain", "expanded")),
        *({"field_name": x, "index_type": "INVERTED"} for x in ("row", "year", "document")),
    ]
    # Milvus Lite indexes no arrays.
    return indexes if milvus.is_lite else [*indexes, {"field_name": "places", "index_type": "INVERTED"}]


def word_dimension(unit: int) -> int:
    """The dimension of a word of late interaction: the last one that Milvus takes is 2**32 - 2."""
    return WORD + unit % (WORD - 1)


def tables_of(name: str) -> str:
    """The collection of what is known of all passages of a generation."""
    return f"{name}_tables"


def generations(milvus: Milvus, alias: str) -> dict[int, str]:
    """The collections that are generations under an alias, by number, rising; also those half built or half removed."""
    pattern = re.compile(rf"({re.escape(alias)}_(\d+))(?:_tables)?")
    found = (pattern.fullmatch(name) for name in milvus.names())
    return dict(sorted({int(x.group(2)): x.group(1) for x in found if x}.items()))


def check_schema(milvus: Milvus, name: str, dim: int) -> None:
    """Whether a collection is one of ours, for vectors of `dim` dimensions.

    Raises the problem `backend_incompatible`.
    """
    found = milvus.fields(name)
    wanted = {str(x["field_name"]): x["datatype"] for x in passage_fields(dim)}
    if {field: x["type"] for field, x in found.items()} != wanted:
        raise milvus.problem(
            "backend_incompatible",
            f"Milvus（{milvus.place}）的集合 {name} 不是本程序建的，或由别的版本所建：字段不同。"
            "请运行 kewen index build --backend milvus，或用 milvus_collection 另指一个名字。",
        )
    held = int(found["dense"]["params"].get("dim", 0))
    if held != dim:
        raise milvus.problem(
            "backend_incompatible",
            f"Milvus（{milvus.place}）的集合 {name} 存的是 {held} 维向量，现在的编码器是 {dim} 维。"
            "请运行 kewen index build --backend milvus 重建，或用 --encoder 指定原来的编码器。",
        )
