"""Measures against cases worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eval.compare import holm, randomisation_p
from eval.measures import (
    auroc,
    carries,
    exactness,
    first_rank,
    mean_with_interval,
    relevant_units,
    score_questions,
    within_budget,
)
from eval.types import Evidence, Found, Outcome, Question, Unit

U = [Unit(f"d:{n * 100}-{n * 100 + 100}", "d", ((n * 100, n * 100 + 100),)) for n in range(20)]


def question(name: str, *spans: tuple[int, int], need: str = "any") -> Question:
    evidence = tuple(Evidence("d", "x" * (e - s), (s, e)) for s, e in spans)
    return Question(name, "dev", name, "fact" if spans else "unanswerable", "easy", evidence, need, "x")


def outcome(name: str, *rows: int) -> Outcome:
    return Outcome(name, tuple(Found(U[n], 10.0 - rank, "") for rank, n in enumerate(rows)), 1.0)


@pytest.mark.parametrize(
    ("spans", "document", "carried"),
    [
        ([(0, 5)], "d", True),
        ([(0, 4)], "d", False),
        ([(0, 2), (7, 10)], "d", True),
        ([(5, 90)], "d", True),
        ([(0, 10)], "e", False),
        ([(10, 20)], "d", False),
    ],
)
def test_half_of_the_quote_must_be_covered(spans, document, carried):
    assert carries(spans, document, Evidence("d", "x" * 10, (0, 10))) is carried


def test_scores_worked_by_hand():
    questions = [
        question("a", (110, 120)),
        question("b", (110, 120), (310, 320), need="all"),
        question("c", (510, 520)),
        question("u"),
    ]
    outcomes = {x.question_id: x for x in (outcome("a", 5, 1, 7), outcome("b", 3, 9), outcome("c"), outcome("u", 1))}
    qrels = {q.id: relevant_units(q, U) for q in questions if q.answerable}
    assert qrels == {"a": {"d:100-200"}, "b": {"d:100-200", "d:300-400"}, "c": {"d:500-600"}}
    scores = score_questions(questions, outcomes, qrels)
    assert set(scores) == {"a", "b", "c"}
    a, b, c = scores["a"], scores["b"], scores["c"]
    assert (a["Success@1"], a["Success@3"], a["RR@10"], a["R@5"]) == (0, 1, 0.5, 1)
    assert a["nDCG@10"] == pytest.approx(1 / math.log2(3))
    assert (b["Success@1"], b["RR@10"], b["R@10"], b["Complete@10"]) == (1, 1, 0.5, 0)
    assert b["nDCG@10"] == pytest.approx(1 / (1 + 1 / math.log2(3)))
    assert set(c.values()) == {0.0}


def test_evidence_that_no_unit_carries_counts_as_never_found():
    q = question("a", (90, 310))
    assert relevant_units(q, U) == {"a-evidence-0-in-no-unit"}
    scores = score_questions([q], {"a": outcome("a", 1, 2, 3)}, {"a": relevant_units(q, U)})
    assert scores["a"]["Success@10"] == 0


def test_the_character_budget_cuts_the_last_result():
    found = outcome("a", *range(20)).found
    kept = within_budget(found, 250)
    assert [x.unit.spans for x in kept] == [((0, 100),), ((100, 200),), ((200, 250),)]
    scores = score_questions([question("a", (1940, 1950))], {"a": outcome("a", *range(20))}, {"a": {"d:1900-2000"}})
    assert scores["a"]["Success@2000chars"] == 1
    assert scores["a"]["Success@10"] == 0


def test_first_rank():
    assert first_rank(question("a", (110, 120)), outcome("a", 5, 1).found) == 2
    assert first_rank(question("a", (110, 120)), outcome("a", 5).found) is None


def test_exactness_compares_text_with_the_source():
    source = {"d": "甲乙丙丁"}
    right = Found(Unit("x", "d", ((0, 2),)), 1.0, "甲乙")
    wrong = Found(Unit("y", "d", ((0, 2),)), 1.0, "甲丙")
    strange = Found(Unit("z", "e", ((0, 2),)), 1.0, "甲乙")
    assert exactness([Outcome("q", (right,))], source) == 1
    assert exactness([Outcome("q", (right, wrong, strange))], source) == pytest.approx(1 / 3)
    assert exactness([Outcome("q", ())], source) is None


def test_auroc():
    assert auroc([3, 4], [1, 2]) == 1
    assert auroc([1, 2], [1, 2]) == 0.5
    assert auroc([1], [2]) == 0
    assert auroc([], [1]) is None


def test_bootstrap_interval_holds_the_mean_and_shrinks():
    few, many = mean_with_interval([0, 1] * 5), mean_with_interval([0, 1] * 500)
    assert few[0] == many[0] == 0.5
    assert few[1] < many[1] < 0.5 < many[2] < few[2]
    assert math.isnan(mean_with_interval([])[0])


def test_randomisation_is_exact_on_a_small_case():
    # Of the 8 sign patterns of (1, 1, 1) two reach the observed mean: p = 1/4.
    assert randomisation_p(np.array([1.0, 1.0, 1.0])) == pytest.approx(0.25, abs=0.02)
    assert randomisation_p(np.zeros(5)) == 1
    assert randomisation_p(np.array([0.5] * 30)) < 0.001
    assert randomisation_p(np.array([1.0, -1.0] * 10)) == 1


def test_holm():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
