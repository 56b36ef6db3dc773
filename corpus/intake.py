"""Files that are to be added: found, named, and described by what stands beside them.

Nothing outside a folder is taken through a link in it, and only plain files are opened, so none can hang.
"""

from __future__ import annotations

import glob
import os
import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from corpus.guess import clean_name
from corpus.manifest import MANIFEST, LibraryError, read_manifest
from corpus.readers import SUFFIXES
from corpus.readers.limits import MAX_BYTES
from corpus.readers.types import ReadError
from corpus.types import EditorialHeading, is_document_id

_SIDECAR = ".toml"
_FIELDS: Mapping[str, type] = {"id": str, "title": str, "year": int, "series": str, "kind": str, "issuer": str}
_TEXTS = ("title", "series", "kind", "issuer")
_OURS = (".toml", ".expansions.jsonl")


@dataclass(frozen=True, slots=True)
class About:
    """What a user says of a document; None where it is to be guessed."""

    id: str | None = None
    title: str | None = None
    year: int | None = None
    series: str | None = None
    kind: str | None = None
    issuer: str | None = None
    year_basis: str | None = None
    editorial_headings: tuple[EditorialHeading, ...] = ()

    def under(self, other: About) -> About:
        """With what `other` gives in its place."""
        return replace(self, **{k: v for k in self.__slots__ if (v := getattr(other, k)) not in (None, ())})


@dataclass(frozen=True, slots=True)
class Found:
    """A file to be added: its name as shown, where it is or what it holds, and what is said of it.

    `problem` is set where it can't be: a status and a message.
    """

    name: str
    path: Path | None = None
    data: bytes | None = field(default=None, repr=False)
    about: About = About()
    problem: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", clean_name(self.name))  # whoever gave it

    def read(self) -> bytes:
        """Its bytes.

        Raises:
            ReadError: `too_large`, `unsupported` (no plain file), `corrupt` (it can't be opened).
        """
        return self.data or b"" if self.path is None else _read(self.path, self.name)


def find_files(names: Iterable[str], about: About = About()) -> list[Found]:
    """The files that names, folders and patterns stand for, in their order, each once.

    A folder gives the files below it whose suffix is a readable format's, and its `reports.toml` what is known of them;
    `报告.pdf.toml` beside a file says what is known of that one. `about` outweighs both.
    """
    found: dict[Path, Found] = {}
    for name in names:
        for item in _expand(name):
            key = item.path.absolute() if item.path else Path(item.name)
            found.setdefault(key, replace(item, about=item.about.under(about)))
    return list(found.values())


def _expand(name: str) -> Iterator[Found]:
    path = Path(name).expanduser()
    try:
        exists, is_folder = os.path.lexists(path), path.is_dir()
    except (OSError, ValueError):
        exists = is_folder = False
    if is_folder:
        yield from _walk(path)
    elif exists:
        yield _found(path)
    else:
        pattern = str(path) if glob.has_magic(name) and "\0" not in name else ""
        matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - the pattern may be absolute
        if not matches:
            yield Found(clean_name(name), problem=("not_found", f"没有这个文件或文件夹：{clean_name(name)}。"))
        for match in matches:
            yield from _walk(Path(match)) if Path(match).is_dir() else [_found(Path(match))]


def _walk(folder: Path) -> Iterator[Found]:
    root = folder.resolve()
    listed: dict[Path, About] = {}
    if (folder / MANIFEST).is_file():
        try:
            listed = {x.path.resolve(): _about_entry(x) for x in read_manifest(folder)}
        except LibraryError as error:
            yield Found(MANIFEST, problem=("manifest_invalid", error.message))
    # Links to folders are not followed: they may lead out, or round in a circle.
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(x for x in folders if not x.startswith("."))
        for name in sorted(names):
            path = Path(parent) / name
            if name.startswith((".", "~$")) or name.endswith(_OURS) or _is_elsewhere(path, root):
                continue
            if path.suffix.lower() in SUFFIXES:
                yield _found(path, listed.get(path.resolve(), About()))
            else:
                yield Found(_shown(path), path, problem=("skipped", "不是可读的格式"))


def _is_elsewhere(path: Path, root: Path) -> bool:
    try:
        return path.is_symlink() and not path.resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # a link to itself
        return True


def _found(path: Path, about: About = About()) -> Found:
    name = _shown(path)
    sidecar = path.with_name(path.name + _SIDECAR)
    try:
        if os.path.isfile(sidecar):  # noqa: PTH113 - a name that is too long is no file, and no error
            about = about.under(_about_sidecar(sidecar))
    except (OSError, ValueError) as error:
        return Found(name, path, problem=("sidecar_invalid", f"{clean_name(sidecar.name)} 有误：{error}。"))
    return Found(name, path, about=about)


def _shown(path: Path) -> str:
    """A file's name as text; those of old Chinese systems are GB18030."""
    raw = os.fsencode(path.name)
    try:
        return clean_name(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return clean_name(raw.decode("gb18030", "replace"))


def _about_sidecar(path: Path) -> About:
    """Raises ValueError in Chinese."""
    try:
        given: dict[str, Any] = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError("不是有效的 TOML") from error
    for name, value in given.items():
        if name not in _FIELDS:
            raise ValueError(f"有不认识的字段 {clean_name(name)}，可用的有 {'、'.join(_FIELDS)}")
        if type(value) is not _FIELDS[name]:
            raise ValueError(f"{name} 应为{'整数' if _FIELDS[name] is int else '文字'}")
    return check_about(About(**given))


def check_about(about: About) -> About:
    """As given, cleaned of what can't be shown.

    Raises:
        ValueError: a field won't do; in Chinese.
    """
    if about.id is not None and not is_document_id(about.id):
        raise ValueError("编号不能含空白、冒号或斜杠，至多 100 个字母或 66 个汉字")
    if about.year is not None and not 1900 <= about.year <= 2100:
        raise ValueError("年份应为 1900 到 2100 的整数")
    for name in _TEXTS:
        text = getattr(about, name)
        if text is not None and not clean_name(text):
            raise ValueError(f"{name} 不能为空")
    cleaned: dict[str, Any] = {k: clean_name(v) for k in _TEXTS if (v := getattr(about, k)) is not None}
    return replace(about, **cleaned)


def _about_entry(entry: Any) -> About:  # noqa: ANN401
    return About(
        id=entry.id,
        title=entry.title,
        year=entry.year,
        series=entry.series,
        kind=entry.kind,
        issuer=entry.issuer,
        year_basis=entry.year_basis,
        editorial_headings=entry.editorial_headings,
    )


def _read(path: Path, name: str) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ReadError("unsupported", f"{name} 不是普通文件。")
        with os.fdopen(os.open(path, flags), "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ReadError("corrupt", f"打不开 {name}（{error.strerror}）。请检查文件与权限。") from error
    if len(data) > MAX_BYTES:
        raise ReadError("too_large", f"{name} 超过 {MAX_BYTES >> 20} MiB 的上限。请拆成几份再加入。")
    return data
