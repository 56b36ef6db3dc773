"""Whether reports in another format answer as the originals do: `python benchmarks/parity.py FOLDER`.

FOLDER holds files named after the ids of the shipped reports (`shanghai-2025-districts.pdf`). They are read as any
foreign file, indexed with the metadata of `reports.toml`, and asked the `dev` questions without expansions. A question
counts where one of the first five passages contains a piece of its evidence, white space and Markdown's marks aside. Both
sides see the reports of FOLDER alone, and the questions whose evidence stands in these. Headings that the manifest
restores must be printed in the files, as they were in the reports.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from corpus.expansions import Expansion
from corpus.library import Entry, Library, shipped_folder
from corpus.readers import sandbox
from corpus.types import Document, Passage
from eval.gold import SHIPPED, load_gold
from eval.types import Question
from index.build import build_index
from index.encoders import BundledEncoder
from index.generations import GenerationStore
from index.search import HybridRetriever
from index.snapshot import Snapshot

_DEPTH = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    files = {path.stem: path for path in sorted(folder.iterdir()) if path.is_file()}
    originals = [x for x in _documents() if x.id in files]
    if not originals:
        raise SystemExit(f"{folder} 中没有以报告 id 命名的文件。")
    variants = [_variant(x, files[x.id]) for x in originals]
    questions = _questions({x.id: x.text for x in originals})
    before, after = _found(originals, questions), _found(variants, questions)
    for question in questions:
        if (question.id in before) != (question.id in after):
            print("lost  " if question.id in before else "gained", question.id, question.question)  # noqa: T201
    _print("original", before, questions)
    _print("variant", after, questions)


class _Variants(Library):
    """The shipped reports with other texts, and without expansions."""

    def __init__(self, documents: Sequence[Document]) -> None:
        super().__init__(shipped_folder())
        self._documents = {x.id: x for x in documents}
        self.entries = [x for x in self.entries if x.id in self._documents]

    def read(self, entry: Entry) -> Document:
        return self._documents[entry.id]

    def fingerprint(self, entry: Entry) -> str:
        return hashlib.sha256(repr(self._documents[entry.id]).encode("utf-8")).hexdigest()

    def expansions(self, entry: Entry, passages: Sequence[Passage]) -> tuple[list[tuple[Expansion, ...]], str]:
        return [()] * len(passages), ""


def _documents() -> list[Document]:
    library = Library(shipped_folder())
    return [library.read(entry) for entry in library]


def _variant(original: Document, path: Path) -> Document:
    data = path.read_bytes()
    reading = sandbox.read(path.name, data)
    for note in reading.notes:
        print(f"{path.name}: {note}")  # noqa: T201
    return replace(
        original,
        text=reading.text,
        media_type=reading.media_type,
        sha256=hashlib.sha256(data).hexdigest(),
        editorial_headings=(),
        heading_marks=reading.heading_marks,
        page_starts=reading.page_starts,
        notes=reading.notes,
    )


def _questions(texts: dict[str, str]) -> list[Question]:
    """The `dev` questions that these reports answer."""
    everything = {x.id: x.text for x in _documents()}
    questions = [x for x in load_gold(SHIPPED.read_bytes(), everything) if x.split == "dev" and x.answerable]
    return [x for x in questions if all(e.document_id in texts for e in x.evidence)]


def _found(documents: Sequence[Document], questions: Sequence[Question]) -> set[str]:
    """Ids of the questions with evidence among the first passages."""
    encoder = BundledEncoder()
    with tempfile.TemporaryDirectory() as home:
        store = GenerationStore(Path(home) / "index")
        build_index(_Variants(documents), store, encoder)
        retriever = HybridRetriever(Snapshot.load(store.open()[0]), encoder)
        return {x.id for x in questions if _answers(retriever, x)}


def _answers(retriever: HybridRetriever, question: Question) -> bool:
    hits = retriever.search(retriever.understand(question.question), _DEPTH, "hybrid", expansions=False)
    passages = [(x.passage.document_id, _plain(x.passage.text)) for x in hits]
    return any(e.document_id == name and _plain(e.quote) in text for e in question.evidence for name, text in passages)


def _plain(text: str) -> str:
    return "".join(c for c in text if not c.isspace() and c not in "*#")


def _print(name: str, found: set[str], questions: Sequence[Question]) -> None:
    share = len(found) / len(questions)
    print(f"{name:<10} success@{_DEPTH} {share:.3f} ({len(found)} of {len(questions)})")  # noqa: T201


if __name__ == "__main__":
    main()
