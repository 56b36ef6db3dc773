"""What is derived of parts: the same however they come, and what the readers of single texts say of each passage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from corpus.expansions import Expansion
from corpus.library import Library, shipped_folder
from index import derive as deriving
from index.context import expansion_text, passage_pieces, passage_text
from index.counts import Counts
from index.derive import Deriving, Vectors, derive
from index.described import load_document
from index.names import mentions
from index.parts import Part, document_part, read_part
from index.rows import Row, load_rows
from index.segment import characters, words
from index.shelf import Made, Shelf
from index.terms import term_key
from index.views import ViewTables
from index.words import Words

HARD = """# 甲
五个中心建设成效。¹2025年，张江集聚25,000家企业。²Ｇ60走廊达到百分之二点五……可期！他说：“好。”**张江。**臺灣乾淨。

| 区 | 企业 | 增速 |
|---|---|---|
| 浦东新区 | 1,200家 | 百分之十 |
| 闵行区 | 三十五家 | - |

## 浦东新区
**打造国家实验室。**AI4S、C++ 与 3.0 版 ﾃｽﾄ 한국어 ㈠① ½。What is this? Mr. Smith went
home e.g. here.
"""


@pytest.fixture(scope="module")
def parts() -> list[Part]:
    """The shipped reports, the first with its expansions, the others with none."""
    library = Library(shipped_folder())
    read = [read_part(library, entry, "") for entry in library]
    return [read[0], *(replace(x, rows=[Row(row.passage) for row in x.rows]) for x in read[1:])]


def fresh(encoder, known=()) -> Vectors:
    return Vectors(encoder, known, lambda done, total: None)


def counted(counts: Counts) -> dict[int, dict[int, int]]:
    """Row → key → frequency."""
    found: dict[int, dict[int, int]] = {}
    keys = np.repeat(counts.keys, np.diff(counts.offsets))
    for key, row, frequency in zip(keys.tolist(), counts.rows.tolist(), counts.frequencies.tolist(), strict=True):
        found.setdefault(row, {})[key] = frequency
    return found


def frequencies(terms: list[str]) -> dict[int, int]:
    return {term_key(term): terms.count(term) for term in set(terms)}


def assert_same(one: ViewTables, other: ViewTables) -> None:
    for name in ("vectors", "starts", "keys"):
        assert np.array_equal(getattr(one.pieces, name), getattr(other.pieces, name)), name
    for view in one.lexical:
        for name in ("keys", "offsets", "rows", "frequencies", "lengths"):
            assert np.array_equal(getattr(one.lexical[view], name), getattr(other.lexical[view], name)), (view, name)
    for name in ("units", "vectors", "scales", "starts", "terms"):
        assert np.array_equal(getattr(one.words, name), getattr(other.words, name)), name


def check(shelf: Shelf, parts: list[Part], encoder) -> None:
    """Each passage has the terms, words and pieces that its texts have when each is read alone."""
    rows = [(part.document, row) for part in parts for row in part.rows]
    own = [passage_text(document.title, document.year, row.passage) for document, row in rows]
    asked = [expansion_text(row.expansions) for _, row in rows]
    for name, terms in (("characters", characters), ("words", words)):
        plain, expanded = (counted(view.lexical[name]) for view in (shelf.plain, shelf.expanded))
        assert [plain[n] for n in range(len(rows))] == [frequencies(terms(text)) for text in own]
        both = {n: terms(own[n]) + terms(text) for n, text in enumerate(asked) if text}
        assert expanded == {n: frequencies(found) for n, found in both.items()}
        assert shelf.expanded.lexical[name].lengths.tolist() == [len(both.get(n, [])) for n in range(len(rows))]
    for view, texts in ((shelf.plain, own), (shelf.expanded, asked)):
        expected = Words.build(encoder, texts)
        for name in ("units", "vectors", "scales", "starts", "terms"):
            assert np.array_equal(getattr(view.words, name), getattr(expected, name)), name
    pieces = [passage_pieces(row.passage) for _, row in rows]
    assert np.diff(shelf.plain.pieces.starts).tolist() == [len(x) for x in pieces]
    vectors = encoder.encode_passages([text for x in pieces for text in x])
    assert shelf.plain.pieces.vectors.dtype == np.float16
    assert np.abs(shelf.plain.pieces.vectors - vectors).max() < 1e-3


def test_a_reports_passages_have_the_terms_of_their_texts(parts, bundled):
    some = parts[:2]
    shelf = derive(some, fresh(bundled))
    check(shelf, some, bundled)
    assert load_rows(shelf.passages) == [row for part in some for row in part.rows]
    assert [load_document(shelf.about(n)) for n in range(len(some))] == [part.document for part in some]
    for n, (part, share) in enumerate(zip(some, shelf.shares, strict=True)):
        texts = [passage_text(part.document.title, part.document.year, row.passage) for row in part.rows]
        found = mentions([row.passage for row in part.rows], texts)
        assert shelf.made(n) == Made(part.document.part, found.places, found.terms, part.note)
        assert share.passages == len(part.rows)


def test_hard_places_are_read_as_a_whole_text_is(make_document, bundled):
    document = make_document(HARD, media_type="text/markdown")
    info, passages = document_part(document)
    asked = Expansion("question", "zh", "张江有多少家企业？", "t"), Expansion("question", "en", "How many?", "t")
    rows = [Row(passage, asked if n % 2 else ()) for n, passage in enumerate(passages)]
    part = Part(info, HARD.encode("utf-8"), rows)
    check(derive([part], fresh(bundled)), [part], bundled)


def test_parts_in_any_batches_are_the_same_shelf(parts, bundled, monkeypatch):
    whole = derive(parts, fresh(bundled))
    monkeypatch.setattr(deriving, "_BATCH", 40)
    several = Deriving(fresh(bundled))
    several.add(parts[:1])
    several.add(iter(parts[1:]))
    assert several.passages == sum(len(part.rows) for part in parts)
    shelf = several.shelf()
    assert_same(shelf.plain, whole.plain)
    assert_same(shelf.expanded, whole.expanded)
    for name in ("shares", "documents", "parts", "passages", "texts"):
        assert getattr(shelf, name) == getattr(whole, name), name
    for name in ("lines", "sums", "bounds", "starts"):
        assert np.array_equal(getattr(shelf, name), getattr(whole, name)), name


def test_known_pieces_are_taken_and_only_others_embedded(parts, bundled, monkeypatch):
    first = derive(parts[:2], fresh(bundled))
    vectors = fresh(bundled, [first.plain.pieces, first.expanded.pieces])
    monkeypatch.setattr(bundled, "means", lambda bags: np.full((bags.size, bundled.dim), 0.5, np.float32))
    second = derive(parts[:3], vectors)
    held, asked = len(first.plain.pieces.keys), len(first.expanded.pieces.keys)
    assert np.array_equal(second.plain.pieces.vectors[:held], first.plain.pieces.vectors)
    assert np.array_equal(second.expanded.pieces.vectors, first.expanded.pieces.vectors)
    new = second.plain.pieces.vectors[held:]
    is_new = (new == 0.5).all(axis=1)
    assert vectors.embedded == is_new.sum() > 0
    assert vectors.reused == held + asked + (~is_new).sum()


def test_pieces_with_other_keys_are_not_taken(parts, bundled):
    """Keys are looked up by their first bytes, and compared whole."""
    first = derive(parts[:1], fresh(bundled))
    keys = first.plain.pieces.keys.copy()
    keys[:, 31] ^= 1
    changed = replace(first.plain.pieces, keys=keys)
    vectors = fresh(bundled, [changed])
    derive(parts[:1], vectors)
    assert vectors.reused == 0


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_is_derived_of_documents_without_passages(parts, bundled, count):
    shelf = derive([replace(parts[0], rows=[])] * count, fresh(bundled))
    assert shelf.plain.sizes == shelf.expanded.sizes == {0}
    assert shelf.plain.pieces.vectors.shape == (0, bundled.dim)


class Whole:
    """An encoder without words: a passage is one piece."""

    name, fingerprint = "whole", "w"

    def __init__(self, encoder) -> None:
        self.dim, self.encode_queries = encoder.dim, encoder.encode_queries
        self.encode_passages = encoder.encode_passages


class Late(Whole):
    """An encoder with words, which reads texts alone and no lines."""

    def __init__(self, encoder) -> None:
        super().__init__(encoder)
        self.units, self.unit_vectors, self.unit_weights = encoder.units, encoder.unit_vectors, encoder.unit_weights


def test_an_encoder_that_reads_no_lines_is_given_whole_texts(parts, bundled):
    assert_same(derive(parts[:2], fresh(Late(bundled))).plain, derive(parts[:2], fresh(bundled)).plain)
    assert_same(derive(parts[:1], fresh(Late(bundled))).expanded, derive(parts[:1], fresh(bundled)).expanded)


def test_an_encoder_without_words_embeds_each_passage_once(parts, bundled):
    shelf = derive(parts[1:2], fresh(Whole(bundled)))
    texts = [passage_text(parts[1].document.title, parts[1].document.year, row.passage) for row in parts[1].rows]
    assert shelf.plain.words is shelf.expanded.words is None
    assert np.diff(shelf.plain.pieces.starts).tolist() == [1] * len(texts)
    assert np.abs(shelf.plain.pieces.vectors - bundled.encode_passages(texts)).max() < 1e-3
