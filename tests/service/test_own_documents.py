"""What a user does with documents of their own: add them, and ask."""

from __future__ import annotations

import shutil

from corpus.intake import Found
from service.assistant import Assistant
from service.librarian import Librarian
from service.settings import load_settings

JIADING = "# 嘉定区科技报告2025\n\n## 一、概况\n\n嘉定区今年有科普活动 210 场，集聚生物医药企业 600 家。\n"


def test_what_is_new_answers_though_an_older_passage_has_expansions_and_is_of_another_place(shared_home, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(shared_home, home)
    assistant = Assistant(load_settings({"home": home}, {}))
    report = Librarian(assistant).add([Found("嘉定.md", data=JIADING.encode())])
    assert [x.status for x in report.documents] == ["ok"]
    answer = assistant.ask("嘉定有多少家生物医药企业？")
    assert "600 家" in answer.text
    assert answer.citations[0].citation.document_id == "嘉定"
    assert "449 家" in assistant.ask("宝山区有多少家生物医药企业？").text
    assert assistant.ask("静安区生物医药企业有多少家？").abstained
