"""Measures of answers: cited sentences, or abstaining. Pure functions on what a system said, and no I/O.

Evidence and precision look at the cited spans, as in attributed question answering (ALCE, Gao et al., 2023); facts
look at the words, as nugget recall does (Voorhees, TREC 2003). Abstaining is judged by AUROC, the risk-coverage curve
(El-Yaniv and Wiener, JMLR 2010), the reliability diagram and the Brier score (1950). A question without a record of
an answer counts as one on which nothing was said: failed, be it answerable or not.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np

from corpus.types import Span, join_spans
from eval.measures import auroc, carries, mean_with_interval
from eval.types import TYPES, Answered, Evidence, Question, Said
from index.numerals import value
from index.segment import normalise

MEASURES = ("evidence", "precision", "facts", "correct", "length", "silent", "abstained", "confidence")
"""In the order in which tables show them; the last two are of unanswerable questions."""

Scores = Mapping[str, Mapping[str, float]]  # question id → measure → value
_BINS = 10
_FOUND_FROM = Fraction(3, 5)  # of a phrase's bigrams
_REST = 5  # characters; what stands beside a number is but context below this: 累计入库, 年均增长
_POWERS = {"百": 10**2, "千": 10**3, "万": 10**4, "亿": 10**8}
_NUMERAL = "(?:[0-9]{1,9}|[零〇一二两三四五六七八九十百千]{1,9})"
_UNIT = "(?:平方公里|平方米|公里|个?百分点|美元|号线|[%家个项名位所座条次场届年月日天人元亩米吨台套辆艘架栋层种类款批件户篇份倍号版级])?"
_QUOTED = '《[^《》]+》|“[^“”]+”|「[^「」]+」|『[^『』]+』|"[^"]+"'
# Digits inside a name (G60, AI4S, 5G, 3.0.1) are no numbers; lengths are bounded because int() bounds them.
_NUMBER = re.compile(
    rf"(?:全[国市省区球]|世界)?第(?P<rank>{_NUMERAL}){_UNIT}|(?P<lower>{_NUMERAL})分之(?P<upper>{_NUMERAL})"
    r"|(?<![0-9a-z])(?<![0-9]\.)(?P<digits>[0-9]{1,15}(?:\.[0-9]{1,9})?)(?![0-9a-z]|\.[0-9])"
    rf"(?P<powers>[百千万亿]*)[余多]?{_UNIT}"
)
_NAME_OR_NUMBER = re.compile(f"(?P<name>{_QUOTED})|{_NUMBER.pattern}")
# A clause ends at punctuation, but not inside a quoted name or a number.
_CLAUSE = re.compile(rf"(?:{_QUOTED}|(?<=[0-9])\.(?=[0-9])|[^.,，、；;。：:（）()！!？?…—\n\r\t])+")
_EDGES = re.compile(
    r"^(?:[\W_]|已经?|约|是|的|其中|包括|以及)+|(?:[\W_]|的|约|是|超过|突破|达到|(?<![平高中同优上])等)+$"
)
_FILLER = {"可以", "没有", "不会", "不能", "支持", "鼓励", "下功夫", "其中", "包括", "主要", "分别", "累计", "目前"}
_HAN_SPACE = re.compile(r"(?<=[㐀-鿿])\s+|(?<!\s)\s+(?=[㐀-鿿])")


def score_answers(
    questions: Sequence[Question], answered: Mapping[str, Answered], texts: Mapping[str, str]
) -> dict[str, dict[str, float]]:
    """Question id → measure → value; a measure that a question has no value for is absent.

    Answerable: `evidence` 0 or 1, whether the union of all cited spans carries what the question needs; `precision`
    0..1, the share of the sentences with citations of which one overlaps evidence (0 if none cites); `facts` 0..1,
    the share of the gold answer's key facts in the sentences; `correct` 0 or 1, all of them; `length` in characters;
    `silent` 0 or 1. Unanswerable: `abstained` 0 or 1; `confidence` 0..1. Nothing here depends on `texts` (document
    id → text): the gold evidence has been placed in them already.
    """
    return {q.id: _score(q, answered.get(q.id)) for q in questions}


def key_facts(answer: str) -> list[str]:
    """The facts of a gold answer, folded by `normalise`, each once, in the order of the answer.

    The answer is cut into clauses at punctuation. In a clause with numbers or quoted names, each of these is a fact (a
    number with its unit: 11家, 4.69%, 十分之一, 全市第一), and so is a rest of at least 5 characters; any other clause
    is one fact as a whole, a phrase. Filler goes: 约, 等 and the like at either end, a lone 有 or 支持, single
    characters. An answer of nothing else is one fact as a whole; one without letters or digits has none.

    A number is found where the same value stands, whatever counts it (200亿元 = 200 亿元, 8个 = 八家, 10% = 十分之一);
    an ordinal equals ordinals only. Names and phrases are found where at least 60 % of their distinct character
    bigrams stand in the text; spaces and punctuation do not count.

    >>> key_facts("11家，累计入库179个项目")
    ['11家', '179个']
    """
    whole = _fold(answer).strip()
    facts = [fact for clause in _CLAUSE.findall(whole) for fact in _clause_facts(clause)]
    return list(dict.fromkeys(facts)) or ([whole] if _letters(whole) else [])


def found_facts(facts: Sequence[str], sentences: Sequence[str]) -> list[bool]:
    """Whether each fact of `key_facts` stands in the sentences, as its docstring defines."""
    folded = [_fold(x) for x in sentences]
    numbers = {_number(match) for x in folded for match in _NUMBER.finditer(x)}
    grams = {gram for x in folded for gram in _grams(x) | set(x)}

    def is_found(fact: str) -> bool:
        match = _NUMBER.fullmatch(fact)
        if number := _number(match) if match else None:
            return number in numbers
        wanted = _grams(fact) or set(_letters(fact))  # a single letter has no bigram
        return len(wanted & grams) >= _FOUND_FROM * len(wanted)

    return [is_found(fact) for fact in facts]


def quotes_exact(answered: Mapping[str, Answered], texts: Mapping[str, str]) -> tuple[int, int]:
    """How many citations' quotes are the source's text at their spans, byte for byte, and of how many."""
    exact = []
    for cited in (c for x in answered.values() for said in x.said for c in said.cited):
        text = texts.get(cited.document_id, "")
        # A slice would cut a span that runs out of the text, and count a negative one from the end.
        inside = bool(cited.spans) and all(0 <= start < end <= len(text) for start, end in cited.spans)
        exact.append(inside and join_spans(text, cited.spans) == cited.quote)
    return sum(exact), len(exact)


def summarise_answers(
    questions: Sequence[Question], answered: Mapping[str, Answered], scores: Scores, texts: Mapping[str, str]
) -> dict[str, Any]:
    """All measures, each `[mean, low, high]` with its 95 % interval; None where there is nothing to average."""
    given = {q.id: answered[q.id] for q in questions if q.id in answered}
    types = sorted({q.type for q in questions}, key=lambda x: (TYPES.index(x) if x in TYPES else len(TYPES), x))
    exact, total = quotes_exact(given, texts)
    times = [x.took_ms for x in given.values() if x.took_ms is not None and math.isfinite(x.took_ms)]
    return {
        "overall": _means(questions, scores),
        "by_type": {name: _means([q for q in questions if q.type == name], scores) for name in types},
        "quotes": {"exact": exact, "total": total},
        "abstention": _abstention(questions, given, scores),
        "calibration": _calibration(questions, given),
        "latency_ms": {f"p{p}": float(np.percentile(times, p)) for p in (50, 95)} if times else None,
    }


def _score(question: Question, answer: Answered | None) -> dict[str, float]:
    if not question.answerable:
        known = {} if (confidence := _confidence(answer)) is None else {"confidence": confidence}
        return {"abstained": float(answer is not None and answer.abstained), **known}
    silent = answer is None or answer.abstained
    said = () if answer is None or answer.abstained else answer.said
    carried = [carries(_cited(said, e.document_id), e.document_id, e) for e in question.evidence]
    has_evidence = any(carried) if question.need == "any" else all(carried)
    scores = {"evidence": float(has_evidence), "silent": float(silent)}
    if said:
        citing = [x for x in said if x.cited]
        scores["precision"] = sum(_on_point(x, question.evidence) for x in citing) / max(len(citing), 1)
    if facts := key_facts(question.answer):
        found = found_facts(facts, [x.text for x in said])
        scores |= {"facts": sum(found) / len(found), "correct": float(all(found))}
    return scores if silent else {**scores, "length": float(sum(len(x.text) for x in said))}


def _cited(said: Sequence[Said], document_id: str) -> list[Span]:
    """The union of the cited spans of a document, apart: `carries` adds up what they cover, and they may overlap."""
    union: list[Span] = []
    for start, end in sorted(s for x in said for c in x.cited if c.document_id == document_id for s in c.spans):
        start = max(start, union[-1][1]) if union else start
        union += [(start, end)] if start < end else []
    return union


def _on_point(said: Said, evidence: Sequence[Evidence]) -> bool:
    pairs = [(span, e.span) for c in said.cited for e in evidence if c.document_id == e.document_id for span in c.spans]
    return any(max(cited[0], place[0]) < min(cited[1], place[1]) for cited, place in pairs)


def _fold(text: str) -> str:
    """`normalise` without spaces beside Han characters, where they only set the type: 200 亿元, AI 框架."""
    # Lone surrogates, which OpenCC refuses, become question marks; 30，179个 are two numbers, unlike 30,179个.
    text = text.encode("utf-8", "replace").decode("utf-8").replace("，", "、")
    return normalise(_HAN_SPACE.sub("", text))


def _clause_facts(clause: str) -> list[str]:
    pieces, end = [], 0
    for match in _NAME_OR_NUMBER.finditer(clause):
        if match["name"] or _number(match):
            fact = match.group()[1:-1].strip() if match["name"] else match.group()
            pieces += [(_EDGES.sub("", clause[end : match.start()]), _REST), (fact, 1)]
            end = match.end()
    pieces += [(_EDGES.sub("", clause[end:]), _REST if end else 2)]
    return [piece for piece, least in pieces if len(_letters(piece)) >= least and piece not in _FILLER]


def _number(match: re.Match[str]) -> tuple[str, Fraction] | None:
    """What kind of number a match is (`第` or empty) and its value; None where it is none: 第一二, 零分之一."""
    if match["digits"]:
        factor = math.prod(_POWERS[c] for c in match["powers"])
        return "", Fraction(match["digits"]) * factor / (100 if match.group().endswith("%") else 1)
    parts = (match["rank"] or match["upper"], match["lower"] or "1")
    upper, lower = (int(x) if x.isdecimal() else value(x) for x in parts)
    return ("第" if match["rank"] else "", Fraction(upper, lower)) if upper is not None and lower else None


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text)


def _grams(folded: str) -> set[str]:
    return {a + b for a, b in pairwise(_letters(folded))}


def _confidence(answer: Answered | None) -> float | None:
    confidence = answer.confidence if answer else None
    return float(confidence) if confidence is not None and math.isfinite(confidence) else None


def _interval(values: Sequence[float]) -> list[float] | None:
    return list(mean_with_interval(values)) if values else None


def _means(questions: Sequence[Question], scores: Scores) -> dict[str, Any]:
    values = {name: [scores[q.id][name] for q in questions if name in scores[q.id]] for name in MEASURES}
    middle = median(values["length"]) if values["length"] else None
    return {"questions": len(questions), **{k: _interval(x) for k, x in values.items()}, "length_median": middle}


def _abstention(questions: Sequence[Question], given: Mapping[str, Answered], scores: Scores) -> dict[str, Any]:
    known = [(q, c) for q in questions if (c := _confidence(given.get(q.id))) is not None]

    def share(name: str) -> dict[str, Any]:
        values = [scores[q.id][name] for q in questions if name in scores[q.id]]
        return {"mean": _interval(values), "count": int(sum(values)), "questions": len(values)}

    # What a threshold on confidence would answer; where the system abstained there is no answer to give.
    judged = [(c, scores[q.id].get("evidence") != 1) for q, c in known if not given[q.id].abstained]
    risk = []
    for least in sorted({c for c, _ in judged}, reverse=True):
        wrong = [is_wrong for c, is_wrong in judged if c >= least]
        risk.append({"confidence": least, "coverage": len(wrong) / len(questions), "risk": sum(wrong) / len(wrong)})
    return {
        "auroc": auroc([c for q, c in known if q.answerable], [c for q, c in known if not q.answerable]),
        "unanswerable_abstained": share("abstained"),
        "answerable_silent": share("silent"),
        "risk": risk or None,
    }


def _calibration(questions: Sequence[Question], given: Mapping[str, Answered]) -> dict[str, Any] | None:
    """Bins of equal size by confidence, but equal confidences stay in one bin: nothing orders them.

    Shares and the Brier score are as if half of the questions had an answer, for which confidence is calibrated; as
    they are, where all or none have one.
    """
    pairs = sorted((c, q.answerable) for q in questions if (c := _confidence(given.get(q.id))) is not None)
    if not pairs:
        return None
    count = sum(answerable for _, answerable in pairs)
    each = {True: len(pairs) / (2 * count or 1), False: len(pairs) / (2 * (len(pairs) - count) or 1)}
    weights = [each[answerable] if 0 < count < len(pairs) else 1.0 for _, answerable in pairs]
    values = [c for c, _ in pairs]
    edges = sorted({bisect_left(values, values[n * len(pairs) // _BINS]) for n in range(_BINS)} | {len(pairs)})
    bins = []
    for start, end in pairwise(edges):
        part, heavy = values[start:end], weights[start:end]
        share = sum(w for w, (_, answerable) in zip(heavy, pairs[start:end], strict=True) if answerable) / sum(heavy)
        mean = sum(w * c for w, c in zip(heavy, part, strict=True)) / sum(heavy)
        bins.append({"low": part[0], "high": part[-1], "mean": mean, "answerable": share, "count": len(part)})
    errors = [w * (c - answerable) ** 2 for w, (c, answerable) in zip(weights, pairs, strict=True)]
    return {"bins": bins, "brier": sum(errors) / sum(weights)}
