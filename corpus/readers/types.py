"""What every reader takes and gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from corpus.types import HeadingMark

Step = Callable[[int, int], None]
"""Called while a file is read: how many pages (or other parts) are done, and of how many. A sign of life."""


def silent(done: int, total: int) -> None:
    """A Step that nobody hears."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a reader may do: whom it tells of its progress, and whether it recognises what is only a picture."""

    step: Step = silent
    ocr: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A file as text, and what its format says beside the text.

    `encoding` is the codec that decoded it, where there was one to choose. `page_starts` and `heading_marks` as in
    `Document`. `title` is what the file itself gives as its title and `title_basis` where, in Chinese (`封面最大的字`);
    `dated` is the day on which it was made by its own account, `2026-02-11`. `notes` are Chinese, one line each: what was
    left out and why (`第12页为扫描件，未识别`). `pages_without_text` are numbers of pages, from 1.
    """

    text: str
    media_type: str
    encoding: str | None = None
    heading_marks: tuple[HeadingMark, ...] = ()
    page_starts: tuple[int, ...] = ()
    title: str | None = None
    title_basis: str | None = None
    dated: str | None = None
    notes: tuple[str, ...] = ()
    pages_without_text: tuple[int, ...] = ()


def reading_from(record: dict[str, Any]) -> Reading:
    """A Reading of JSON as `dataclasses.asdict` gave it.

    Raises:
        KeyError, TypeError or ValueError: it is none.
    """
    lists = {name: tuple(record[name]) for name in ("page_starts", "notes", "pages_without_text")}
    marks = tuple(HeadingMark(int(x["start"]), int(x["level"])) for x in record["heading_marks"])
    return Reading(**{**record, **lists, "heading_marks": marks})


class Reader(Protocol):
    """One format. `read` never changes the text that it finds: offsets are counted in it."""

    def accepts(self, name: str, data: bytes) -> bool:
        """Whether this reader is the one for a file of that name with those bytes. The bytes outweigh the name."""

    def read(self, name: str, data: bytes, options: ReadOptions) -> Reading:
        """The file's text.

        Raises:
            ReadError: with one of `STATUSES`.
        """


STATUSES = (
    "empty",
    "no_text_layer",
    "encrypted",
    "corrupt",
    "unsupported",
    "too_large",
    "too_many_pages",
    "timeout",
    "memory_limit",
    "decode_error",
    "parser_crashed",
)
"""Why a file can't be read."""


class ReadError(Exception):
    """A file can't be read; `code` is its document status, the message says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
