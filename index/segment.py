"""Text → matching terms. For matching only: a Document's text is never touched.

`normalise` folds what readers do not tell apart (width, case, Traditional and Simplified);
`words` and `characters` are the two views of a text that the lexical index keeps.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files

from corpus.folding import nfkc
from index.numerals import fold_numbers

HAN_RANGES = ((0x3400, 0x4DBF), (0x4E00, 0xFAFF), (0x20000, 0x3FFFF))
"""First and last code points of what is taken for a Han character: Yi, Hangul and private characters are among them."""

_HAN_CLASS = "".join(f"{chr(first)}-{chr(last)}" for first, last in HAN_RANGES)
_HAN = re.compile(f"[{_HAN_CLASS}]")
_LETTER = rf"[^\W_{_HAN_CLASS}]"
# Letters and digits with the joints that occur inside one name: G60, 3.0, B-link, AI4S, C++.
_NAME = rf"{_LETTER}+(?:[.\-+#&/]{_LETTER}+)*\+*"
_RUN = re.compile(rf"[{_HAN_CLASS}]+|{_NAME}")
LINE_END = "\x1e"
"""A control character that folding leaves alone and that is in no term: what parts lines that are folded together."""
LATIN = re.compile(rf"{_NAME}|{LINE_END}")
"""The runs of letters or digits of a text, and what parts its lines."""

# Frequency given to the domain's words: above any split of theirs, below everyday words.
_DOMAIN_FREQUENCY = 3000
_MAKING = threading.Lock()


def fold_script(text: str) -> str:
    """Fold width, case and script: NFKC (UAX #15), lower case, Traditional → Simplified (OpenCC t2s)."""
    folded = nfkc(text).lower()
    return folded if folded.isascii() else _simplify(folded)


def normalise(text: str) -> str:
    """Fold what readers do not tell apart: width, case, script, and numerals (六家 = 6家)."""
    return fold_numbers(fold_script(text))


def normalise_lines(lines: Sequence[str]) -> list[str]:
    """Each line normalised, all at once: what a call costs is paid once, and folding never looks past a line's end."""
    return normalise("".join(line.replace(LINE_END, "\n") + LINE_END for line in lines)).split(LINE_END)[:-1]


def runs(normalised: str) -> list[str]:
    """The runs of Han characters and of letters or digits, in order; all else separates."""
    return _RUN.findall(normalised)


def is_han(run: str) -> bool:
    """Whether a run of `runs` is one of Han characters."""
    return _HAN.match(run) is not None


def words(text: str) -> list[str]:
    """jieba words in search mode (long words and the words inside them), in reading order.

    Names in Latin letters and numbers stand as one word each: `G60`, `3.0`.
    """
    terms: list[str] = []
    for run in runs(normalise(text)):
        if is_han(run):
            terms += segmenter()(run)
        else:
            terms.append(run)
    return terms


def characters(text: str) -> list[str]:
    """Unigrams and bigrams of Han characters; letters and digits as whole words."""
    terms: list[str] = []
    for run in runs(normalise(text)):
        if is_han(run):
            terms += run
            terms += [run[i : i + 2] for i in range(len(run) - 1)]
        else:
            terms.append(run)
    return terms


def domain_words() -> list[str]:
    """The user dictionary: districts, parks, institutions and terms of the reports."""
    lines = (files("index") / "domain_words.txt").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def segmenter() -> Callable[[str], list[str]]:
    """jieba's search-mode cut: the Rust port where it is installed, else jieba itself.

    Both read the same dictionary and give the same words (a test compares them). Threads that ask for it at once get
    the same one: two that taught the engine its words would fall over each other.
    """
    with _MAKING:
        return _segmenter()


@cache
def _segmenter() -> Callable[[str], list[str]]:
    try:
        return rust_segmenter()
    except ImportError:
        return reference_segmenter()


def rust_segmenter() -> Callable[[str], list[str]]:
    """`rjieba` with the domain's words.

    Raises:
        ImportError: rjieba is not installed.
    """
    import rjieba

    # Its import has made one engine already; a second would cost 0.1 s and 24 MB.
    for word in domain_words():
        rjieba.add_word(word, _DOMAIN_FREQUENCY, "n")
    cut: Callable[[str], list[str]] = rjieba.cut_for_search
    return cut


def reference_segmenter() -> Callable[[str], list[str]]:
    """`jieba` with the domain's words, without its cache file (marshal, in a shared folder)."""
    import jieba

    class Tokenizer(jieba.Tokenizer):  # type: ignore[misc]
        def initialize(self, dictionary: str | None = None) -> None:
            with self.lock:
                if not self.initialized:  # type: ignore[has-type]
                    self.FREQ, self.total = self.gen_pfdict(self.get_dict_file())
                    self.initialized = True

    engine = Tokenizer()
    for word in domain_words():
        engine.add_word(word, _DOMAIN_FREQUENCY)
    return lambda text: list(engine.cut_for_search(text))


def _simplify(text: str) -> str:
    return _converter()(text)


@cache
def _converter() -> Callable[[str], str]:
    from opencc import OpenCC

    convert: Callable[[str], str] = OpenCC("t2s").convert
    return convert
