"""Which pairs are trained on: a sample of the data folder, the everyday language written for this project, glosses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from index.segment import normalise
from index.training.data import PairGroup, by_sum

EVERYDAY = Path(__file__).with_name("everyday")
QUESTIONS, THESAURUS = "everyday_questions", "everyday_thesaurus"

# The dictionary's own pairs are replaced by glosses in a row; of the laws a share is enough.
_LEFT_OUT = {"gloss", "t2s", "synonym"}
_LAWS, _LAW_HEADS = "laws", 30_000
_OF_LAWS = {"ict": 9_000, "syn": 6_000, "xdict": 9_000}
_OF_KIND = {"kw": 12_000, "xkw": 12_000, "cloze": 3_000}
GLOSSES = 60_000


def sample_groups(groups: Sequence[PairGroup], seed: int) -> list[PairGroup]:
    """The data folder's groups, the large ones cut down by chance."""
    generator = np.random.default_rng(seed)
    heads = {text for group in groups if (group.source, group.kind) == (_LAWS, "head") for text in group.passages}
    chosen = {str(text) for text in generator.permutation(sorted(heads))[:_LAW_HEADS]}
    sampled: list[PairGroup] = []
    for group in groups:
        if group.kind in _LEFT_OUT:
            continue
        places = np.arange(len(group.queries))
        if group.source == _LAWS and group.kind in {"head", "kw", "xkw"}:
            places = places[[group.passages[place] in chosen for place in places]]
        largest = _OF_LAWS.get(group.kind) if group.source == _LAWS else None
        sampled.append(draw(group, places, largest or _OF_KIND.get(group.kind), generator))
    return sampled


def draw(group: PairGroup, places: np.ndarray, largest: int | None, generator: np.random.Generator) -> PairGroup:
    """The pairs of `group` at `places`, at most `largest` of them, drawn by chance."""
    if largest is not None and len(places) > largest:
        places = generator.permutation(places)[:largest]
    queries, passages = ([side[place] for place in places] for side in (group.queries, group.passages))
    return group._replace(queries=queries, passages=passages)


def limit(groups: Sequence[PairGroup], largest: int | None, seed: int) -> list[PairGroup]:
    """At most `largest` pairs of each group: for a trial run."""
    generator = np.random.default_rng(seed)
    return [draw(group, np.arange(len(group.queries)), largest, generator) for group in groups]


def everyday_groups(paragraphs: list[str], folder: Path = EVERYDAY) -> list[PairGroup]:
    """Everyday questions for paragraphs of laws, and everyday expressions for official terms.

    A question names its paragraph by the sha256 of its text; one whose paragraph is not among the data folder's
    `paragraphs` (as `raw_paragraphs` gives them) is left out.
    """
    known = by_sum(paragraphs)
    questions = PairGroup(QUESTIONS, "everyday", [], [])
    for record in read_lines(folder / "questions.jsonl"):
        paragraph = known.get(record["paragraph_sha256"])
        if paragraph is not None:
            questions.queries.append(normalise(record["text"]))
            questions.passages.append(normalise(f"{record['title']} {paragraph}"))
    terms = PairGroup(THESAURUS, "terms", [], [])
    for record in read_lines(folder / "thesaurus.jsonl"):
        for expression in [*record["zh"], *record["en"]]:
            terms.queries.append(normalise(expression))
            terms.passages.append(normalise(record["term"]))
    return [questions, terms]


def gloss_group(glosses: Mapping[str, str], words: Sequence[str], seed: int) -> PairGroup:
    """The dictionary: the meanings of `words` ask for the words; no teacher judges these pairs."""
    known = [word for word in words if word in glosses]
    chosen = np.random.default_rng(seed).permutation(len(known))[:GLOSSES]
    drawn = [known[place] for place in chosen]
    return PairGroup("cedict", "gloss", [normalise(glosses[word]) for word in drawn], drawn)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
