"""The fast NFKC is NFKC."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.folding import nfkc

# Full-width marks, what composes with what stands before it, what is several characters, and ends of lines.
ODD = "，：；（）！？％－．～\u3000…㈠①½ｶﾞ각\u0301\u0338\u3099<=>aé\n\u2028\x1e科技"


@settings(max_examples=500, deadline=None)
@given(st.text(st.one_of(st.sampled_from(ODD), st.characters(exclude_categories=["Cs"])), max_size=12))
def test_any_text_is_folded_as_the_standard_says(text):
    assert nfkc(text) == unicodedata.normalize("NFKC", text)


@pytest.mark.parametrize("mark", list("，：；（）！？％－．～\u3000"))
def test_a_full_width_mark_is_folded_whatever_combines_with_it(mark):
    for text in (mark, f"{mark}\u0301", f"{mark}\u0338\u3099", f"e{mark}\u0301"):
        assert nfkc(text) == unicodedata.normalize("NFKC", text)


def test_the_reports_are_folded_as_the_standard_says(reports):
    for document in reports.values():
        assert nfkc(document.text) == unicodedata.normalize("NFKC", document.text)
