"""Writing files so that they are there: fsync, owner-only, and errors that say what to do."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class StorageProblem(Exception):
    """What is kept on disk can't be read or written; `code` is stable, the message says in Chinese what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@contextmanager
def storage_errors(doing: str, problem: type[StorageProblem] = StorageProblem) -> Iterator[None]:
    """Turn an operating system's error into a `problem`: `insufficient_storage` or `storage_error`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise problem(
                "insufficient_storage", f"{doing}时磁盘空间不足。请腾出空间后再试，原有资料与索引未受影响。"
            ) from error
        where = f"（{Path(str(error.filename)).name}）" if error.filename else ""
        raise problem(
            "storage_error",
            f"{doing}失败：{error.strerror or error}{where}。请检查数据目录的权限，或用 --home 另指一处。",
        ) from error


def write_synced(path: Path, *pieces: bytes | memoryview) -> str:
    """Write and fsync a file, readable by its owner alone; returns the sha256 of what was written."""
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for data in pieces:
            file.write(data)
            digest.update(data)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def replace_synced(path: Path, data: bytes) -> None:
    """Write a file so that whatever moment we are killed at, either its old or its new content is there."""
    new = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        write_synced(new, data)
        if path.is_dir() and not path.is_symlink():  # nothing of ours: a damaged disk, or somebody's mistake
            shutil.rmtree(path)
        new.replace(path)
    except BaseException:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """A folder for the owner alone, with those above it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows can't open a folder to sync it
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
