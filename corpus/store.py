"""The user's own documents on disk: their files, what readers made of them, and the texts of earlier versions.

`objects/{sha256}` is a file byte for byte, `readings/{sha256}.json` what was read from one, each under its own sha256: none
is ever written over by another. Both are written before the catalogue names them, so a writer that is killed leaves files
that nobody names, and no name without its files.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Iterator, Set
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock

from corpus.catalogue import Catalogue, Record, load_catalogue, save_catalogue
from corpus.manifest import LibraryError
from corpus.readers.types import Reading, reading_from
from corpus.storage import make_folder, replace_synced, storage_errors, sync_folder
from corpus.types import is_document_id

_DAY = 86_400
_SHA256 = re.compile(r"[0-9a-f]{64}")


class DocumentStore:
    """The folder `home/library`. Only a holder of the writer's place calls `save` and `clean`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def catalogue(self) -> tuple[Catalogue, str]:
        """The catalogue, and in Chinese what was wrong with it, if anything.

        Raises:
            LibraryError: as `load_catalogue`.
        """
        return load_catalogue(self.folder)

    def save(self, catalogue: Catalogue) -> None:
        """Replace the catalogue.

        Raises:
            StorageProblem: the old one stays.
        """
        with storage_errors("写资料目录"):
            self._prepare()
            save_catalogue(self.folder, catalogue)

    # -- files and readings -----------------------------------------------------------------------

    def put(self, data: bytes, reading: Reading) -> tuple[str, str]:
        """Keep a file and its reading; returns the sha256 of each.

        Raises:
            StorageProblem: nothing that was there is changed.
        """
        sha256 = self.restore(data)
        return sha256, self.keep_reading(reading)

    def restore(self, data: bytes) -> str:
        """Keep a file; returns its sha256. StorageProblem as in `put`."""
        sha256 = hashlib.sha256(data).hexdigest()
        with storage_errors("存入文件"):
            self._prepare()
            if not self.is_sound(sha256):
                replace_synced(self.object_path(sha256), data)
        return sha256

    def keep_reading(self, reading: Reading) -> str:
        """Keep what was read from a file; returns the sha256 of that. StorageProblem as in `put`."""
        content = json.dumps(asdict(reading), ensure_ascii=False).encode("utf-8", "surrogatepass")
        sha256 = hashlib.sha256(content).hexdigest()
        with storage_errors("存入文件"):
            if _sha256_of(self._reading_path(sha256)) != sha256:
                replace_synced(self._reading_path(sha256), content)
        return sha256

    def object_path(self, sha256: str) -> Path:
        """Where the file with that sha256 is kept."""
        if not _SHA256.fullmatch(sha256):
            raise ValueError("not a sha256")
        return self.folder / "objects" / sha256

    def is_sound(self, sha256: str) -> bool:
        """Whether a file is there as it came."""
        return _sha256_of(self.object_path(sha256)) == sha256

    def files(self) -> list[str]:
        """The sha256 of each file that is there as it came."""
        return [x.name for x in sorted((self.folder / "objects").glob("*")) if _sha256_of(x) == x.name]

    def keeps(self, sha256: str, reading: str) -> bool:
        """Whether a file and its reading are there, by the sha256 of each."""
        return self.is_sound(sha256) and _sha256_of(self._reading_path(reading)) == reading

    def reading(self, record: Record) -> Reading:
        """What was read from a document's file.

        Raises:
            LibraryError: `reading_damaged`.
        """
        try:
            content = self._reading_path(record.reading).read_bytes()
            if hashlib.sha256(content).hexdigest() == record.reading:
                return reading_from(json.loads(content))
        except (OSError, ValueError, KeyError, TypeError):
            pass
        raise LibraryError(
            "reading_damaged", f"资料 {record.id} 的文字缺失或已损坏。请运行 kewen index repair。", record.id
        )

    # -- earlier versions -------------------------------------------------------------------------

    def archive(self, document_id: str, text: bytes) -> None:
        """Keep the text of a version that is being replaced, so that citations of it still open.

        Raises:
            StorageProblem: it can't be written.
        """
        with storage_errors("保存旧版原文"):
            folder = self._old(document_id)
            make_folder(folder)
            path = folder / f"{hashlib.sha256(text).hexdigest()}.txt"
            if _sha256_of(path) != path.stem:
                replace_synced(path, text)

    def old_texts(self, document_id: str) -> Iterator[str]:
        """The texts of a document's earlier versions, the latest first; damaged ones are passed over."""
        folder = self._old(document_id)
        for path in sorted(folder.glob("*.txt"), key=lambda x: -x.lstat().st_mtime_ns):
            with suppress(OSError):
                data = path.read_bytes()
                if hashlib.sha256(data).hexdigest() == path.stem:
                    yield data.decode("utf-8", "surrogatepass")

    # -- upkeep -----------------------------------------------------------------------------------

    def check(self, catalogue: Catalogue) -> list[str]:
        """In Chinese, what is damaged: a line for each file, reading and earlier text."""
        faults = []
        for record in catalogue.documents.values():
            if not self.is_sound(record.sha256):
                faults.append(f"资料 {record.id} 的原文件（{record.file}）缺失或已损坏")
            try:
                self.reading(record)
            except LibraryError:
                faults.append(f"资料 {record.id} 的文字缺失或已损坏")
            for version in record.versions:
                if not self.is_sound(version.sha256):
                    faults.append(f"资料 {record.id} 的一份旧版文件（{version.sha256[:12]}…）缺失或已损坏")
        for path in self.damaged_texts():
            faults.append(f"资料 {path.parent.name} 的一份旧版原文（{path.stem[:12]}…）已损坏")
        return faults

    def damaged_texts(self) -> list[Path]:
        """The earlier texts that are not as they were kept: each is named by its document and its own sha256."""
        return [x for x in sorted((self.folder / "old").glob("*/*.txt")) if _sha256_of(x) != x.stem]

    def clean(self, catalogue: Catalogue, dropped: Set[str] = frozenset(), reports: Set[str] = frozenset()) -> None:
        """Remove the files that no document of the catalogue has: those `dropped` at once, others once a day old.

        Another process may be about to name a new one. Earlier texts go unless they are of the catalogue's documents or
        of these `reports`.
        """
        for folder in (self.folder / "old").glob("*"):
            if folder.name not in catalogue.documents and folder.name not in reports:
                shutil.rmtree(folder, ignore_errors=True)
        documents = catalogue.documents.values()
        files = {x.sha256 for x in documents} | {version.sha256 for x in documents for version in x.versions}
        before = time.time() - _DAY
        for name, kept in (("objects", files), ("readings", {x.reading for x in documents}), (".", set())):
            for path in (self.folder / name).glob("*.tmp" if name == "." else "*"):
                sha256 = path.name.partition(".")[0]
                is_old = path.is_file() and path.stat().st_mtime < before
                is_nobodys = path.suffix == ".tmp" or sha256 not in kept
                if is_nobodys and (is_old or sha256 in dropped):
                    path.unlink(missing_ok=True)

    def _prepare(self) -> None:
        """The folders. `objects` is made last: a store that has it has had a catalogue."""
        if (self.folder / "objects").exists():
            return
        for folder in (self.folder.parent, self.folder):
            make_folder(folder)
        with FileLock(self.folder / "prepare.lock", mode=0o600):
            if not (self.folder / "objects").exists():
                save_catalogue(self.folder, load_catalogue(self.folder)[0])
                for name in ("readings", "old", "objects"):
                    make_folder(self.folder / name)
                sync_folder(self.folder)

    def _reading_path(self, sha256: str) -> Path:
        return self.folder / "readings" / f"{sha256}.json"

    def _old(self, document_id: str) -> Path:
        if not is_document_id(document_id):
            raise ValueError("not a document's id")
        return self.folder / "old" / document_id


def _sha256_of(path: Path) -> str:
    """Of a file's content; empty where it can't be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
