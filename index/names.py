"""The corpus's own vocabulary: its places, its terms and how they sound. Learnt when the index is built, no labels.

Headings that end in 区, 园, 镇 … name places; the domain's words that occur in the reports are terms. Sounds (pinyin
without tones) let a name be found that was typed in Latin letters or with a wrong character of the same sound.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import product

from corpus.types import Passage
from index.segment import domain_words, is_han, normalise, runs

_PLACE = re.compile(
    r"^[（(]?[一二三四五六七八九十\d]*[)）.、]?\s*"
    r"(\w{2,6}?)(新区|自贸区|高新区|开发区|工业区|园区|科技城|科学城|新城|地区|区|县|园|镇)(?:[：:]|$)"
)
# Characters that names have in two readings.
_SEVERAL = {"行": ["hang", "xing"], "长": ["chang", "zhang"], "重": ["zhong", "chong"]}
# What such headings are also made of and what is no place.
_COMMON = re.compile(r"[的和与]|建设|打造|推进|加快|发展|提升|示范|先导|集聚|功能|核心|特色|实施|创新")


@dataclass(frozen=True, slots=True)
class Names:
    """`places`: short name → as headings have it (闵行 → 闵行区, 闵行园). `sounds`: pinyin → the name that sounds so.

    `readings`: a character's pinyin, of all characters that text is usually made of.
    """

    places: dict[str, list[str]]
    sounds: dict[str, str]
    readings: dict[str, str]

    def dump(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=False).encode("utf-8")

    @classmethod
    def load(cls, data: bytes) -> Names:
        """Of bytes as `dump` gave them."""
        return cls(**json.loads(data))


@dataclass(frozen=True, slots=True)
class Mentions:
    """What one document adds to the names: `places` as (short name, as the heading has it), and `terms`, as folded."""

    places: tuple[tuple[str, str], ...]
    terms: tuple[str, ...]


def mentions(passages: Iterable[Passage], texts: Sequence[str]) -> Mentions:
    """What passages and their texts add to the names, in the order in which headings come."""
    headings = dict.fromkeys(part for passage in passages for part in passage.section)
    together = "\n".join(normalise(text) for text in texts)
    return Mentions(places_of(map(normalise, headings)), tuple(term for term in domain_terms() if term in together))


def places_of(headings: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The places that normalised headings name, each once: short name, and as the heading has it."""
    places: dict[tuple[str, str], None] = {}
    for heading in headings:
        match = _PLACE.match(heading)
        if match and not _COMMON.search(match.group(1)):
            places[match.group(1), match.group(1) + match.group(2)] = None
    return tuple(places)


def names_of(found: Iterable[Mentions], letters: Iterable[str]) -> Names:
    """The names of a corpus: of what each document mentions, and of the characters that its texts are made of."""
    from pypinyin import pinyin  # 2 MB of tables that only a build needs
    from pypinyin.constants import Style

    places: dict[str, list[str]] = {}
    held: set[str] = set()
    for document in found:
        held.update(document.terms)
        for short, whole in document.places:
            forms = places.setdefault(short, [])
            if whole not in forms:
                forms.append(whole)
    sounds: dict[str, str] = {}
    whole_names = [form for some in places.values() for form in some]
    for name in [*places, *whole_names, *(term for term in domain_terms() if term in held)]:
        if all(is_han(run) for run in runs(name)):
            usual = pinyin(name, style=Style.NORMAL)
            # 闵行 is minhang, whatever the tables prefer.
            readings = [_SEVERAL.get(c, usual[n]) for n, c in enumerate(name)]
            for reading in (*product(*usual), *product(*readings)):
                sounds.setdefault("".join(reading), name)
    common = _common_readings()
    others = _readings({c for c in letters if is_han(c)} - common.keys())
    return Names(places, sounds, dict(sorted((common | others).items())))


def _readings(characters: Iterable[str]) -> dict[str, str]:
    from pypinyin import lazy_pinyin

    rising = sorted(characters)
    return dict(zip(rising, lazy_pinyin(rising), strict=True))


@cache
def _common_readings() -> dict[str, str]:
    return _readings(set(_common_characters()))


@cache
def domain_terms() -> tuple[str, ...]:
    """The domain's words, folded."""
    return tuple(term for word in domain_words() if len(term := normalise(word)) > 1)


def _common_characters() -> list[str]:
    """The 3,755 characters of the first level of GB 2312, by its own order."""
    rows = range(0xB0, 0xD8)
    codes = (bytes([row, cell]) for row in rows for cell in range(0xA1, 0xFF))
    return [c for code in codes if (c := code.decode("gb2312", errors="ignore"))]
