"""What is remembered of the files of a library from one process to the next, so that unchanged ones aren't read again.

Nothing depends on it: where what is kept is missing, damaged, of another format or can't be written, files are read.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from corpus.storage import replace_synced

_FORMAT = 1
# A file may change once more without its times showing it, as long as their clock has not moved on. FAT's is the coarsest
# in use, with steps of two seconds.
_SETTLED_NS = 3_000_000_000
_DAY = 86_400

Stamp = tuple[int, int, int, int]
"""What a file system says of a file: size, mtime and ctime in nanoseconds, inode. Windows' ctime is the file's creation."""


class Memory:
    """The sha256 of files, as git's index knows them, and a manifest as it was parsed.

    A hash is trusted while size, mtime, ctime and inode are those that it was remembered with, and it is remembered only of
    a file that had not changed for a while by then (racily clean: git's Documentation/technical/racy-git.txt). The ctime
    tells of a change whose mtime was put back. A disk that loses bits tells nothing: `kewen index verify` hashes every file
    again, and `Library.read` whatever it reads.
    """

    def __init__(self, path: Path | None = None) -> None:
        """`path`: the file that it is kept in; without one it ends with the process."""
        self._path = path
        self._files: dict[str, tuple[Stamp, str]] = {}
        self._manifest: tuple[str, list[Any]] | None = None
        self._is_changed = False
        self._loaded: Stamp | None = None
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Read what is kept, where another process has written it since."""
        if self._path is None:
            return
        with self._lock, suppress(OSError):
            found = _stamp(self._path.stat())
            if found != self._loaded:
                known = _parse(self._path.read_bytes())
                self._files, self._manifest = known or ({}, None)
                self._loaded, self._is_changed = found, known is None

    def sha256(self, path: Path) -> str:
        """The sha256 of a file's content, in hexadecimal digits.

        Raises:
            OSError: it can't be read.
        """
        name = str(path)
        known = self._files.get(name)
        if known and known[0] == _stamp(os.stat(name)):  # noqa: PTH116 - pathlib's takes longer, and there are many
            return known[1]
        with path.open("rb") as file:
            now, before = time.time_ns(), _stamp(os.fstat(file.fileno()))
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            after = _stamp(os.fstat(file.fileno()))
        if before == after and max(before[1:3]) + _SETTLED_NS < now:
            self._files[name] = (before, sha256)
            self._is_changed = True
        else:
            self._forget(name)
        return sha256

    def correct(self, path: Path, sha256: str) -> None:
        """Forget a file that was read just now and has other bytes than are remembered."""
        known = self._files.get(str(path))
        if known and known[1] != sha256:
            self._forget(str(path))

    def forget_files(self) -> None:
        """Have every file hashed again."""
        self._files, self._is_changed = {}, True

    @property
    def is_changed(self) -> bool:
        """Whether more or less is known than what is kept."""
        return self._is_changed

    def knows(self, path: Path) -> bool:
        """Whether anything is remembered of a file; it may have changed since."""
        return str(path) in self._files

    def manifest(self, sha256: str) -> list[Any] | None:
        """The records of the manifest whose bytes have that sha256, if they are remembered. They must not be changed."""
        return self._manifest[1] if self._manifest and self._manifest[0] == sha256 else None

    def keep_manifest(self, sha256: str, records: list[Any]) -> None:
        """Remember the records of a manifest, unless they hold what JSON has no form for, as TOML's dates."""
        with suppress(TypeError, ValueError, RecursionError):
            json.dumps(records, allow_nan=False)
            self._manifest, self._is_changed = (sha256, records), True

    def save(self, paths: Collection[Path]) -> None:
        """Keep what is known of these files, and nothing of others; where that can't be written, nothing is kept."""
        if self._path is None:
            return
        names = {str(x) for x in paths}
        with self._lock, suppress(OSError):
            files = dict(self._files)  # other threads may be at it
            kept = {name: files[name] for name in sorted(files.keys() & names)}
            content = {"format": _FORMAT, "files": kept, "manifest": self._manifest}
            data = json.dumps(content).encode("ascii")
            replace_synced(self._path, hashlib.sha256(data).hexdigest().encode("ascii") + b"\n" + data)
            self._loaded, self._is_changed = _stamp(self._path.stat()), False
            self._clean()

    def _forget(self, name: str) -> None:
        self._is_changed |= self._files.pop(name, None) is not None

    def _clean(self) -> None:
        """Remove what processes left that were killed while they wrote."""
        if self._path is None:
            return
        for path in self._path.parent.glob(f"{self._path.name}.*.tmp"):
            if path.stat().st_mtime < time.time() - _DAY:
                path.unlink(missing_ok=True)


def _stamp(status: os.stat_result) -> Stamp:
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _parse(data: bytes) -> tuple[dict[str, tuple[Stamp, str]], tuple[str, list[Any]] | None] | None:
    """What was kept; None where it is damaged or not ours."""
    sha256, _, content = data.partition(b"\n")
    if sha256 != hashlib.sha256(content).hexdigest().encode("ascii"):
        return None
    try:
        known = json.loads(content)
        if known["format"] != _FORMAT:
            return None
        files = {
            name: ((size, mtime, ctime, inode), x) for name, ((size, mtime, ctime, inode), x) in known["files"].items()
        }
        manifest = known["manifest"]
        return files, (manifest[0], list(manifest[1])) if manifest else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
