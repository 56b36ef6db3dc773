"""Vectors that were made elsewhere, by machines that share the work: what is to be embedded, and the files that come back.

A file is a safetensors file of `keys`, uint8 `[n, 32]`, the sha256 of each text, and `vectors`, float16 `[n, dim]`, rows of
length 1 or 0. It names the encoder that it was made by.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.library import Library, LibraryError
from index.batches import piece_texts
from index.dense import Pieces
from index.derive import keys_of
from index.parts import read_part
from index.storage import IndexProblem
from index.types import Encoder, Floats
from index.vectors import map_tensors, tensor_metadata

_ENDING = ".safetensors"
_BLOCK = 1 << 16
_LENGTH = 0.01
"""How far from 1 the length of a row may be: half precision rounds."""


def library_texts(library: Library, document_ids: Collection[str], in_pieces: bool) -> Iterator[list[str]]:
    """What an index embeds of some documents, document by document: passages, or their `in_pieces`, and expansions.

    `in_pieces` is for an encoder with late interaction. A document that can't be read has nothing to embed.
    """
    for entry in library:
        if entry.id in document_ids:
            try:
                part = read_part(library, entry, "")
            except LibraryError:
                continue
            yield piece_texts([part], in_pieces)


def vectors_path(folder: Path, texts: Sequence[str]) -> Path:
    """Where the vectors of these texts are written: the same texts, the same file."""
    return folder / (hashlib.sha256(keys_of(texts).tobytes()).hexdigest()[:32] + _ENDING)


def write_vectors(path: Path, texts: Sequence[str], vectors: Floats, encoder: Encoder) -> None:
    """Write the vectors of texts, `[len(texts), dim]`, as `read_vectors` reads them; whole or not at all.

    Raises:
        OSError: it can't be written.
    """
    from safetensors.numpy import save_file  # beside any transformer

    tensors: dict[str, npt.NDArray[Any]] = {
        "keys": keys_of(texts),
        "vectors": np.ascontiguousarray(vectors, dtype=np.float16),
    }
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, {"encoder": encoder.fingerprint, "name": encoder.name})
    partial.replace(path)


def read_vectors(path: Path, encoder: Encoder) -> list[Pieces]:
    """The vectors of a file, or of all files of a folder, mapped.

    Raises:
        IndexProblem: `vectors_unusable`, where there is none, one is damaged, or one is of another encoder.
    """
    files = sorted(path.glob(f"*{_ENDING}")) if path.is_dir() else [path]
    if not files:
        raise _unusable(path, f"文件夹中没有 {_ENDING} 文件")
    return [_read(file, encoder) for file in files]


def _read(file: Path, encoder: Encoder) -> Pieces:
    try:
        said, tensors = tensor_metadata(file), map_tensors(file)
        keys, vectors = tensors["keys"], tensors["vectors"]
    except FileNotFoundError as error:
        raise _unusable(file, "没有这个文件") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unusable(file, "不是完整的向量文件") from error
    if said.get("encoder") != encoder.fingerprint:
        made_by = said.get("name", "不明的编码器")
        again = "的另一个版本" if made_by == encoder.name else " "
        raise _unusable(file, f"由 {made_by}{again}算出，现在的编码器是 {encoder.name}")
    if (keys.dtype, keys.shape[1:]) != (np.dtype(np.uint8), (32,)) or len(keys) != len(vectors):
        raise _unusable(file, "不是完整的向量文件")
    if (vectors.dtype, vectors.shape[1:]) != (np.dtype(np.float16), (encoder.dim,)):
        raise _unusable(file, f"其中的向量不是 {encoder.dim} 维的 float16")
    for start in range(0, len(vectors), _BLOCK):
        lengths = np.linalg.norm(vectors[start : start + _BLOCK].astype(np.float32), axis=1)
        if not ((np.abs(lengths - 1) < _LENGTH) | (lengths == 0)).all():  # what is not finite is neither
            raise _unusable(file, "其中有的向量长度不是 1")
    return Pieces(np.asarray(vectors), np.array([0, len(keys)], dtype=np.int64), np.asarray(keys))


def _unusable(file: Path, reason: str) -> IndexProblem:
    return IndexProblem("vectors_unusable", f"向量文件 {file.name} 不可用：{reason}。索引没有改动。")
