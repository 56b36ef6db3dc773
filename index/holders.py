"""Which texts hold each word: the words of texts the other way round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.storage import Content, Data
from index.tables import array_content, load_array
from index.types import Floats, Ints

_ROW_BITS = 32
_LONG = 1024
"""So many texts of one word are added up by themselves; those of rarer words together."""


@dataclass(frozen=True, slots=True)
class Holders:
    """The texts of word `n` are `rows[offsets[n]:offsets[n + 1]]`, rising: int32, and int64 `[vocabulary + 1]`."""

    offsets: Ints
    rows: npt.NDArray[np.int32]

    @classmethod
    def of(cls, terms: npt.NDArray[np.int32], starts: Ints, vocabulary: int) -> Holders:
        """Of texts as `Words` has them."""
        keys = terms.astype(np.uint64) << np.uint64(_ROW_BITS)
        keys |= np.repeat(np.arange(len(starts) - 1, dtype=np.uint64), np.diff(starts))
        keys.sort()  # of whole numbers this is several times as fast as argsort
        counts = np.bincount(terms, minlength=vocabulary)
        rows = (keys & np.uint64((1 << _ROW_BITS) - 1)).astype(np.int32)
        return cls(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), rows)

    @classmethod
    def load(cls, files: Mapping[str, Data]) -> Holders:
        """Of files as `dump` made them.

        Raises:
            KeyError or ValueError: they are no such files, or don't fit together.
        """
        holders = cls(load_array(files["offsets.npy"]), load_array(files["rows.npy"]))
        if len(holders.rows) != (holders.offsets[-1] if len(holders.offsets) else -1):
            raise ValueError("words and their texts differ in number")
        return holders

    def dump(self) -> dict[str, Content]:
        """File name → content."""
        return {"offsets.npy": array_content(self.offsets), "rows.npy": array_content(self.rows)}

    @property
    def counts(self) -> tuple[int, int]:
        """How many words, and how many places in texts."""
        return len(self.offsets) - 1, len(self.rows)

    def gains(self, words: Ints, worth: Floats, size: int) -> Floats:
        """What each of `size` texts gains by holding some words, each worth something: float32 `[size]`."""
        gained = np.zeros(size, dtype=np.float32)
        begins, ends = self.offsets[words], self.offsets[words + 1]
        lengths = ends - begins
        for n in np.flatnonzero(lengths > _LONG).tolist():  # one number added to many places: numpy's fastest way
            np.add.at(gained, self.rows[begins[n] : ends[n]].astype(np.intp), worth[n])
        short = np.flatnonzero(lengths <= _LONG)
        if short.size:
            spans = zip(begins[short].tolist(), ends[short].tolist(), strict=True)
            rows = np.concatenate([self.rows[begin:end] for begin, end in spans]).astype(np.intp)
            np.add.at(gained, rows, np.repeat(worth[short], lengths[short]))
        return gained
