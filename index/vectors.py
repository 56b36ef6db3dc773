"""Vectors as arrays: of length 1, and mapped from safetensors files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from index.types import Floats

_TYPES = {"I8": np.int8, "U8": np.uint8, "F16": np.float16, "F32": np.float32}


def unit_rows(vectors: Floats) -> Floats:
    """Rows divided by their length; a zero row stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Floats = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1e-12)
    return unit


def map_tensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The tensors of a safetensors file (8 bytes of length, a JSON header, the data), mapped, not read.

    A question touches a few rows of the table: reading it all would double the memory of `kewen ask`.

    Raises:
        ValueError, KeyError or OSError: it is no such file, or a part of it is missing.
    """
    start, header = _header(path)
    header.pop("__metadata__", None)
    return {
        name: np.memmap(path, _TYPES[x["dtype"]], "r", start + x["data_offsets"][0], tuple(x["shape"]))
        for name, x in header.items()
    }


def tensor_metadata(path: Path) -> dict[str, str]:
    """What a safetensors file says of itself, by name.

    Raises:
        ValueError or OSError: it is no such file.
    """
    said = _header(path)[1].get("__metadata__", {})
    if not isinstance(said, dict):
        raise ValueError("its metadata is no table")
    return {str(key): str(value) for key, value in said.items()}


def _header(path: Path) -> tuple[int, dict[str, Any]]:
    """Where the data begins, and the table of the tensors."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > path.stat().st_size:
            raise ValueError("no safetensors file")
        header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("no safetensors file")
    return 8 + length, header
