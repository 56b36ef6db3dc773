"""Names: what the reports' headings call places, and how names sound."""

from __future__ import annotations

import subprocess
import sys

import pytest

from corpus.types import Passage
from index.context import passage_text
from index.names import Names
from index.segment import domain_words, normalise
from tests.names import learn_names


def passage(*section: str) -> Passage:
    return Passage("d", section, (), None, "text", ((0, 1),), "文", (1, 1))


@pytest.fixture(scope="module")
def names(reports, passages) -> Names:
    every = [p for name in reports for p in passages[name]]
    texts = [passage_text(reports[p.document_id].title, reports[p.document_id].year, p) for p in every]
    return learn_names(every, texts)


def test_all_districts_and_parks_of_the_reports_are_places(names):
    districts = "浦东黄浦静安徐汇长宁普陀虹口杨浦闵行宝山嘉定金山松江青浦奉贤崇明"
    assert {districts[n : n + 2] for n in range(0, len(districts), 2)} <= names.places.keys()
    assert {"漕河泾", "金桥", "陆家嘴"} <= names.places.keys()
    assert {"闵行区", "闵行园"} <= set(names.places["闵行"])
    for short, forms in names.places.items():
        assert all(form.startswith(short) and form != short for form in forms)


@pytest.mark.parametrize(
    ("heading", "short", "form"),
    [
        ("浦东新区", "浦东", "浦东新区"),
        ("寶山區：科創中心主陣地", "宝山", "宝山区"),
        ("（一）临港新城", "临港", "临港新城"),
        ("3. 漕河泾园", "漕河泾", "漕河泾园"),
        ("杨行镇", "杨行", "杨行镇"),
    ],
)
def test_headings_that_are_places(heading, short, form):
    assert learn_names([passage("一、总论", heading)], []).places == {short: [form]}


@pytest.mark.parametrize(
    "heading",
    ["一、发展基础", "打造特色园区", "推进宝山区", "核心功能区", "科技创新的示范区", "宝山区有企业449家", "区"],
)
def test_headings_that_are_none(heading):
    assert learn_names([passage(heading)], []).places == {}


@pytest.mark.parametrize(
    ("sound", "name"),
    [
        ("minhang", "闵行"),
        ("minhangqu", "闵行区"),
        ("xuhui", "徐汇"),
        ("caohejing", "漕河泾"),
        ("baoshanyuan", "宝山园"),
    ],
)
def test_names_are_known_by_their_sound(names, sound, name):
    assert names.sounds[sound] == name


def test_only_words_that_occur_are_terms():
    word = next(w for w in domain_words() if len(normalise(w)) > 2 and normalise(w).isalpha() and not w.isascii())
    assert normalise(word) in learn_names([], [f"关于{word}的情况"]).sounds.values()
    assert learn_names([], ["别的文字"]).sounds == {}


def test_characters_of_text_have_a_sound(names):
    assert {c: names.readings[c] for c in "宝保区是"} == {"宝": "bao", "保": "bao", "区": "qu", "是": "shi"}
    assert len(names.readings) > 3700


def test_what_is_dumped_comes_back(names):
    assert Names.load(names.dump()) == names
    assert Names.load(Names({}, {}, {}).dump()) == Names({}, {}, {})


def test_reading_names_needs_no_table_of_pinyin():
    code = "import sys; import index.names, index.query; print('pypinyin' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
