"""What becomes of each file that arrives: a new document, a new version of one, or one that is there already."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

from corpus.catalogue import Catalogue, Record, Version
from corpus.guess import Guess, kind_of, series_of
from corpus.intake import About, Found
from corpus.library import Library
from corpus.manifest import Entry
from corpus.types import is_document_id
from service.errors import KewenError, echo, listed

_LONGEST_ID = 60
_SHOWN = "重新显示"
_FIELDS = ("title", "year", "series", "kind", "issuer")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file that was read: its sha256, size in bytes, that of its reading, and what it probably is.

    `reading` is empty where the file was known already; `problem` is set where it could not be read.
    """

    found: Found
    sha256: str = ""
    size: int = 0
    reading: str = ""
    media_type: str = ""
    guess: Guess | None = None
    problem: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file or a document; in Chinese what else is to be known."""

    file: str
    status: str
    id: str | None = None
    message: str = ""


@dataclass(slots=True)
class Plan:
    """A library as it will be. Pure: nothing is written."""

    library: Library
    now: str
    catalogue: Catalogue = field(init=False)
    outcomes: list[Outcome] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    dropped: set[str] = field(default_factory=set)
    """sha256 of files that no document has any more, because it was removed, and of what was read from them."""
    known: dict[str, str] = field(init=False)
    """sha256 of a content → the id of the document that has it now."""

    def __post_init__(self) -> None:
        self.catalogue = self.library.catalogue
        shown = {self.library.content(x): x.id for x in [*self.library.hidden, *self.library.entries]}
        shown.pop("", None)
        self.known = shown | {x.sha256: x.id for x in self.catalogue.documents.values()}

    # -- files ------------------------------------------------------------------------------------

    def take(self, arrival: Arrival) -> None:
        """Decide on one file."""
        if arrival.problem:
            self._say(arrival, arrival.problem[0], message=arrival.problem[1])
            return
        same = self.known.get(arrival.sha256)
        if same and (not arrival.reading or same not in self.catalogue.documents):
            self._take_known(arrival, same)
        else:
            self._take_new(arrival)

    def _take_known(self, arrival: Arrival, same: str) -> None:
        """A content that is there already."""
        found = arrival.found
        if same in self.catalogue.hidden:
            self._show(same)
            self._say(arrival, "ok", same, _SHOWN)
            return
        record = self.catalogue.documents.get(same)
        if record is None:
            self._say(arrival, "duplicate_of", same, f"内容与报告 {same} 相同")
            return
        source = _source(found)
        if record.source != source and not (record.source and Path(record.source).exists()) and source:
            self._put(replace(_described(record, found.about), source=source, file=found.name))
            self._say(arrival, "moved", same)
        elif record.source == source and (source or record.file == found.name):
            changed = _described(record, found.about)
            self._put(changed)
            self._say(arrival, "unchanged" if changed == record else "updated", same)
        else:
            self._say(arrival, "duplicate_of", same, f"内容与资料 {same} 相同")

    def _take_new(self, arrival: Arrival) -> None:
        found, guess = arrival.found, arrival.guess
        if guess is None:
            raise ValueError("a new file without a guess")
        try:
            old = self._older(found, self.known.get(arrival.sha256))
        except KewenError as error:
            self._say(arrival, error.code, message=error.message)
            return
        if old is None:
            self._put(_record(self._free_id(found), arrival, guess, self.now))
            self._say(arrival, "ok", self.known[arrival.sha256])
            return
        guessed = {x: getattr(guess, x) for x in (*_FIELDS[:4], "title_basis", "year_basis")}
        kept = {x: getattr(old, x) for x in old.set_by_user}
        basis = {f"{x}_basis": getattr(old, f"{x}_basis") for x in ("title", "year") if x in old.set_by_user}
        is_new = old.sha256 != arrival.sha256
        versions = (*old.versions, Version(old.sha256, old.added)) if is_new else old.versions
        values: dict[str, Any] = {**guessed, **kept, **basis}
        record = replace(
            old,
            **values,
            sha256=arrival.sha256,
            reading=arrival.reading,
            size=arrival.size,
            media_type=arrival.media_type,
            file=found.name,
            source=_source(found) or old.source,
            added=self.now,
            versions=versions,
        )
        self._put(_described(record, found.about))
        self.dropped.add(old.reading)
        self._say(arrival, "replaced", old.id, f"第 {len(versions) + 1} 版" if is_new else "已重新读取")

    def _older(self, found: Found, same: str | None) -> Record | None:
        """The document that a file is a new version of: the one it names, of the same content, path, or uploaded name."""
        own = self.catalogue.documents
        wanted = found.about.id
        if wanted:
            if wanted not in own and any(x.id == wanted for x in [*self.library.entries, *self.library.hidden]):
                raise KewenError("invalid_request", f"编号 {echo(wanted)} 已用于报告文件夹中的报告，请另取一个。")
            return own.get(wanted)
        if same:
            return own.get(same)
        source = _source(found)
        for record in own.values():
            if record.source == source and (source or record.file == found.name):
                return record
        return None

    def _free_id(self, found: Found) -> str:
        """A plain name, from the file's, that nothing bears yet."""
        taken = {x.casefold() for x in self.catalogue.documents}
        taken |= {x.id.casefold() for x in [*self.library.entries, *self.library.hidden]}
        if found.about.id and found.about.id.casefold() not in taken:
            return found.about.id
        stem = unicodedata.normalize("NFC", PurePath(found.name).stem)
        plain = re.sub(r"[^\w.\-（）()“”《》]+", "-", stem).strip("-._")[:_LONGEST_ID]
        name = plain if is_document_id(plain) else "document"
        n = 2
        chosen = name
        while chosen.casefold() in taken:
            chosen, n = f"{name}-{n}", n + 1
        return chosen

    # -- documents --------------------------------------------------------------------------------

    def describe(self, document_id: str, about: About) -> Plan:
        """Set what is known of a document of the user's.

        Raises:
            KewenError: `not_found`; `invalid_request` for a report of the folder, or another id.
        """
        record = self.catalogue.documents.get(document_id)
        if record is None:
            self._entry(document_id)
            raise KewenError("invalid_request", f"{document_id} 在报告文件夹中，请在其清单 reports.toml 里修改。")
        changed = _described(record, about)
        self._put(changed)
        self.outcomes.append(Outcome(record.file, "unchanged" if changed == record else "updated", record.id))
        return self

    def remove(self, document_id: str) -> None:
        """Take a document out.

        Raises:
            KewenError: `not_found`.
        """
        record = self.catalogue.documents.get(document_id)
        if record is None:
            entry = self._entry(document_id)
            self.catalogue = replace(self.catalogue, hidden=self.catalogue.hidden | {entry.id})
            self.outcomes.append(Outcome(entry.path.name, "removed", entry.id, "原文件未动；重新加入它即可恢复"))
            return
        self.catalogue = self.catalogue.without([document_id])
        self.removed.append(document_id)
        self.dropped |= {record.sha256, record.reading, *(x.sha256 for x in record.versions)}
        self.outcomes.append(Outcome(record.file, "removed", record.id))

    def restore(self, document_id: str) -> Plan:
        """Bring back a report of the folder that was taken out.

        Raises:
            KewenError: `not_found`.
        """
        for entry in self.library.hidden:
            if entry.id == document_id:
                self._show(entry.id)
                self.outcomes.append(Outcome(entry.path.name, "ok", entry.id, _SHOWN))
                return self
        raise KewenError("not_found", f"没有移除过编号为 {echo(document_id)} 的报告。")

    def _entry(self, document_id: str) -> Entry:
        for entry in self.library.entries:
            if entry.id == document_id:
                return entry
        known = listed(x.id for x in self.library.entries)
        raise KewenError("not_found", f"没有编号为 {echo(document_id)} 的报告。现有：{known}。")

    # -- helpers ----------------------------------------------------------------------------------

    def _show(self, document_id: str) -> None:
        self.catalogue = replace(self.catalogue, hidden=self.catalogue.hidden - {document_id})

    def _put(self, record: Record) -> None:
        self.catalogue = self.catalogue.with_records([record])
        self.known[record.sha256] = record.id

    def _say(self, arrival: Arrival, status: str, document_id: str | None = None, message: str = "") -> None:
        self.outcomes.append(Outcome(arrival.found.name, status, document_id, message))


