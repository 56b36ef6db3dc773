"""NFKC (UAX #15) of much text: what reports are mostly made of needs no look at Unicode's tables."""

from __future__ import annotations

import unicodedata

# The full-width marks of Chinese text: each is one ASCII character in NFKC, whatever stands beside it.
_WIDE = (("\u3000", " "), *((chr(ord(c) + 0xFEE0), c) for c in ",:;()!?%-.~"))


def nfkc(text: str) -> str:
    """As `unicodedata.normalize("NFKC", text)`, several times as fast for Chinese text.

    >>> nfkc("Ｇ60，㈠“①”！")
    'G60,(一)“1”!'
    """
    if text.isascii():
        return text
    for wide, plain in _WIDE:
        text = text.replace(wide, plain)
    # Quick where no character can change; only other lines are taken apart and put together. None composes with the next.
    if unicodedata.is_normalized("NFKC", text):
        return text
    lines = text.splitlines(keepends=True)
    return "".join(x if unicodedata.is_normalized("NFKC", x) else unicodedata.normalize("NFKC", x) for x in lines)
