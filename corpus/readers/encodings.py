"""Bytes → text for files without a format of their own: UTF-8, UTF-16, GB18030 and Big5, told apart.

UTF-8 is recognised by its own rules. The others are told apart by what they make of the bytes: real Chinese is nearly
all of the commonest characters (the first level of GB 2312, or of Big5), and the wrong decoding is not. ASCII says
nothing, and is not counted. What stays doubtful is refused, never guessed.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

from corpus.readers.types import ReadError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PLAUSIBLE = 0.85
_SAMPLE = 50_000
_JUDGED = 40
_SHORTEST_BIG5 = 4
"""Characters beyond ASCII: fewer are Big5 by chance."""
_SHORTEST_KOREAN = 8
_LAST_HANGUL = 0xC8
_GRAMMAR = frozenset("的是在了和有与為为人中大上年一不及等对對以将將與")
# The commonest characters, simplified and traditional: by them two readings that look alike are told apart.
_FREQUENT = _GRAMMAR | frozenset(
    "不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所"
    "民得经十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它合还因由其些然前外"
    "天政四日那社义事平形相全表间样与关各重新线内数正心反你明看原又么利比或但质气第向道命此变条只没结解问意建月公无系"
    "這個國時來們於會發動後過說產種學經進著裡電現實體當點從業應開還無間樣關線內數變條結問區創"
)
_ASCII = re.compile(r"[\t\n\r\f\x20-\x7e]+")
_KANA = re.compile("[\u3041-\u30fa]")
_DECLARED = re.compile(
    rb"""<meta[^>]{0,200}charset\s*=\s*["']?\s*([\w-]{2,20})|<\?xml[^>]{0,100}encoding=["']([\w-]{2,20})""",
    re.IGNORECASE,
)
# Single-byte codecs make text of any bytes, so what they say proves nothing.
_TRUSTED = frozenset(("euc-kr", "euc-jp", "shift_jis", "big5", "big5-hkscs", "gb2312", "gbk", "gb18030"))
_REFUSAL = "认不出文本编码（支持 UTF-8、UTF-16、GB18030、Big5）。请另存为 UTF-8 后再试。"


def _level(codec: str, leads: Iterable[int], trails: Iterable[int]) -> frozenset[str]:
    pairs = [bytes((a, b)) for a in leads for b in trails]
    return frozenset("".join(x.decode(codec, errors="ignore") for x in pairs))


_SIMPLIFIED = _level("gb2312", range(0xB0, 0xD8), range(0xA1, 0xFF))
_TRADITIONAL = _level("big5", range(0xA4, 0xC7), [*range(0x40, 0x7F), *range(0xA1, 0xFF)])
_CANDIDATES = (
    ("gb18030", _SIMPLIFIED),
    ("utf-16-le", _SIMPLIFIED | _TRADITIONAL),
    ("utf-16-be", _SIMPLIFIED | _TRADITIONAL),
    ("cp950", _TRADITIONAL),
    ("big5hkscs", _TRADITIONAL),
)


# What no Greek, Cyrillic or Arabic text has.
_BEYOND = re.compile("[\u0800-\U0010ffff]")


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
    scored: list[tuple[tuple[float, int], str, str]] = []
    for codec, common in _CANDIDATES:
        if codec == "big5hkscs" and scored and scored[-1][1] == "cp950":
            break  # the same but for signs of Hong Kong
        candidate = _try(data, codec)
        if candidate is None or "\0" in candidate:
            continue
        sample = _ASCII.sub("", candidate)[:_SAMPLE]
        if common is _TRADITIONAL and len(sample) < _SHORTEST_BIG5:
            continue
        if _reads_as_chinese(sample) and (codec.startswith("utf") or not _is_korean_or_japanese(data)):
            score = plausibility(candidate, common), sum(c in _FREQUENT for c in sample)
            scored.append((score, codec, candidate))
    scored.sort(key=lambda x: x[0], reverse=True)
    if scored and scored[0][0][0] >= _PLAUSIBLE and (len(scored) == 1 or scored[0][0] > scored[1][0]):
        return scored[0][2], scored[0][1]
    raise ReadError("decode_error", _REFUSAL)


def decode_page(data: bytes) -> tuple[str, str]:
    """`decode` for HTML: what the page itself declares is often wrong, and asked only where its bytes say nothing.

    Raises:
        ReadError: `decode_error`.
    """
    try:
        return decode(data)
    except ReadError:
        match = _DECLARED.search(data[:4096])
        declared = (match.group(1) or match.group(2)).decode("ascii").lower() if match else ""
        text = _try(data, declared) if declared in _TRUSTED else None
        if text is None:
            raise
        return text, declared


def plausibility(text: str, common: frozenset[str] = _SIMPLIFIED) -> float:
    """The share, 0 to 1, of characters beyond ASCII that a Chinese text is made of; 1 where there are none."""
    sample = _ASCII.sub("", text)[:_SAMPLE]
    if not sample:
        return 1.0 if text else 0.0
    return sum(c in common or _is_sign(c) for c in sample) / len(sample)


def _reads_as_chinese(sample: str) -> bool:
    """Chinese of any length uses the words of its grammar; Korean read as GB18030 has none of them."""
    han = [c for c in sample if "\u4e00" <= c <= "\u9fff"]
    return len(han) < _JUDGED or sum(c in _GRAMMAR for c in han) >= 0.01 * len(han)


def _is_korean_or_japanese(data: bytes) -> bool:
    """EUC-KR and EUC-JP, of which GB18030 or Big5 would make Chinese. GB18030 has the kana at the same bytes; of Korean it
    makes words between blanks with none of the sounds from R to Z, as which half of Chinese is.
    """
    text = data[:_SAMPLE].decode("gb18030", errors="ignore")
    sample = _ASCII.sub("", text)
    if 10 * len(_KANA.findall(sample)) > 3 * len(sample):
        return True
    han = [c for c in sample if "\u4e00" <= c <= "\u9fff"]
    blanks = len(re.findall(r"[^\x00-\x7f] (?=[^\x00-\x7f])", text))
    if len(han) < _SHORTEST_KOREAN or 10 * blanks < len(han):
        return False
    return all(c in _SIMPLIFIED and c.encode("gb2312")[0] <= _LAST_HANGUL for c in han)


def _is_sign(character: str) -> bool:
    point = ord(character)
    return 0x3000 <= point <= 0x303F or 0xFF01 <= point <= 0xFF5E or 0x2010 <= point <= 0x2027 or character in "\xa0·×°"


def _rather_gb18030(data: bytes, text: str) -> bool:
    """A short GB18030 text can be valid UTF-8 by chance; then it reads as Greek, Cyrillic or Arabic letters."""
    if _BEYOND.search(text):
        return False
    foreign = [c for c in text if ord(c) >= 0x80]
    if not foreign or 2 * len(foreign) < len(text.replace(" ", "")):
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
