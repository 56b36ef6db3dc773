"""Two runs side by side: paired differences, and whether they can be told apart at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.measures import MEASURES, mean_with_interval
from eval.runs import Run
from service.errors import KewenError

_PERMUTATIONS = 10_000
LEVEL = 0.05
"""Below this corrected p value two systems are said to differ."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure: means of both, mean of B − A with its 95 % interval, p, and p corrected (Holm, 1979)."""

    measure: str
    a: float
    b: float
    difference: float
    low: float
    high: float
    p: float
    corrected: float

    @property
    def distinguishable(self) -> bool:
        return self.corrected < LEVEL


@dataclass(frozen=True, slots=True)
class Comparison:
    """`wins` and `losses` of B by question on `by`, largest first: (question id, value in A, value in B)."""

    differences: tuple[Difference, ...]
    by: str
    wins: tuple[tuple[str, float, float], ...]
    losses: tuple[tuple[str, float, float], ...]
    ties: int


def compare_runs(a: Run, b: Run, by: str = "nDCG@10") -> Comparison:
    """Compare two runs over the same gold questions.

    Raises:
        KewenError: `invalid_request`, where the questions differ.
    """
    if a.scores.keys() != b.scores.keys() or a.manifest.get("gold_sha256") != b.manifest.get("gold_sha256"):
        raise KewenError("invalid_request", "两次评测所用的问题不同，不能比较。请用同一份问题、同一个 split 重做。")
    ids = sorted(a.scores)
    tested = []
    for name in MEASURES:
        ours, theirs = ([run.scores[x][name] for x in ids] for run in (a, b))
        differences = np.array(theirs) - np.array(ours)
        mean, low, high = mean_with_interval(differences.tolist())
        p = randomisation_p(differences)
        tested.append((name, float(np.mean(ours)), float(np.mean(theirs)), mean, low, high, p))
    corrected = holm([x[-1] for x in tested])
    changed = [(x, a.scores[x][by], b.scores[x][by]) for x in ids]
    return Comparison(
        tuple(Difference(*x, corrected=p) for x, p in zip(tested, corrected, strict=True)),
        by,
        tuple(sorted((x for x in changed if x[2] > x[1]), key=lambda x: (x[1] - x[2], x[0]))),
        tuple(sorted((x for x in changed if x[2] < x[1]), key=lambda x: (x[2] - x[1], x[0]))),
        sum(x[1] == x[2] for x in changed),
    )


def randomisation_p(differences: np.ndarray, seed: int = 0) -> float:
    """Two-sided p of Fisher's randomisation test on paired differences: signs flipped at random.

    Smucker, Allan and Carterette, CIKM 2007. The observed signs count as one of the permutations.
    """
    observed = abs(differences.mean()) if differences.size else 0.0
    if observed == 0:
        return 1.0
    signs = np.random.default_rng(seed).integers(0, 2, (_PERMUTATIONS, differences.size), dtype=np.int8) * 2 - 1
    reached = np.abs((signs * differences).mean(axis=1)) >= observed - 1e-12
    return float((reached.sum() + 1) / (_PERMUTATIONS + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for being several (Holm, 1979): step-down Bonferroni.

    >>> [round(x, 3) for x in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda n: p_values[n])
    corrected = [1.0] * len(p_values)
    highest = 0.0
    for step, n in enumerate(order):
        highest = max(highest, min(1.0, p_values[n] * (len(p_values) - step)))
        corrected[n] = highest
    return corrected


def comparison_text(a: Run, b: Run, comparison: Comparison, questions: Mapping[str, str]) -> str:
    """The comparison as a table and lists, in Chinese."""
    lines = [f"A：{a.folder}", f"B：{b.folder}", f"{len(a.scores)} 道有答案的问题", ""]
    lines.append(f"{'':<18}{'A':>7}{'B':>8}{'B−A':>9}   95% 区间            p（Holm）")
    for x in comparison.differences:
        verdict = "" if x.distinguishable else "  无法区分"
        lines.append(
            f"{x.measure:<18}{x.a:7.3f}{x.b:8.3f}{x.difference:+9.3f}   [{x.low:+.3f}, {x.high:+.3f}]   "
            f"{x.corrected:.4f}{verdict}"
        )
    wins, losses = comparison.wins, comparison.losses
    lines += ["", f"逐题看 {comparison.by}：B 胜 {len(wins)}，负 {len(losses)}，平 {comparison.ties}"]
    for title, changed in (("B 更好", wins), ("B 更差", losses)):
        if changed:
            lines.append(f"{title}：")
            lines += [f"  {x}  {before:.3f} → {after:.3f}  {questions.get(x, '')}" for x, before, after in changed]
    if not any(x.distinguishable for x in comparison.differences):
        lines += ["", f"以 {len(a.scores)} 道题还分不出这两个系统的高下。"]
    return "\n".join(lines)
