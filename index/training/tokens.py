"""Texts as rows of token ids: one flat array and where each text begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

UNKNOWN_ID = 0


class TokenRows(NamedTuple):
    """Text `i` is `ids[starts[i]:starts[i + 1]]`: int32 `[tokens]` and int64 `[texts + 1]`."""

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]

    def row(self, text: int) -> NDArray[np.int32]:
        """The token ids of one text, int32 `[its tokens]`."""
        return self.ids[self.starts[text] : self.starts[text + 1]]


def tokenize(tokenizer: Tokenizer, texts: Sequence[str], batch: int = 4096) -> TokenRows:
    """Encode `texts`; unknown tokens are left out, as the exported encoder leaves them out."""
    rows: list[NDArray[np.int32]] = []
    for first in range(0, len(texts), batch):
        for encoding in tokenizer.encode_batch_fast(list(texts[first : first + batch])):
            ids = np.array(encoding.ids, dtype=np.int32)
            rows.append(ids[ids != UNKNOWN_ID])
    return join_rows(rows)


def join_rows(rows: Sequence[NDArray[np.int32]]) -> TokenRows:
    """Rows of ids, each int32 `[its tokens]` → one flat array."""
    starts = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(row) for row in rows], out=starts[1:])
    return TokenRows(np.concatenate([*rows, np.empty(0, dtype=np.int32)]), starts)


def document_frequencies(rows: TokenRows, size: int) -> NDArray[np.int64]:
    """In how many texts each token occurs, int64 `[size]`."""
    texts = np.repeat(np.arange(len(rows.starts) - 1, dtype=np.int64), np.diff(rows.starts))
    occurrences = np.unique(texts * size + rows.ids)
    return np.bincount(occurrences % size, minlength=size)
