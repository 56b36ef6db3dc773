"""What can be wrong with an index on disk."""

from __future__ import annotations

from contextlib import AbstractContextManager

from corpus import storage


class IndexProblem(storage.StorageProblem):
    """The index can't be used or changed; `code` is stable, the message says in Chinese what to do."""


def storage_errors(doing: str) -> AbstractContextManager[None]:
    """Turn an operating system's error into an IndexProblem: `insufficient_storage` or `storage_error`."""
    return storage.storage_errors(doing, IndexProblem)
