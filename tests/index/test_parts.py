"""One document's part of the index."""

from __future__ import annotations

import pytest

from corpus.library import LibraryError
from index import parts


def test_a_document_of_too_many_passages_is_refused_by_name(make_document, monkeypatch):
    monkeypatch.setattr(parts, "MAX_PASSAGES", 2)
    document = make_document("\n\n".join(f"# 第{n}节\n\n正文{n}。" for n in range(3)), media_type="text/markdown")
    with pytest.raises(LibraryError, match="超过上限 2 段") as error:
        parts.document_part(document)
    assert error.value.code == "too_large"
