"""Late interaction over word vectors, as torch sees it: scores of a batch, and how wrong they are.

Score(query, passage) = Σ w · relu(max cos - τ) / (1 - τ) / Σ w over the query's words, the maximum over the
passage's (Khattab and Zaharia, "ColBERT", SIGIR 2020); `index/interaction.py` is the same for use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from index.interaction import THRESHOLD
from index.training.vocabulary import SPECIAL

# What a cosine is multiplied with before softmax, for words and for averages, and the teacher's temperature.
SCALE, AVERAGE_SCALE, TEMPERATURE = 25.0, 15.0, 0.02
# Shares of the loss: of the averaged vectors beside the words', and of the teacher beside the pairs themselves.
AVERAGE_SHARE, TEACHER_SHARE = 0.3, 0.5
# Width of the part that bends the space, and the deviation of what starts at random.
HIDDEN = 512
_SPREAD = 0.04
_PADDING = -1
_EXCLUDED = -1e4


@dataclass(frozen=True)
class WordTable:
    """What is learnt: how teachers' features become vectors, and what words weigh.

    A word's vector is `features @ axes + gelu(features @ hidden) @ output`, so that what training moves in a frequent
    word moves its rare neighbours too. `features` float32 `[rows, features]` are fixed and zero in the first rows, which
    have vectors of their own, `special` `[SPECIAL, dims]`. `weights` float32 `[rows]` are logarithms; those of rows
    before `settled` stay as they are. `signs` float32 `[hashed, dims]` are added to row `shared[n]` (int64 `[hashed]`):
    ids from `rows` on are hashed words.
    """

    features: Tensor
    axes: Tensor
    hidden: Tensor
    output: Tensor
    special: Tensor
    weights: Tensor
    signs: Tensor
    shared: NDArray[np.int64]
    settled: int

    @classmethod
    def of(
        cls,
        features: NDArray[np.float32],
        axes: NDArray[np.float32],
        weights: NDArray[np.float32],
        hashed: tuple[NDArray[np.float32], NDArray[np.int64]],
        settled: int,
    ) -> WordTable:
        """Of `features`, starting `axes` `[features, dims]`, positive `weights`, and the hashed words' signs and rows."""
        width, dims = axes.shape
        return cls(
            torch.tensor(features),
            torch.tensor(axes).requires_grad_(),
            (_SPREAD * torch.randn(width, HIDDEN)).requires_grad_(),
            torch.zeros(HIDDEN, dims).requires_grad_(),
            (_SPREAD * torch.randn(len(SPECIAL), dims)).requires_grad_(),
            torch.tensor(np.log(weights)),
            torch.tensor(hashed[0]),
            hashed[1],
            settled,
        )

    @property
    def parameters(self) -> list[Tensor]:
        """What all words share."""
        return [self.axes, self.hidden, self.output, self.special]

    def vectors(self, rows: Tensor) -> Tensor:
        """Of rows int64 `[n]`, float32 `[n, dims]`, of any length."""
        features = self.features[rows]
        own = features @ self.axes + functional.gelu(features @ self.hidden) @ self.output
        special = self.special[rows.clamp_max(len(SPECIAL) - 1)]
        return torch.where((rows < len(SPECIAL))[:, None], special, own)

    @torch.no_grad()
    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The vectors of all rows and the positive weights."""
        chunks = torch.split(torch.arange(len(self.features)), 8192)
        vectors = torch.cat([self.vectors(rows) for rows in chunks])
        return vectors.numpy(), torch.exp(self.weights).numpy()


class Used(NamedTuple):
    """The rows that a batch touches, int64 `[touched]`, and a copy of their weights that gathers gradients."""

    rows: Tensor
    weights: Tensor


class Scores(NamedTuple):
    """float32 `[queries, passages]` each: by words, and by one averaged vector a text."""

    words: Tensor
    averages: Tensor


class Wanted(NamedTuple):
    """What a batch's scores should be.

    `same` bool `[pairs, pairs]`: pairs with the same query or passage, which are no negatives of each other.
    `teacher` float32 `[pairs, pairs]`: cosines of the teacher's vectors, or None.
    """

    same: Tensor
    teacher: Tensor | None


def score(table: WordTable, queries: NDArray[np.int64], passages: NDArray[np.int64]) -> tuple[Scores, Used]:
    """Scores of all queries with all passages; both int64 `[texts, words]`, padded with -1."""
    ids, places = np.unique(np.concatenate([queries.ravel(), passages.ravel()]), return_inverse=True)
    used, vectors, weights = _look_up(table, ids)
    split = torch.from_numpy(places.ravel())
    asked = split[: queries.size].view(queries.shape)
    offered = split[queries.size :].view(passages.shape)
    known_asked, known_offered = (torch.from_numpy(side != _PADDING) for side in (queries, passages))
    asked_weights, offered_weights = weights[asked] * known_asked, weights[offered] * known_offered
    asked_vectors, offered_vectors = vectors[asked], vectors[offered]

    flat = [side.reshape(-1, side.shape[-1]).bfloat16() for side in (asked_vectors, offered_vectors)]
    cosines = (flat[0] @ flat[1].T).view(*asked.shape, *offered.shape)
    best = cosines.masked_fill(~known_offered[None, None], -1.0).amax(-1).float()
    matched = functional.relu(best - THRESHOLD) / (1 - THRESHOLD)
    total = asked_weights.sum(1, keepdim=True).clamp_min(1e-6)
    by_words = torch.einsum("qw,qwp->qp", asked_weights, matched) / total
    averages = [
        functional.normalize((side * share[..., None]).sum(1), dim=1)
        for side, share in ((asked_vectors, asked_weights), (offered_vectors, offered_weights))
    ]
    return Scores(by_words, averages[0] @ averages[1].T), used


def loss(scores: Scores, wanted: Wanted) -> Tensor:
    """The loss of the words' scores, and a share of that of the averages'."""
    words = _one_loss(scores.words * SCALE, wanted)
    return words + AVERAGE_SHARE * _one_loss(scores.averages * AVERAGE_SCALE, wanted)


def in_batch_loss(scores: Tensor, same: Tensor) -> Tensor:
    """Cross-entropy both ways over the batch's own negatives (Henderson et al., 2017), `same` ones left out."""
    masked = scores.masked_fill(same, _EXCLUDED)
    right = torch.arange(len(scores))
    return (functional.cross_entropy(masked, right) + functional.cross_entropy(masked.T, right)) / 2


