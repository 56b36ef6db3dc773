"""Bytes → text for files without a format of their own: UTF-8, UTF-16 and GB18030, told apart.

UTF-8 is recognised by its own rules. UTF-16 without a byte-order mark and GB18030 are told apart by what
they make of the bytes: real Chinese is nearly all of GB 2312's 3,755 level-1 characters, and the wrong
decoding is not. What stays doubtful is refused, never guessed.
"""

from __future__ import annotations

import codecs

from corpus.readers.types import ReadError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CANDIDATES = ("gb18030", "utf-16-le", "utf-16-be")
_PLAUSIBLE = 0.85
_SAMPLE = 200_000
_JUDGED = 40
_GRAMMAR = frozenset("的是在了和有与为人中大上年一不及等对以将")


def decode(data: bytes) -> tuple[str, str]:
    """The text of `data` and the codec that gave it.

    Raises:
        ReadError: `decode_error`, where no codec or more than one makes sense of the bytes.
    """
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return _strict(data, codec), codec
    text = _try(data, "utf-8")
    if text is not None and "\0" not in text and not _rather_gb18030(data, text):
        return text, "utf-8"
    scored = []
    for codec in _CANDIDATES:
        candidate = _try(data, codec)
        if candidate is not None and "\0" not in candidate and _reads_as_chinese(candidate[:_SAMPLE]):
            scored.append((plausibility(candidate[:_SAMPLE]), codec, candidate))
    scored.sort(key=lambda x: -x[0])
    if scored and scored[0][0] >= _PLAUSIBLE and (len(scored) == 1 or scored[0][0] > scored[1][0]):
        return scored[0][2], scored[0][1]
    raise ReadError("decode_error", "认不出文本编码（支持 UTF-8、UTF-16、GB18030）。请另存为 UTF-8 后再试。")


def plausibility(text: str) -> float:
    """The share, 0 to 1, of characters that a Chinese or English text is made of."""
    if not text:
        return 0.0
    return sum(_is_common(c) for c in text) / len(text)


def _reads_as_chinese(text: str) -> bool:
    """Chinese of any length uses the words of its grammar; Korean read as GB18030 has none of them."""
    han = [c for c in text if "\u4e00" <= c <= "\u9fff"]
    return len(han) < _JUDGED or sum(c in _GRAMMAR for c in han) >= 0.01 * len(han)


def _is_common(character: str) -> bool:
    point = ord(character)
    if point < 0x80:
        return point >= 0x20 or character in "\t\n\r\f"
    if 0x3000 <= point <= 0x303F or 0xFF01 <= point <= 0xFF5E or 0x2010 <= point <= 0x2027:
        return True
    try:
        return 0xB0 <= character.encode("gb2312")[0] <= 0xD7
    except UnicodeEncodeError:
        return False


def _rather_gb18030(data: bytes, text: str) -> bool:
    """A short GB18030 text can be valid UTF-8 by chance; then it reads as Greek, Cyrillic or Arabic letters."""
    foreign = [c for c in text if ord(c) >= 0x80]
    if not foreign or max(foreign) >= "\u0800" or 2 * len(foreign) < len(text.replace(" ", "")):
        return False
    other = _try(data, "gb18030")
    return other is not None and plausibility(other) == 1.0


def _try(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return None


def _strict(data: bytes, codec: str) -> str:
    text = _try(data, codec)
    if text is None:
        raise ReadError("decode_error", f"文件标明为 {codec}，但内容不符。请另存为 UTF-8 后再试。")
    return text
