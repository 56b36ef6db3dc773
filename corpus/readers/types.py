"""What every reader takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Reading:
    """A file as text. `encoding` is the codec that decoded it, where there was one to choose."""

    text: str
    media_type: str
    encoding: str | None = None


class Reader(Protocol):
    """One format. `read` never changes the text that it finds: offsets are counted in it."""

    def accepts(self, name: str, data: bytes) -> bool:
        """Whether this reader is the one for a file of that name with those bytes."""

    def read(self, name: str, data: bytes) -> Reading:
        """The file's text.

        Raises:
            ReadError: `empty`, `decode_error` or `corrupt`.
        """


class ReadError(Exception):
    """A file can't be read; `code` is its document status, the message says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
