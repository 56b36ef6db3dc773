"""Keeping up with a folder: what is new in it is added, what changed is replaced, what is gone is removed.

It looks, every few seconds, at names, sizes and times: that works on network drives too, where no events come. A file
is taken once two looks in a row find it the same, so none is read while it is being written; whether its content
changed is decided by its sha256.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from corpus.intake import Found, find_files
from service.errors import KewenError, user_errors
from service.librarian import Librarian
from service.library_render import library_report_text

Look = dict[Path, tuple[int, int]]


class Watch:
    """One folder, and what was seen in it last."""

    def __init__(self, librarian: Librarian, folder: str, notify: Callable[[str], None]) -> None:
        """Raises KewenError `invalid_request` where there is no such folder."""
        self.folder = Path(folder).expanduser().absolute()
        if not self.folder.is_dir():
            raise KewenError("invalid_request", f"没有文件夹 {self.folder}。")
        self._librarian = librarian
        self._notify = notify
        self._last: Look = {}
        self._taken: Look = {}
        self._missing: frozenset[str] = frozenset()

    def run(self, every: float) -> None:
        """Look until interrupted."""
        self._notify(f"正在照看 {self.folder}，每 {every:g} 秒看一次。按 Ctrl-C 结束。")
        while True:
            self.look()
            time.sleep(every)

    def look(self) -> None:
        """One look. What goes wrong is told, and tried again at the next."""
        try:
            found = {x.path: x for x in find_files([str(self.folder)]) if x.path and _wanted(x)}
            seen = {path: (status.st_size, status.st_mtime_ns) for path in found if (status := _stat(path))}
            settled = [path for path, state in seen.items() if self._last.get(path) == state != self._taken.get(path)]
            self._last = seen
            self._taken = {path: state for path, state in self._taken.items() if path in seen}
            if settled:
                self._say(library_report_text(self._librarian.add([found[path] for path in settled])))
                self._taken |= {path: seen[path] for path in settled}
            self._remove_gone(seen)
        except KewenError as error:
            self._notify(f"错误（{error.code}）：{error.message}下次再试。")

    def _remove_gone(self, seen: Look) -> None:
        """What came from this folder and was not there at two looks in a row: a program that saves a file may put a new
        one in its place. A folder that is empty or away has probably lost its disk.
        """
        if not seen or not self.folder.is_dir():
            return
        with user_errors():
            catalogue = self._librarian.assistant.library().catalogue
        sources = {x.id: Path(x.source) for x in catalogue.documents.values() if x.source}
        missing = [name for name, path in sources.items() if path.is_relative_to(self.folder) and _is_gone(path)]
        gone = [name for name in missing if name in self._missing]
        self._missing = frozenset(missing)
        if gone:
            self._say(library_report_text(self._librarian.remove(gone)))

    def _say(self, text: str) -> None:
        self._notify(f"{time.strftime('%Y-%m-%d %H:%M:%S')}\n{text}")


def _wanted(found: Found) -> bool:
    return found.problem is None or found.problem[0] != "skipped"


def _is_gone(path: Path) -> bool:
    """Not there; one that can't be reached just now is."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
