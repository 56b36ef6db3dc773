"""Starting vectors: what a word's dictionary entry means to one teacher and the word itself to the other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from index.encoders import unit_rows
from index.training.teachers import Teachers
from index.training.vocabulary import SPECIAL, Vocabulary

# Weight of a word before training: (-log probability - 2) / 5, between bounds.
_RAREST, _SHIFT, _LEAST, _DIVISOR = 1e-7, 2.0, 0.2, 5.0
# Numbers that match mean much; a name that the vocabulary lacks has seldom the same letters in the other language.
_NUMBER_WEIGHT, _NAME_WEIGHT = 1.6, 0.65
TRAINED_SHARE = 0.6


def features(vocabulary: Vocabulary, glosses: Mapping[str, str], teachers: Teachers) -> NDArray[np.float32]:
    """What both teachers say of each word, unit rows, float32 `[SPECIAL + words, 768]`; those of `SPECIAL` are zero.

    `glosses` are the dictionary's words with their meanings. Each teacher's vectors are centred, so that what
    all words share counts for nothing; E5 keeps the languages apart, so each is centred by itself.
    """
    meanings = unit_rows(centred(gloss_vectors(vocabulary, glosses, teachers)))
    words = teachers.queries(vocabulary.words).astype(np.float32)
    chinese = len(vocabulary.chinese)
    words = unit_rows(np.concatenate([centred(words[:chinese]), centred(words[chinese:])]))
    both = unit_rows(np.concatenate([meanings, words], axis=1))
    return np.concatenate([np.zeros((len(SPECIAL), both.shape[1]), dtype=np.float32), both])


def between(start: NDArray[np.float32], trained: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit vectors between `start` and `trained`, both `[rows, dims]`; those of `SPECIAL` as trained.

    What training gains on its own kinds of pairs it loses in part on others; in between, most of both is kept
    (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).
    """
    mixed = unit_rows((1 - TRAINED_SHARE) * unit_rows(start) + TRAINED_SHARE * unit_rows(trained))
    mixed[: len(SPECIAL)] = trained[: len(SPECIAL)]
    return mixed


def starting_weights(vocabulary: Vocabulary) -> NDArray[np.float32]:
    """Positive weights, float32 `[SPECIAL + words]`: rare words count for more."""
    rarity = -np.log(np.maximum(vocabulary.probabilities, _RAREST)) - _SHIFT
    weights = np.maximum(rarity, _LEAST) / _DIVISOR
    return np.concatenate([[_NUMBER_WEIGHT, _NUMBER_WEIGHT, _NAME_WEIGHT], weights]).astype(np.float32)


def gloss_vectors(vocabulary: Vocabulary, glosses: Mapping[str, str], teachers: Teachers) -> NDArray[np.float32]:
    """float32 `[words, 384]`: of a Chinese word its gloss, of an English one the word; else the mean of its parts."""
    texts = [*glosses.values(), *vocabulary.english]
    vectors = teachers.glosses(texts).astype(np.float32)
    rows = {word: row for row, word in enumerate(glosses)}
    table = np.zeros((len(vocabulary.words), vectors.shape[1]), dtype=np.float32)
    for place, word in enumerate(vocabulary.chinese):
        parts = [rows[part] for part in longest_parts(word, rows)]
        if parts:
            table[place] = vectors[parts].mean(axis=0)
    table[len(vocabulary.chinese) :] = vectors[len(glosses) :]
    return table


def longest_parts(word: str, known: Mapping[str, object]) -> list[str]:
    """`word` from left to right as the longest `known` words; a character that none begins with is left out.

    >>> longest_parts("宝山区医院", {"宝": 0, "山区": 1, "医": 2, "医院": 3})
    ['宝', '山区', '医院']
    """
    parts: list[str] = []
    start = 0
    while start < len(word):
        ends = range(len(word), start, -1)
        end = next((end for end in ends if word[start:end] in known), None)
        if end is not None:
            parts.append(word[start:end])
        start = end or start + 1
    return parts


def principal_axes(vectors: NDArray[np.float32], dims: int) -> NDArray[np.float32]:
    """The `dims` main axes of the second moments of `vectors` `[n, d]`, float32 `[d, dims]`; not centred."""
    moments = (vectors.T @ vectors / len(vectors)).astype(np.float64)
    _, axes = np.linalg.eigh(moments)
    return np.ascontiguousarray(axes[:, ::-1][:, :dims], dtype=np.float32)


def centred(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows without their mean."""
    moved: NDArray[np.float32] = vectors - vectors.mean(axis=0) if len(vectors) else vectors
    return moved
