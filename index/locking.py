"""The place of the one writer of a folder."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from corpus.storage import write_synced
from index.storage import IndexProblem, storage_errors


@contextmanager
def locked(path: Path, wait: float) -> Iterator[None]:
    """Hold the writer's place of a folder, which is made; another writer is waited for so many seconds.

    Raises:
        IndexProblem: `index_locked`, naming the holder, or `storage_error`.
    """
    with storage_errors("写入索引"):
        for folder in (path.parent, path):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(path / "writer.lock", mode=0o600)
        try:
            lock.acquire(timeout=wait)
        except Timeout as error:
            raise IndexProblem("index_locked", f"另一个程序正在写索引{_holder(path)}。请等它结束后再试。") from error
    try:
        with storage_errors("写入索引"):
            holder = {"pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
            write_synced(path / "writer.json", json.dumps(holder).encode("utf-8"))
        yield
    finally:
        with suppress(OSError):
            (path / "writer.json").unlink(missing_ok=True)
        lock.release()


def _holder(path: Path) -> str:
    for _ in range(10):  # it may be writing its name just now
        with suppress(OSError, ValueError, KeyError, TypeError):
            holder = json.loads((path / "writer.json").read_bytes())
            return f"（进程 {int(holder['pid'])}，自 {str(holder['since'])[:19]}）"
        time.sleep(0.02)
    return ""
