"""Arrays as files, read without a copy, and the rows of several tables put together."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from index.storage import Content, Data, Linked
from index.types import Ints

Array = npt.NDArray[Any]
_HEADER = 256
"""A header of ours is shorter."""


@dataclass(frozen=True, slots=True)
class Run:
    """Rows `[start, stop)` of one of several tables."""

    table: int
    start: int
    stop: int


def runs_of(picks: Iterable[tuple[int, int, int]]) -> list[Run]:
    """Rows as (table, start, stop), neighbours made one and empty ones left out.

    >>> runs_of([(0, 0, 2), (0, 2, 5), (1, 0, 1), (0, 7, 7)])
    [Run(table=0, start=0, stop=5), Run(table=1, start=0, stop=1)]
    """
    found: list[Run] = []
    for table, start, stop in picks:
        if start == stop:
            continue
        if found and (found[-1].table, found[-1].stop) == (table, start):
            found[-1] = Run(table, found[-1].start, stop)
        else:
            found.append(Run(table, start, stop))
    return found


def new_rows(runs: Sequence[Run], table: int, size: int) -> npt.NDArray[np.int32]:
    """Where each row of a table comes to stand, int32 `[size]`; -1 for one that is in no run."""
    places = np.full(size, -1, dtype=np.int32)
    row = 0
    for run in runs:
        length = run.stop - run.start
        if run.table == table:
            places[run.start : run.stop] = np.arange(row, row + length, dtype=np.int32)
        row += length
    return places


def starts_of(lengths: Iterable[Array]) -> Ints:
    """Where things of these lengths, one behind the other, begin and the last one ends: int64 `[n + 1]`."""
    return np.concatenate([[0], np.cumsum(np.concatenate([np.zeros(0, np.int64), *lengths]))]).astype(np.int64)


def array_content(*parts: Array) -> Content:
    """One npy file of at least one array, joined along their first axis; all have one type."""
    shape = (sum(len(x) for x in parts), *parts[0].shape[1:])
    header = io.BytesIO()
    described = {"descr": npy.dtype_to_descr(parts[0].dtype), "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(header, described)
    return [header.getvalue(), *(buffer_of(x) for x in parts if x.size)]


def buffer_of(array: Array) -> memoryview:
    """The bytes of an array, not copied where it is contiguous."""
    return np.ascontiguousarray(array).reshape(-1).data.cast("B")


def load_array(data: Data) -> Array:
    """The array of an npy file, read-only, over the very bytes.

    Raises:
        ValueError: it is no such file, or not whole, or would need pickle.
    """
    stream = io.BytesIO(data[:_HEADER])
    if npy.read_magic(stream) != (1, 0):
        raise ValueError("an npy file of another version")
    shape, fortran, dtype = npy.read_array_header_1_0(stream)
    start, count = stream.tell(), math.prod(shape)
    if dtype.hasobject or fortran or start + count * dtype.itemsize != len(data):
        raise ValueError("no plain array: pickle, another order or another length")
    return np.frombuffer(data, dtype, count, start).reshape(shape)


def whole(content: Content) -> bytes:
    """The content as one piece; what is linked is read."""
    if isinstance(content, Linked):
        return content.path.read_bytes()
    return content if isinstance(content, bytes) else b"".join(content)


def under(files: Mapping[str, Data], folder: str) -> dict[str, Data]:
    """The files of a folder, named from there."""
    return {name.removeprefix(folder): data for name, data in files.items() if name.startswith(folder)}


def beneath(folder: str, files: Mapping[str, Content]) -> dict[str, Content]:
    """Files put into a folder."""
    return {f"{folder}{name}": data for name, data in files.items()}
