"""Does what a language model says stand in what it cites? Rules and the bundled encoder, sentence by sentence.

Numbers, years, places, names in Latin letters, institutions and quoted terms must occur in the cited passages; and the
sentence as a whole must be matched by them. Nothing here trusts the model: what can't be found is left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from index.context import passage_text
from index.interaction import Bag, InteractionIndex, share
from index.names import Names
from index.query import named_places
from index.segment import normalise
from index.types import Hit, LateInteraction

LEAST_MATCH = 0.6
"""The share of a sentence that the cited passages must match."""

LEAST_RELEVANCE = 0.1
"""The share of the question that a sentence must match: what only quotes an instruction answers nothing."""

LONGEST = 600
"""Characters of a sentence."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?%?")
_LATIN = re.compile(r"[a-z][a-z0-9]*(?:[.\-+#&/][a-z0-9]+)*")
_QUOTED = re.compile(r"[“「『《]([^”」』》]{1,60})[”」』》]")
_INSTITUTION = re.compile(
    r"[一-鿿]{2}(?:大学|学院|研究院|研究所|实验室|公司|集团|银行|医院|产业园|基地|基金|联盟|协会|委员会)"
)
_LINK = re.compile(r"https?:|www\.|!?\[[^\]]*\]\(|<[a-z/!]", re.IGNORECASE)


class Verifier:
    """Checks sentences against passages of one corpus."""

    def __init__(self, names: Names, encoder: LateInteraction) -> None:
        self._names = names
        self._encoder = encoder

    def problem(self, question: str, sentence: str, cited: Sequence[Hit]) -> str | None:
        """Why a sentence must not be shown, in Chinese and without a word of it; None where it holds."""
        if not cited:
            return "没有标明出处"
        if len(sentence) > LONGEST:
            return "一句太长"
        if _LINK.search(sentence):
            return "带有链接或标记"
        read = "\n".join(passage_text(x.citation.title, x.citation.year, x.passage) for x in cited)
        source, said, bare = normalise(read), normalise(sentence), _bare(read)
        if not _stated(said, source):
            return "有数字不在所引段落中"
        names = (*_QUOTED.findall(sentence), *_INSTITUTION.findall(sentence), *_LATIN.findall(said))
        if any(_bare(name) not in bare for name in names):
            return "有名称不在所引段落中"
        if named_places(sentence, self._names) - named_places(read, self._names):
            return "有地名不在所引段落中"
        if self._match(sentence, read) < LEAST_MATCH:
            return "与所引段落的意思对不上"
        return None if self._match(question, sentence) >= LEAST_RELEVANCE else "没有回答所问"

    def _match(self, text: str, read: str) -> float:
        """The share of a text that another matches, 0 to 1."""
        bag = Bag.of(self._encoder, text)
        matches = InteractionIndex.build(self._encoder, [read]).matches(bag, np.array([0]))
        return float(share(matches, bag.weights)[0])


def _stated(said: str, source: str) -> bool:
    """Whether every number stands in the source; a percentage only as one."""
    numbers = set(_NUMBER.findall(source))
    bare = {x.rstrip("%") for x in numbers}
    return all(x in numbers if x.endswith("%") else x in bare for x in _NUMBER.findall(said))


def _bare(text: str) -> str:
    """Without what a model may write otherwise: blanks, bold marks, width, case."""
    return re.sub(r"[\s*]+", "", normalise(text))
