"""Training of word vectors and word weights on pairs, with a teacher's judgement of the same pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from index.training.data import PairGroup
from index.training.interaction import Used, Wanted, WordTable, loss, score
from index.training.tokens import TokenRows, pad

LEARNING_RATE, WEIGHT_RATE, WARM_UP = 0.0004, 0.005, 100
BATCH = 80
# Share of a query's words that its passage has too and that are left out: BM25 finds those, others are to be learnt.
DROPPED = 0.6
_NOT_DROPPED = {"terms", "gloss"}
# Long passages make small batches, short ones large.
_BATCH_OF = {"qa": 64, "cloze": 64, "gloss": 256, "terms": 256, "para": 256}
# Distinct words of a query and of a passage; of longer ones so many are drawn.
_QUERY_WORDS, _PASSAGE_WORDS = 24, 96
_QUERY_WORDS_OF = {"par": 40}
_PASSAGE_WORDS_OF = {"qa": 200, "cloze": 200}
# How much one kind of pair counts beside its number: questions are few and the closest to use, dictionary entries
# are many and short.
KIND_WEIGHTS = {
    "gloss": 0.35, "qa": 4.0, "cloze": 0.3, "par": 2.0, "head": 0.5, "ict": 1.0, "xdict": 2.0, "xkw": 1.0, "kw": 0.25,
    "para": 0.6, "title": 0.7, "everyday": 4.0, "terms": 1.5,
}  # fmt: skip
# Kinds that the teacher is not asked about.
UNTAUGHT = {"gloss"}
_SIZE_EXPONENT = 0.7
_SMALLEST_GROUP = 64
_BETAS, _EPSILON = (0.9, 0.999), 1e-8


class Texts(NamedTuple):
    """Each query, or each passage, once; those of pairs that the teacher judges are `judged`, and come first."""

    judged: list[str]
    others: list[str]

    @property
    def texts(self) -> list[str]:
        """All of them."""
        return self.judged + self.others


class Side(NamedTuple):
    """All queries, or all passages: the words of each text, and the teacher's vectors of the first of them.

    `taught` is float16 `[texts that the teacher was asked about, dim]`; those texts stand before the others.
    """

    rows: TokenRows
    taught: NDArray[np.float16]


class PairIds(NamedTuple):
    """Pairs of one kind as places in the two `Side`s, each int64 `[pairs]`."""

    kind: str
    queries: NDArray[np.int64]
    passages: NDArray[np.int64]


class LazyAdam:
    """Adam (Kingma and Ba, 2015) over the rows of a tensor that a step touches, and only those."""

    def __init__(self, values: Tensor) -> None:
        """`values` float32 `[rows, …]` are changed in place."""
        self.values = values
        self.mean = torch.zeros_like(values)
        self.square = torch.zeros_like(values)
        self.steps = 0

    def step(self, rows: Tensor, gradient: Tensor, rate: float) -> None:
        """Move `rows` (int64 `[touched]`, unique) against `gradient` float32 `[touched, …]`."""
        self.steps += 1
        mean = self.mean[rows].lerp_(gradient, 1 - _BETAS[0])
        square = self.square[rows].lerp_(gradient.square(), 1 - _BETAS[1])
        self.mean[rows], self.square[rows] = mean, square
        size = rate / (1 - _BETAS[0] ** self.steps)
        spread = square.div_(1 - _BETAS[1] ** self.steps).sqrt_().add_(_EPSILON)
        self.values.index_add_(0, rows, mean.div_(spread), alpha=-size)


class Trainer:
    """The table that is learnt, its optimisers, and the batches of one run."""

    def __init__(self, table: WordTable, queries: Side, passages: Side, pairs: Sequence[PairIds], seed: int) -> None:
        """`table` is changed in place; pairs with a side without words, and groups of few pairs, are left out."""
        self.table = table
        self._sides = queries, passages
        self._shared = torch.optim.Adam(table.parameters, lr=LEARNING_RATE)
        self._weights = LazyAdam(table.weights)
        self._generator = np.random.default_rng(seed)
        worded = [_with_words(group, queries.rows, passages.rows) for group in pairs]
        self.pairs = [group for group in worded if len(group.queries) >= _SMALLEST_GROUP]

    def run(self, steps: int) -> list[float]:
        """Train for `steps` batches and return their losses.

        Raises:
            ValueError: no group has enough pairs.
        """
        if not self.pairs:
            raise ValueError(f"no kind of pair has {_SMALLEST_GROUP} pairs")
        losses: list[float] = []
        progress = tqdm(self._batches(steps), total=steps, desc="late interaction")
        for step, batch in enumerate(progress):
            losses.append(self._step(batch, min(1.0, step / WARM_UP) * (1 - step / steps)))
            progress.set_postfix(loss=f"{np.mean(losses[-100:]):.3f}", refresh=False)
        return losses

    def _step(self, batch: PairIds, share: float) -> float:
        """One step with `share` of the learning rates; returns the batch's loss."""
        queries, passages = self._sides
        asked = pad(queries.rows, batch.queries, _QUERY_WORDS_OF.get(batch.kind, _QUERY_WORDS), self._generator)
        offered = pad(passages.rows, batch.passages, _PASSAGE_WORDS_OF.get(batch.kind, _PASSAGE_WORDS), self._generator)
        if batch.kind not in _NOT_DROPPED:
            asked = without_common(asked, offered, self._generator)
        scores, used = score(self.table, asked, offered)
        value = loss(scores, self._wanted(batch))
        value.backward()  # type: ignore[no-untyped-call]  # torch leaves it without types
        self._move(used, share)
        return float(value.detach())

    def _wanted(self, batch: PairIds) -> Wanted:
        asked, offered = batch.queries, batch.passages
        same = (asked[:, None] == asked[None]) | (offered[:, None] == offered[None])
        np.fill_diagonal(same, False)
        teacher = None
        if batch.kind not in UNTAUGHT:
            queries, passages = self._sides
            judged = queries.taught[asked].astype(np.float32) @ passages.taught[offered].astype(np.float32).T
            teacher = torch.from_numpy(judged)
        return Wanted(torch.from_numpy(same), teacher)

    def _move(self, used: Used, share: float) -> None:
        for group in self._shared.param_groups:
            group["lr"] = LEARNING_RATE * share
        self._shared.step()
        self._shared.zero_grad()
        free = used.rows >= self.table.settled
        if used.weights.grad is not None and free.any():
            self._weights.step(used.rows[free], used.weights.grad[free], WEIGHT_RATE * share)

    def _batches(self, steps: int) -> Iterator[PairIds]:
        """`steps` batches, each of one group; a group is drawn by size^0.7 × the weight of its kind.

        Each group is gone through in random order before any of its pairs comes again.
        """
        sizes = np.array([len(group.queries) for group in self.pairs])
        shares = sizes**_SIZE_EXPONENT * [KIND_WEIGHTS.get(group.kind, 1.0) for group in self.pairs]
        orders = [self._generator.permutation(size) for size in sizes]
        done = [0] * len(sizes)
        for drawn in self._generator.choice(len(sizes), size=steps, p=shares / shares.sum()):
            group = self.pairs[drawn]
            size = min(_BATCH_OF.get(group.kind, BATCH), sizes[drawn])
            if done[drawn] + size > sizes[drawn]:
                orders[drawn], done[drawn] = self._generator.permutation(sizes[drawn]), 0
            chosen = orders[drawn][done[drawn] : done[drawn] + size]
            done[drawn] += size
            yield PairIds(group.kind, group.queries[chosen], group.passages[chosen])


