"""Terms as numbers: what the index keeps of a term is its key, so that millions of them are looked up in a mapped array.

One or two characters are their code points, which is exact and can be made of whole texts at once; a longer term is 63
bits of its BLAKE2b hash (RFC 7693). Of ten million different terms two would share a key about once in 200,000 indexes.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

BITS = 21
"""A code point has as many."""

HASHED = 1 << 63


@lru_cache(maxsize=1 << 16)
def term_key(term: str) -> int:
    """The key of a term that is not empty, below 2**64.

    >>> term_key("科") == ord("科"), term_key("科技") == ord("科") << BITS | ord("技"), term_key("g60") >= HASHED
    (True, True, True)
    """
    if len(term) == 1:
        return ord(term)
    if len(term) == 2:
        return ord(term[0]) << BITS | ord(term[1])
    return HASHED | int.from_bytes(blake2b(term.encode("utf-8"), digest_size=8).digest(), "little") >> 1


def character_of(key: int) -> str | None:
    """The one character that a key stands for; None where its term is longer."""
    return chr(key) if key < 1 << BITS else None
