"""What an index keeps of a document beside its text, as it is stored: a line of JSON."""

from __future__ import annotations

import json

from index.types import DocumentInfo, SectionInfo


def dump_document(document: DocumentInfo) -> bytes:
    """A line of `documents.jsonl`."""
    record = {name: getattr(document, name) for name in document.__slots__}
    record["sections"] = [{name: getattr(x, name) for name in x.__slots__} for x in document.sections]
    return (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8")


def load_document(line: bytes) -> DocumentInfo:
    """Of a line as `dump_document` gave it; raises ValueError, KeyError or TypeError where it is none."""
    record = json.loads(line)
    sections = tuple(
        SectionInfo(tuple(x["path"]), x["restored"], (x["span"][0], x["span"][1])) for x in record.pop("sections")
    )
    record |= {name: tuple(record[name]) for name in ("notes", "page_starts")}
    return DocumentInfo(**record, sections=sections)
