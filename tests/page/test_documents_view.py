"""The documents view, as somebody uses it who has a report of their own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from service.assistant import Assistant
from service.errors import KewenError
from service.keys import KeyRing
from service.settings import load_settings
from tests.corpus.hostile_pdf import encrypted
from tests.live import serving

PDF = Path(__file__).parents[1] / "files" / "pdf" / "chromium-shanghai-2022-districts.pdf"
MARS = "火星区科技创新报告2025\n\n一、基础\n\n火星区2025年有生物医药企业777家，园区5个。\n"
OWN, FOLDER, ARRIVALS = ".shelf:has(#shelf-own)", ".shelf:has(#shelf-folder)", ".arrivals"
BAOSHAN = "baoshan-2026-innovation-plan"


@pytest.fixture
def settings(shared_home, tmp_path):
    """A home of one's own, with the index of the shipped reports."""
    shutil.copytree(shared_home, tmp_path / "own", ignore=shutil.ignore_patterns("evaluation"))
    return load_settings({"home": tmp_path / "own"}, {})


@pytest.fixture
def library(settings, bundled):
    made = Assistant(settings)
    made._encoder = bundled
    return made


@pytest.fixture
def address(settings, library):
    with serving(settings, library) as url:
        yield url


@pytest.fixture
def view(person, address):
    """The view, opened; what the browser logs of answers that are errors is no fault of the page."""
    person.expect("Failed to load resource")
    person.open(f"{address}/#/documents")
    person.sees("报告文件夹")
    return person


@pytest.fixture
def file(tmp_path):
    def make(name, content=MARS):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return make


def drop(person, *paths):
    """Drag files over the middle of the page, and let them go."""
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        person.browser.cdp("Input.dispatchDragEvent", type=kind, x=640, y=500, data=data)
        if kind == "dragOver" and person.text("main.documents .drop"):
            person.sees("松手即加入资料")


