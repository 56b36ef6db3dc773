"""How sure an answer is: a calibrated chance, 0 to 1, that the hits hold what was asked for.

Logistic regression over a few signals of the evidence, their squares and their products. What it learnt stands in
`confidence.json`, written by `kewen eval calibrate`; with expansions the signals differ from those without, and so
does what is learnt.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from index.evidence import Candidate, Evidence
from index.types import Floats, Mask

LEARNT = "confidence.json"
# What reports seldom say: a person, a cause, a date, an address, a price.
_SELDOM = ("谁", "因", "日", "址", "元")
_FIGURES = ("how_many", "rank")


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
        "known": evidence.known,
        "year": best.year,
        "place": best.place,
        "seldom": float(wants.unit in _SELDOM),
        "who": float(wants.kind == "who"),
        "when": float(wants.kind == "when"),
        "figure": float(wants.kind in _FIGURES),
    }


def confidence(found: Mapping[str, float], expanded: bool) -> float:
    """The chance that the hits hold the answer; `expanded`: whether questions that people may ask were at hand."""
    return learnt().models["expanded" if expanded else "plain"].chance(found)


@dataclass(frozen=True, slots=True)
class Model:
    """Log-odds = bias + linear·z + Σ products[i][j]·z[i]·z[j] over i ≤ j, z the signals less `mean`, over `scale`."""

    names: Sequence[str]
    mean: Floats
    scale: Floats
    bias: float
    linear: Floats
    products: Floats

    def chance(self, found: Mapping[str, float]) -> float:
        """0 to 1."""
        z = (np.array([found[name] for name in self.names]) - self.mean) / self.scale
        return 1 / (1 + math.exp(-float(self.bias + self.linear @ z + z @ self.products @ z)))


@dataclass(frozen=True, slots=True)
class Learnt:
    """The models, and the confidence below which there is no answer."""

    threshold: float
    models: Mapping[str, Model]


@cache
def learnt() -> Learnt:
    """What the package ships."""
    record = json.loads((files("service") / LEARNT).read_text(encoding="utf-8"))
    models = {name: _model(x) for name, x in record["models"].items()}
    return Learnt(record["threshold"], models)


def _model(record: Mapping[str, Any]) -> Model:
    arrays = (np.array(record[name]) for name in ("mean", "scale", "linear", "products"))
    mean, scale, linear, products = arrays
    return Model(record["signals"], mean, scale, record["bias"], linear, products)


def _mean(matches: Floats, weights: Floats) -> float:
    """The mean match of the question's words, weighted."""
    total = float(weights.sum())
    return float(weights @ matches) / total if total else 0.0


def _least(matches: Floats, where: Mask) -> float:
    return float(matches[where].min()) if where.any() else 0.0
