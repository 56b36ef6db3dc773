"""Starting vectors from co-occurrence counts: PPMI, factored by a truncated SVD.

Dictionary entries and parallel sentences count as lines of mixed language, so that words of both
languages that translate each other start close together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from tokenizers import Tokenizer
from tqdm import tqdm

from index.training.tokens import TokenRows, document_frequencies, join_rows, tokenize

WINDOW = 6
# Adam's steps have a fixed size: long rows keep more of the start. Of 1, 4 and 10, 4 did best.
LENGTH = 4.0
_SMOOTHING = 0.75
_OVERSAMPLING, _POWER_ITERATIONS = 64, 3


def initial_vectors(
    tokenizer: Tokenizer,
    texts: Sequence[str],
    bilingual: Sequence[tuple[str, str]],
    dims: int,
    seed: int,
) -> NDArray[np.float32]:
    """Vectors of all tokens, float32 `[vocabulary, dims]`, rows of length 4 idf / mean idf.

    The inverse document frequency makes the mean of a text's rows listen to its rare words
    before anything is trained. Tokens that were never seen get zero rows.
    """
    size = tokenizer.get_vocab_size()
    rows = tokenize(tokenizer, texts)
    mixed = mixed_rows(tokenizer, bilingual)
    counts = co_occurrences(rows, size) + co_occurrences(mixed, size)
    vectors = factor(ppmi(counts), dims, seed)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors /= np.maximum(lengths, 1e-12)
    frequencies = document_frequencies(rows, size) + document_frequencies(mixed, size)
    documents = len(texts) + len(bilingual)
    idf = np.log(documents / np.maximum(frequencies, 1)).astype(np.float32)
    scaled: NDArray[np.float32] = vectors * (LENGTH * idf / idf.mean())[:, None]
    return scaled


def mixed_rows(tokenizer: Tokenizer, bilingual: Sequence[tuple[str, str]]) -> TokenRows:
    """Each (English, Chinese) pair as one row of ids, both sides interleaved by position.

    A pseudo-bilingual text (Vulić and Moens, 2016): what stands at the same relative place on both
    sides falls into one window.
    """
    english = tokenize(tokenizer, [pair[0] for pair in bilingual])
    chinese = tokenize(tokenizer, [pair[1] for pair in bilingual])
    rows: list[NDArray[np.int32]] = []
    for text in range(len(bilingual)):
        sides = english.row(text), chinese.row(text)
        places = np.concatenate([(np.arange(len(ids)) + 0.5) / max(len(ids), 1) for ids in sides])
        rows.append(np.concatenate(sides)[np.argsort(places, kind="stable")])
    return join_rows(rows)


def co_occurrences(rows: TokenRows, size: int) -> sparse.csr_matrix:
    """How often two tokens stand within `WINDOW` places in one text, float32 `[size, size]`."""
    texts = np.repeat(np.arange(len(rows.starts) - 1), np.diff(rows.starts))
    total = sparse.csr_matrix((size, size), dtype=np.float32)
    for distance in tqdm(range(1, WINDOW + 1), desc="co-occurrences"):
        same = texts[:-distance] == texts[distance:]
        left, right = rows.ids[:-distance][same], rows.ids[distance:][same]
        ones = np.ones(len(left), dtype=np.float32)
        total += sparse.coo_matrix((ones, (left, right)), shape=(size, size)).tocsr()
    return total + total.T


def ppmi(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """Positive pointwise mutual information of symmetric `counts`, float32 `[size, size]`.

    PMI(w, c) = log(p(w, c) / (p(w) p_α(c))) with the contexts' counts raised to α = 0.75 (Levy,
    Goldberg and Dagan, 2015); made symmetric by smoothing both sides half-way.
    """
    sums = np.asarray(counts.sum(axis=1)).ravel()
    smoothed = np.maximum(sums, 1e-12) ** ((1 + _SMOOTHING) / 2)
    scale = sums.sum() ** -1 * smoothed.sum() ** 2
    cells = counts.tocoo()
    values = np.log(cells.data * scale / (smoothed[cells.row] * smoothed[cells.col]))
    kept = values > 0
    shape = counts.shape
    return sparse.csr_matrix((values[kept].astype(np.float32), (cells.row[kept], cells.col[kept])), shape=shape)


def factor(matrix: sparse.csr_matrix, dims: int, seed: int) -> NDArray[np.float32]:
    """Rows of U·√|Λ| of the `dims` largest eigenvalues of a symmetric `matrix`, `[size, dims]`.

    Randomised subspace iteration (Halko, Martinsson and Tropp, 2011), in float32.
    """
    generator = torch.Generator().manual_seed(seed)
    whole = torch.sparse_csr_tensor(
        torch.from_numpy(matrix.indptr.astype(np.int64)),
        torch.from_numpy(matrix.indices.astype(np.int64)),
        torch.from_numpy(matrix.data),
        size=matrix.shape,
    )
    basis = torch.randn(matrix.shape[0], dims + _OVERSAMPLING, generator=generator)
    for _ in tqdm(range(_POWER_ITERATIONS), desc="svd"):
        basis = torch.linalg.qr(whole @ basis).Q
    values, rotation = torch.linalg.eigh(basis.T @ (whole @ basis))
    largest = torch.argsort(values.abs(), descending=True, stable=True)[:dims]
    vectors = (basis @ rotation[:, largest]) * values[largest].abs().sqrt()
    found: NDArray[np.float32] = vectors.numpy()
    return found