def _source(found: Found) -> str | None:
    return str(found.path.absolute()) if found.path else None


def _record(document_id: str, arrival: Arrival, guess: Guess, now: str) -> Record:
    record = Record(
        id=document_id,
        sha256=arrival.sha256,
        reading=arrival.reading,
        file=arrival.found.name,
        size=arrival.size,
        added=now,
        media_type=arrival.media_type,
        title=guess.title,
        title_basis=guess.title_basis,
        year=guess.year,
        year_basis=guess.year_basis,
        series=guess.series,
        kind=guess.kind,
        source=_source(arrival.found),
        editorial_headings=arrival.found.about.editorial_headings,
    )
    return _described(record, arrival.found.about)


def _described(record: Record, about: About) -> Record:
    """With what the user says in the place of what was guessed; series and kind follow a title that is given."""
    given: dict[str, Any] = {x: v for x in _FIELDS if (v := getattr(about, x)) is not None}
    if not given:
        return record
    values = dict(given)
    if "title" in given:
        values["title_basis"] = None
        follow = {"series": series_of(given["title"]), "kind": kind_of(given["title"])}
        values |= {k: v for k, v in follow.items() if k not in given and k not in record.set_by_user}
    if "year" in given:
        values["year_basis"] = about.year_basis
    order = tuple(x for x in _FIELDS if x in {*record.set_by_user, *given})
    return replace(record, **values, set_by_user=order)
