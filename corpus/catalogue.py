"""What is known of the user's own documents, as one checksummed file that is replaced atomically."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from corpus.manifest import LibraryError
from corpus.storage import replace_synced
from corpus.types import EditorialHeading, is_document_id

FORMAT = 1
_FILE, _COPY = "catalogue.json", "catalogue.copy.json"


@dataclass(frozen=True, slots=True)
class Version:
    """One content that a document has had: the sha256 of its file, and when it was added (ISO 8601)."""

    sha256: str
    added: str


@dataclass(frozen=True, slots=True)
class Record:
    """One document of the user's. `sha256` is its file's; `reading` that of what a reader made of it.

    `file` is the name it came with, `source` the path that it was added from; `set_by_user` names the fields that were
    given and not guessed. `versions` are its earlier contents, oldest first.
    """

    id: str
    sha256: str
    reading: str
    file: str
    size: int
    added: str
    media_type: str
    title: str
    year: int
    series: str
    kind: str
    issuer: str | None = None
    title_basis: str | None = None
    year_basis: str | None = None
    source: str | None = None
    set_by_user: tuple[str, ...] = ()
    versions: tuple[Version, ...] = ()
    editorial_headings: tuple[EditorialHeading, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The user's own documents by id, in the order in which they were first added, and the reports that were removed."""

    documents: Mapping[str, Record] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()

    def with_records(self, records: Iterable[Record]) -> Catalogue:
        """With documents added, or replaced where they stand."""
        return replace(self, documents={**self.documents, **{x.id: x for x in records}})

    def without(self, names: Iterable[str]) -> Catalogue:
        gone = set(names)
        return replace(self, documents={k: v for k, v in self.documents.items() if k not in gone})


def load_catalogue(folder: Path) -> tuple[Catalogue, str]:
    """The catalogue of a folder, empty where there is none, and in Chinese what was wrong with the first of its copies.

    Raises:
        LibraryError: `catalogue_damaged`, where neither copy is sound; `catalogue_incompatible`.
    """
    faults = []
    for name in (_FILE, _COPY):
        try:
            data = (folder / name).read_bytes()
        except FileNotFoundError:
            faults.append(f"{name} 不在")
            continue
        except OSError as error:
            faults.append(f"{name} 读不了（{error.strerror}）")
            continue
        catalogue = _parse(data)
        if catalogue:
            return (
                catalogue,
                f"资料目录的 {faults[0]}，已改用副本 {name}。请运行 kewen index repair。" if faults else "",
            )
        faults.append(f"{name} 已损坏")
    if not (folder / "objects").exists():
        return Catalogue(), ""
    raise LibraryError("catalogue_damaged", f"资料目录用不了：{'，'.join(faults)}。请运行 kewen index repair。")


def save_catalogue(folder: Path, catalogue: Catalogue) -> None:
    """Replace the catalogue. OSError where that fails: the old one stays.

    The copy goes first: a writer that is killed in between leaves a copy that is newer, and never one that lacks
    what was reported as done.
    """
    content = {
        "format": FORMAT,
        "documents": [asdict(x) for x in catalogue.documents.values()],
        "hidden": sorted(catalogue.hidden),
    }
    text = json.dumps({**content, "sha256": _checksum(content)}, ensure_ascii=False, indent=1)
    data = text.encode("utf-8", "surrogatepass")  # a path need not be UTF-8: its odd bytes are surrogates
    for name in (_COPY, _FILE):
        replace_synced(folder / name, data)


def check_catalogue(folder: Path) -> list[str]:
    """In Chinese, which of the catalogue's copies are damaged; nothing where there is no catalogue at all."""
    if not any((folder / name).exists() for name in (_FILE, _COPY, "objects")):
        return []
    return [f"资料目录的 {name} 缺失或已损坏" for name in (_FILE, _COPY) if not _is_sound(folder / name)]


def _is_sound(path: Path) -> bool:
    try:
        return _parse(path.read_bytes()) is not None
    except OSError:
        return False


def _parse(data: bytes) -> Catalogue | None:
    try:
        content = json.loads(data)
        if content.pop("sha256") != _checksum(content):
            return None
        if content["format"] > FORMAT:
            raise LibraryError(
                "catalogue_incompatible", f"资料目录的格式为 {content['format']}，本程序只读到 {FORMAT}。请升级 kewen。"
            )
        records = [_record(x) for x in content["documents"]]
        return Catalogue({x.id: x for x in records}, frozenset(content["hidden"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _record(content: dict[str, Any]) -> Record:
    if not is_document_id(content["id"]):
        raise ValueError("not a document's id")
    lists = {
        "set_by_user": tuple(content["set_by_user"]),
        "versions": tuple(Version(**x) for x in content["versions"]),
        "editorial_headings": tuple(EditorialHeading(**x) for x in content["editorial_headings"]),
    }
    return Record(**{**content, **lists})


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("ascii")).hexdigest()