def teacher_loss(scores: Tensor, cosines: Tensor) -> Tensor:
    """Kullback–Leibler divergence from the teacher's distributions over the batch, both ways (Hinton et al., 2015)."""
    soft = cosines / TEMPERATURE
    ways = ((scores, soft), (scores.T, soft.T))
    parts = [
        functional.kl_div(functional.log_softmax(ours, 1), functional.softmax(theirs, 1), reduction="batchmean")
        for ours, theirs in ways
    ]
    return (parts[0] + parts[1]) / 2


def _one_loss(scores: Tensor, wanted: Wanted) -> Tensor:
    hard = in_batch_loss(scores, wanted.same)
    if wanted.teacher is None:
        return hard
    return (1 - TEACHER_SHARE) * hard + TEACHER_SHARE * teacher_loss(scores, wanted.teacher)


def _look_up(table: WordTable, ids: NDArray[np.int64]) -> tuple[Used, Tensor, Tensor]:
    """The rows behind distinct `ids`, unit vectors `[ids, dims]` and positive weights `[ids]`."""
    size = len(table.features)
    hashed = ids >= size
    base = np.where(ids == _PADDING, 0, ids)
    base[hashed] = table.shared[ids[hashed] - size]
    rows, places = np.unique(base, return_inverse=True)
    touched = torch.from_numpy(rows)
    used = Used(touched, table.weights[touched].requires_grad_())
    spread = torch.from_numpy(places)
    vectors = table.vectors(touched)[spread]
    if hashed.any():
        signs = torch.zeros_like(vectors)
        signs[torch.from_numpy(hashed)] = table.signs[torch.from_numpy(ids[hashed] - size)]
        vectors = vectors + signs
    return used, functional.normalize(vectors, dim=1, eps=1e-6), torch.exp(used.weights[spread])
