"""Lost connections, restarts, slow answers, keys: the page says so, keeps what was typed, and goes on without a reload."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from service.assistant import Assistant
from service.keys import KeyRing
from tests.live import serving

QUESTION = "宝山区有多少家生物医药企业？"


@pytest.fixture
def coming_and_going(assistant, settings):
    """A service on one port, which can be stopped and started again."""

    class Service:
        def __init__(self):
            self.settings = replace(settings, port=0)
            self.url = ""

        def start(self, known: Assistant = assistant):
            self.running = serving(self.settings, known, self.settings.port)
            self.url = self.running.__enter__()
            self.settings = replace(self.settings, port=int(self.url.rsplit(":", 1)[1]))

        def stop(self):
            self.running.__exit__(None, None, None)

    service = Service()
    service.start()
    yield service
    service.stop()


def test_a_lost_connection_is_told_the_question_stays_and_can_be_asked_once_the_service_is_back(
    person, coming_and_going
):
    person.expect("ERR_CONNECTION", "Failed to load", "net::ERR")
    person.open(coming_and_going.url)
    person.ask(QUESTION)
    person.sees("449 家")
    coming_and_going.stop()
    person.write("先租后股是什么？", "问题")
    person.enter()
    person.sees("连不上科问服务。请检查网络或服务是否在运行")
    person.sees("连不上科问服务，正在重试", ".banner")
    person.sees("449 家")
    person.write("再写的半句", "问题")
    coming_and_going.start()
    person.sees("已重新连上")
    person.browser.wait(lambda: person.count(".banner") == 0, "the banner to go")
    person.click("再问一次")
    person.sees("载体方给予入驻项目免租")
    assert person.run("return document.getElementById('question').value") == "再写的半句"


def test_an_answer_that_is_stopped_says_so_and_can_be_asked_again(person, assistant, settings, monkeypatch):
    go = threading.Event()
    answer = Assistant.ask_events

    def slow(self, *arguments, **named):
        go.wait(20)
        return answer(self, *arguments, **named)

    monkeypatch.setattr(Assistant, "ask_events", slow)
    with serving(settings, assistant) as url:
        person.open(url)
        person.write(QUESTION, "问题")
        person.enter()
        person.sees("正在查找…")
        person.click("停止")
        person.sees("已停止。")
        go.set()
        person.click("再问一次")
        person.sees("449 家")


def test_an_answer_that_breaks_off_is_no_answer(person, assistant, settings, monkeypatch):
    answer = Assistant.ask_events

    def broken(self, *arguments, **named):
        yield next(answer(self, *arguments, **named))
        raise RuntimeError("gone")

    monkeypatch.setattr(Assistant, "ask_events", broken)
    with serving(settings, assistant) as url:
        person.open(url)
        person.write(QUESTION, "问题")
        person.enter()
        person.sees("服务内部出错")
        assert "449 家" not in person.text(".turn")
        assert person.count(".sentences") == 0
        monkeypatch.undo()
        person.click("再问一次")
        person.sees("449 家")


@pytest.fixture
def locked(assistant, shared_home, settings, tmp_path):
    """A service with keys: its URL and a key."""
    key = "k" * 40
    here = replace(settings, api_key=key)
    assistant.settings = here
    with serving(here, assistant) as url:
        yield url, key


def test_a_key_is_asked_for_once_and_a_wrong_one_is_told(person, locked):
    url, key = locked
    person.expect("401")
    person.open(url)
    person.sees("请输入密钥")
    person.write("wrong", "密钥")
    person.click("继续")
    person.sees("密钥不对，或已被撤销")
    person.write(key, "密钥")
    person.click("继续")
    person.sees("现收 5 份资料")
    person.ask(QUESTION)
    person.sees("449 家")
    person.open(url)
    person.sees("449 家")
    assert person.count("dialog") == 0
    assert person.run("return localStorage.getItem('kewen.key')") is None


def test_a_key_that_is_refused_is_not_asked_for_without_end(person, locked):
    person.expect("401")
    person.open(locked[0])
    person.sees("请输入密钥")
    person.click("取消")
    person.browser.wait(lambda: person.count("dialog") == 0, "the dialog to close")
    person.sees("可以这样问")


def test_a_key_that_is_revoked_meanwhile_is_asked_for_and_the_question_goes_on(person, assistant, settings, tmp_path):
    person.expect("401")
    here = replace(settings, api_key="k" * 40)
    ring = KeyRing(here)
    key = ring.add("一时", "full")
    assistant.settings = here
    with serving(here, assistant) as url:
        try:
            person.open(url)
            person.write(key, "密钥")
            person.click("继续")
            person.ask(QUESTION)
            ring.revoke("一时")
            person.write("先租后股是什么？", "问题")
            person.enter()
            person.sees("密钥不对，或已被撤销")
            person.write("k" * 40, "密钥")
            person.click("继续")
            person.sees("载体方给予入驻项目免租")
        finally:
            (settings.home / "keys.json").unlink(missing_ok=True)


def test_documents_questions_and_messages_show_as_text(person, small_library, tmp_path):
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>\u202e倒着\u202c"
    assistant = small_library(tmp_path)
    report = tmp_path / "reports" / "a.txt"
    report.write_text(f"甲区报告\n\n2024年，甲区有{hostile}企业449家，𠮷野家😀一家。\n", encoding="utf-8")
    assistant.build()
    with serving(assistant.settings, assistant) as url:
        person.open(url)
        person.ask(f"{hostile}甲区有企业多少家？")
        person.sees("<img src=x onerror=alert(1)>", ".asked")
        person.sees("449家")
        assert person.count("main img, main script") == 0
        person.point_at(".number")
        person.sees("<img src=x onerror=alert(1)>", "#preview")
        assert person.run("return document.querySelector('#preview bdi').dataset.mark") == "U+202E"
