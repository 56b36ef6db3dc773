"""Vectors for tokens that training hardly met: the sum of their parts.

A mean over a text then reads such a token as if the tokenizer had cut it. Names that were put into
the vocabulary so that they stay whole would otherwise be rows of zeros.
"""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from index.segment import domain_words, normalise
from index.training.tokens import UNKNOWN_ID
from index.training.vocabulary import traditional_characters

# A domain word seen in fewer texts than this gets its parts beside what it learnt.
RARE = 5


def compositions(tokenizer: Tokenizer, frequencies: NDArray[np.int64]) -> dict[int, list[int]]:
    """Tokens → the tokens whose vectors are to be added to theirs.

    `frequencies` are the numbers of training texts with each token, int64 `[vocabulary]`. Unseen
    tokens and rare domain words get their parts, a Traditional character its Simplified form.
    """
    ids = tokenizer.get_vocab()
    unseen = {int(token) for token in np.flatnonzero(frequencies == 0)}
    names = {ids[name] for word in domain_words() if (name := normalise(word)) in ids}
    rare = {token for token in names if frequencies[token] < RARE}
    found = cuts(tokenizer, unseen | rare)
    for character in traditional_characters():
        simplified = normalise(character)
        if character in ids and simplified in ids:
            found[ids[character]] = [ids[simplified]]
    return found


def cuts(tokenizer: Tokenizer, tokens: set[int]) -> dict[int, list[int]]:
    """Each of `tokens` → its most probable cut into the other tokens of the vocabulary."""
    content = json.loads(tokenizer.to_str())
    pieces = content["model"]["vocab"]
    kept = [token for token in range(len(pieces)) if token not in tokens or token == UNKNOWN_ID]
    content["model"]["vocab"] = [pieces[token] for token in kept]
    smaller = Tokenizer.from_str(json.dumps(content))
    return {
        token: [kept[part] for part in smaller.encode(pieces[token][0]).ids if part != UNKNOWN_ID]
        for token in sorted(tokens - {UNKNOWN_ID})
    }


def add_parts(vectors: NDArray[np.float32], parts: dict[int, list[int]]) -> NDArray[np.float32]:
    """`vectors` `[vocabulary, dims]` with the sum of its parts added to each token of `parts`."""
    composed = vectors.copy()
    for token, others in parts.items():
        composed[token] += vectors[others].sum(axis=0)
    return composed
