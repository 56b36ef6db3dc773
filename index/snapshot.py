"""What a generation holds, in memory: documents, passages, vectors and postings. Never changed once loaded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from corpus.citations import cite_part, cite_passage
from corpus.expansions import Expansion
from corpus.types import Citation, Passage
from index.dense import PieceIndex
from index.generations import Generation
from index.interaction import InteractionIndex
from index.lexical import LexicalIndex
from index.names import Names
from index.storage import IndexProblem
from index.types import DocumentInfo, Filters, Ints, Mask, SectionInfo


@dataclass(frozen=True, slots=True)
class Row:
    """A passage as it is stored, and how people may ask for it."""

    passage: Passage
    expansions: tuple[Expansion, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """One way to see the passages: by their own text, or by their expansions too.

    `pieces` and `words` of the expanded view are those of the expansions alone; its `lexical` holds both texts.
    `words` is None where the encoder offers no late interaction.
    """

    pieces: PieceIndex
    lexical: LexicalIndex
    words: InteractionIndex | None

    @property
    def sizes(self) -> set[int]:
        """How many passages each part knows: one number, in a sound view."""
        views = {view.size for view in self.lexical.views.values()}
        return {self.pieces.size, *views, *({self.words.size} if self.words else set())}

    def dump(self) -> dict[str, bytes]:
        """File name → content."""
        parts = {"dense": self.pieces.dump(), "lexical": self.lexical.dump()}
        if self.words:
            parts["words"] = self.words.dump()
        return {f"{part}/{name}": data for part, files in parts.items() for name, data in files.items()}

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> View:
        """Of files as `dump` made them.

        Raises:
            KeyError, ValueError or RuntimeError: they are no such files, or don't fit together.
        """
        words = _under(files, "words/")
        return cls(
            PieceIndex.load(_under(files, "dense/")),
            LexicalIndex.load(_under(files, "lexical/")),
            InteractionIndex.load(words) if words else None,
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An opened generation. Row `n` of every index is `rows[n]`."""

    name: str
    description: Mapping[str, Any]
    documents: Mapping[str, DocumentInfo]
    rows: Sequence[Row]
    plain: View
    expanded: View
    names: Names
    years: Ints
    """The report's year of each passage, int64 `[passages]`."""
    has_expansions: Mask
    texts: Mapping[str, bytes]

    @classmethod
    def load(cls, generation: Generation) -> Snapshot:
        """Parse a verified generation.

        Raises:
            IndexProblem: `index_damaged`, where its parts don't fit together.
        """
        files = generation.files
        try:
            documents = {x.id: x for x in (_document(json.loads(n)) for n in files["documents.jsonl"].splitlines())}
            rows = [_row(json.loads(line)) for line in files["passages.jsonl"].splitlines()]
            plain, expanded = View.load(_under(files, "plain/")), View.load(_under(files, "expanded/"))
            names = Names.load(files["names.json"])
            texts = {name: files[f"texts/{name}.txt"] for name in documents}
            years = np.array([documents[row.passage.document_id].year for row in rows], dtype=np.int64)
        except (KeyError, ValueError, TypeError, RuntimeError) as error:  # FAISS raises RuntimeError
            raise IndexProblem(
                "index_damaged", f"索引 {generation.name} 的内容不完整（{type(error).__name__}）"
            ) from error
        if plain.sizes | expanded.sizes != {len(rows)}:
            raise IndexProblem("index_damaged", f"索引 {generation.name} 的各部分数目不符")
        enriched = np.array([bool(row.expansions) for row in rows], dtype=np.bool_)
        return cls(
            generation.name, generation.manifest, documents, rows, plain, expanded, names, years, enriched, texts
        )

    def text(self, document_id: str) -> str:
        """The document's text exactly as it was indexed."""
        return self.texts[document_id].decode("utf-8")

    def citation(self, passage: Passage, start: int = 0, end: int | None = None) -> Citation:
        """The citation of a passage, or of `[start, end)` of its text."""
        document = self.documents[passage.document_id]
        whole = cite_passage(document.title, document.year, passage)
        if (start, end) in ((0, None), (0, len(passage.text))):
            return whole
        end = len(passage.text) if end is None else end
        return cite_part(whole, self.text(passage.document_id), start, end, document.page_starts)

    def mask(self, filters: Filters) -> Mask | None:
        """bool `[passages]`: which may be found; None where all may."""
        if filters == Filters():
            return None
        allowed = {x.id for x in self.documents.values() if _matches(x, filters)}
        named = filters.passage_ids
        return np.array(
            [x.passage.document_id in allowed and (named is None or x.passage.id in named) for x in self.rows],
            dtype=np.bool_,
        )


def dump_documents(documents: Sequence[DocumentInfo]) -> bytes:
    return _lines(asdict(document) for document in documents)


def dump_rows(rows: Sequence[Row]) -> bytes:
    return _lines({**asdict(row.passage), "expansions": [asdict(x) for x in row.expansions]} for row in rows)


def _under(files: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    return {name.removeprefix(folder): data for name, data in files.items() if name.startswith(folder)}


def _lines(records: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode("utf-8")


def _matches(document: DocumentInfo, filters: Filters) -> bool:
    return (
        (filters.document_ids is None or document.id in filters.document_ids)
        and (filters.years is None or filters.years[0] <= document.year <= filters.years[1])
        and (filters.series is None or document.series in filters.series)
    )


def _document(record: dict[str, Any]) -> DocumentInfo:
    sections = tuple(
        SectionInfo(tuple(x["path"]), x["restored"], (x["span"][0], x["span"][1])) for x in record.pop("sections")
    )
    record |= {name: tuple(record[name]) for name in ("notes", "page_starts")}
    return DocumentInfo(**record, sections=sections)


def _row(record: dict[str, Any]) -> Row:
    passage = Passage(
        document_id=record["document_id"],
        section=tuple(record["section"]),
        restored=tuple(record["restored"]),
        lead=record["lead"],
        kind=record["kind"],
        spans=tuple((start, end) for start, end in record["spans"]),
        text=record["text"],
        lines=(record["lines"][0], record["lines"][1]),
        columns=tuple(record["columns"]),
        pages=(record["pages"][0], record["pages"][1]) if record["pages"] else None,
    )
    expansions = ({**x, "answers": tuple(x["answers"])} for x in record["expansions"])
    return Row(passage, tuple(Expansion(**x) for x in expansions))
