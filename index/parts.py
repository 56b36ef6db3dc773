"""One document's part of the index: what it is made from, and what it holds before anything is embedded."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from corpus.elements import Structure
from corpus.library import Entry, Library, LibraryError
from corpus.passages import split_passages
from corpus.readers.limits import MAX_PASSAGES
from corpus.structure import parse
from corpus.tokens import ManifestMismatch
from corpus.types import Document, Passage
from index.rows import Row
from index.types import DocumentInfo, SectionInfo

# What shapes a part beside the corpus modules, and the packages whose new version may cut or sound words differently.
_MODULES = (
    *("batches", "context", "counting", "counts", "dense", "derive", "described", "groups", "interaction", "lexical"),
    *(
        "ann",
        "holders",
        "names",
        "numerals",
        "parts",
        "rows",
        "segment",
        "shelf",
        "split",
        "tables",
        "terms",
        "views",
        "words",
    ),
)
_PACKAGES = ("jieba", "opencc", "pypinyin", "rjieba")


@dataclass(frozen=True, slots=True)
class Part:
    """One document's part: as the index keeps it, its text, its passages, and in Chinese what is wrong with expansions."""

    document: DocumentInfo
    text: bytes
    rows: Sequence[Row]
    note: str = ""


def document_part(document: Document) -> tuple[DocumentInfo, list[Passage]]:
    """A document as the index keeps it, and its passages.

    Raises:
        LibraryError: `manifest_invalid`, where the manifest and the text don't fit; `too_large`, where it has more
            than `MAX_PASSAGES` passages.
    """
    try:
        structure = parse(document)
    except ManifestMismatch as error:
        raise LibraryError(
            "manifest_invalid", f"报告 {document.id} 与清单中的标题说明不符：{error}。", document.id
        ) from error
    passages = split_passages(document, structure)
    if len(passages) > MAX_PASSAGES:
        raise LibraryError(
            "too_large",
            f"{document.id} 有 {len(passages)} 段，超过上限 {MAX_PASSAGES} 段。请拆成几份再加入。",
            document.id,
        )
    return _describe(document, structure), passages


def read_part(library: Library, entry: Entry, fingerprint: str) -> Part:
    """The part of an entry, read anew.

    Raises:
        LibraryError: it can't be read.
    """
    document = library.read(entry)
    info, passages = document_part(document)
    expansions, note = library.expansions(entry, passages)
    rows = [Row(passage, texts) for passage, texts in zip(passages, expansions, strict=True)]
    return Part(replace(info, part=fingerprint), document.text.encode("utf-8"), rows, note)


def part_fingerprint(library: Library, entry: Entry) -> str:
    """Of all that an entry's part is made from, this program included; empty where that can't be known."""
    known = library.fingerprint(entry)
    return hashlib.sha256(f"{code_fingerprint()} {known}".encode("ascii")).hexdigest() if known else ""


@cache
def code_fingerprint() -> str:
    """Of the code that shapes parts: an index that other code has built is read anew from the documents."""
    index = files("index")
    sources = [*_sources(files("corpus")), *(index / f"{name}.py" for name in _MODULES), index / "domain_words.txt"]
    digest = hashlib.sha256(repr((sys.version_info[:2], [*map(_version, _PACKAGES)])).encode("ascii"))
    for source in sources:
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()


def _sources(folder: Traversable) -> Iterable[Traversable]:
    for path in sorted(folder.iterdir(), key=lambda x: x.name):
        if path.is_dir():
            yield from _sources(path)
        elif path.name.endswith(".py"):
            yield path


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # slow to import, and only a build needs it

    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _describe(document: Document, structure: Structure) -> DocumentInfo:
    return DocumentInfo(
        id=document.id,
        title=document.title,
        year=document.year,
        series=document.series,
        kind=document.kind,
        media_type=document.media_type,
        sha256=document.sha256,
        characters=len(document.text),
        issuer=document.issuer,
        year_basis=document.year_basis,
        title_basis=document.title_basis,
        file=document.file,
        notes=document.notes,
        page_starts=document.page_starts,
        sections=tuple(
            SectionInfo(section.path, section.restored[-1], (section.start, section.end))
            for section in structure.sections
            if section.path
        ),
    )
