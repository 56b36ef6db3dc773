"""Generations: immutable, checksummed builds of the index on disk; publish, open, verify, fall back.

A generation is written to a folder of its own, hashed while it is written, fsynced and renamed; only then
does `CURRENT`, replaced atomically, name it. So whatever moment a writer is killed at, a reader finds the
old index or the new one. Readers check every sha256 before anything is parsed; of a large generation, which is mapped,
every size, and the sha256 of all that is parsed. What its tables hold is checked by `check`, and what is shown row by row.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from corpus.storage import replace_synced, sync_folder, write_synced
from index.locking import locked
from index.storage import (
    Content,
    Data,
    IndexProblem,
    check_file,
    check_sum,
    found_sha256,
    map_file,
    storage_errors,
    unreadable,
    write_contents,
)

FORMAT = 5
_NAME = re.compile(r"gen-(\d{6,})")
_MANIFEST = "manifest.json"
_MIB = 1 << 20
Files = Mapping[str, Content] | Iterable[tuple[str, Content]]
"""Content by the name of its file; of much, one after the other."""
_SPARE = 64 * _MIB
MAPPED = 64 * _MIB
"""A generation of more bytes is mapped and not read."""
# Tables that are touched row by row: all else of a mapped generation is checked when it is opened.
_TABLES = ("passages.jsonl", "texts.bin", "documents.jsonl", "parts.jsonl", ".npy", "keys.bin")


@dataclass(frozen=True, slots=True)
class Generation:
    """A verified generation: its name, its manifest, and the bytes of each file as they were checked.

    `folder` is where it stands; where `mapped`, its tables' sha256 are not checked yet.
    """

    name: str
    manifest: Mapping[str, Any]
    files: Mapping[str, Data]
    folder: Path
    mapped: bool = False


class GenerationStore:
    """The folder `home/index`: generations, `CURRENT`, and the lock of the one writer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.distrusted: dict[str, str] = {}  # found to be damaged since they were opened, and how, in Chinese

    # -- reading ----------------------------------------------------------------------------------

    def open(self) -> tuple[Generation, list[str]]:
        """The newest sound generation, and what was wrong with newer ones or cleared away (Chinese, one line each).

        Raises:
            IndexProblem: `index_missing` where nothing was ever built, `index_damaged` where nothing built
                is sound, `index_incompatible` where the only sound ones have another format.
        """
        removed = self._remove_leftovers()
        notes = [f"已清理 {removed} 个未完成的索引"] if removed else []
        while True:
            version = self.version()
            try:
                generation, problems = self.newest_sound()
            except IndexProblem:
                if version == self.version():
                    raise
            else:
                if not problems or version == self.version():
                    return generation, notes + problems
            # Another generation was published meanwhile, and the one being read may have been removed.

    def newest_sound(self, whole: bool = False) -> tuple[Generation, list[str]]:
        """As `open`, for one that holds the writer's place already. `whole`: tables of a mapped one are checked too."""
        names = self.names()
        current = self.current_name()
        problems: list[str] = []
        if current not in names:
            if not names:
                raise IndexProblem("index_missing", "还没有索引。请运行 kewen index build。")
            problems.append("索引的 CURRENT 文件缺失或损坏")
        else:
            names.remove(current)
            names.append(current)  # asked first
        codes = set()
        for name in reversed(names):
            try:
                generation = self.read(name)
                if whole:
                    self.check(generation)
            except IndexProblem as problem:
                codes.add(problem.code)
                problems.append(problem.message)
            else:
                fallback = f"，现用 {name}。请运行 kewen index build 重建。" if problems else ""
                return generation, [f"{x}{fallback}" for x in problems]
        code = "index_damaged" if "index_damaged" in codes else "index_incompatible"
        raise IndexProblem(code, f"索引用不了：{'；'.join(problems)}。请运行 kewen index build 重建。")

    def read(self, name: str) -> Generation:
        """One generation, every file of it checked.

        Raises:
            IndexProblem: `index_damaged`, naming the file with its expected and found sha256, or
                `index_incompatible`.
        """
        if name in self.distrusted:
            raise IndexProblem("index_damaged", self.distrusted[name])
        folder = self.folder / name
        manifest = self._read_manifest(folder)
        sizes: Mapping[str, int] = manifest["sizes"]
        is_large = sum(sizes.values()) > MAPPED
        files: dict[str, Data] = {}
        for file, expected in manifest["files"].items():
            try:
                data = map_file(folder / file) if is_large else (folder / file).read_bytes()
            except OSError as error:
                raise unreadable(f"索引 {name} 的 {file} ", error) from error
            if not is_large or not file.endswith(_TABLES) or len(data) != sizes[file]:
                check_sum(found_sha256(data), expected, f"索引 {name} 的 {file} ")
            files[file] = data
        return Generation(name, manifest, files, folder, is_large)

    def check(self, generation: Generation) -> None:
        """Check every file of a generation that was mapped.

        Raises:
            IndexProblem: `index_damaged`, naming the file.
        """
        for file, expected in generation.manifest["files"].items() if generation.mapped else ():
            check_file(generation.folder / file, expected, f"索引 {generation.name} 的 {file} ")

    def names(self) -> list[str]:
        """The generations on disk, oldest first."""
        if not self.folder.is_dir():
            return []
        with storage_errors("读取索引"):
            found = [x.name for x in self.folder.iterdir() if _NAME.fullmatch(x.name) and x.is_dir()]
        return sorted(found, key=_number)

    def current_name(self) -> str | None:
        """The generation that `CURRENT` names, or None."""
        try:
            line = (self.folder / "CURRENT").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        name = line.partition(" ")[0]
        return name if _NAME.fullmatch(name) and line == _current(name) else None

    def version(self) -> tuple[int, int] | None:
        """Changes whenever another generation is published: a cheap look, one `stat`."""
        try:
            status = (self.folder / "CURRENT").stat()
        except OSError:
            return None
        return (status.st_mtime_ns, status.st_ino)

    def _read_manifest(self, folder: Path) -> dict[str, Any]:
        try:
            manifest = json.loads((folder / _MANIFEST).read_bytes())
            sound = manifest.pop("sha256") == _checksum(manifest)
        except (OSError, ValueError, KeyError, AttributeError, RecursionError):
            sound = False
        if not sound:
            raise IndexProblem("index_damaged", f"索引 {folder.name} 的 {_MANIFEST} 缺失或损坏")
        if manifest["format"] != FORMAT:
            raise IndexProblem(
                "index_incompatible",
                f"索引 {folder.name} 的格式为 {manifest['format']}，本程序只读格式 {FORMAT}",
            )
        files = manifest["files"]
        if files.keys() != manifest["sizes"].keys() or any(
            ".." in Path(name).parts or Path(name).is_absolute() for name in files
        ):
            raise IndexProblem("index_damaged", f"索引 {folder.name} 的 {_MANIFEST} 指向了别处的文件")
        return dict(manifest)

    # -- writing ----------------------------------------------------------------------------------

    @contextmanager
    def writer(self, wait: float = 0) -> Iterator[None]:
        """Hold the one writer's place; leftovers of a killed writer are removed first.

        Another writer is waited for so many seconds.

        Raises:
            IndexProblem: `index_locked`, naming the holder, or `storage_error`.
        """
        with locked(self.folder, wait):
            with storage_errors("写入索引"):
                self._discard_unfinished()
            yield

    def check_space(self, most: int = 0) -> None:
        """A new generation beside the current one needs room, `most` bytes of it: better said before the work than after.

        Raises:
            IndexProblem: `insufficient_storage`, with what is free and what is needed.
        """
        with storage_errors("写入索引"):
            free, needed = shutil.disk_usage(self.folder).free, most + _SPARE
        if free < needed:
            raise IndexProblem(
                "insufficient_storage",
                f"磁盘空间不足：写入索引需要 {-(-needed // _MIB)} MiB，只剩 {free // _MIB} MiB。"
                "请腾出空间后再试，原有资料与索引未受影响。",
            )

    def publish(self, files: Files, description: Mapping[str, Any], keep: str | None = None) -> str:
        """Write a new generation and make it the current one; returns its name. Call within `writer`.

        `keep` names the generation to keep beside it, the one known to be sound; by default the one before.

        Raises:
            IndexProblem: `insufficient_storage` or `storage_error`; the old generation stays current.
        """
        number = max((_number(name) for name in self.names()), default=0) + 1
        name = f"gen-{number:06d}"
        unfinished = self.folder / f"tmp-{name}"
        with storage_errors("写入索引"):
            try:
                self._write_files(unfinished, files, description)
                unfinished.rename(self.folder / name)
                sync_folder(self.folder)
                replace_synced(self.folder / "CURRENT", _current(name).encode("ascii"))
            except BaseException:
                shutil.rmtree(unfinished, ignore_errors=True)
                raise
            self._prune(name, keep)
        return name

    def drop_previous(self) -> None:
        """Remove all generations but the current one: what was deleted must not come back. Call within `writer`."""
        current = self.current_name()
        for name in self.names():
            if current and name != current:
                self._remove(name)

    def _write_files(self, folder: Path, files: Files, description: Mapping[str, Any]) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        written = write_contents(folder, files.items() if isinstance(files, Mapping) else files)
        sums, sizes = ({file: x[n] for file, x in written.items()} for n in range(2))
        manifest = {"format": FORMAT, **description, "files": sums, "sizes": sizes}
        write_synced(
            folder / _MANIFEST, json.dumps({**manifest, "sha256": _checksum(manifest)}, indent=1).encode("utf-8")
        )
        sync_folders(folder, written)

    def _prune(self, current: str, keep: str | None) -> None:
        """Keep the current generation and one before it, for rollback."""
        others = [x for x in self.names() if x != current]
        kept = keep if keep in others else max(others, key=_number, default=None)
        for name in others:
            if name != kept:
                self._remove(name)

    def _remove(self, name: str) -> None:
        """Under another name first: a generation that is half removed must not look like a damaged one."""
        going = self.folder / f"tmp-{name}"
        with suppress(OSError):
            (self.folder / name).rename(going)
        shutil.rmtree(going, ignore_errors=True)

    def _unfinished(self) -> list[Path]:
        """What killed writers left: generations half written, and those that `CURRENT` never came to name."""
        current, names = self.current_name(), self.names()
        newer = [x for x in names if _number(x) > _number(current)] if current in names else []
        return [*self.folder.glob("tmp-*"), *(self.folder / name for name in newer)]

    def _discard_unfinished(self) -> int:
        """Remove what killed writers left; returns how many generations that were."""
        unfinished = self._unfinished()
        for path in unfinished:
            shutil.rmtree(path, ignore_errors=True)
        for path in self.folder.glob("CURRENT.*"):
            path.unlink(missing_ok=True)
        return len(unfinished)

    def _remove_leftovers(self) -> int:
        """At a start, unless a writer is at work or the folder is read-only; returns how many were removed."""
        with suppress(IndexProblem, OSError):
            if self.folder.is_dir() and self._unfinished():
                with locked(self.folder, 0):
                    return self._discard_unfinished()
        return 0


def sync_folders(folder: Path, files: Iterable[str]) -> None:
    """fsync all folders that these files stand in."""
    for path in {folder / parent for file in files for parent in PurePath(file).parents}:
        sync_folder(path)


def _number(name: str) -> int:
    match = _NAME.fullmatch(name)
    return int(match.group(1)) if match else 0


def _current(name: str) -> str:
    """What `CURRENT` says: a checksum beside the name, else one flipped bit could name the generation before."""
    return f"{name} {hashlib.sha256(name.encode('ascii')).hexdigest()[:8]}\n"


def _checksum(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True, ensure_ascii=True).encode("ascii")).hexdigest()