def without_common(
    queries: NDArray[np.int64], passages: NDArray[np.int64], generator: np.random.Generator
) -> NDArray[np.int64]:
    """`queries` with most words that the passage of the same row has replaced by padding; never all words of a query.

    Both int64 `[pairs, words]`, padded with -1.
    """
    common = np.array([np.isin(query, passage) for query, passage in zip(queries, passages, strict=True)])
    left_out = common & (queries >= 0) & (generator.random(queries.shape) < DROPPED)
    left_out[(left_out | (queries < 0)).all(axis=1)] = False
    return np.where(left_out, -1, queries)


def distinct(groups: Sequence[PairGroup], side: Literal["queries", "passages"]) -> Texts:
    """The texts of one side of all pairs."""
    judged: dict[str, None] = {}
    others: dict[str, None] = {}
    for group in groups:
        texts = group.queries if side == "queries" else group.passages
        (others if group.kind in UNTAUGHT else judged).update(dict.fromkeys(texts))
    return Texts(list(judged), [text for text in others if text not in judged])


def pair_ids(groups: Sequence[PairGroup], queries: Sequence[str], passages: Sequence[str]) -> list[PairIds]:
    """The groups' pairs by the places of their texts in `queries` and `passages`."""
    asked = {text: place for place, text in enumerate(queries)}
    offered = {text: place for place, text in enumerate(passages)}
    return [
        PairIds(
            group.kind,
            np.array([asked[text] for text in group.queries], dtype=np.int64),
            np.array([offered[text] for text in group.passages], dtype=np.int64),
        )
        for group in groups
    ]


def _with_words(group: PairIds, queries: TokenRows, passages: TokenRows) -> PairIds:
    kept = (queries.lengths[group.queries] > 0) & (passages.lengths[group.passages] > 0)
    return PairIds(group.kind, group.queries[kept], group.passages[kept])
