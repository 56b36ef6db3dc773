"""CC-CEDICT: Chinese words and what they mean in English, cleaned of what is no meaning.

A line of the dictionary is `Traditional Simplified [pinyin] /sense/sense/`; see https://cc-cedict.org/wiki/format:syntax.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable
from pathlib import Path

from index.segment import normalise

# The first senses are the common ones; more would blur a word's vector.
SENSES, GLOSS_LENGTH, WORD_LENGTH = 4, 200, 12
_REFERENCES = 2

_LINE = re.compile(r"(\S+) (\S+) \[([^\]]*)\] /(.*)/")
_REFERENCE = re.compile(
    r"^(?:see(?: also)?|(?:old |erroneous |Japanese )?variant of|also written|abbr\. for|same as|equivalent to)"
    r"\s+(?:\S+\|)?([^\s\[]+)\["
)
_NO_MEANING = ("CL:", "Taiwan pr", "also pr", "Kangxi")
_EMPTY = ("used in", "variant of")
_PINYIN = re.compile(r"\[[^\]]*\]")
_CHINESE = re.compile(r"[㐀-鿿]+\|?[㐀-鿿]*")
_REMARK = re.compile(
    r"\((?:fig|lit|idiom|idiomatic|old|archaic|literary|coll|bound form|dialect|Tw|loanword|slang|onom|abbr)[^)]*\)"
)
_MARK = re.compile(r"^(?:lit\.|fig\.|idiom:?)\s*")
_SPACES = re.compile(r"\s+")


def read_dictionary(data: Path) -> dict[str, list[str]]:
    """The senses of each word of the data folder's CC-CEDICT.

    Raises:
        FileNotFoundError: there is no such file.
    """
    found = sorted(data.glob("cc-cedict-*.txt.gz"))
    if not found:
        raise FileNotFoundError(f"no cc-cedict-*.txt.gz in {data}")
    with gzip.open(found[-1], "rt", encoding="utf-8") as lines:
        return parse_lines(lines)


def parse_lines(lines: Iterable[str]) -> dict[str, list[str]]:
    """Simplified headword, normalised → the senses of all its entries, in file order."""
    entries: dict[str, list[str]] = {}
    for line in lines:
        match = None if line.startswith("#") else _LINE.match(line)
        if match:
            entries.setdefault(normalise(match[2]), []).extend(match[4].split("/"))
    return entries


def glosses(entries: dict[str, list[str]]) -> dict[str, str]:
    """Each word with a meaning → its first senses, joined by semicolons."""
    found: dict[str, str] = {}
    for word in entries:
        senses = _senses(word, entries, _REFERENCES) if len(word) <= WORD_LENGTH else []
        if senses:
            found[word] = "; ".join(senses[:SENSES])[:GLOSS_LENGTH]
    return found


def clean(sense: str) -> str:
    """A sense without pinyin, Chinese words and remarks on usage.

    >>> clean("abbr. for 上海[Shang4 hai3]; (literary) Shanghai")
    'abbr. for ; Shanghai'
    """
    text = _REMARK.sub("", _CHINESE.sub("", _PINYIN.sub("", sense)))
    return _SPACES.sub(" ", _MARK.sub("", text)).strip(" ,;.")


def _senses(word: str, entries: dict[str, list[str]], references: int) -> list[str]:
    """The distinct senses of `word`, surnames only where there is nothing else; references are followed."""
    senses: list[str] = []
    surnames: list[str] = []
    for sense in entries.get(word, ()):
        if sense.startswith(_NO_MEANING):
            continue
        reference = _REFERENCE.match(sense)
        if reference:
            other = normalise(reference[1])
            senses += _senses(other, entries, references - 1) if references and other != word else []
            continue
        text = clean(sense)
        if text and not text.lower().startswith(_EMPTY):
            (surnames if text.startswith("surname") else senses).append(text)
    return list(dict.fromkeys(senses)) or surnames
