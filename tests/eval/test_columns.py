"""How comparisons of the years are measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from corpus.types import Document
from eval import columns
from eval.types import Evidence, Question
from service.assistant import Assistant

PARKS, DISTRICTS = "shanghai-2024-zhangjiang-parks", "shanghai-2025-districts"


def question(reports: dict[str, Document], asked: str, *quotes: tuple[str, str], need: str = "all") -> Question:
    def place(name: str, quote: str) -> Evidence:
        start = reports[name].text.index(quote)
        return Evidence(name, quote, (start, start + len(quote)))

    evidence = tuple(place(*x) for x in quotes)
    return Question("q", "dev", asked, "multi" if quotes else "unanswerable", "easy", evidence, need, "…")


def test_a_piece_counts_where_the_cells_hold_it(assistant: Assistant, reports: dict[str, Document]):
    shown = (PARKS, "聚焦汽车“新四化”，全力打造世界级汽车产业中心核心承载区")
    other = (PARKS, "推进上海硅巷建设，打造高质量开放式科创街区")
    measured = columns.measure(assistant, [question(reports, "嘉定区", shown, other)])
    assert measured["ways"]["compare"]["pieces"][0] == 0.5
    assert measured["ways"]["compare"]["complete"][0] == 0.0
    any_will_do = columns.measure(assistant, [question(reports, "嘉定区", shown, other, need="any")])
    assert any_will_do["ways"]["compare"]["complete"][0] == 1.0


def test_columns_with_evidence_are_told_from_those_without(assistant: Assistant, reports: dict[str, Document]):
    shown = (PARKS, "聚焦汽车“新四化”，全力打造世界级汽车产业中心核心承载区")
    measured = columns.measure(assistant, [question(reports, "嘉定区", shown)])["columns"]
    assert measured["speaking"][0] == 1.0
    assert measured["astray"][0] == 0.75  # 2015, 2022 and 2025 speak of it, and 2026 does not
    assert measured["cells"] > 1


def test_an_unanswerable_question_has_no_column_with_evidence(assistant: Assistant, reports: dict[str, Document]):
    measured = columns.measure(
        assistant, [question(reports, "火星移民"), question(reports, "嘉定区", (DISTRICTS, "“科技嘉定”"))]
    )
    assert measured["questions"] == measured["unanswerable"] == 1


def test_characters_count_once_where_citations_overlap(reports: dict[str, Document], assistant: Assistant):
    found = assistant.search("嘉定园", 1).hits[0].citation
    assert columns._shown([found, found]).characters == sum(end - start for start, end in found.spans)


@pytest.mark.parametrize("split", ["dev"])
def test_the_command_prints_the_figures_of_the_readme(
    kewen: Callable[..., tuple[int, str, str]], shared_home: Path, split: str
):
    code, out, _ = kewen("eval", "columns", "--split", split, "--home", str(shared_home))
    assert code == 0
    readme = (Path(columns.__file__).parent / "README.md").read_text(encoding="utf-8")
    rows = [line for line in out.splitlines() if line.startswith(("| `kewen", "| search", "| ask", "Columns"))]
    assert len(rows) == 4
    for row in rows:
        assert row in readme


def test_the_command_gives_json(kewen: Callable[..., tuple[int, str, str]], shared_home: Path):
    code, out, _ = kewen("eval", "columns", "--json", "--home", str(shared_home))
    assert code == 0
    assert set(json.loads(out)["ways"]) == {"compare", "search", "ask"}
