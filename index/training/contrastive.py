"""Contrastive training of averaged token vectors on (query, passage) pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from index.training.data import PairGroup, unique_texts
from index.training.tokens import TokenRows, tokenize

BATCH, SCALE, LEARNING_RATE = 2048, 20.0, 0.01
# How much one kind of pair counts beside its number: questions are few and the closest to use,
# dictionary entries are many and short.
KIND_WEIGHTS = {
    "gloss": 0.5, "t2s": 0.3, "synonym": 0.5, "qa": 4.0, "par": 2.5, "head": 1.5, "ict": 1.5,
    "xdict": 2.0, "xkw": 1.2,
}  # fmt: skip
_SIZE_EXPONENT = 0.7
_SMALLEST_GROUP = 64
_BETAS, _EPSILON = (0.9, 0.999), 1e-8


class PairIds(NamedTuple):
    """Pairs of one group as indices into the table of unique texts, each int64 `[pairs]`."""

    queries: NDArray[np.int64]
    passages: NDArray[np.int64]


class LazyAdam:
    """Adam (Kingma and Ba, 2015) over the rows of a matrix that a step touches, and only those."""

    def __init__(self, vectors: Tensor) -> None:
        """`vectors` float32 `[vocabulary, dims]` are changed in place."""
        self.vectors = vectors
        self.mean = torch.zeros_like(vectors)
        self.square = torch.zeros_like(vectors)
        self.steps = 0

    def step(self, rows: Tensor, gradient: Tensor, rate: float) -> None:
        """Move `rows` (int64 `[touched]`, unique) against `gradient` float32 `[touched, dims]`."""
        self.steps += 1
        mean = self.mean[rows].lerp_(gradient, 1 - _BETAS[0])
        square = self.square[rows].lerp_(gradient.square(), 1 - _BETAS[1])
        self.mean[rows], self.square[rows] = mean, square
        size = rate / (1 - _BETAS[0] ** self.steps)
        spread = square.div_(1 - _BETAS[1] ** self.steps).sqrt_().add_(_EPSILON)
        self.vectors.index_add_(0, rows, mean.div_(spread), alpha=-size)


def train(
    tokenizer: Tokenizer,
    groups: Sequence[PairGroup],
    start: NDArray[np.float32],
    steps: int,
    seed: int,
) -> NDArray[np.float32]:
    """Train from `start` and return the vectors, both float32 `[vocabulary, dims]`."""
    texts = unique_texts(list(groups))
    rows = tokenize(tokenizer, texts)
    pairs = pair_ids(groups, texts)
    vectors = torch.from_numpy(start.copy())
    optimiser = LazyAdam(vectors)
    progress = tqdm(batches(groups, pairs, steps, seed), total=steps, desc="contrastive")
    for step, batch in enumerate(progress):
        loss = train_step(optimiser, rows, batch, LEARNING_RATE * (1 - step / steps))
        progress.set_postfix(loss=f"{loss:.3f}", refresh=False)
    trained: NDArray[np.float32] = vectors.numpy()
    return trained


def train_step(optimiser: LazyAdam, rows: TokenRows, batch: PairIds, rate: float) -> float:
    """One step on one batch; returns its loss."""
    ids = [torch.from_numpy(rows.row(int(text))) for side in batch for text in side]
    lengths = torch.tensor([0, *(len(row) for row in ids)])
    touched, places = torch.unique(torch.cat(ids), return_inverse=True)
    used = optimiser.vectors[touched].requires_grad_()
    offsets = torch.cumsum(lengths, 0)[:-1]
    means = functional.embedding_bag(places, used, offsets, mode="mean")
    queries, passages = functional.normalize(means).chunk(2)
    loss = in_batch_loss(queries, passages, batch)
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it without types
    if used.grad is not None:
        optimiser.step(touched.long(), used.grad, rate)
    return float(loss.detach())


def in_batch_loss(queries: Tensor, passages: Tensor, batch: PairIds) -> Tensor:
    """Symmetric cross-entropy over the batch's own negatives (Henderson et al., 2017).

    `queries` and `passages` are unit rows `[pairs, dims]`. Another pair with the same query or the
    same passage is no negative: its score is masked.
    """
    scores = SCALE * queries @ passages.T
    same = torch.zeros_like(scores, dtype=torch.bool)
    for side in batch:
        texts = torch.from_numpy(side)
        same |= texts[:, None] == texts[None, :]
    scores = scores.masked_fill(same.fill_diagonal_(False), -torch.inf)
    wanted = torch.arange(len(scores))
    forward = functional.cross_entropy(scores, wanted)
    return (forward + functional.cross_entropy(scores.T, wanted)) / 2


def batches(groups: Sequence[PairGroup], pairs: Sequence[PairIds], steps: int, seed: int) -> Iterator[PairIds]:
    """`steps` batches, each of one group; a group is drawn by size^0.7 × the weight of its kind.

    Each group is gone through in random order before any of its pairs comes again.
    """
    generator = np.random.default_rng(seed)
    sizes = np.array([len(group.queries) for group in groups], dtype=np.float64)
    kinds = np.array([KIND_WEIGHTS.get(group.kind, 1.0) for group in groups])
    shares = np.where(sizes >= _SMALLEST_GROUP, sizes**_SIZE_EXPONENT * kinds, 0.0)
    orders = [generator.permutation(len(ids.queries)) for ids in pairs]
    used = [0] * len(groups)
    for drawn in generator.choice(len(groups), size=steps, p=shares / shares.sum()):
        size = min(BATCH, len(orders[drawn]))
        if used[drawn] + size > len(orders[drawn]):
            orders[drawn], used[drawn] = generator.permutation(len(orders[drawn])), 0
        chosen = orders[drawn][used[drawn] : used[drawn] + size]
        used[drawn] += size
        yield PairIds(pairs[drawn].queries[chosen], pairs[drawn].passages[chosen])


def pair_ids(groups: Sequence[PairGroup], texts: Sequence[str]) -> list[PairIds]:
    """The groups' pairs by the places of their texts in `texts`."""
    places = {text: place for place, text in enumerate(texts)}
    return [
        PairIds(
            np.array([places[text] for text in group.queries], dtype=np.int64),
            np.array([places[text] for text in group.passages], dtype=np.int64),
        )
        for group in groups
    ]
