"""Segments of a build that is not done: what was made stays on disk, so that a build which was stopped goes on from there."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corpus.storage import make_folder, sync_folder, write_synced
from index.generations import FORMAT, sync_folders
from index.segments import Segment, segment_files
from index.shelf import Shelf
from index.storage import IndexProblem, Linked, map_file, storage_errors, write_content

_ABOUT = "segment.json"


class UnfinishedBuild:
    """The folder `home/index/building`. `made_by` says what the segments depend on beside their documents."""

    def __init__(self, folder: Path, made_by: Mapping[str, Any]) -> None:
        self.folder = folder
        self._opened: set[str] = set()
        self.made_by = json.loads(json.dumps({"format": FORMAT, **made_by}))

    def write(self, shelf: Shelf) -> str:
        """Write a segment; it is there once its folder has its name, which is returned.

        Raises:
            IndexProblem: `insufficient_storage` or `storage_error`.
        """
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"
        unfinished, whole = self.folder / f"tmp-{name}", self.folder / f"seg-{name}"
        with storage_errors("写入索引"):
            self.folder.mkdir(mode=0o700, exist_ok=True)
            unfinished.mkdir(mode=0o700)
            try:
                files: dict[str, tuple[str, int]] = {}
                for file, data in segment_files([Segment(shelf)], [(0, n) for n in range(len(shelf.shares))]):
                    make_folder((unfinished / file).parent)
                    files[file] = write_content(unfinished / file, data)
                about = {"made_by": self.made_by, "files": files}
                line = json.dumps({**about, "sha256": _checksum(about)}).encode("utf-8")
                write_synced(unfinished / _ABOUT, line)
                sync_folders(unfinished, files)
                unfinished.rename(whole)
                sync_folder(self.folder)
            except BaseException:
                shutil.rmtree(unfinished, ignore_errors=True)
                raise
        return whole.name

    def open(self) -> list[Segment]:
        """The segments that were not opened before, are whole and made as they would be made now; what is not is removed."""
        found = []
        for path in sorted(x for x in self.folder.glob("*") if x.name not in self._opened):
            segment = self._segment(path) if path.name.startswith("seg-") else None
            if segment:
                found.append(segment)
                self._opened.add(path.name)
            else:
                shutil.rmtree(path, ignore_errors=True)
        return found

    def clear(self) -> None:
        """Remove all of it: it is published, or not wanted any more."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _segment(self, path: Path) -> Segment | None:
        try:
            about = json.loads((path / _ABOUT).read_bytes())
            if about.pop("sha256") != _checksum(about) or about["made_by"] != self.made_by:
                return None
            data = {file: map_file(path / file) for file in about["files"]}
            linked = {file: Linked(path / file, sha256, size) for file, (sha256, size) in about["files"].items()}
            segment = Segment(Shelf.load(data, path.name), linked)
            segment.check()
            return segment
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexProblem):
            return None


def _checksum(about: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode("ascii")).hexdigest()
