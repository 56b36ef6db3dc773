"""Citations resolve to the source byte for byte, and a false one is found out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from corpus.citations import CitationMismatch, cite, label, verify
from corpus.lines import line_range, line_starts
from corpus.types import Passage, slice_spans


def test_every_passage_of_every_report_resolves(reports, passages):
    count = 0
    for name, document in reports.items():
        source = document.text.encode("utf-8").decode("utf-8")
        for passage in passages[name]:
            citation = cite(document, passage)
            verify(document, citation)
            assert "".join(source[s:e] for s, e in citation.spans) == citation.quote
            count += 1
    assert count == sum(map(len, passages.values())) > 200


def test_a_part_of_a_cut_paragraph_is_cited_over_the_cut(reports, passages):
    document = reports["baoshan-2026-innovation-plan"]
    (passage,) = [p for p in passages[document.id] if "形成标志性、代表性科创成果" in p.text]
    start = passage.text.index("形成标志性")
    citation = cite(document, passage, start, start + 16)
    assert citation.quote == "形成标志性、代表性科创成果与联合"
    assert len(citation.spans) == 2
    assert citation.lines == (54, 62)


@pytest.mark.parametrize(
    "change",
    [
        {"quote": "别的话"},
        {"spans": ((0, 3),)},
        {"spans": ((0, 10**9),)},
        {"spans": ((9, 3),)},
        {"lines": (1, 1)},
        {"document_id": "other"},
    ],
)
def test_a_false_citation_is_found_out(reports, passages, change):
    document = reports["shanghai-2025-districts"]
    citation = replace(cite(document, passages[document.id][3]), **change)
    with pytest.raises(ValueError, match=r".") as error:
        verify(document, citation)
    assert isinstance(error.value, CitationMismatch) or "spans" in str(error.value)


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (3, 3), (5, 2), (0, 10**6)])
def test_a_range_outside_the_passage_is_refused(reports, passages, start, end):
    document = reports["shanghai-2025-districts"]
    with pytest.raises(ValueError, match="not within"):
        cite(document, passages[document.id][0], start, end)


def test_labels_mark_restored_headings():
    assert (
        label("报告", 2025, ["长宁区", "深化建设"], ["长宁区"], (42, 44))
        == "《报告》（2025）〔长宁区〕 › 深化建设，第42–44行"
    )
    assert label("报告", 2025, [], [], (1, 1), pages=(3, 4)) == "《报告》（2025），第3–4页"


def test_lines_are_counted_as_an_editor_does():
    text = "甲\r\n乙\n丙\r丁"
    starts = line_starts(text)
    assert [line_range(starts, text.index(c), text.index(c) + 1) for c in "甲乙丙丁"] == [
        (1, 1),
        (2, 2),
        (3, 3),
        (4, 4),
    ]


def test_slices_of_spans():
    spans = ((10, 15), (20, 30))
    assert slice_spans(spans, 0, 15) == spans
    assert slice_spans(spans, 5, 6) == ((20, 21),)
    assert slice_spans(spans, 4, 6) == ((14, 15), (20, 21))


@pytest.mark.parametrize("spans", [(), ((3, 3),), ((5, 2),), ((0, 5), (4, 9))])
def test_a_passage_with_bad_spans_cannot_be_made(spans):
    with pytest.raises(ValueError, match="spans"):
        Passage("d", (), (), None, "text", spans, "x", (1, 1))
