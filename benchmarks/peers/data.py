"""What every system is given: the same texts, words, vectors and questions. Needs numpy alone, for it runs in each venv."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TOP = 10
ADDED = 64
"""Passages that are added to an index: they follow those that it is built of."""


@dataclass(frozen=True)
class Question:
    """`words` are the text cut by jieba, blanks between; `vector` float32 `[dim]`, of length 1."""

    text: str
    words: str
    vector: np.ndarray
    floats: list[float]


@dataclass(frozen=True)
class Passages:
    """`rows` number them; `words` as in `Question`; `vectors` float32 `[passages, dim]`, rows of length 1."""

    rows: range
    texts: Sequence[str]
    words: Sequence[str]
    vectors: np.ndarray


def read_passages(folder: Path, first: int, last: int) -> Passages:
    """The passages of rows `[first, last)`."""
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")[first:last]
    texts, words = (read_lines(folder / name, first, last) for name in ("texts.jsonl", "words.jsonl"))
    return Passages(range(first, last), texts, words, np.ascontiguousarray(vectors))


def read_questions(folder: Path) -> list[Question]:
    vectors = np.load(folder / "question_vectors.npy")
    records = json.loads((folder / "questions.json").read_text(encoding="utf-8"))
    return [
        Question(text, words, vector, vector.tolist()) for (text, words), vector in zip(records, vectors, strict=True)
    ]


def read_lines(path: Path, first: int, last: int) -> list[str]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for n, line in enumerate(file) if first <= n < last]
