"""How sure an answer is: a calibrated chance, 0 to 1, that the hits hold what was asked for.

Logistic regression over a few signals of the evidence. What it learnt stands in `confidence.json`, written by
`kewen eval calibrate`; with expansions the signals differ from those without, and so does what is learnt.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from index.evidence import Candidate, Evidence
from index.types import Floats, Mask

LEARNT = "confidence.json"
# What reports seldom say: a person, a cause, a date, an address, a price.
_SELDOM = ("谁", "因", "日", "址", "元")
_FIGURES = ("how_many", "rank")
# Of `meaning` and of `hit`: less than of any answerable question among those learnt from.
_LEAST = {"expanded": (0.25, 0.5), "plain": (0.32, 0.4)}
# The weight of a question's words: 的 or 啊 alone asks for nothing.
_LEAST_ASKED = 1.0
_NEXT_TO_NONE = 0.05


def signals(evidence: Evidence, best: Candidate) -> dict[str, float]:
    """What speaks for and against there being an answer, each from 0 to 1; `best` is the candidate that answers best.

    What its hit has of the question, with the questions that people may ask of it; what all hits have; whether the
    candidate can hold what is asked for, in the right year and place; and the kind of the question.
    """
    around = evidence.around[best.hit]
    pool = np.max([x.matches for x in evidence.around], axis=0)
    wants = evidence.wants
    return {
        "same": around.same,
        "asked": best.asked,
        "fits": best.fits,
        "meaning": best.meaning,
        "hit": _mean(around.matches, evidence.weights),
        "weakest": _least(around.matches, evidence.focus),
        "focus": _mean(pool, evidence.weights * evidence.focus),
        "named": best.named,
        "year": best.year,
        "place": best.place,
        "seldom": float(wants.unit in _SELDOM),
        "who": float(wants.kind == "who"),
        "when": float(wants.kind == "when"),
        "figure": float(wants.kind in _FIGURES),
    }


def confidence(evidence: Evidence, best: Candidate, expanded: bool) -> float:
    """The chance that the hits hold the answer; `expanded`: whether questions that people may ask were at hand.

    Next to none where the question is of elsewhere, or of a year or a place that the best passage is not of, asks for too
    little, or is matched less than any question that the reports answered.
    """
    name = "expanded" if expanded else "plain"
    found = signals(evidence, best)
    chance = learnt().models[name].chance(found)
    is_beside = found["meaning"] < _LEAST[name][0] or found["hit"] < _LEAST[name][1]
    is_nothing = best.is_beside or float(evidence.weights.sum()) < _LEAST_ASKED
    return min(chance, _NEXT_TO_NONE) if is_nothing or is_beside else chance


@dataclass(frozen=True, slots=True)
class Model:
    """Log-odds = `bias` + Σ weight · signal."""

    bias: float
    weights: Mapping[str, float]

    def chance(self, found: Mapping[str, float]) -> float:
        """0 to 1."""
        odds = self.bias + math.fsum(weight * found[name] for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-odds))


@dataclass(frozen=True, slots=True)
class Learnt:
    """The models, and the confidence below which there is no answer."""

    threshold: float
    models: Mapping[str, Model]


@cache
def learnt() -> Learnt:
    """What the package ships."""
    record = json.loads((files("service") / LEARNT).read_text(encoding="utf-8"))
    models = {name: Model(x["bias"], x["weights"]) for name, x in record["models"].items()}
    return Learnt(record["threshold"], models)


def _mean(matches: Floats, weights: Floats) -> float:
    """The mean match of the question's words, weighted."""
    total = float(weights.sum())
    return float(weights @ matches) / total if total else 0.0


def _least(matches: Floats, where: Mask) -> float:
    return float(matches[where].min()) if where.any() else 0.0
