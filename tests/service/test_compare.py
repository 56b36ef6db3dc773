"""One subject, year by year: places, topics, aspects; what silent years say; the same over HTTP and on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from corpus.citations import verify
from corpus.types import Document, join_spans
from index.subjects import form_of, is_named, kind_of, place_of, subjects
from index.types import Filters
from service.assistant import Assistant
from service.comparisons import Column, Comparison
from service.errors import KewenError
from service.settings import load_settings

YEARS = [2015, 2022, 2024, 2025, 2026]


def column(comparison: Comparison, year: int) -> Column:
    return next(x for x in comparison.columns if x.year == year)


def said(comparison: Comparison, year: int) -> str:
    return "\n".join(x.sentence.text for x in column(comparison, year).cells)


def reason(comparison: Comparison, year: int) -> str:
    found = column(comparison, year).reason
    return found.message if found else ""


def test_each_year_that_has_a_report_is_a_column_and_no_other(assistant: Assistant):
    assert [x.year for x in assistant.compare("嘉定区").columns] == YEARS
    assert assistant.compare("嘉定区").columns[0].documents[0].id == "shanghai-2015-districts"


def test_a_place_is_shown_by_what_stands_under_its_heading(assistant: Assistant):
    compared = assistant.compare("嘉定区")
    assert "功能定位：成为上海建设具有全球影响力的科技创新中心重要承载区" in said(compared, 2015)
    assert "聚焦汽车“新四化”" in said(compared, 2024)
    assert {x.section[0] for x in column(compared, 2025).cells} == {"嘉定区"}


def test_it_is_said_which_of_the_places_of_that_name_a_sentence_is_about(assistant: Assistant):
    compared = assistant.compare("嘉定")
    assert {x.sentence.label for x in column(compared, 2024).cells} == {"嘉定园"}
    assert {x.sentence.label for x in column(compared, 2025).cells} == {"嘉定区"}


@pytest.mark.parametrize("name", ["嘉定", "嘉定区", "嘉定园", "嘉定區", "jiading", " 嘉定区 "])
def test_a_place_is_the_same_by_all_its_names(assistant: Assistant, name: str):
    quotes = [x.citation.quote for x in assistant.compare("嘉定区").citations]
    assert [x.citation.quote for x in assistant.compare(name).citations] == quotes


def test_a_year_whose_reports_do_not_name_a_place_says_so(assistant: Assistant):
    compared = assistant.compare("嘉定区")
    assert column(compared, 2026).cells == ()
    assert reason(compared, 2026) == "2026 年的报告没有提到嘉定。"
    assert column(compared, 2026).mentioned == 0


def test_a_year_is_said_not_to_name_a_place_only_where_it_does_not(assistant: Assistant):
    snapshot = assistant.retriever().snapshot
    texts = dict.fromkeys(YEARS, "")
    for row in snapshot.rows:
        year = snapshot.documents[row.passage.document_id].year
        texts[year] += "\n".join([*row.passage.section, row.passage.text, ""])
    for subject in assistant.subjects():
        short = place_of(subject.name, snapshot.names) or ""
        silent = [x.year for x in assistant.compare(subject.name).columns if not x.cells]
        assert silent == [year for year in YEARS if not is_named(texts[year], short, snapshot.names)], subject.name


def test_no_river_is_taken_for_a_district(assistant: Assistant):
    names = assistant.retriever().snapshot.names
    assert not is_named("在黄浦江两岸布局", "黄浦", names)
    assert is_named("在黄浦两岸布局", "黄浦", names)
    assert is_named("推进张江崇明园提质增效", "张江", names)


def test_a_topic_is_shown_where_it_is_spoken_of(assistant: Assistant):
    compared = assistant.compare("先投后股")
    assert "探索“先投后股”试点改革政策" in said(compared, 2022)
    assert "修订《宝山区科技成果转化项目“先投后股”创新改革试点方案实施细则》" in said(compared, 2025)
    assert "全国首批、全市唯一" in said(compared, 2026)
    assert [x.year for x in compared.columns if not x.cells] == [2015, 2024]
    assert reason(compared, 2015) == "2015 年的报告里没有找到说到“先投后股”的句子。"


@pytest.mark.parametrize("topic", ["火星移民", "故宫门票"])
def test_what_no_report_speaks_of_has_no_cell_in_any_year(assistant: Assistant, topic: str):
    compared = assistant.compare(topic)
    assert compared.is_silent
    assert all(x.reason and not x.cells for x in compared.columns)


@pytest.mark.parametrize("word", ["元宇宙", "石墨烯", "概念验证", "众创空间", "区块链", "揭榜挂帅"])
def test_a_year_whose_text_holds_the_very_word_is_not_silent(
    assistant: Assistant, reports: dict[str, Document], word: str
):
    for x in assistant.compare(word).columns:
        if any(word in reports[d.id].text for d in x.documents):
            assert any(word in "".join([cell.sentence.text, *cell.section]) for cell in x.cells), x.year


def test_an_aspect_leaves_only_what_is_about_it(assistant: Assistant):
    compared = assistant.compare("徐汇区", "人工智能")
    assert "模速空间" in said(compared, 2025)
    assert "功能定位" not in said(compared, 2015)
    assert reason(compared, 2015) == "2015 年的报告提到徐汇，但没有找到说到“人工智能”的句子。"
    everything = " ".join(x.citation.quote for x in compared.citations)
    assert "嘉定" not in everything


def test_the_words_that_are_asked_for_are_marked(assistant: Assistant):
    cell = column(assistant.compare("徐汇区", "人工智能"), 2024).cells[0].sentence
    assert [cell.text[start:end] for start, end in cell.marks] == ["人工智能"]


def test_years_in_the_subject_choose_the_columns_and_it_is_said_so(assistant: Assistant):
    compared = assistant.compare("2022年和2025年嘉定区")
    assert [x.year for x in compared.columns] == [2022, 2025]
    assert any("2022" in x for x in compared.notices)


def test_every_cell_is_its_quote_byte_for_byte(assistant: Assistant, reports: dict[str, Document]):
    for subject in ["嘉定区", "宝山", "张江", "科普活动", "先投后股", "大零号湾"]:
        compared = assistant.compare(subject, per_year=8)
        cited = {x.number: x.citation for x in compared.citations}
        cells = [cell for x in compared.columns for cell in x.cells]
        assert [cell.sentence.citations for cell in cells] == [(n,) for n in range(1, len(cells) + 1)]
        for cell in cells:
            citation = cited[cell.sentence.citations[0]]
            assert cell.sentence.text == citation.quote
            verify(reports[cell.document_id], citation)
            assert all(0 <= start < end <= len(citation.quote) for start, end in cell.sentence.marks)


def test_a_cell_stands_in_the_column_of_its_reports_year(assistant: Assistant):
    for subject in assistant.subjects():
        compared = assistant.compare(subject.name)
        year_of = {x.number: x.citation.year for x in compared.citations}
        for x in compared.columns:
            assert {year_of[n] for cell in x.cells for n in cell.sentence.citations} <= {x.year}


@pytest.mark.parametrize("most", [1, 3, 20])
def test_a_year_has_no_more_sentences_than_asked_for(assistant: Assistant, most: int):
    counts = [len(x.cells) for x in assistant.compare("宝山", per_year=most).columns]
    assert max(counts) <= most
    assert most > 4 or max(counts) == most


def test_sentences_of_one_passage_follow_each_other_as_they_do_in_it(assistant: Assistant):
    starts = [x.citation.spans[0][0] for x in assistant.compare("嘉定区").citations if x.citation.year == 2025]
    assert len(starts) > 1
    assert starts == sorted(starts)


def test_filters_leave_the_other_years_out(assistant: Assistant):
    compared = assistant.compare("嘉定区", filters=Filters(years=(2022, 2024)))
    assert [x.year for x in compared.columns] == [2022, 2024]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"subject": "  "}, "empty_query"),
        ({"subject": "嘉" * 2001}, "query_too_long"),
        ({"subject": "嘉定区", "aspect": "科" * 1998}, "query_too_long"),
        ({"subject": "嘉定区", "per_year": 0}, "invalid_request"),
        ({"subject": "嘉定区", "per_year": 21}, "invalid_request"),
        ({"subject": "嘉定\x00区"}, "invalid_request"),
        ({"subject": "嘉定区", "aspect": "科\x07普"}, "invalid_request"),
        ({"subject": "嘉定区", "filters": Filters(years=(1999, 2000))}, "unknown_year"),
        ({"subject": "嘉定区", "filters": Filters(document_ids=frozenset(["x"]))}, "unknown_document"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(assistant: Assistant, given: dict[str, object], code: str):
    with pytest.raises(KewenError) as refused:
        assistant.compare(**given)  # type: ignore[arg-type]
    assert refused.value.code == code
    assert "问题" not in refused.value.message


def test_a_blank_aspect_is_none(assistant: Assistant):
    assert assistant.compare("嘉定区", "  ").aspect is None


def test_without_expansions_places_are_compared_too(assistant: Assistant):
    compared = assistant.compare("嘉定区", expansions=False)
    assert [bool(x.cells) for x in compared.columns] == [True, True, True, True, False]


# -- subjects -------------------------------------------------------------------------------------


def test_the_places_to_choose_from_are_named_by_kind_with_their_years(assistant: Assistant):
    found = {x.name: x for x in assistant.subjects()}
    assert found["嘉定区"].kind == "district"
    assert found["嘉定区"].years == (2015, 2022, 2024, 2025)
    assert found["漕河泾园"].kind == "park"
    assert found["张江"].kind == "place"
    assert "嘉定园" not in found
    counts = [len(x.years) for x in assistant.subjects()]
    assert counts == sorted(counts, reverse=True)


def test_the_passages_of_a_subject_are_those_that_name_it(assistant: Assistant):
    snapshot = assistant.retriever().snapshot
    found = {x.name: x for x in subjects(snapshot)}
    naming = [
        row
        for row in snapshot.rows
        if is_named("\n".join([*row.passage.section, row.passage.lead or "", row.passage.text]), "嘉定", snapshot.names)
    ]
    assert found["嘉定区"].passages == len(naming)


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("浦东新区", "district"),
        ("崇明县", "district"),
        ("金桥园", "park"),
        ("沿江御桥地区", "place"),
        ("莘庄工业区", "place"),
    ],
)
def test_kinds_of_places(form: str, kind: str):
    assert kind_of(form) == kind


def test_a_form_is_the_full_name_that_stands_nearest(assistant: Assistant):
    names = assistant.retriever().snapshot.names
    assert form_of(["", "嘉定园", "嘉定区"], "嘉定", names) == "嘉定园"
    assert form_of(["打响“科技嘉定”品牌"], "嘉定", names) is None


# -- the user's own documents -----------------------------------------------------------------------


def own(folder: Path, texts: dict[str, str], make_folder: Callable[..., Path]) -> Assistant:
    return Assistant(load_settings({"home": folder / "home", "reports": make_folder(texts)}, {}))


def in_manifest(folder: Path, was: str, now: str) -> None:
    manifest = folder / "reports" / "reports.toml"
    manifest.write_text(manifest.read_text("utf-8").replace(was, now), "utf-8")


def test_two_reports_of_one_year_share_a_column(tmp_path: Path, make_folder: Callable[..., Path]):
    texts = {
        "a.txt": "甲报告\n\n嘉定区\n\n嘉定区建成智能汽车产业园，集聚企业 35 家。\n",
        "b.txt": "乙报告\n\n嘉定区\n\n嘉定区举办科普活动 20 场，参加的市民有三千人。\n",
    }
    assistant = own(tmp_path, texts, make_folder)
    in_manifest(tmp_path, "2021", "2020")
    compared = assistant.compare("嘉定区")
    assert [x.year for x in compared.columns] == [2020]
    assert {x.document_id for x in compared.columns[0].cells} == {"a", "b"}


def test_a_report_that_is_of_a_place_by_its_title_alone_speaks_of_it(tmp_path: Path, make_folder: Callable[..., Path]):
    texts = {
        "a.txt": "报告\n\n本区新办企业 35 家，都在园区之内。\n",
        "b.txt": "报告\n\n青浦区\n\n青浦区有企业 53 家。\n",
    }
    assistant = own(tmp_path, texts, make_folder)
    in_manifest(tmp_path, "标题0", "青浦区年报")
    compared = assistant.compare("青浦区")
    assert "35 家" in said(compared, 2020)
    assert column(compared, 2020).mentioned == 1
    assert column(compared, 2020).cells[0].sentence.label == "青浦区"


def test_words_are_marked_in_traditional_characters_too(tmp_path: Path, make_folder: Callable[..., Path]):
    assistant = own(tmp_path, {"a.txt": "報告\n\n嘉定區\n\n嘉定區開設機器人門店 35 家，佔全市一半。\n"}, make_folder)
    cell = assistant.compare("嘉定区", "机器人").columns[0].cells[0].sentence
    assert [cell.text[start:end] for start, end in cell.marks] == ["機器人"]


def test_what_is_said_twice_in_a_year_is_shown_once(tmp_path: Path, make_folder: Callable[..., Path]):
    same = "嘉定区建成智能汽车产业园，集聚企业 35 家，产值达到 12 亿元。"
    texts = {"a.txt": f"报告\n\n嘉定区\n\n{same}\n\n第二章 再说\n\n{same}另有新城两座正在建设之中，工期三年。\n"}
    compared = own(tmp_path, texts, make_folder).compare("嘉定区", per_year=8)
    assert [x.citation.quote for x in compared.citations].count(same) == 1


def test_offsets_count_code_points(tmp_path: Path, make_folder: Callable[..., Path]):
    text = "𠮷野家报告😀\n\n嘉定区\n\n𠮷野家😀在嘉定区开设人工智能门店 35 家，占全市一半。\n"
    assistant = own(tmp_path, {"a.txt": text}, make_folder)
    compared = assistant.compare("嘉定区", "人工智能")
    cell, citation = compared.columns[0].cells[0].sentence, compared.citations[0].citation
    assert join_spans(assistant.retriever().snapshot.text("a"), citation.spans) == cell.text
    assert [cell.text[start:end] for start, end in cell.marks] == ["人工智能"]


def test_a_new_generation_is_compared_once_it_is_there(tmp_path: Path, make_folder: Callable[..., Path]):
    assistant = own(tmp_path, {"a.txt": "报告\n\n嘉定区\n\n嘉定区有企业 35 家，都是新办的。\n"}, make_folder)
    assert assistant.subjects()[0].name == "嘉定区"
    make_folder({"a.txt": "报告\n\n青浦区\n\n青浦区有企业 53 家，都是新办的。\n"})
    assistant.build()
    assert [x.name for x in assistant.subjects()] == ["青浦区"]
    assert "53 家" in said(assistant.compare("青浦"), 2020)


# -- over HTTP ----------------------------------------------------------------------------------------


def test_the_service_answers_what_the_assistant_does(url: str, assistant: Assistant):
    answer = httpx.post(f"{url}/v1/compare", json={"subject": "嘉定区", "aspect": None, "per_year": 2}).json()
    compared = assistant.compare("嘉定区", per_year=2)
    assert [x["quote"] for x in answer["citations"]] == [x.citation.quote for x in compared.citations]
    assert [x["year"] for x in answer["columns"]] == YEARS
    first = answer["columns"][0]
    assert set(first) == {"year", "documents", "mentioned", "cells", "reason"}
    assert set(first["cells"][0]) == {"document_id", "text", "citations", "marks", "label", "section"}
    assert first["documents"] == [{"id": "shanghai-2015-districts", "title": "4.3 各具特色的区县创新稳步推进"}]
    assert answer["columns"][-1]["reason"] == {"code": "no_place_year", "message": "2026 年的报告没有提到嘉定。"}
    page = httpx.get(answer["citations"][0]["url"].replace("http://127.0.0.1:8765", url))
    assert page.status_code == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_request"),
        ({"subject": ""}, "empty_query"),
        ({"subject": "嘉" * 2001}, "query_too_long"),
        ({"subject": 5}, "invalid_request"),
        ({"subject": "嘉定区", "per_year": 0}, "invalid_request"),
        ({"subject": "嘉定区", "per_year": 21}, "invalid_request"),
        ({"subject": "嘉定区", "year": 2022}, "invalid_request"),
        ({"subject": "嘉定区", "filters": {"years": [1999, 2000]}}, "unknown_year"),
        ({"subject": "嘉定区", "filters": {"document_ids": ["x"]}}, "unknown_document"),
    ],
)
def test_a_wrong_request_has_its_code(url: str, body: dict[str, object], code: str):
    answer = httpx.post(f"{url}/v1/compare", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == code


def test_subjects_are_listed(url: str):
    listed = httpx.get(f"{url}/v1/subjects").json()["subjects"]
    assert listed[0] == {"name": "宝山区", "kind": "district", "years": YEARS, "passages": listed[0]["passages"]}


# -- on the command line --------------------------------------------------------------------------------


def test_the_command_prints_the_years_and_their_sources(kewen: Callable[..., tuple[int, str, str]], shared_home: Path):
    code, out, _ = kewen("compare", "嘉定区", "--home", str(shared_home), "--per-year", "1")
    assert code == 0
    assert "2026　《宝山区科技创新“十五五”规划（征求意见稿）》\n    2026 年的报告没有提到嘉定。" in out
    assert "嘉定园：聚焦汽车“新四化”" in out
    assert "[1] 《4.3 各具特色的区县创新稳步推进》（2015）" in out


def test_the_command_gives_json_as_the_service_does(kewen: Callable[..., tuple[int, str, str]], shared_home: Path):
    code, out, _ = kewen(
        "compare", "徐汇区", "--aspect", "人工智能", "--year", "2024-2025", "--home", str(shared_home), "--json"
    )
    assert code == 0
    assert [x["year"] for x in json.loads(out)["columns"]] == [2024, 2025]


def test_the_command_says_nothing_was_found_by_its_exit_code(
    kewen: Callable[..., tuple[int, str, str]], shared_home: Path
):
    code, out, _ = kewen("compare", "火星移民", "--home", str(shared_home))
    assert code == 1
    assert out.count("没有找到说到“火星移民”的句子") == len(YEARS)


@pytest.mark.parametrize("year", ["2025-2015", "去年", "20255", ""])
def test_the_command_refuses_years_that_are_none(
    kewen: Callable[..., tuple[int, str, str]], shared_home: Path, year: str
):
    code, _, err = kewen("compare", "嘉定区", "--year", year, "--home", str(shared_home))
    assert code == 2
    assert "unknown_year" in err


def test_a_document_cannot_speak_to_the_terminal(
    tmp_path: Path, make_folder: Callable[..., Path], kewen: Callable[..., tuple[int, str, str]]
):
    text = "报告\n\n嘉定区\n\n嘉定区\u202e有企业\x1b[31m 35 家，都是新办的。\n"
    assistant = own(tmp_path, {"a.txt": text}, make_folder)
    settings = replace(assistant.settings)
    code, out, _ = kewen("compare", "嘉定区", "--home", str(settings.home), "--reports", str(settings.reports))
    assert code == 0
    assert "35 家" in out
    assert not {"\u202e", "\x1b"} & set(out)
