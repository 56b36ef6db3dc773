"""The evaluation view: the latest figures in plain words, and the whole report a click away."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from service import evaluations
from service.keys import KeyRing
from tests.live import serving

PAGE = (
    "<!doctype html><html lang=zh-CN><meta charset=utf-8><title>检索评测</title><style>p { color: rgb(1, 2, 3) }</style>"
    "<script>document.title = '不应运行'</script><p onclick=alert(1)>最弱的一类是换说法</p>"
).encode()
FIGURES = {
    "made": "2026-11-21T12:42:23+00:00",
    "system": "kewen · hybrid · <b>bundled</b>",
    "split": "test",
    "questions": 126,
    "answerable": 118,
    "measures": {"Success@1": [0.9153, 0.8644, 0.9661], "Success@5": [0.9915, 0.9746, 1.0], "R@5": [0.5, 0.4, 0.6]},
    "answers": {"evidence": [0.822, 0.7542, 0.8898]},
    "by_type": {
        "fact": {"questions": 27, "Success@5": [1.0, 1.0, 1.0]},
        "paraphrase": {"questions": 36, "Success@5": [0.9722, 0.9167, 1.0]},
        "odd": {"questions": 5, "Success@5": [0.4, 0.0, 0.8]},
    },
}


@pytest.fixture
def settings(settings, tmp_path):
    """A home in which nothing is evaluated yet."""
    shutil.copytree(settings.home, tmp_path / "own", ignore=shutil.ignore_patterns("evaluation"))
    return replace(settings, home=tmp_path / "own")


@pytest.fixture
def address(settings, assistant):
    with serving(settings, assistant) as url:
        yield url


def second_tab(person):
    """The tab that the last click has opened."""
    driver = person.browser.driver
    known = driver.current_window_handle
    person.browser.wait(lambda: driver.window_handles[-1] != known, "another tab")
    driver.switch_to.window(driver.window_handles[-1])
    person.browser.wait(lambda: person.run("return document.readyState") == "complete", "its page")


def test_a_newcomer_is_told_the_two_commands_and_then_sees_what_they_made(person, address, settings):
    person.open(f"{address}/#/evaluation")
    person.sees("还没有评测报告")
    assert person.texts("code") == ["kewen eval run --answers --out pingce", "kewen eval report pingce"]
    person.browser.cdp("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    person.click("复制命令 kewen eval report pingce")
    person.sees("已复制。")
    assert person.run("return navigator.clipboard.readText()") == "kewen eval report pingce"
    evaluations.keep(settings.home, PAGE, FIGURES)
    person.click("重新查看")
    person.sees("打开完整报告")


def test_the_commands_that_a_newcomer_copies_do_what_they_promise(
    person, address, settings, kewen, tmp_path, monkeypatch
):
    person.open(f"{address}/#/evaluation")
    person.sees("还没有评测报告")
    monkeypatch.chdir(tmp_path)
    for command in person.texts("code"):
        _, *words = command.split()
        faster = ["--split", "dev"] if "run" in words else []
        code, _, err = kewen(*words, *faster, "--home", str(settings.home))
        assert code == 0, err
    person.click("重新查看")
    person.sees("标准问题中用来调试的一半 · 126 题，其中 118 题报告里有答案")
    person.click("打开完整报告")
    second_tab(person)
    person.sees("按问题类型（差者在前）")
    assert person.run("return getComputedStyle(document.querySelector('.card b')).display") == "block"  # its own style


def test_the_figures_stand_in_plain_words_with_their_intervals(person, address, settings):
    evaluations.keep(settings.home, PAGE, FIGURES)
    person.open(f"{address}/#/evaluation")
    person.sees("标准问题中只用来检验的一半 · 126 题，其中 118 题报告里有答案")
    person.sees("2026年11月2", ".about")
    person.sees("<b>bundled</b>", ".system")
    cards = [x.split("\n") for x in person.texts(".figures li")]
    assert cards == [
        ["首条即中", "92%", "95% 区间 86–97%"],
        ["前五条命中", "99.2%", "95% 区间 97–100%"],
        ["答案含依据", "82%", "95% 区间 75–89%"],
    ]
    bars = [x.split("\n") for x in person.texts(".bars li")]
    assert bars == [
        ["odd", "40%", "5 题 · 95% 区间 0–80%"],
        ["换个说法", "97%", "36 题 · 95% 区间 92–100%"],
        ["问事实", "100%", "27 题"],
    ]
    whole, share = person.run(
        "return [...document.querySelectorAll('.meter rect')].slice(0, 2).map((x) => x.getBoundingClientRect().width)"
    )
    assert share == pytest.approx(whole * 0.4, rel=0.01)
    person.click("English")
    person.sees("Evidence in the first five")
    person.sees("likely 97–100%")


def test_the_report_opens_by_its_link_though_keys_are_needed_and_runs_nothing(person, settings, assistant):
    evaluations.keep(settings.home, PAGE, FIGURES)
    key = KeyRing(settings).add("读者", "read")
    # The browser says that the script was refused: that is the test.
    person.expect("Content Security Policy", "sandboxed", "Blocked script")
    with serving(settings, assistant) as url:
        person.browser.open(f"{url}/web/icon.svg")
        person.run("sessionStorage.setItem('kewen.key', JSON.stringify(arguments[0]))", key)
        person.open(f"{url}/#/evaluation")
        person.click("打开完整报告")
        second_tab(person)
        person.sees("最弱的一类是换说法")
        assert person.run("return document.title") == "检索评测"
        assert person.run("return getComputedStyle(document.querySelector('p')).color") == "rgb(1, 2, 3)"
        assert "sign=" in person.run("return location.search")


def test_a_lost_connection_says_so_and_looks_again(person, settings, assistant):
    evaluations.keep(settings.home, PAGE, FIGURES)
    person.expect("Failed to load", "net::ERR")
    with serving(settings, assistant) as url:
        person.open(f"{url}/#/documents")
        person.sees("报告文件夹")
        port = int(url.rsplit(":", 1)[1])
    person.click("评测")
    person.sees("连不上科问服务", "main .error")
    with serving(replace(settings, port=port), assistant, port):
        person.sees("已重新连上")
        person.click("重试")
        person.sees("前五条命中")


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("is_made", [False, True])
def test_nothing_is_wider_than_the_page(person, address, settings, width, is_made):
    if is_made:
        evaluations.keep(settings.home, PAGE, {**FIGURES, "system": "x" * 200})
    person.browser.size(width, 800, mobile=width < 500)
    person.open(f"{address}/#/evaluation")
    person.sees("完整报告" if is_made else "还没有评测报告")
    assert person.run("return document.documentElement.scrollWidth") <= width
