"""The words that get a vector, and a Unigram tokenizer that cuts Chinese into them.

Unigram (Kudo, 2018, "Subword Regularization") cuts a text along its most probable path. Given the words of jieba
and of the dictionary with their frequencies it cuts much as jieba does, inside the `tokenizers` library. English
words stand in the same table; they are looked up whole.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers

from index.segment import domain_words, is_han, normalise, runs, segmenter

SPECIAL = ("[UNK]", "[NUMBER]", "[NAME]")
CHINESE_WORDS, ENGLISH_WORDS = 104_000, 33_000

# A word of the training text alone, and one of jieba's alone: how often, how long, and how many of them at most.
_SEEN_OFTEN, _SEEN_LENGTH, _SEEN_WORDS = 12, 6, 12_000
_GENERAL_OFTEN, _GENERAL_LENGTH, _GENERAL_WORDS = 60, 4, 9_000
# A dictionary word must occur somewhere; and a long one counts less, for its parts say most of what it means.
_OCCURS, _LONG, _LONG_SHARE = 2, 4, 0.25
# An English word that MiniLM's vocabulary lists counts as read three times; twice is enough.
_LISTED, _ENGLISH_OFTEN = 3, 2
# Half of a word's probability comes from jieba's frequencies: the training text alone would be all laws and manuals.
_GENERAL_SHARE = 0.5
# Running text has the share of function words that questions have; glosses know more words.
_SENTENCE_SHARE = 0.7
_FLOOR, _DOMAIN, _ENGLISH_SCORE = 1e-9, 5e-5, -30.0

_HAN = re.compile(r"[㐀-䶿一-鿿]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_ASCII = re.compile(r"[a-z]+")


class Vocabulary(NamedTuple):
    """Words in the order of their rows; `probabilities` float64 `[Chinese + English]`, 0 for an unread word."""

    chinese: list[str]
    english: list[str]
    probabilities: NDArray[np.float64]

    @property
    def words(self) -> list[str]:
        """Chinese words, then English ones: word `n` has row `n + len(SPECIAL)`."""
        return self.chinese + self.english


class Counts(NamedTuple):
    """How often words were read: Chinese in the training text and in general text, English in the training text."""

    chinese: Counter[str]
    general: Counter[str]
    english: Counter[str]

    def probabilities(self) -> dict[str, float]:
        """Each Chinese word's share of training text and general text, mixed."""
        seen = (1 - _GENERAL_SHARE) / max(self.chinese.total(), 1)
        general = _GENERAL_SHARE / max(self.general.total(), 1)
        words = self.chinese.keys() | self.general.keys()
        return {word: seen * self.chinese[word] + general * self.general[word] for word in words}


def count_words(texts: Iterable[str]) -> Counts:
    """Chinese words (jieba search mode) and other words of normalised texts, beside jieba's own frequencies."""
    chinese: Counter[str] = Counter()
    english: Counter[str] = Counter()
    cut = segmenter()
    for text in texts:
        for run in runs(text):
            if is_han(run):
                chinese.update(cut(run))
            else:
                english.update(_LETTERS.findall(run))
    return Counts(chinese, general_frequencies(), english)


def general_frequencies() -> Counter[str]:
    """jieba's dictionary: word → frequency in general text, folded like the training text."""
    frequencies: Counter[str] = Counter()
    for line in (files("jieba") / "dict.txt").read_text(encoding="utf-8").splitlines():
        word, frequency, _ = line.split(" ")
        frequencies[normalise(word)] += int(frequency)
    return frequencies


def count_english(glosses: Iterable[str], sentences: Iterable[str], listed: Iterable[str]) -> Counter[str]:
    """In how many glosses and sentences each English word stands; words that a model lists count for more."""
    counts: Counter[str] = Counter()
    for text in [*glosses, *sentences]:
        counts.update(set(_ASCII.findall(text.lower())))
    for word in listed:
        if _ASCII.fullmatch(word) and len(word) > 1:
            counts[word] += _LISTED
    return counts


def english_shares(glosses: Iterable[str], sentences: Iterable[str]) -> dict[str, float]:
    """Each English word's share of running text and of glosses, mixed: how rare it is, for its starting weight."""
    shares: dict[str, float] = {}
    for part, texts in ((_SENTENCE_SHARE, sentences), (1 - _SENTENCE_SHARE, glosses)):
        counts = Counter(word for text in texts for word in _ASCII.findall(text.lower()))
        total = counts.total()
        for word, count in counts.items():
            shares[word] = shares.get(word, 0.0) + part * count / total
    return shares


def build_vocabulary(
    headwords: Iterable[str], counts: Counts, english: Counter[str], english_shares: Mapping[str, float]
) -> Vocabulary:
    """The words of the dictionary, of the training text, of jieba and of the domain, the most frequent ones.

    `english` ranks English words, `english_shares` says how frequent they are.
    Characters of the dictionary that general text uses, and the domain's words, stay in any case.
    """
    headwords = {word for word in headwords if _HAN.fullmatch(word)}
    names = {name for name in map(normalise, domain_words()) if _HAN.fullmatch(name)}
    kept = names | {word for word in headwords if len(word) == 1 and counts.general[word] > 0}
    candidates = {word for word in headwords if max(counts.general[word], counts.chinese[word]) >= _OCCURS}
    candidates |= {word for word in headwords if len(word) == 1}
    candidates |= set(_frequent(counts.chinese, candidates, _SEEN_OFTEN, range(1, _SEEN_LENGTH + 1))[:_SEEN_WORDS])
    general = _frequent(counts.general, candidates, _GENERAL_OFTEN, range(2, _GENERAL_LENGTH + 1))
    candidates |= set(general[:_GENERAL_WORDS])

    shares = counts.probabilities()

    def rank(word: str) -> tuple[float, str]:
        return -shares.get(word, 0.0) * (_LONG_SHARE if len(word) >= _LONG else 1.0), word

    ranked = sorted(candidates - kept, key=rank)
    chinese = sorted(kept | set(ranked[: max(CHINESE_WORDS - len(kept), 0)]))
    often = [(word, count) for word, count in english.items() if count >= _ENGLISH_OFTEN and len(word) > 1]
    latin = sorted(word for word, _ in sorted(often, key=lambda item: (-item[1], item[0]))[:ENGLISH_WORDS])
    probabilities = [shares.get(word, 0.0) for word in chinese]
    probabilities += [english_shares.get(word, 0.0) for word in latin]
    return Vocabulary(chinese, latin, np.array(probabilities, dtype=np.float64))


def build_tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """A tokenizer of `SPECIAL`, the Chinese words and the English ones; texts come normalised, Han runs only.

    Names of the domain get a probability above that of everyday words, so that they stay whole.
    """
    names = set(map(normalise, domain_words()))
    pieces = [(special, _ENGLISH_SCORE) for special in SPECIAL]
    for word, probability in zip(vocabulary.chinese, vocabulary.probabilities, strict=False):
        lowest = _DOMAIN if word in names else _FLOOR
        pieces.append((word, round(math.log(max(probability, lowest)), 4)))
    pieces += [(word, _ENGLISH_SCORE) for word in vocabulary.english]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


def _frequent(counts: Counter[str], known: set[str], often: int, lengths: range) -> list[str]:
    """Words of Han characters that are not `known`, seen `often` or more, the most frequent first."""
    found = [
        (word, count)
        for word, count in counts.items()
        if count >= often and word not in known and len(word) in lengths and _HAN.fullmatch(word)
    ]
    return [word for word, _ in sorted(found, key=lambda item: (-item[1], item[0]))]
