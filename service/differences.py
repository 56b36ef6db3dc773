"""An index beside what it was made of: the library as it now is, and the texts that its passages were cut from."""

from __future__ import annotations

from collections.abc import Iterator

from corpus.citations import verify_text
from corpus.library import Library
from corpus.lines import line_starts
from index.snapshot import Snapshot
from index.storage import IndexProblem


def differences(library: Library, snapshot: Snapshot) -> Iterator[str]:
    """In Chinese, a sentence for each document that the index has otherwise than the library."""
    listed = {entry.id for entry in library}
    for document_id in sorted(x for x in listed if x not in snapshot.documents):
        yield f"报告 {document_id} 尚未编入索引。"
    for share in snapshot.documents.shares():
        if share.id not in listed:
            yield f"报告 {share.id} 已不在清单中，但仍在索引里。"
    yield from changed_reports(library, snapshot)


def changed_reports(library: Library, snapshot: Snapshot) -> Iterator[str]:
    """In Chinese, a sentence for each document whose file is no longer what was indexed."""
    listed = {entry.id: entry for entry in library}
    for share in snapshot.documents.shares():
        if share.id in listed and library.is_changed(listed[share.id], share.sha256):
            yield f"报告 {share.id} 的文件在编入索引后有改动，答案依据的是改动前的原文。"


def check_passages(snapshot: Snapshot, remedy: str) -> None:
    """Each passage against its document's text; `remedy`: what to do, in Chinese.

    Raises:
        IndexProblem: `index_damaged`.
    """
    for name in snapshot.documents:
        text = snapshot.text(name)
        starts = line_starts(text)
        for n in snapshot.rows_of(name):
            passage = snapshot.rows[n].passage
            try:
                verify_text(text, starts, snapshot.citation(passage))
            except ValueError as error:
                raise IndexProblem("index_damaged", f"段落 {passage.id} 与原文不符（{error}）。{remedy}") from error
