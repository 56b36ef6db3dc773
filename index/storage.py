"""What the files of an index hold, how they are read, and what can be wrong with them."""

from __future__ import annotations

import hashlib
import mmap
import os
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePath

from corpus import storage
from corpus.storage import write_synced

Data = bytes | memoryview
"""The bytes of a file as it was read: held, or mapped."""


@dataclass(frozen=True, slots=True)
class Linked:
    """A file that is there already, never to be changed, and the sha256 that it was written with."""

    path: Path
    sha256: str
    size: int


Content = bytes | Sequence[Data] | Linked
"""What a file holds, whole or piece by piece: what is copied from an old file is never joined in memory."""


class IndexProblem(storage.StorageProblem):
    """The index can't be used or changed; `code` is stable, the message says in Chinese what to do."""


def storage_errors(doing: str) -> AbstractContextManager[None]:
    """Turn an operating system's error into an IndexProblem: `insufficient_storage` or `storage_error`."""
    return storage.storage_errors(doing, IndexProblem)


def map_file(path: Path) -> Data:
    """A file's bytes, mapped read-only: pages are read when they are touched, and shared by all processes.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return b""
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def write_content(path: Path, content: Content) -> tuple[str, int]:
    """Write a file and fsync it, or link one that is there; its sha256 and its size in bytes.

    Raises:
        OSError: it can't be written.
    """
    if isinstance(content, Linked):
        try:
            os.link(content.path, path)
        except OSError:  # a file system without links, or another one
            shutil.copyfile(content.path, path)
            path.chmod(0o600)
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        return content.sha256, content.size
    pieces = [content] if isinstance(content, bytes) else content
    return write_synced(path, *pieces), sum(len(x) for x in pieces)


def write_contents(folder: Path, files: Iterable[tuple[str, Content]]) -> dict[str, tuple[str, int]]:
    """Write files, as `write_content`, into a folder and folders below it: one is written while the next is made.

    Raises:
        OSError: one can't be written.
    """
    writing: dict[str, Future[tuple[str, int]]] = {}
    with ThreadPoolExecutor(1) as pool:
        last: Future[tuple[str, int]] | None = None
        for file, content in files:
            for parent in reversed(PurePath(file).parents):
                (folder / parent).mkdir(mode=0o700, exist_ok=True)
            if last:
                last.result()
            last = writing[file] = pool.submit(write_content, folder / file, content)
    return {file: x.result() for file, x in writing.items()}


def found_sha256(data: Data) -> str:
    return hashlib.sha256(data).hexdigest()


def check_file(path: Path, expected: str, what: str) -> None:
    """A file against its sha256; `what` names it. It is read, not mapped, so as not to count as this process's memory.

    Raises:
        IndexProblem: `index_damaged`.
    """
    try:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(what, error) from error
    check_sum(found, expected, what)


def check_sum(found: str, expected: str, what: str) -> None:
    """What was found against what was written; raises IndexProblem `index_damaged`."""
    if found != expected:
        raise IndexProblem("index_damaged", f"{what}已损坏（sha256 应为 {expected[:12]}…，实为 {found[:12]}…）")


def unreadable(what: str, error: OSError) -> IndexProblem:
    return IndexProblem("index_damaged", f"{what}读不出来（{error.strerror}）")
