"""A Unigram tokenizer whose pieces are words, so that encoding needs no Chinese segmenter.

Unigram (Kudo, 2018, "Subword Regularization") cuts a text along its most probable path. Given the
words of jieba with their frequencies it cuts much as jieba does, inside the `tokenizers` library.
Chinese and English words, characters, numbers and word pieces share one vocabulary.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from importlib.resources import files

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from index.segment import domain_words, normalise, runs, segmenter

UNKNOWN = "[UNK]"
HAN_WORDS, HAN_CHARACTERS, ENGLISH_WORDS, WORD_PIECES = 36_000, 6_000, 20_000, 1_000

_HAN = re.compile(r"[㐀-䶿一-鿿豈-﫿\U00020000-\U0003ffff]")
_LETTERS = re.compile(r"[^\W\d_]+")
# Half of a Chinese word's probability comes from jieba's frequencies: the training text alone
# would fill the vocabulary with the language of laws and manuals.
_GENERAL_SHARE = 0.5
_FLOOR = 1e-9
_ENGLISH = 1e-6


def count_terms(texts: Iterable[str]) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Chinese words (jieba search mode), Han characters and other words of normalised texts."""
    words: Counter[str] = Counter()
    characters: Counter[str] = Counter()
    english: Counter[str] = Counter()
    cut = segmenter()
    for text in texts:
        for run in runs(text):
            if _HAN.match(run):
                words.update(word for word in cut(run) if len(word) > 1)
                characters.update(run)
            else:
                english.update(_LETTERS.findall(run))
    return words, characters, english


def build_tokenizer(texts: Iterable[str], headwords: Iterable[str]) -> Tokenizer:
    """The tokenizer for normalised `texts`; dictionary `headwords` count as seen once more.

    Row 0 is the unknown token. NFKC and lower case are folded by the tokenizer itself;
    Traditional characters that differ from their Simplified form have pieces of their own.
    """
    words, characters, english = count_terms(texts)
    words.update(word for word in headwords if len(word) > 1 and _HAN.match(word))
    scores = dict(_han_pieces(words, characters))
    for pieces in (_english_pieces(english), _number_pieces()):
        for piece, probability in pieces.items():
            scores.setdefault(piece, probability)
    for character in traditional_characters():
        if normalise(character) in scores:
            scores.setdefault(character, _FLOOR)
    _keep_whole(scores, [normalise(word) for word in domain_words()])
    ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    vocabulary = [(UNKNOWN, 0.0)] + [(piece, round(math.log(p), 4)) for piece, p in ordered]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation(behavior="removed")]
    )
    return tokenizer


def count_pieces(tokenizer: Tokenizer) -> dict[str, int]:
    """How many pieces of each kind the vocabulary holds, for the model card."""
    counts: Counter[str] = Counter()
    for piece in tokenizer.get_vocab():
        if _HAN.search(piece):
            counts["Chinese words" if len(piece) > 1 else "Chinese characters"] += 1
        elif piece.isdigit():
            counts["numbers"] += 1
        else:
            counts["English words and other pieces"] += 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def traditional_characters() -> list[str]:
    """Characters of the main CJK block that OpenCC changes one by one."""
    block = map(chr, range(0x4E00, 0xA000))
    return [character for character in block if normalise(character) != character]


def _han_pieces(words: Counter[str], characters: Counter[str]) -> dict[str, float]:
    """The most probable Chinese words and characters → probability."""
    general = _general_frequencies()
    seen, total = sum(words.values()), sum(general.values())
    mixed = {
        word: (1 - _GENERAL_SHARE) * count / seen + _GENERAL_SHARE * general.get(word, 0) / total
        for word, count in words.items()
    }
    pieces = _most_probable(mixed, HAN_WORDS)
    common = _most_probable({c: n / seen for c, n in characters.items()}, HAN_CHARACTERS)
    # A character stands alone less often than it occurs: jieba's frequency of it as a word.
    pieces |= {c: max(general.get(c, 0) / total, _FLOOR) for c in common}
    return pieces


def _english_pieces(counts: Counter[str]) -> dict[str, float]:
    """Frequent words, the letters, and the beginnings and ends of words that rebuild rare ones."""
    # One probability for all: the cut of a rare word is then the one with the fewest pieces, and
    # not the one with "the" inside.
    pieces = dict.fromkeys(_most_probable(dict(counts), ENGLISH_WORDS), _ENGLISH)
    parts: Counter[str] = Counter()
    letters: Counter[str] = Counter("abcdefghijklmnopqrstuvwxyz")
    for word in counts:
        letters.update(word)
        for size in (2, 3, 4):
            if len(word) > size:
                parts.update({word[:size]: 1, word[-size:]: 1})
    for part in _most_probable(dict(parts), WORD_PIECES):
        pieces.setdefault(part, _FLOOR * 10)
    for letter, count in letters.items():
        if count > 1 or letter.isascii():
            pieces.setdefault(letter, _FLOOR / 100)
    return pieces


def _number_pieces() -> dict[str, float]:
    """Numbers below a thousand, two digits with a leading zero, and the years 1800 to 2099."""
    numbers = [str(n) for n in range(1000)] + [f"0{n}" for n in range(10)]
    return dict.fromkeys(numbers + [str(n) for n in range(1800, 2100)], 1e-6)


def _keep_whole(scores: dict[str, float], names: list[str]) -> None:
    """Give each name a probability above any cut of it; a name with punctuation cannot be kept."""
    for name in sorted(set(names), key=lambda name: (len(name), name)):
        if not any(run == name for run in re.findall(r"[^\W_]+", name)):
            continue
        scores[name] = min(max(scores.get(name, _FLOOR), 10 * _best_cut(name, scores), 5e-5), 1.0)


def _best_cut(name: str, scores: dict[str, float]) -> float:
    """The probability of the most probable cut of `name` into two or more known pieces."""
    best = [1.0] + [0.0] * len(name)
    for end in range(1, len(name) + 1):
        for start in range(end):
            if end - start < len(name):
                best[end] = max(best[end], best[start] * scores.get(name[start:end], 0.0))
    return best[-1]


def _general_frequencies() -> dict[str, int]:
    """jieba's dictionary: word → frequency in general text, folded like the training text."""
    frequencies: Counter[str] = Counter()
    lines = (files("jieba") / "dict.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        word, frequency, _ = line.split(" ")
        frequencies[normalise(word)] += int(frequency)
    return dict(frequencies)


def _most_probable(probabilities: dict[str, float] | dict[str, int], size: int) -> dict[str, float]:
    ranked = sorted(probabilities.items(), key=lambda item: (-item[1], item[0]))
    return dict(ranked[:size])
