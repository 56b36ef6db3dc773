"""Terms: both engines agree, and what readers do not tell apart is one."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index import segment

HAN = "宝山区科技创新中心建设发展先投后股生物医药企业大零号湾漕河泾园的了和在是有为上海浦东张江机器人大学"


@pytest.fixture(scope="module")
def engines():
    return segment.rust_segmenter(), segment.reference_segmenter()


def test_both_engines_give_the_same_words_on_the_reports(engines, reports, monkeypatch):
    for document in reports.values():
        found = []
        for engine in engines:
            monkeypatch.setattr(segment, "segmenter", lambda engine=engine: engine)
            found.append(segment.words(document.text))
        assert found[0] == found[1]
        assert len(found[0]) > 500


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(sorted(set(HAN))), min_size=1, max_size=20, unique=True))
def test_both_engines_give_the_same_words(engines, characters):
    """Of text without repeats: where one character stands many times over (大大大), several cuts are equally likely."""
    rust, reference = engines
    text = "".join(characters)
    assert rust(text) == reference(text)


def test_without_the_rust_port_the_reference_serves(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "rjieba", None)
    segment._segmenter.cache_clear()
    try:
        assert "宝山区" in segment.words("宝山区有多少家企业")
    finally:
        segment._segmenter.cache_clear()


@pytest.mark.parametrize("word", ["先投后股", "大零号湾", "宝山区", "漕河泾园", "吴淞材料实验室"])
def test_domain_words_stay_whole(word):
    assert word in segment.words(f"关于{word}的情况")


def test_domain_words_are_listed_once():
    listed = segment.domain_words()
    assert len(listed) == len(set(listed)) > 100


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("寶山區生物醫藥企業", "宝山区生物医药企业"),
        ("Ｇ６０科创走廊", "G60科创走廊"),
        ("B-LINK 生态圈", "b-link生态圈"),
        ("４．６９％", "4.69%"),
        ("企業六家，增長百分之二點五", "企业6家，增长2.5%"),
        ("二〇二五年", "2025年"),
    ],
)
def test_variants_of_writing_are_one(a, b):
    assert segment.words(a) == segment.words(b)
    assert segment.characters(a) == segment.characters(b)


def test_words_and_characters():
    assert segment.words("G60科创走廊3.0版 2+8+N C++") == ["g60", "走廊", "科创走廊", "3.0", "版", "2+8+n", "c++"]
    assert segment.characters("先投后 AI4S") == ["先", "投", "后", "先投", "投后", "ai4s"]
    assert segment.words("，。！") == segment.characters("") == []


def test_a_comma_between_clauses_joins_no_figures():
    assert segment.characters("截至2025，100家企业")[:2] == ["截", "至"]
    assert {"2025", "100"} <= set(segment.characters("截至2025，100家企业"))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="一二三十百千万零〇两点家年个％%1２3 ,，.宝寶山ＡbG", max_size=12))
def test_folding_twice_changes_nothing(text):
    once = segment.normalise(text)
    assert segment.normalise(once) == once


def test_threads_that_begin_at_once_share_one_segmenter():
    script = (
        "import threading; from index.segment import segmenter; gate = threading.Barrier(8); out = []\n"
        "def go():\n"
        "    gate.wait()\n"
        "    out.append(segmenter()('宝山区生物医药')[0])\n"
        "threads = [threading.Thread(target=go) for _ in range(8)]\n"
        "[x.start() for x in threads]; [x.join() for x in threads]; print(len(out))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("8\n", "")
