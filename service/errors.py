"""Every error that a user can meet: a stable code, its HTTP status, its exit code, and a Chinese message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from corpus.library import LibraryError
from corpus.storage import StorageProblem
from index.encoders import EncoderUnavailable

_LISTED = 20
ECHO = 200
"""At most so many characters of the input stand in a message."""

OK, NOTHING, USAGE, PARTIAL, DAMAGED, LOCKED, STORAGE, MODEL, UNSAFE = range(9)
"""Exit codes of the command line."""
DEFECT = 70
"""Exit code where kewen itself is at fault (sysexits.h: EX_SOFTWARE)."""

# code: (HTTP status, exit code)
CODES: Mapping[str, tuple[int, int]] = {
    "bad_json": (400, USAGE),
    "auth_required": (401, USAGE),
    "bad_signature": (403, USAGE),
    "origin_forbidden": (403, USAGE),
    "scope_forbidden": (403, USAGE),
    "not_found": (404, USAGE),
    "model_not_found": (404, USAGE),
    "unknown_knowledge": (404, USAGE),
    "backend_unsupported": (422, USAGE),
    "method_not_allowed": (405, USAGE),
    "request_timeout": (408, USAGE),
    "index_locked": (409, LOCKED),
    "model_mismatch": (409, MODEL),
    "body_too_large": (413, USAGE),
    "unsupported_type": (415, USAGE),
    "host_forbidden": (421, USAGE),
    "document_rejected": (422, PARTIAL),
    "invalid_request": (422, USAGE),
    "empty_query": (422, USAGE),
    "query_too_long": (422, USAGE),
    "unknown_field": (422, USAGE),
    "unknown_mode": (422, USAGE),
    "unknown_operator": (422, USAGE),
    "unknown_year": (422, USAGE),
    "unknown_document": (422, USAGE),
    "too_many_requests": (429, USAGE),
    "internal_error": (500, USAGE),
    "invalid_setting": (500, USAGE),
    "library_error": (500, PARTIAL),
    "busy": (503, USAGE),
    "backend_denied": (502, USAGE),
    "backend_incompatible": (502, USAGE),
    "backend_unavailable": (503, USAGE),
    "index_unavailable": (503, DAMAGED),
    "library_damaged": (503, DAMAGED),
    "model_unavailable": (503, MODEL),
    "llm_unavailable": (503, MODEL),
    "missing_extra": (503, MODEL),
    "insufficient_storage": (507, STORAGE),
    "storage_error": (507, STORAGE),
    "unsafe_configuration": (500, UNSAFE),
}
INDEX_CODES = {
    "index_missing": "index_unavailable",
    "index_damaged": "index_unavailable",
    "index_incompatible": "index_unavailable",
    "no_documents": "library_error",
    "vectors_unusable": "invalid_request",
}


@dataclass(slots=True)
class KewenError(Exception):
    """`code` is one of `CODES`; `message` is Chinese and says what is wrong and what to do."""

    code: str
    message: str
    detail: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"unknown error code {self.code!r}")

    def __str__(self) -> str:
        return self.message

    @property
    def status(self) -> int:
        return CODES[self.code][0]

    @property
    def exit_code(self) -> int:
        return CODES[self.code][1]


def user_error(problem: StorageProblem) -> KewenError:
    """What is wrong with the index or the library, as the user is told of it."""
    return KewenError(INDEX_CODES.get(problem.code, problem.code), problem.message)


@contextmanager
def user_errors() -> Iterator[None]:
    """Turn what the index, the library and the encoders raise into a KewenError."""
    try:
        yield
    except StorageProblem as error:
        raise user_error(error) from error
    except EncoderUnavailable as error:
        raise KewenError("model_unavailable", str(error)) from error
    except LibraryError as error:
        # A manifest that can't be used is a wrong setting; a document that can't is one of many.
        code = {"manifest": "invalid_setting", "catalogue": "library_damaged"}.get(
            error.code.partition("_")[0], "library_error"
        )
        raise KewenError(code, error.message, {"reason": error.code}) from error


def listed(names: Iterable[str]) -> str:
    """Names as they may stand in a message: not a thousand of them."""
    names = list(names)
    return "、".join(names[:_LISTED]) + (f" 等 {len(names)} 个" if len(names) > _LISTED else "")


def echo(value: object, limit: int = ECHO) -> str:
    """Input as it may stand in a message: short, and without what a terminal would obey."""
    text = str(value)
    printable = "".join(c if c.isprintable() else "�" for c in text[: limit + 1])
    return printable if len(printable) <= limit else printable[: limit - 1] + "…"
