"""txtai, with vectors made outside (`method: external`).

- `dense`: its defaults for FAISS: above 5,000 vectors an IVF whose cells and probes it chooses itself
  (https://neuml.github.io/txtai/embeddings/configuration/ann/). Content is off, which is its default: it returns ids
  and scores and keeps no texts, so it does less than the others here.
- `hybrid`: `hybrid: true` with the sparse index that stands for (bm25, terms, normalised:
  https://neuml.github.io/txtai/embeddings/configuration/scoring/); terms are cut at blanks.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from data import TOP, Passages, Question
from txtai import Embeddings

_SCORING = {"method": "bm25", "terms": True, "normalize": True, "tokenizer": {"whitespace": True}}


class System:
    def __init__(self, kind: str, questions: list[Question]) -> None:
        self.kind = kind
        self.known = {x.words: x.vector for x in questions}

    def transform(self, texts: list[str]) -> np.ndarray:
        return np.array([self.known[x] for x in texts], dtype=np.float32)

    def _config(self) -> dict[str, object]:
        config: dict[str, object] = {"method": "external", "transform": lambda texts: self.transform(texts)}
        return config | ({"hybrid": True, "scoring": dict(_SCORING)} if self.kind == "hybrid" else {})

    def build(self, passages: Passages) -> None:
        self.embeddings = Embeddings(self._config())
        self.embeddings.index(self._documents(passages))

    def _documents(self, passages: Passages) -> list[tuple[int, object, None]]:
        if self.kind == "dense":
            return [(row, vector, None) for row, vector in zip(passages.rows, passages.vectors, strict=True)]
        self.known |= dict(zip(passages.words, passages.vectors, strict=True))
        return [(row, words, None) for row, words in zip(passages.rows, passages.words, strict=True)]

    def save(self, folder: Path) -> None:
        self.embeddings.config.pop("transform", None)  # a function can't be saved; `load` gives it again
        self.embeddings.save(str(folder))

    def load(self, folder: Path) -> None:
        self.embeddings = Embeddings()
        self.embeddings.load(str(folder), config={"transform": lambda texts: self.transform(texts)})

    def search(self, question: Question) -> list[int]:
        asked = question.words if self.kind == "hybrid" else question.vector
        return [row for row, _ in self.embeddings.search(asked, TOP)]

    def add(self, passages: Passages) -> None:
        self.embeddings.upsert(self._documents(passages))