def choose(person, *paths):
    """What the dialog that a click on the button opens would do."""
    root = person.browser.cdp("DOM.getDocument")["root"]["nodeId"]
    node = person.browser.cdp("DOM.querySelector", nodeId=root, selector="input[type=file]")["nodeId"]
    person.browser.cdp("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])


def slow(person, bytes_a_second):
    person.browser.cdp("Network.enable")
    person.browser.cdp(
        "Network.emulateNetworkConditions",
        offline=False,
        latency=0,
        downloadThroughput=-1,
        uploadThroughput=bytes_a_second,
    )


def states(person):
    """What became of each file, in the order in which they were given."""
    return person.texts(".arrival .tag")


def listed(address, **headers):
    return {x["id"]: x for x in httpx.get(f"{address}/v1/documents", **headers).json()["documents"]}


# -- from the first to the last ----------------------------------------------------------------------------------------


def test_a_dropped_report_appears_is_corrected_asked_about_and_removed(view, address, tmp_path):
    path = shutil.copy(PDF, tmp_path / "区县创新.pdf")
    drop(view, path)
    view.sees("已加入", ARRIVALS)
    view.sees("《4.3 优化全域创新空间格局》（封面最大的字）", ARRIVALS)
    view.sees("2022 年（正文最常述及2022年", ARRIVALS)
    view.sees("4 页", OWN)

    view.click("更正：4.3 优化全域创新空间格局", ARRIVALS)
    assert view.run("return document.activeElement.name") == "title"
    view.write("火星区创新年报", "题名")
    view.write("2031", "所述年份")
    view.enter()
    view.sees("已更正《火星区创新年报》。")
    view.sees("2031", OWN)
    assert view.focused() == "更正：火星区创新年报"
    known = listed(address)["区县创新"]
    assert (known["title"], known["year"], known["title_basis"], known["own"]) == ("火星区创新年报", 2031, None, True)
    filters = {"document_ids": ["区县创新"]}
    answer = httpx.post(f"{address}/v1/ask", json={"question": "青浦区2031年做了什么？", "filters": filters}).json()
    assert {(x["title"], x["year"]) for x in answer["citations"]} == {("火星区创新年报", 2031)}

    view.click("详情：《火星区创新年报》", OWN)
    view.sees("略去各页的页眉、页脚与页码", OWN)
    view.click("移除…", OWN)
    view.sees("移除《火星区创新年报》？", "dialog")
    view.sees("不能恢复", "dialog")
    view.click("取消", "dialog")
    view.browser.wait(lambda: view.focused() == "remove-区县创新", "the keyboard to be back where it was")
    view.click("移除…", OWN)
    view.click("移除", "dialog")
    view.sees("已移除《火星区创新年报》。")
    view.sees("还没有", OWN)
    assert "区县创新" not in listed(address)
    assert states(view) == ["后来移除了"]
    assert view.focused() == "documents-title"


def test_each_file_has_its_own_fate_and_the_encrypted_one_is_refused_by_name(view, address, file):
    odd = file("表格.xlsx", b"\xd0\xcf\x11\xe0" * 100)
    choose(view, file("加锁.pdf", encrypted(b"x", b"y")), file("火星.txt"), file("空.txt", b""), odd)
    view.browser.wait(lambda: len(states(view)) == 4 and "等候" not in states(view), "the files")
    view.browser.wait(lambda: view.count("progress") == 0, "the last file")
    assert [states(view)[n] for n in (0, 1, 2)] == ["已加密", "已加入", "没有文字"]
    assert view.run("return document.querySelectorAll('.arrival')[3].dataset.phase") == "refused"
    view.sees("加锁.pdf 有打开密码，无法读取。请先去掉密码再加入。", ARRIVALS)
    assert "火星" in listed(address)
    choose(view, file("火星.txt"), file("别名.txt"))
    view.browser.wait(lambda: states(view)[4:] == ["已在资料中", "与已有的相同"], "what is known already")
    view.click("清空此列")
    assert view.count(".arrival") == 0


def test_an_upload_that_is_cut_off_says_so_and_goes_through_once_the_service_is_back(person, settings, file):
    person.expect("Failed to load", "net::ERR")
    command = [sys.executable, "-m", "service.cli", "serve", "--home", str(settings.home), "--port"]

    def start(port="0"):
        server = subprocess.Popen([*command, port], stderr=subprocess.PIPE, text=True, encoding="utf-8")
        found = re.search(r"http://127\.0\.0\.1:(\d+)", server.stderr.readline())
        return server, found[1]

    server, port = start()
    try:
        person.open(f"http://127.0.0.1:{port}/#/documents")
        person.sees("报告文件夹")
        person.run("window.isSame = true")
        slow(person, 20_000)
        choose(person, file("大.txt", MARS + "火星区的园区继续扩建。\n" * 10_000), file("火星.txt"))
        person.browser.wait(lambda: re.search(r"发送 [1-9]", person.text(ARRIVALS)), "some of it to be sent")
        server.kill()
        server.wait()
        person.browser.wait(lambda: states(person) == ["没有传成"] * 2, "the loss of the connection")
        person.sees("连不上科问服务。请检查网络或服务是否在运行", ARRIVALS)
        slow(person, -1)
        server.stderr.close()
        server, _ = start(port)
        person.sees("已重新连上")
        person.click("全部重试")
        person.browser.wait(lambda: states(person) == ["已加入"] * 2, "both files")
        assert person.run("return window.isSame")
        assert {"大", "火星"} <= set(listed(f"http://127.0.0.1:{port}"))
    finally:
        server.terminate()
        server.wait()
        server.stderr.close()


def test_a_file_on_its_way_can_be_stopped_and_the_next_one_goes(view, address, file):
    slow(view, 20_000)
    choose(view, file("大.txt", MARS + "火星区的园区继续扩建。\n" * 10_000))
    choose(view, file("中.txt"), file("火星.txt"))
    view.browser.wait(lambda: view.count("progress[value]"), "the sending")
    assert states(view)[1:] == ["等候", "等候"]
    view.click("取消：中.txt")
    view.click("取消：大.txt")
    view.browser.wait(lambda: states(view) == ["已取消", "已取消", "已加入"], "the third file")
    assert set(listed(address)) & {"大", "中", "火星"} == {"火星"}
    slow(view, -1)
    view.click("重试：中.txt")
    view.browser.wait(lambda: states(view)[1] == "与已有的相同", "the second file")


# -- what is wrong is said where it is ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("year", "says"), [("1850", "太小，至少为 1900"), ("去年", "应为整数"), ("", "应为整数")])
def test_a_year_that_will_not_do_is_told_at_its_field_and_what_was_typed_stays(view, file, year, says):
    choose(view, file("火星.txt"))
    view.click("更正：火星区科技创新报告2025", ARRIVALS)
    view.write("另一题名", "题名")
    view.run("document.querySelector('.correction [name=year]').value = arguments[0]", year)
    view.click("保存")
    view.sees(says, ".correction label.field-year")
    field = view.run("const x = document.querySelector('[aria-invalid]'); return [x.name, x.value]")
    assert field == ["year", year]
    assert view.run("return document.activeElement.name") == "year"
    assert view.run("return document.querySelector('.correction [name=title]').value") == "另一题名"
    view.browser.escape()
    view.browser.wait(lambda: view.count(".correction") == 0, "the form to close")
    assert view.focused() == "更正：火星区科技创新报告2025"


def test_a_file_beyond_the_limit_is_told_in_the_words_of_the_service(person, settings, library, file):
    person.expect("Failed to load resource")
    small = replace(settings, max_upload=20_000)
    library.settings = small
    with serving(small, library) as url:
        person.open(f"{url}/#/documents")
        person.sees("报告文件夹")
        choose(person, file("大.txt", b"x" * 30_000), file("更大.txt", b"x" * 3_000_000), file("火星.txt"))
        person.browser.wait(lambda: states(person)[2:] == ["已加入"], "the third file")
        person.sees("大.txt 超过 20000 字节的上限。请拆成几份再加入。", ".arrival")
        assert states(person)[:2] == ["过大", "没有传成"]
        person.sees("一次上传共计不能超过 100000 字节", ".arrival:nth-child(2)")


def test_a_change_that_fails_is_told_in_the_words_of_the_service(view, library, file, monkeypatch):
    choose(view, file("火星.txt"))
    view.click("更正", ARRIVALS)

    def locked(*arguments, **named):
        raise KewenError("index_locked", "另一个程序正在写索引，请稍后再试。")

    with monkeypatch.context() as patch:
        patch.setattr(type(library.store), "writer", locked)
        view.write("2030", "所述年份")
        view.enter()
        view.sees("另一个程序正在写索引，请稍后再试。", ".correction")
        view.browser.escape()
        view.click("详情", OWN)
        view.click("移除…", OWN)
        view.click("移除", "dialog")
        view.sees("另一个程序正在写索引，请稍后再试。", "dialog")
    view.click("移除", "dialog")
    view.sees("已移除")


def test_a_list_that_cannot_be_had_says_so_and_can_be_asked_for_again(person, address, library, monkeypatch):
    person.expect("Failed to load resource")

    def unavailable():
        raise KewenError("index_unavailable", "索引用不了。请运行 kewen index repair。")

    with monkeypatch.context() as patch:
        patch.setattr(library, "documents", unavailable)
        person.open(f"{address}/#/documents")
        person.sees("索引用不了。请运行 kewen index repair。")
    person.click("重试")
    person.sees("宝山区科技创新", FOLDER)
    person.sees_no("索引用不了")


def test_a_change_under_way_is_seen(view, library, monkeypatch):
    go = threading.Event()
    documents, commit = library.documents, "service.librarian.Librarian._commit"
    monkeypatch.setattr(library, "documents", lambda: (go.wait(20), documents())[1])
    view.browser.open("about:blank")
    view.run("history.back()")
    view.sees("正在取资料…")
    go.set()
    view.sees("宝山区科技创新", FOLDER)
    hold = threading.Event()
    from service.librarian import Librarian

    real = Librarian._commit
    monkeypatch.setattr(commit, lambda self, *rest: (hold.wait(20), real(self, *rest))[1])
    view.click("详情", FOLDER)
    view.click("移除…", FOLDER)
    view.click("移除", "dialog")
    view.sees("正在移除…", "dialog")
    assert view.run("return document.querySelectorAll('dialog button:disabled').length") == 2
    hold.set()
    view.sees("已移除的报告")


# -- whose a document is -----------------------------------------------------------------------------------------------


def test_a_report_of_the_folder_is_only_hidden_and_can_be_brought_back(view, address):
    title = "宝山区科技创新“十五五”规划（征求意见稿）"
    view.click(f"详情：《{title}》")
    assert view.texts(".more .row .button") == ["移除…"]
    view.click("移除…")
    view.sees("文件不动，以后可以在本页“已移除的报告”里恢复", "dialog")
    view.click("移除", "dialog")
    view.sees(f"《{title}》（2026）", ".removed")
    assert BAOSHAN not in listed(address)
    view.click(f"恢复：《{title}》")
    view.sees(f"已恢复《{title}》。")
    view.sees(title, FOLDER)
    assert view.count(".removed") == 0
    assert not listed(address)[BAOSHAN]["own"]


def test_the_original_is_fetched_with_the_key_and_saved_byte_for_byte(person, settings, library, file, tmp_path):
    key = KeyRing(settings).add("某人", "full")
    person.expect("Failed to load resource")
    with serving(settings, library) as url:
        bearer = {"Authorization": f"Bearer {key}"}
        httpx.post(f"{url}/v1/documents", files={"file": ("火星.txt", MARS)}, headers=bearer)
        person.browser.open(f"{url}/web/icon.svg")
        person.run("sessionStorage.setItem('kewen.key', JSON.stringify(arguments[0]))", key)
        person.open(f"{url}/#/documents")
        (tmp_path / "saved").mkdir()
        person.browser.cdp("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "saved"))
        person.click("详情", OWN)
        person.click("下载原件")
        saved = tmp_path / "saved" / "火星.txt"
        person.browser.wait(saved.exists, "the file")
        person.browser.wait(lambda: saved.read_bytes() == MARS.encode(), "all of the file")


def test_a_key_that_may_only_read_is_told_once_and_reads_on(person, settings, library, file):
    key = KeyRing(settings).add("读者", "read")
    person.expect("Failed to load resource")
    with serving(settings, library) as url:
        person.browser.open(f"{url}/web/icon.svg")
        person.run("sessionStorage.setItem('kewen.key', JSON.stringify(arguments[0]))", key)
        person.open(f"{url}/#/documents")
        person.sees("报告文件夹")
        choose(person, file("火星.txt"))
        person.sees("这个密钥只能读", "main > .note")
        assert person.count(".drop") == 0
        person.click("详情", FOLDER)
        assert person.count(".more .row .button") == 0
        person.sees("怎样读的", ".more")
        drop(person, file("火星.txt"))
        assert person.count(".arrival") == 1


# -- text is text, and other mishaps -----------------------------------------------------------------------------------


def test_names_and_titles_are_text_and_turn_nothing_round(view, address, file):
    evil = "<img src=x onerror=alert(1)>\u202etxt.fdp ‮报告 2024"
    choose(view, file("<b>粗\u202e.txt", f"{evil}\n\n一、{evil}\n\n园区5个，企业{evil}777家。\n"))
    view.sees("已加入", ARRIVALS)
    view.sees("<b>粗", ARRIVALS)
    view.click("更正", ARRIVALS)
    view.write(evil, "题名")
    view.write(evil, "发布机构")
    view.enter()
    view.sees("<img src=x onerror=alert(1)>", OWN)
    assert view.count("main img, main b") == 0
    assert "\u202e" not in view.text("body")


def test_a_folder_or_a_file_that_is_gone_is_told_and_costs_the_others_nothing(view, file, tmp_path):
    (tmp_path / "文件夹").mkdir()
    drop(view, tmp_path / "文件夹", file("火星.txt"))
    view.browser.wait(lambda: states(view) == ["没有传成", "已加入"], "the file")
    view.sees("读不到这个文件：它可能是个文件夹", ARRIVALS)
    assert view.count(".banner") == 0


def test_a_file_dropped_on_another_view_neither_leaves_the_page_nor_is_sent(person, address, file):
    person.open(f"{address}/#/evaluation")
    person.run("window.isSame = true")
    drop(person, file("火星.txt"))
    person.click("资料")
    person.sees("报告文件夹")
    assert person.run("return window.isSame")
    assert person.count(".arrival") == 0


@pytest.mark.parametrize("width", [360, 1440])
def test_nothing_is_wider_than_the_page(view, file, width):
    choose(view, file("火" * 60 + ".txt"), file("加锁.pdf", encrypted(b"x", b"y")))
    view.browser.wait(lambda: "已加密" in states(view), "the files")
    view.browser.size(width, 800, mobile=width < 500)
    view.click("详情", OWN)
    view.click("更正", OWN)
    assert view.run("return document.documentElement.scrollWidth") <= width
    low = "return [...document.querySelectorAll('main button, main input:not([hidden])')].filter((x) => x.offsetHeight < 40)"
    assert view.run(f"{low}.map((x) => x.outerHTML)") == []
