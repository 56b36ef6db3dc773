"""The trained vectors as files that `model2vec` and `sentence-transformers` both load."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save
from scipy import sparse
from tokenizers import Tokenizer

from index.training.measure import Encode
from index.training.tokens import UNKNOWN_ID, tokenize

# What decides the vectors: `files.json` lists their sums, by which an encoder is recognised.
_FILES = ("config.json", "model.safetensors", "modules.json", "tokenizer.json")
_MODULES = "sentence_transformers.models"


def write_model(folder: Path, tokenizer: Tokenizer, vectors: NDArray[np.float32]) -> None:
    """Write weights, tokenizer and configuration into `folder`.

    `vectors` are float32 `[vocabulary, dims]`. The unknown token's row is made zero: model2vec
    leaves that token out and sentence-transformers averages it in, and both means then point the
    same way.
    """
    rows = vectors.copy()
    rows[UNKNOWN_ID] = 0.0
    embeddings, weights = quantise(rows)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = save({"embeddings": embeddings, "weights": weights})
    (folder / "model.safetensors").write_bytes(tensors)  # `save_file` hides it from other users
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    config = {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "hidden_dim": vectors.shape[1],
        "normalize": True,
        "max_length": None,
        "embedding_dtype": "int8",
    }
    modules = [
        {"idx": 0, "name": "0", "path": ".", "type": f"{_MODULES}.StaticEmbedding"},
        {"idx": 1, "name": "1", "path": "1_Normalize", "type": f"{_MODULES}.Normalize"},
    ]
    _write_json(folder / "config.json", config)
    _write_json(folder / "modules.json", modules)
    _write_json(folder / "files.json", {name: _sha256(folder / name) for name in _FILES})


def quantise(rows: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 `[vocabulary, dims]` and float32 `[vocabulary]`: row ≈ int8 row × its weight.

    Symmetric quantisation, one scale a row: the largest value of a row becomes ±127.
    """
    weights = (np.abs(rows).max(axis=1) / 127).astype(np.float32)
    divisors = np.where(weights > 0, weights, 1.0)[:, None]
    return np.rint(rows / divisors).astype(np.int8), weights


def load_encoder(folder: Path) -> Encode:
    """The exported files as a function: normalised texts → unit rows float32 `[texts, dims]`.

    A text without known tokens becomes a zero row.
    """
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tensors = load_file(folder / "model.safetensors")
    embeddings, weights = tensors["embeddings"], tensors["weights"]

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), embeddings.shape[1]), dtype=np.float32)
        for first in range(0, len(texts), 1024):
            rows = tokenize(tokenizer, texts[first : first + 1024])
            used, places = np.unique(rows.ids, return_inverse=True)
            shape = (len(rows.starts) - 1, len(used))
            sums = sparse.csr_matrix((weights[rows.ids], places, rows.starts), shape=shape)
            vectors[first : first + 1024] = sums @ embeddings[used].astype(np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: NDArray[np.float32] = vectors / np.maximum(lengths, 1e-12)
        return unit

    return encode


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
