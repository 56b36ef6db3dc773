"""What is asked, checked before anything is searched: each fault has its code and says what would do."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence

from index.ranking import Source
from index.types import MODES, Filters, Mode
from service.answers import ANSWER_MODES, AnswerMode
from service.comparisons import MOST_PER_YEAR
from service.errors import KewenError, echo, listed

_LAST_QUESTIONS = 10
_MOST_IGNORED = 20


def checked_query(query: str, longest: int, what: str = "问题") -> str:
    """The question, or `what` else is asked with, without white space about it.

    Raises:
        KewenError: `empty_query`, `query_too_long`, or `invalid_request` for control characters.
    """
    if len(query) > longest:
        raise KewenError("query_too_long", f"{what}超过 {longest} 字（现为 {len(query)} 字）。请缩短后再问。")
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\r\n" for c in query):
        raise KewenError("invalid_request", f"{what}含有控制字符。请去掉后再问。")
    if not query.strip():
        raise KewenError("empty_query", f"{what}是空的。请写下要问的内容。")
    return query.strip()


def checked_top_k(top_k: int, largest: int) -> int:
    """How many hits.

    Raises:
        KewenError: `invalid_request`.
    """
    if not 1 <= top_k <= largest:
        raise KewenError("invalid_request", f"top_k 应在 1 到 {largest} 之间（现为 {echo(top_k, 20)}）。")
    return top_k


def checked_per_year(per_year: int) -> int:
    """How many sentences a year.

    Raises:
        KewenError: `invalid_request`.
    """
    if not 1 <= per_year <= MOST_PER_YEAR:
        raise KewenError("invalid_request", f"每年的句数应在 1 到 {MOST_PER_YEAR} 之间（现为 {echo(per_year, 20)}）。")
    return per_year


def checked_mode(mode: str) -> Mode:
    """One of `MODES`.

    Raises:
        KewenError: `unknown_mode`.
    """
    for known in MODES:
        if mode == known:
            return known
    raise KewenError("unknown_mode", f"没有 {echo(mode)} 这种检索方式。可用：{'、'.join(MODES)}。")


def checked_answer_mode(mode: str) -> AnswerMode:
    """One of `ANSWER_MODES`.

    Raises:
        KewenError: `unknown_mode`.
    """
    for known in ANSWER_MODES:
        if mode == known:
            return known
    raise KewenError("unknown_mode", f"没有 {echo(mode)} 这种作答方式。可用：{'、'.join(ANSWER_MODES)}。")


def checked_history(history: Sequence[str], longest: int) -> tuple[str, ...]:
    """The earlier questions that a follow-up may refer to, the last few of them.

    Raises:
        KewenError: as `checked_query`.
    """
    return tuple(checked_query(question, longest) for question in history[-_LAST_QUESTIONS:])


def checked_ignored(ignored: Collection[str]) -> frozenset[str]:
    """The ids or surfaces of readings that are to be left aside; one that no reading has does no harm.

    Raises:
        KewenError: `invalid_request`.
    """
    if len(ignored) > _MOST_IGNORED:
        raise KewenError("invalid_request", f"ignore 至多 {_MOST_IGNORED} 项（现为 {len(ignored)} 项）。")
    return frozenset(ignored)


def check_filters(snapshot: Source, filters: Filters) -> None:
    """A filter that can match nothing is a mistake to be named, not an empty answer.

    Raises:
        KewenError: `unknown_document`, `unknown_year` or `invalid_request`.
    """
    documents = snapshot.documents
    unknown = sorted((filters.document_ids or frozenset()) - documents.keys())
    if unknown:
        raise KewenError(
            "unknown_document", f"没有编号为 {echo('、'.join(unknown))} 的报告。现有：{listed(documents)}。"
        )
    if filters.series:
        series = snapshot.series()
        strange = sorted(filters.series - series)
        if strange:
            raise KewenError(
                "invalid_request", f"没有系列 {echo('、'.join(strange))}。现有：{listed(sorted(series))}。"
            )
    if filters.years:
        first, last = filters.years
        years = sorted({year for _, year in snapshot.reports()})
        if not any(first <= year <= last for year in years):
            wanted = "–".join(str(year) for year in dict.fromkeys(filters.years))
            raise KewenError(
                "unknown_year", f"没有 {echo(wanted, 40)} 年的报告。现有年份：{'、'.join(map(str, years))}。"
            )
