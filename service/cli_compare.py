"""`kewen compare`: one subject, year by year."""

from __future__ import annotations

from typing import Any

import click

from index.types import Filters
from service.commands import ChineseCommand, assistant_of, backend_options, common_options, mark, print_json, years_of
from service.compare_render import comparison_json, comparison_text
from service.comparisons import MOST_PER_YEAR
from service.errors import NOTHING, OK
from service.links import Links


@click.command(cls=ChineseCommand, help="对照：各年的报告怎样说同一个区、园区或主题。")
@click.argument("subject", metavar="对象")
@click.option("--aspect", metavar="方面", help="只看这一方面，如 集成电路。")
@click.option("--year", "years", metavar="年[-年]", help="只对照这几年，如 2015-2025。")
@click.option("--document", "documents", multiple=True, metavar="编号", help="只对照这份报告，可重复。")
@click.option("--series", multiple=True, metavar="系列", help="只对照这个系列，可重复。")
@click.option("--per-year", type=int, default=4, metavar="句数", help=f"每年至多几句（1 到 {MOST_PER_YEAR}，默认 4）。")
@click.option("--no-expansion", is_flag=True, help="只按原文检索，不用段落的扩展问法。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
@backend_options
def compare(
    subject: str,
    aspect: str | None,
    years: str | None,
    documents: tuple[str, ...],
    series: tuple[str, ...],
    per_year: int,
    no_expansion: bool,
    as_json: bool,
    **given: Any,
) -> int:
    filters = Filters(
        document_ids=frozenset(documents) or None, years=years_of(years), series=frozenset(series) or None
    )
    assistant = assistant_of(given)
    comparison = assistant.compare(subject, aspect, filters, per_year, not no_expansion)
    if as_json:
        print_json(comparison_json(comparison, Links(assistant.settings).url))
    else:
        click.echo(comparison_text(comparison, mark()))
    return NOTHING if comparison.is_silent else OK
