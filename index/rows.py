"""A passage as it is stored, a line of JSON, and how people may ask for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from corpus.expansions import Expansion
from corpus.types import Passage

_JSON = json.JSONEncoder(ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Row:
    """A passage and its expansions."""

    passage: Passage
    expansions: tuple[Expansion, ...] = ()


def dump_rows(rows: Sequence[Row]) -> bytes:
    """A line a passage."""
    records = ({**_record(row.passage), "expansions": [_record(x) for x in row.expansions]} for row in rows)
    return "".join(_JSON.encode(record) + "\n" for record in records).encode("utf-8")


def load_row(line: bytes) -> Row:
    """Of a line as `dump_rows` gave it; raises ValueError, KeyError or TypeError where it is none."""
    return _row(json.loads(line))


def load_rows(data: bytes) -> list[Row]:
    """Of bytes as `dump_rows` gave them; raises as `load_row`."""
    return [load_row(line) for line in data.splitlines()]


def _record(noun: Passage | Expansion) -> dict[str, Any]:
    """Its fields. `asdict` would copy each span of each passage, which takes longer than all the rest."""
    return {name: getattr(noun, name) for name in noun.__slots__}


def _row(record: dict[str, Any]) -> Row:
    passage = Passage(
        document_id=record["document_id"],
        section=tuple(record["section"]),
        restored=tuple(record["restored"]),
        lead=record["lead"],
        kind=record["kind"],
        spans=tuple((start, end) for start, end in record["spans"]),
        text=record["text"],
        lines=(record["lines"][0], record["lines"][1]),
        columns=tuple(record["columns"]),
        pages=(record["pages"][0], record["pages"][1]) if record["pages"] else None,
    )
    expansions = ({**x, "answers": tuple(x["answers"])} for x in record["expansions"])
    return Row(passage, tuple(Expansion(**x) for x in expansions))
