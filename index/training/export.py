"""The word table as the files that `index/encoders.py` reads."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save
from tokenizers import Tokenizer

from index.encoders import unit_rows
from index.interaction import THRESHOLD
from index.training.vocabulary import SPECIAL

FORMAT = "kewen-words-1"
# What decides the vectors: `files.json` lists their sums, by which an encoder is recognised.
_FILES = ("config.json", "model.safetensors", "tokenizer.json")


def write_model(folder: Path, tokenizer: Tokenizer, vectors: NDArray[np.float32], weights: NDArray[np.float32]) -> None:
    """Write table, tokenizer and configuration into `folder`.

    `vectors` float32 `[rows, dims]` and `weights` float32 `[rows]`, positive. Words' vectors are brought to length
    1; those of the shared rows keep theirs, which says how much a number or a name is like any other.
    """
    rows = unit_rows(vectors)
    rows[: len(SPECIAL)] = vectors[: len(SPECIAL)]
    rows[0] = 0.0
    embeddings, scales = quantise(rows)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = save({"embeddings": embeddings, "scales": scales, "weights": weights.astype(np.float32)})
    (folder / "model.safetensors").write_bytes(tensors)  # `save_file` hides it from other users
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    _write_json(folder / "config.json", {"format": FORMAT, "dim": vectors.shape[1], "threshold": THRESHOLD})
    _write_json(folder / "files.json", {name: _sha256(folder / name) for name in _FILES})


def quantise(rows: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 `[rows, dims]` and float32 `[rows]`: row ≈ int8 row × its scale.

    Symmetric quantisation, one scale a row: the largest value of a row becomes ±127.
    """
    scales = (np.abs(rows).max(axis=1) / 127).astype(np.float32)
    divisors = np.where(scales > 0, scales, 1.0)[:, None]
    return np.rint(rows / divisors).astype(np.int8), scales


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
