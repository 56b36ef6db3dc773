"""A question as it was meant: one script, digits for numerals, no politeness, names in their own characters."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise

from index.names import Names
from index.numerals import fold_numbers
from index.segment import fold_script, is_han, normalise, segmenter

_LONGEST_NAME, _SHORTEST_PINYIN, _SHORTEST_CORRECTED = 6, 5, 3
_LATIN = re.compile(r"(?<![A-Za-z])[A-Za-z]+(?![A-Za-z])")
_GAP = re.compile(r"[\s'’-]")
# Of a wrong character only whole names of places are corrected, and long names: short terms sound like too much else.
_SUFFIXES, _LONG_TERM = "区市县园镇城", 4

_AFTER = r"(?:一下|下(?=[\s，,。：:])|[\s，,。：:])*"
_POLITE = r"请问|请教一下|请教|麻烦问一下|麻烦您|麻烦|劳驾|您好|你好|想问一下|想问问(?!题)|想问(?!题)|想请问|问一下|帮我查一下|帮我查查|帮我查|帮忙查一下|帮忙看看"
_WANT = r"我想知道|想知道|我想了解一下|我想了解|想了解一下|想了解|我想问(?!题)|有没有人知道|有谁知道|谁知道|能不能告诉我|能告诉我|可以告诉我|告诉我"
_HESITANT = r"那个(?=[\s，,。那])|话说(?!回来)|嗯+|呃+"
_FILLER = re.compile(rf"^(?:[\s，,。！!：:~～]*(?:{_POLITE}|{_WANT}|{_HESITANT}){_AFTER})+")
_TAIL = re.compile(r"(?:呀|啊|呢|(?<![酒网贴])吧|哈|啦|喔|哦|嘛|谢谢|谢谢您|谢啦)+(?=[\s？?。！!~～]*$)")


def plain(question: str) -> str:
    """The question in Simplified characters of usual width, with digits for counted numerals."""
    return fold_numbers("".join(map(_fold, question)))


def without_filler(text: str, is_kept: Callable[[str], bool]) -> tuple[str, list[str]]:
    """The text without politeness at its ends, but for what `is_kept`; and what was left out. Never nothing is left."""
    left_out = []
    for pattern in (_FILLER, _TAIL):
        match = pattern.search(text)
        rest = text[: match.start()] + text[match.end() :] if match else ""
        if match and not is_kept(match.group().strip()) and len(normalise(rest).strip("？?。！! ")) > 1:
            left_out.append(match.group().strip())
            text = rest
    return text, left_out


def corrected(text: str, names: Names, is_kept: Callable[[str], bool]) -> tuple[str, list[tuple[str, str]]]:
    """Names in pinyin, or with one wrong character of the same sound, in their own characters; and (was, is).

    What `is_kept` stays as it was written.
    """
    text, spelt = _from_pinyin(text, names, is_kept)
    changed: list[tuple[str, str]] = []
    kept: set[int] = set()
    for length in range(_LONGEST_NAME, _SHORTEST_CORRECTED - 1, -1):
        for start in range(len(text) - length + 1):
            piece = text[start : start + length]
            name = _same_sound(piece, names) if is_han(piece) and is_han(piece[-1]) else None
            if name is None or not kept.isdisjoint(range(start, start + length)):
                continue
            if is_kept(piece):  # nor is a shorter name looked for in it
                kept.update(range(start, start + length))
            else:
                changed.append((piece, name))
                text = text[:start] + name + text[start + length :]
    return text, spelt + changed


def _from_pinyin(text: str, names: Names, is_kept: Callable[[str], bool]) -> tuple[str, list[tuple[str, str]]]:
    words = list(_LATIN.finditer(text))
    pieces: list[tuple[int, int, str]] = []
    n = 0
    while n < len(words):
        size, name = _spelt(text, words[n : n + _LONGEST_NAME], names)
        start, end = words[n].start(), words[n + size - 1].end()
        if name is not None and not is_kept(text[start:end]):
            pieces.append((start, end, name))
        n += size
    found = [(text[start:end], name) for start, end, name in pieces]
    for start, end, name in reversed(pieces):
        text = text[:start] + name + text[end:]
    return text, found


def _spelt(text: str, words: Sequence[re.Match[str]], names: Names) -> tuple[int, str | None]:
    """How many of `words`, from the first, spell a name in pinyin, as many as can, and the name; (1, None) if none."""
    for size in range(len(words), 0, -1):
        between = (text[a.end() : b.start()] for a, b in pairwise(words[:size]))
        letters = "".join(word.group() for word in words[:size]).lower()
        if len(letters) >= _SHORTEST_PINYIN and all(_GAP.fullmatch(gap) for gap in between):
            name = names.sounds.get(letters)
            if name is not None:
                return size, name
    return 1, None


def _same_sound(piece: str, names: Names) -> str | None:
    """The name that differs from `piece` in one character, of the same sound."""
    name = names.sounds.get("".join(names.readings.get(c, "?") for c in piece))
    if name is None or len(name) != len(piece) or sum(a != b for a, b in zip(name, piece, strict=True)) != 1:
        return None
    # 宝山去年 is no 宝山区年: what follows a short name may be any word.
    if name[-1] in _SUFFIXES:
        return None if piece[:-1] == name[:-1] else name
    return name if len(name) >= _LONG_TERM and piece not in segmenter()(piece) else None


@lru_cache(maxsize=8192)
def _fold(character: str) -> str:
    if character.isascii() or not character.isalnum():  # punctuation stays as it was typed
        return character
    folded = fold_script(character)
    return folded if len(folded) == 1 else character
