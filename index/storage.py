"""What the files of an index hold, and what can be wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from corpus import storage

Content = bytes | Sequence[bytes | memoryview]
"""What a file holds, whole or piece by piece: what is copied from an old file is never joined in memory."""


class IndexProblem(storage.StorageProblem):
    """The index can't be used or changed; `code` is stable, the message says in Chinese what to do."""


def storage_errors(doing: str) -> AbstractContextManager[None]:
    """Turn an operating system's error into an IndexProblem: `insufficient_storage` or `storage_error`."""
    return storage.storage_errors(doing, IndexProblem)
