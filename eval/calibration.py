"""What `service/confidence.json` is learnt from: gold questions with and without an answer, as kewen sees them.

Learnt on `dev` and the calibration questions, never on `test`: regularised logistic regression over the signals
(scikit-learn), questions with and without an answer weighing the same, so that a confidence is a chance where nothing is
known of how often people ask what the reports don't say. The threshold is the confidence below which at most `SILENT` of
the answerable `dev` questions fall, each judged by models that have not seen it (ten folds).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.measures import auroc
from eval.types import Question
from service.assistant import Assistant

CALIBRATION = Path(__file__).parent / "gold" / "calibration.jsonl"
SILENT = 0.06
# What speaks against an answer; all other signals speak for one.
AGAINST = ("seldom", "who", "when", "figure")
_STRENGTH = 0.1
_FOLDS, _SHUFFLES = 10, 5


def learn(assistant: Assistant, dev: Sequence[Question], calibration: Sequence[Question]) -> dict[str, Any]:
    """The content of `confidence.json`, and what cross-validation says of it."""
    questions = [*dev, *calibration]
    answerable = np.array([q.answerable for q in questions])
    is_dev = np.arange(len(questions)) < len(dev)
    models, judged = {}, {}
    for name, expansions in (("expanded", True), ("plain", False)):
        found = [assistant.answerer().signals(q.question, expansions) for q in questions]
        names = list(found[0])
        signals = np.array([[x[key] for key in names] for x in found])
        models[name] = _fit(names, signals, answerable)
        judged[name] = _judge(names, signals, answerable, is_dev)
    chances = judged["expanded"]
    threshold = round(float(np.quantile(chances[is_dev & answerable], SILENT)), 3)
    return {
        "threshold": threshold,
        "cross_validation": {name: _summary(x, answerable, is_dev, threshold) for name, x in judged.items()},
        "models": models,
    }


def _pipeline() -> Any:  # noqa: ANN401 - scikit-learn has no types
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    regression = LogisticRegression(C=_STRENGTH, max_iter=5000, class_weight="balanced")
    return make_pipeline(StandardScaler(), regression)


def _fit(names: Sequence[str], signals: np.ndarray, answerable: np.ndarray) -> dict[str, Any]:
    """The regression over the signals as they are: what scaling did to them is folded into the weights.

    A signal that would count against what it speaks for is left out, the worst first: nonsense must not look better
    for matching less.
    """
    kept = list(range(len(names)))
    while True:
        scaler, regression = (step for _, step in _pipeline().fit(signals[:, kept], answerable).steps)
        wrong = [w if names[k] not in AGAINST else -w for k, w in zip(kept, regression.coef_[0], strict=True)]
        if min(wrong) >= 0 or len(kept) == 1:
            break
        kept.pop(int(np.argmin(wrong)))
    weights = regression.coef_[0] / scaler.scale_
    bias = float(regression.intercept_[0] - weights @ scaler.mean_)
    return {
        "bias": round(bias, 4),
        "weights": {names[k]: round(float(w), 4) for k, w in zip(kept, weights, strict=True)},
    }


def _chances(model: dict[str, Any], names: Sequence[str], signals: np.ndarray) -> np.ndarray:
    weights = np.array([model["weights"].get(name, 0.0) for name in names])
    chances: np.ndarray = 1 / (1 + np.exp(-(model["bias"] + signals @ weights)))
    return chances


def _judge(names: Sequence[str], signals: np.ndarray, answerable: np.ndarray, is_dev: np.ndarray) -> np.ndarray:
    """Each question's log-odds by models that have not seen it, the mean of several shuffles."""
    from sklearn.model_selection import StratifiedKFold

    chances = np.zeros(len(signals))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # eight unanswerable dev questions for ten folds
        for seed in range(_SHUFFLES):
            folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
            for seen, unseen in folds.split(signals, 2 * answerable + is_dev):
                model = _fit(names, signals[seen], answerable[seen])
                chances[unseen] += _chances(model, names, signals[unseen]) / _SHUFFLES
    return chances


def _summary(chances: np.ndarray, answerable: np.ndarray, is_dev: np.ndarray, threshold: float) -> dict[str, Any]:
    summary = {}
    for name, which in (("dev", is_dev), ("calibration", ~is_dev)):
        with_answer, without = chances[which & answerable], chances[which & ~answerable]
        area = auroc(list(with_answer), list(without))
        summary[name] = {
            "answerable": len(with_answer),
            "unanswerable": len(without),
            "auroc": None if area is None else round(area, 3),
            "silent": round(float(np.mean(with_answer < threshold)), 3),
            "abstained": round(float(np.mean(without < threshold)), 3),
        }
    return summary
