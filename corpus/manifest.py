"""The manifest of a folder of documents: `reports.toml`, read and checked field by field."""

from __future__ import annotations

import hashlib
import os
import stat
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.remembered import Memory
from corpus.types import EditorialHeading, is_document_id

MANIFEST = "reports.toml"
_REQUIRED: Mapping[str, type] = {"id": str, "file": str, "title": str, "year": int, "series": str, "kind": str}
_OPTIONAL: Mapping[str, type] = {"sha256": str, "issuer": str, "year_basis": str}
_HEADINGS: Mapping[str, type] = {"restored_headings": list, "misplaced_headings": list}
_FIELDS: Mapping[str, type] = {**_REQUIRED, **_OPTIONAL, **_HEADINGS}
_TYPES = {str: "文字", int: "整数", list: "列表"}


class LibraryError(Exception):
    """A document or the manifest can't be used; `code` is stable, the message says what to do."""

    def __init__(self, code: str, message: str, document_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.document_id = document_id


@dataclass(frozen=True, slots=True)
class Entry:
    """One document of the library: as the manifest lists it, or one of the user's own."""

    id: str
    path: Path
    title: str
    year: int
    series: str
    kind: str
    sha256: str | None
    issuer: str | None
    year_basis: str | None
    editorial_headings: tuple[EditorialHeading, ...]
    title_basis: str | None = None
    is_own: bool = False

    @property
    def folder(self) -> Path:
        """Where its expansions stand: beside the report, or in the store's own folder."""
        return self.path.parent.parent / "expansions" if self.is_own else self.path.parent


def read_manifest(folder: Path, memory: Memory | None = None) -> list[Entry]:
    """The entries of a folder's manifest, in its order.

    The `memory` spares parsing it again: TOML's parser takes a second for 17,000 reports. All that is said of it is checked
    each time.

    Raises:
        LibraryError: `manifest_missing`, or `manifest_invalid` with every fault that was found.
    """
    path, memory = folder / MANIFEST, memory or Memory()
    try:
        data = path.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        known = memory.manifest(sha256)
        records = tomllib.loads(data.decode("utf-8-sig")).get("document", []) if known is None else known
    except OSError as error:
        raise LibraryError("manifest_missing", f"读不到清单 {path}（{error.strerror}）。") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LibraryError("manifest_invalid", f"清单 {path} 不是有效的 TOML：{error}") from error
    if not isinstance(records, list) or not all(isinstance(x, dict) for x in records):
        raise LibraryError("manifest_invalid", f"清单 {path} 中的 document 应写作 [[document]]。")
    place = _Place(folder)
    faults = [f"第 {n} 份报告{x}" for n, record in enumerate(records, start=1) for x in _faults(record, place)]
    names = [record.get("id") for record in records]
    counts = Counter(str(name).casefold() for name in names)  # ids are file names, and some systems fold case
    twice = list(dict.fromkeys(str(name) for name in names if counts[str(name).casefold()] > 1))
    if twice:
        faults.append(f"id 重复：{'、'.join(twice)}")
    if faults:
        raise LibraryError("manifest_invalid", f"清单 {path} 有误：{'；'.join(faults)}。")
    if known is None:
        memory.keep_manifest(sha256, records)
    return [_entry(record, folder) for record in records]


def _faults(record: Mapping[str, Any], place: _Place) -> list[str]:
    faults = []
    missing = [name for name in _REQUIRED if name not in record or record[name] == ""]
    if missing:
        faults.append(f"缺少字段 {'、'.join(missing)}")
    wrong = [name for name, kind in _FIELDS.items() if name in record and type(record[name]) is not kind]
    faults += [f"的 {name} 应为{_TYPES[_FIELDS[name]]}" for name in wrong]
    unknown = sorted(record.keys() - _FIELDS.keys())
    if unknown:
        faults.append(f"有不认识的字段 {'、'.join(unknown)}")
    if isinstance(record.get("id"), str) and not is_document_id(record["id"]):
        faults.append("的 id 不能含空白、冒号或斜杠，至多 100 个字母或 66 个汉字")
    if isinstance(record.get("file"), str) and not place.holds(record["file"]):
        faults.append("的 file 不在该文件夹内")
    for name in _HEADINGS:
        if name in record and name not in wrong and not _are_headings(record[name]):
            faults.append(f"的 {name} 每项都要有 before 和 heading；level 若有，应为 1 到 9")
    return faults


class _Place:
    """A folder, and what is inside it however its links lead."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._start = folder, f"{folder}{os.sep}"
        self._parents: dict[str, bool] = {}

    def holds(self, name: str) -> bool:
        """Whether a name, from this folder on, is that of something in it, whether that is there or not."""
        # Resolving looks at every folder on the way: of many files in one folder it is done once, but for those that are
        # links themselves. Windows has names that lead elsewhere without any link.
        if os.name == "posix" and self._is_plain(name):
            parent = os.path.dirname(name)  # noqa: PTH120 - pathlib's takes longer, and there are many
            if parent not in self._parents:
                self._parents[parent] = self._resolves(parent)
            if self._parents[parent]:
                return True
        return self._resolves(name)

    def _is_plain(self, name: str) -> bool:
        """Whether the last part of a name is that of something that is there, and no link."""
        if name.endswith(("/", "/.", "/..")) or name in ("", ".", ".."):
            return False
        try:
            return not stat.S_ISLNK(os.lstat(self._start + name).st_mode)
        except (ValueError, OSError):
            return False

    def _resolves(self, name: str) -> bool:
        try:
            return (self._folder / name).resolve().is_relative_to(self._folder.resolve())
        except (ValueError, OSError):  # a NUL in the name, or one too long
            return False


def _are_headings(records: Sequence[Any]) -> bool:
    return all(
        isinstance(x, dict)
        and all(isinstance(x.get(key), str) and x[key] for key in ("before", "heading"))
        and ("level" not in x or (type(x["level"]) is int and 1 <= x["level"] <= 9))
        for x in records
    )


def _entry(record: Mapping[str, Any], folder: Path) -> Entry:
    restored = [EditorialHeading(x["before"], x["heading"]) for x in record.get("restored_headings", [])]
    misplaced = [
        EditorialHeading(x["before"], x["heading"], printed=True, level=x.get("level"))
        for x in record.get("misplaced_headings", [])
    ]
    return Entry(
        id=record["id"],
        path=folder / record["file"],
        title=record["title"],
        year=record["year"],
        series=record["series"],
        kind=record["kind"],
        sha256=record.get("sha256"),
        issuer=record.get("issuer"),
        year_basis=record.get("year_basis"),
        editorial_headings=(*restored, *misplaced),
    )
