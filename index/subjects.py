"""Places that the years can be compared for: what the reports call them, and the years that speak of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from corpus.types import Passage
from index.names import Names
from index.query import named_places
from index.ranking import Source
from index.segment import normalise
from index.types import Ints

SubjectKind = Literal["district", "park", "place"]
# These end in 区 and are no districts.
_NO_DISTRICT = ("园区", "地区", "开发区", "工业区", "高新区", "自贸区")
_KINDS: Sequence[SubjectKind] = ("district", "park", "place")


@dataclass(frozen=True, slots=True)
class Subject:
    """A place by name, the years of the reports that speak of it, rising, and in how many passages."""

    name: str
    kind: SubjectKind
    years: tuple[int, ...]
    passages: int


def subjects(snapshot: Source) -> list[Subject]:
    """The places that headings name; those that most years speak of come first, then by passages.

    A short name stands for all its forms: 嘉定 for 嘉定区 and 嘉定园.
    """
    found = []
    for short in snapshot.names.places:
        kind, name = name_of(short, snapshot.names)
        rows = rows_naming(snapshot, short)
        found.append(Subject(name, kind, tuple(int(y) for y in np.unique(snapshot.years[rows])), len(rows)))
    return sorted(found, key=lambda x: (-len(x.years), -x.passages, x.name))


def kind_of(form: str) -> SubjectKind:
    """What a place is by its name.

    >>> kind_of("嘉定区"), kind_of("嘉定园"), kind_of("张江科技城")
    ('district', 'park', 'place')
    """
    if form.endswith(("区", "县")) and not form.endswith(_NO_DISTRICT):
        return "district"
    return "park" if form.endswith(("园", "园区")) else "place"


def name_of(place: str, names: Names) -> tuple[SubjectKind, str]:
    """What a place is, and what it is listed by: as a district, else as a park, else by its short name.

    张江 stands for more than 张江科技城, which a heading names.
    """
    kind, form = min(((kind_of(form), form) for form in names.places[place]), key=lambda x: _KINDS.index(x[0]))
    return kind, place if kind == "place" else form


def place_of(text: str, names: Names) -> str | None:
    """The short name of the place that a text is the name of, and says nothing else; None where it is none."""
    folded = normalise(text).strip()
    return next((short for short, forms in names.places.items() if folded in (short, *forms)), None)


def is_named(text: str, place: str, names: Names) -> bool:
    """Whether a text names a place, also where another name touches it (张江宝山园 names 张江, too)."""
    return bool(named_places(text, replace(names, places={place: names.places[place]})))


def rows_naming(snapshot: Source, place: str) -> Ints:
    """The rows of the passages that name a place in their text or their headings, int64, rising."""
    held = snapshot.holding(place)
    snapshot.ready(held)
    return np.array([n for n in held if _names(snapshot.row(int(n)).passage, place, snapshot.names)], dtype=np.int64)


def form_of(texts: Sequence[str], place: str, names: Names) -> str | None:
    """What the first of the texts that has one of a place's full names calls it: 嘉定园; None where none has."""
    forms = sorted(names.places[place], key=len, reverse=True)
    return next((form for text in texts for form in forms if form in normalise(text)), None)


def _names(passage: Passage, place: str, names: Names) -> bool:
    return is_named("\n".join([*passage.section, passage.lead or "", passage.text]), place, names)
