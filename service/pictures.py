"""Pages of PDF documents as pictures, with the quoted words boxed: every box holds the quote's own characters, or there
is none."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from corpus.library import LibraryError
from corpus.readers import ReadError, pictures
from corpus.readers.pictures import PagePlaces, Place
from corpus.types import PDF, Span
from index.types import DocumentInfo
from service.assistant import Assistant
from service.errors import KewenError, echo
from service.quoted import find_place

_MOST_BYTES = 64 << 20
_OF_A_PLACE = 200
"""Bytes of memory, about."""
_T = TypeVar("_T")

Box = tuple[float, float, float, float]
"""Left, top, width and height in points from the upper left of the page."""


@dataclass(frozen=True, slots=True)
class BoxedPage:
    """A page and the boxes of the quoted words on it. `is_exact`: they hold all of these and nothing else."""

    page: int
    pages: int
    width: float
    height: float
    boxes: tuple[Box, ...]
    is_exact: bool


class Pictures:
    """Pages of an assistant's documents; the last of them are kept in memory. Only the version in the index is shown."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self._kept = _Kept(_MOST_BYTES)

    def page(self, document_id: str, page: int, at: str, digest: str, version: str = "") -> BoxedPage:
        """Page `page`, from 1, with the words at `at` boxed, as a citation's link names them; `digest` is its hash.

        `version` is the sha256 of the file that is meant, where only that one will do.

        Raises:
            KewenError: `not_found`, `invalid_request`, `document_rejected` where the page can't be read, or what opening the
                index raises.
        """
        document, passages, snapshot = self._assistant.document(document_id)
        _check_version(document, version)
        start, end = _extent(document, page)
        text = snapshot.text(document_id)
        place = find_place(document, passages, text, at, digest) if at else None
        found = self._places(document, page, text[start:end])
        boxes: tuple[Box, ...] | None = ()
        if place:
            boxes = None if place.is_changed else box_words(text, (start, end), place.citation.spans, found.places)
        pages = len(document.page_starts)
        return BoxedPage(page, pages, found.width, found.height, boxes or (), boxes is not None)

    def picture(self, document_id: str, page: int, width: int, version: str = "") -> bytes:
        """Page `page`, from 1, `width` pixels wide, as WebP; `version` as for `page`.

        Raises:
            KewenError: as `page`.
        """
        document, _, _ = self._assistant.document(document_id)
        _check_version(document, version)
        _extent(document, page)

        def draw() -> tuple[bytes, int]:
            with _refusals():
                drawn = pictures.draw_page(_name(document), self._original(document), page - 1, width)
            return drawn, len(drawn)

        return self._kept.get((document.sha256, page, width), draw)

    def _places(self, document: DocumentInfo, page: int, text: str) -> PagePlaces:
        def find() -> tuple[PagePlaces, int]:
            with _refusals():
                found = pictures.find_places(_name(document), self._original(document), page - 1, text)
            return found, _OF_A_PLACE * (1 + len(found.places or ()))

        return self._kept.get((document.sha256, page, text), find)

    def _original(self, document: DocumentInfo) -> bytes:
        """The file that the index was made from, byte for byte."""
        for path in self._paths(document):
            with suppress(OSError):
                data = path.read_bytes()
                if hashlib.sha256(data).hexdigest() == document.sha256:
                    return data
        raise KewenError("not_found", "这份资料的原文件已不在，或已换成别的版本，没有页面图；文字不受影响。")

    def _paths(self, document: DocumentInfo) -> Iterator[Path]:
        """Where the file may be: among the user's own, or in the folder of reports."""
        yield self._assistant.documents_store.object_path(document.sha256)
        with suppress(LibraryError):
            yield from (x.path for x in self._assistant.library() if x.id == document.id)


def box_words(text: str, page: Span, spans: Sequence[Span], places: Sequence[Place] | None) -> tuple[Box, ...] | None:
    """The boxes of the characters of `spans` that stand on a page, in their order; None where their place isn't known.

    `page` is the extent of the page in the text, `places` a Place for each of its characters but for white space. There is
    a box for each line of each span.
    """
    wanted = [(max(a, page[0]), min(b, page[1])) for a, b in spans]
    wanted = [(a, b) for a, b in wanted if text[a:b].strip()]
    if not wanted:
        return ()
    if places is None:
        return None
    boxes: list[list[float]] = []
    for start, end in wanted:
        first = sum(not c.isspace() for c in text[page[0] : start])
        count = sum(not c.isspace() for c in text[start:end])
        line = -1
        for x0, y0, x1, y1, at in places[first : first + count]:
            if at == line:
                last = boxes[-1]
                boxes[-1] = [min(last[0], x0), min(last[1], y0), max(last[2], x1), max(last[3], y1)]
            else:
                boxes.append([x0, y0, x1, y1])
            line = at
    return tuple((x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)) for x0, y0, x1, y1 in boxes)


def _check_version(document: DocumentInfo, version: str) -> None:
    if version and version != document.sha256:
        raise KewenError("not_found", f"《{document.title}》刚刚换成了别的版本。请关闭原文后重新打开。")


def _extent(document: DocumentInfo, page: int) -> Span:
    """Where page `page`, from 1, begins and ends in the document's text.

    Raises:
        KewenError: `not_found`.
    """
    if document.media_type != PDF:
        raise KewenError("not_found", f"《{document.title}》不是 PDF，没有页面图。")
    starts = document.page_starts
    if not 1 <= page <= len(starts):
        raise KewenError("not_found", f"《{document.title}》没有第 {echo(page, 20)} 页，共 {len(starts)} 页。")
    return starts[page - 1], starts[page] if page < len(starts) else document.characters


def _name(document: DocumentInfo) -> str:
    return document.file or document.title


@contextmanager
def _refusals() -> Iterator[None]:
    """Why a file can't be had, as an error of the service."""
    try:
        yield
    except ReadError as error:
        raise KewenError("document_rejected", error.message, {"reason": error.code}) from error


class _Kept:
    """The last things that were asked for, up to so many bytes of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._things: OrderedDict[Any, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any, make: Callable[[], tuple[_T, int]]) -> _T:  # noqa: ANN401 - whatever can be hashed
        """What is kept under a key, else what `make` gives, with its size in bytes."""
        with self._lock:
            if key in self._things:
                self._things.move_to_end(key)
                thing: _T = self._things[key][0]
                return thing
        thing, size = make()
        with self._lock:
            if key not in self._things and size <= self._most:
                self._things[key] = thing, size
                self._size += size
            while self._size > self._most:
                _, (_, dropped) = self._things.popitem(last=False)
                self._size -= dropped
        return thing
