"""Makes what `data.py` reads: once for a size, with kewen's own reader, segmenter and encoder.

The passages are the first of a library that `texts.py` makes. A passage's vector is the mean of its sentences' vectors
(under heading and lead, as kewen indexes them) by the bundled encoder. The questions are the gold questions of `dev`
and as many titles of the library. What is exact is found by multiplying everything with everything.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from data import ADDED, TOP
from texts import read_passages, write_library

from corpus.library import Library
from corpus.types import Passage
from eval.gold import SHIPPED
from index.context import passage_pieces, reading
from index.encoders import BundledEncoder
from index.segment import words
from index.types import Floats

_TOGETHER = 512
_READY = "ready.json"


def prepare(folder: Path, size: int, training: Path | None) -> None:
    """Fill a folder, unless it has been."""
    if (folder / _READY).exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    # What is asked for is met to a few percent.
    reports, characters = write_library(folder / "library", round((size + ADDED) * 1.1), training)
    encoder = BundledEncoder()
    vectors = np.lib.format.open_memmap(
        folder / "vectors.npy", mode="w+", dtype=np.float32, shape=(size + ADDED, encoder.dim)
    )
    done = 0
    with (folder / "texts.jsonl").open("w", encoding="utf-8") as texts, (folder / "words.jsonl").open("w") as cut:
        found = islice(read_passages(folder / "library"), size + ADDED)
        for batch in _batches(passage for _, _, passage in found):
            for passage in batch:
                texts.write(json.dumps(reading(passage), ensure_ascii=False) + "\n")
                cut.write(json.dumps(" ".join(words(reading(passage)))) + "\n")
            vectors[done : done + len(batch)] = _means(encoder, [passage_pieces(x) for x in batch])
            done += len(batch)
    if done < size + ADDED:
        raise SystemExit(f"the library has {done} passages, not {size + ADDED}")
    vectors.flush()
    questions = _questions(folder / "library")
    asked = encoder.encode_queries(questions)
    np.save(folder / "question_vectors.npy", asked)
    (folder / "questions.json").write_text(json.dumps([(q, " ".join(words(q))) for q in questions]), encoding="utf-8")
    np.save(folder / "exact.npy", nearest(vectors[:size], asked))
    about = {"passages": size, "reports": reports, "characters": characters, "questions": len(questions)}
    (folder / _READY).write_text(json.dumps(about), encoding="utf-8")


def nearest(vectors: Floats, asked: Floats) -> np.ndarray:
    """The rows of the nearest vectors of each question, int64 `[questions, TOP]`, nearest first."""
    scores = np.full((len(asked), TOP), -np.inf, dtype=np.float32)
    rows = np.zeros((len(asked), TOP), dtype=np.int64)
    for first in range(0, len(vectors), 1 << 15):
        more = asked @ vectors[first : first + (1 << 15)].T
        scores = np.hstack([scores, more])
        rows = np.hstack([rows, np.broadcast_to(np.arange(first, first + more.shape[1]), more.shape)])
        order = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
        scores, rows = np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)
    return rows


def _means(encoder: BundledEncoder, pieces: Sequence[Sequence[str]]) -> Floats:
    encoded = encoder.encode_passages([text for group in pieces for text in group])
    starts = np.concatenate([[0], np.cumsum([len(x) for x in pieces])])[:-1]
    means = np.add.reduceat(encoded, starts, axis=0)
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    unit: Floats = means / np.where(lengths > 0, lengths, 1)
    return unit


def _questions(library: Path) -> list[str]:
    records = map(json.loads, SHIPPED.read_text(encoding="utf-8").splitlines())
    gold = [x["question"] for x in records if x["split"] == "dev"]
    titles = sorted({entry.title for entry in Library(library)})
    return gold + random.Random(0).sample(titles, min(len(gold), len(titles)))  # noqa: S311 - no secret


def _batches(passages: Iterable[Passage]) -> Iterator[list[Passage]]:
    iterator = iter(passages)
    while batch := list(islice(iterator, _TOGETHER)):
        yield batch
