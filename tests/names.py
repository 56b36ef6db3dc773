"""The names of a few passages, as a build of one document learns them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from corpus.types import Passage
from index.names import Names, mentions, names_of
from index.segment import normalise


def learn_names(passages: Iterable[Passage], texts: Sequence[str]) -> Names:
    """The names of passages' headings, and the domain's words that `texts` have."""
    return names_of([mentions(passages, texts)], {c for text in texts for c in normalise(text)})
