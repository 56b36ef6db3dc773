"""Texts as rows of word ids, cut by the encoder itself: what is trained is what is read later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from index.types import LateInteraction

NUMBER_ROW, NAME_ROW = 1, 2
_BATCH = 4096


class TokenRows(NamedTuple):
    """Text `i` is `ids[starts[i]:starts[i + 1]]`, distinct and rising: both int64, `[ids]` and `[texts + 1]`."""

    ids: NDArray[np.int64]
    starts: NDArray[np.int64]

    def row(self, text: int) -> NDArray[np.int64]:
        """The word ids of one text, int64 `[its words]`."""
        return self.ids[self.starts[text] : self.starts[text + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many words each text has, int64 `[texts]`."""
        return np.diff(self.starts)


def tokenize(encoder: LateInteraction, texts: Sequence[str]) -> TokenRows:
    """The unit ids of `texts`; an id beyond the encoder's table stands for a hashed number or name."""
    rows: list[NDArray[np.int64]] = []
    for first in tqdm(range(0, len(texts), _BATCH), desc="words", leave=False):
        rows += encoder.units(texts[first : first + _BATCH])
    starts = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(row) for row in rows], out=starts[1:])
    return TokenRows(np.concatenate([*rows, np.empty(0, dtype=np.int64)]), starts)


def hashed_ids(rows: Sequence[TokenRows], size: int) -> NDArray[np.int64]:
    """The distinct ids at or above `size`, the table's length, rising: int64 `[hashed]`."""
    beyond = [row.ids[row.ids >= size] for row in rows]
    return np.unique(np.concatenate([*beyond, np.empty(0, dtype=np.int64)]))


def shared_rows(hashed: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """The table's row that each hashed id shares, int64 `[hashed]`: even ones are numbers, odd ones names."""
    return np.where((hashed - size) % 2 == 0, NUMBER_ROW, NAME_ROW)


def close_up(rows: TokenRows, hashed: NDArray[np.int64], size: int) -> TokenRows:
    """`rows` with each of the `hashed` ids replaced by `size` plus its place among them."""
    ids = np.where(rows.ids < size, rows.ids, size + np.searchsorted(hashed, rows.ids))
    return TokenRows(ids, rows.starts)


def pad(rows: TokenRows, texts: NDArray[np.int64], longest: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """The rows of `texts` side by side, int64 `[texts, words]`, -1 where one is shorter.

    Of more than `longest` words that many are drawn: a long passage shows another part of itself each time.
    """
    chosen = [rows.row(int(text)) for text in texts]
    chosen = [row if len(row) <= longest else generator.choice(row, longest, replace=False) for row in chosen]
    padded = np.full((len(chosen), max((len(row) for row in chosen), default=0)), -1, dtype=np.int64)
    for place, row in enumerate(chosen):
        padded[place, : len(row)] = row
    return padded
