"""The training data folder → texts and groups of pairs, all normalised.

Every file is zstd-compressed JSON Lines; the model card names the sources and their licences.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NamedTuple

from zstandard import ZstdDecompressor

from index.segment import normalise

# Kinds whose two sides are running text; the others are lists of words or repeat the documents.
_WRITTEN_KINDS = {"qa", "cloze", "title", "para", "ict"}


class PairGroup(NamedTuple):
    """Pairs of one source and one kind: `queries[i]` asks for `passages[i]`."""

    source: str
    kind: str
    queries: list[str]
    passages: list[str]


class RetrievalSet(NamedTuple):
    """A public retrieval set: `relevant[i]` holds the passages that answer `questions[i]`."""

    name: str
    passages: list[str]
    questions: list[str]
    relevant: list[list[int]]


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of one `.jsonl.zst` file, in file order."""
    with path.open("rb") as file:
        stream = ZstdDecompressor().stream_reader(file)
        for line in TextIOWrapper(stream, encoding="utf-8"):
            record: dict[str, Any] = json.loads(line)
            yield record


def pair_groups(data: Path) -> list[PairGroup]:
    """Training pairs by source and kind, sorted by both; pairs of equal sides are left out.

    A pair of a Traditional word and its Simplified form becomes equal when normalised.
    """
    groups: dict[tuple[str, str], PairGroup] = {}
    for record in read_records(data / "train_pairs.jsonl.zst"):
        query, passage = normalise(record["a"]), normalise(record["b"])
        if query == passage:
            continue
        source, kind = record["source"], record["kind"]
        group = groups.setdefault((source, kind), PairGroup(source, kind, [], []))
        group.queries.append(query)
        group.passages.append(passage)
    return [groups[key] for key in sorted(groups)]


def raw_paragraphs(data: Path) -> list[str]:
    """The paragraphs of the raw documents as they stand there, without white space around them, in file order."""
    return [
        paragraph.strip()
        for document in read_records(data / "docs.jsonl.zst")
        for _, paragraphs in document["sections"]
        for paragraph in paragraphs
    ]


def by_sum(paragraphs: list[str]) -> dict[str, str]:
    """sha256 of a paragraph's UTF-8, in hexadecimal → the paragraph."""
    return {hashlib.sha256(paragraph.encode("utf-8")).hexdigest(): paragraph for paragraph in paragraphs}


def running_text(groups: list[PairGroup], paragraphs: list[str]) -> list[str]:
    """Each natural text once, normalised: the documents' `paragraphs` and the pairs that people wrote."""
    written = [text for group in groups if group.kind in _WRITTEN_KINDS for text in group.queries + group.passages]
    return list(dict.fromkeys([normalise(paragraph) for paragraph in paragraphs] + written))


def english_sentences(data: Path) -> list[str]:
    """The English side of the parallel text, normalised; the dictionary's glosses are read elsewhere."""
    records = read_records(data / "parallel.jsonl.zst")
    return [normalise(record["a"]) for record in records if record["source"] != "cedict"]


def retrieval_sets(data: Path) -> list[RetrievalSet]:
    """T1 to T4 of the folder's `eval`: for measuring only, never trained on."""
    sets: list[RetrievalSet] = []
    for path in sorted((data / "eval").glob("T*.json.zst")):
        with path.open("rb") as file:
            content = json.loads(ZstdDecompressor().stream_reader(file).read())
        questions = [normalise(question) for question, _ in content["queries"]]
        passages = [normalise(text) for text in content["corpus"]]
        relevant = [list(indices) for _, indices in content["queries"]]
        sets.append(RetrievalSet(path.name.split(".")[0], passages, questions, relevant))
    return sets
