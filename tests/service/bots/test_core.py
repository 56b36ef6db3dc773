"""What all bots share: answers as chat messages, and the desk between a message and its answer."""

from __future__ import annotations

import dataclasses
import logging
import queue
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.answers import Answer, NumberedCitation, Sentence
from service.assistant import Assistant
from service.bots import dingtalk_gateway, feishu, feishu_callback, memory
from service.bots.background import LoopThread
from service.bots.core import Desk, Message, reply_markdown, reply_text, safe
from service.bots.credentials import Credential, load_credentials
from service.errors import KewenError
from service.links import Links
from service.settings import Settings
from tests.service.bots.conftest import FIGURE, QUESTION, SECONDS, Clock

HOSTILE = '![x](http://evil.cn/a.png) <at user_id="all"></at> <@all> @张三 `c` www.evil.cn &lt;b&gt;'


def message(text: str = QUESTION, number: object = 1, sender: str = "u", **fields: Any) -> Message:
    return Message(str(number), sender, fields.pop("chat", "c"), text, fields.pop("is_group", False), **fields)


def asked(desk: Desk, one: Message) -> str:
    """The reply to a message."""
    replies: queue.Queue[str] = queue.Queue()
    assert desk.take(one, replies.put)
    return replies.get(timeout=SECONDS)


def with_sentences(answer: Answer, texts: list[str]) -> Answer:
    """The same answer, said in other sentences with a citation each."""
    citation = answer.citations[0].citation
    return dataclasses.replace(
        answer,
        sentences=tuple(Sentence(x, (n,)) for n, x in enumerate(texts, start=1)),
        citations=tuple(NumberedCitation(n, citation, "p") for n in range(1, len(texts) + 1)),
    )


# -- answers as chat messages -----------------------------------------------------------------------


def test_an_answer_is_its_sentences_and_their_sources(bot_assistant: Assistant, links: Links) -> None:
    answer = bot_assistant.ask(QUESTION)
    said, head, source = reply_text(answer, links).split("\n")
    assert FIGURE in said
    assert said.endswith("[1]")
    assert head == "来源："
    label, url = source.split(" https")
    assert label.startswith("[1] 《")
    assert "第78行" in label
    assert f"https{url}" == links.url(answer.citations[0].citation)
    assert f"]({links.url(answer.citations[0].citation)})" in reply_markdown(answer, links)


def test_a_link_that_only_this_machine_can_open_is_left_out(assistant: Assistant, settings: Settings) -> None:
    answer = assistant.ask(QUESTION)
    for text in (reply_text(answer, Links(settings)), reply_markdown(answer, Links(settings))):
        assert "第78行" in text
        assert "http" not in text


def test_no_more_than_three_sources_and_none_missing(bot_assistant: Assistant, links: Links) -> None:
    answer = with_sentences(bot_assistant.ask(QUESTION), [f"第{x}句" for x in range(1, 6)])
    group = reply_text(answer, links)
    said, _, sources = group.partition("来源：")
    assert re.findall(r"\[(\d)\]", said) == re.findall(r"^\[(\d)\]", sources, re.MULTILINE) == ["1", "2", "3"]
    assert "另有 2 句" in said
    few = with_sentences(answer, ["甲", "乙", "丙"])
    assert "另有" not in reply_text(few, links)


def test_an_abstention_says_so(bot_assistant: Assistant, links: Links) -> None:
    answer = bot_assistant.ask("上海光源投资多少")
    assert answer.abstained
    assert reply_text(answer, links).startswith("所收报告中没有找到依据。")
    assert "来源" not in reply_text(answer, links)


def test_passages_stand_under_their_sources(bot_assistant: Assistant, links: Links) -> None:
    answer = bot_assistant.ask(QUESTION, mode="passages")
    lines = reply_text(answer, links).split("\n")
    assert [x[:3] for x in lines[::2]] == ["[1]", "[2]", "[3]"]
    assert all(len(x) <= 202 for x in lines[1::2])


def test_what_a_document_says_becomes_nothing_but_text(bot_assistant: Assistant, links: Links) -> None:
    answer = with_sentences(bot_assistant.ask(QUESTION), [HOSTILE, "- 一\n# 二", "a\u202eb\u2028> c"])
    answer = dataclasses.replace(answer, notices=(HOSTILE,), resolved=HOSTILE)
    for render in (reply_text, reply_markdown):
        said = render(answer, links).partition("来源：")[0]
        assert not re.search(r"[<>`@\u202e\u2028]|\]\(|://|evil\.|www\.|&lt;|!\[", said)
        assert not re.search(r"^\s*[-#>]", said, re.MULTILINE)
        assert "＜at user＿id=" in said


@given(st.text())
def test_safe_text_has_no_marks_and_one_line(text: str) -> None:
    result = safe(text)
    assert not set(result) & set("\\`*_[]<>|~$@")
    assert len(result.splitlines()) <= 1
    assert "://" not in result
    assert not re.match(r"\s*([-+=#:]|\d{1,9}[.)])", result, re.ASCII)
    assert not re.search(r"&#?\w+;", result)


# -- the desk ---------------------------------------------------------------------------------------


def test_a_message_is_answered_once(make_desk: Callable[..., Desk], clock: Clock) -> None:
    desk = make_desk(clock=clock)
    assert FIGURE in asked(desk, message())
    clock.now += 7.2 * 3600  # Feishu's last attempt
    assert not desk.take(message(), pytest.fail)
    clock.now += 3600
    assert FIGURE in asked(desk, message())


def test_the_platforms_with_markdown_get_it(make_desk: Callable[..., Desk]) -> None:
    assert "[1] [《" in asked(make_desk(markdown=True), message())


def test_nobody_asks_too_often_and_hears_so_once_a_minute(make_desk: Callable[..., Desk], clock: Clock) -> None:
    desk = make_desk(per_minute=2, clock=clock)
    for n in range(2):
        assert "写出要问" in asked(desk, message("", n))
    assert "每分钟最多 2 个" in asked(desk, message(number=2))
    replies: queue.Queue[str] = queue.Queue()
    assert not desk.take(message(number=3), replies.put)
    assert FIGURE in asked(desk, message(number=4, sender="another"))
    assert replies.empty()
    clock.now += 61
    assert FIGURE in asked(desk, message(number=5))


@pytest.mark.parametrize(
    ("fields", "reply"),
    [
        ({"text": "  "}, "请用一句话写出要问的内容"),
        ({"text": "", "is_text": False}, "我只认文字消息"),
        ({"text": "长" * 2001}, "问题超过 2000 字"),
        ({"text": "宝山\x00"}, "控制字符"),
    ],
)
def test_what_is_no_question_gets_a_hint(make_desk: Callable[..., Desk], fields: dict[str, Any], reply: str) -> None:
    assert reply in asked(make_desk(), message(**fields))


def test_a_follow_up_is_understood_for_ten_minutes_by_its_asker(make_desk: Callable[..., Desk], clock: Clock) -> None:
    desk = make_desk(clock=clock)
    asked(desk, message("2022年黄浦区有什么科普活动？", 1))
    assert "问的是：2022年徐汇区有什么科普活动？" in asked(desk, message("那徐汇呢？", 2))
    assert "问的是：2023年徐汇区有什么科普活动？" in asked(desk, message("那2023年呢？", 3))
    assert "问的是" not in asked(desk, message("那长宁呢？", 4, sender="another"))
    assert "问的是" not in asked(desk, message("那长宁呢？", 5, chat="another"))
    clock.now += 601
    assert "问的是" not in asked(desk, message("那长宁呢？", 6))


def test_a_question_that_grew_too_long_is_no_obstacle_to_the_next(
    bot_assistant: Assistant, make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = bot_assistant.ask
    monkeypatch.setattr(bot_assistant, "ask", lambda *a, **k: dataclasses.replace(ask(*a, **k), resolved="长" * 3000))
    desk = make_desk()
    asked(desk, message(QUESTION, 1))
    monkeypatch.setattr(bot_assistant, "ask", ask)
    assert FIGURE in asked(desk, message(QUESTION, 2))


@pytest.mark.parametrize("error", [RuntimeError("secret-1"), KewenError("index_unavailable", "secret-1 /home/x")])
def test_a_failure_is_said_without_its_particulars(
    bot_assistant: Assistant,
    make_desk: Callable[..., Desk],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    def fail(*_: Any, **__: Any) -> Answer:
        raise error

    monkeypatch.setattr(bot_assistant, "ask", fail)
    reply = asked(make_desk(), message())
    assert reply == "暂时不能作答，原因已记入日志。请稍后再试，或告诉管理员。"
    assert "secret-1" in caplog.text


def test_an_answer_that_can_not_be_sent_is_logged_without_its_address(
    make_desk: Callable[..., Desk], caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: str) -> None:
        raise OSError("https://oapi.dingtalk.com/robot/sendBySession?session=token-1")

    desk = make_desk()
    assert desk.take(message(number="m-1"), refuse)
    assert FIGURE in asked(desk, message(number="m-2"))
    assert "m-1" in caplog.text
    assert "OSError" in caplog.text
    assert "token-1" not in caplog.text


def test_a_full_queue_refuses_politely_and_at_once(
    bot_assistant: Assistant, make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, answer = threading.Event(), bot_assistant.ask(QUESTION)

    def slow(*_: Any, **__: Any) -> Answer:
        go_on.wait(SECONDS)
        return answer

    monkeypatch.setattr(bot_assistant, "ask", slow)
    desk, replies = make_desk(per_minute=0), queue.Queue[str]()
    for n in range(110):
        assert desk.take(message(number=n), replies.put)
    assert "提问的人太多" in replies.get(timeout=SECONDS)
    go_on.set()
    desk.close(SECONDS)
    rest = [replies.get_nowait() for _ in range(replies.qsize())]
    assert len(rest) == 109
    assert sum(FIGURE in x for x in rest) in (100, 101)


def test_a_closed_desk_has_answered_what_waited_and_takes_nothing(make_desk: Callable[..., Desk]) -> None:
    desk, replies = make_desk(per_minute=0), queue.Queue[str]()
    for n in range(5):
        desk.take(message(number=n, chat=str(n)), replies.put)
    desk.close(SECONDS)
    assert replies.qsize() == 5
    assert not desk.take(message(number=9), pytest.fail)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_KEPT", 3)
    seen, pace, histories = memory.Seen(), memory.Pace(1), memory.Histories()
    for n in range(5):
        assert seen.is_new(str(n), n)
        assert pace.verdict(str(n), n) == "answer"
        assert pace.verdict(str(n), n) == "refuse"
        histories.add(("c", str(n)), "问", n)
    assert seen.is_new("0", 5)
    assert not seen.is_new("4", 5)
    assert histories.of(("c", "0"), 5) == ()
    assert histories.of(("c", "4"), 5) == ("问",)
    for owner in (seen, pace, histories):
        assert all(len(x) <= 3 for x in vars(owner).values() if hasattr(x, "popitem"))


# -- credentials ------------------------------------------------------------------------------------

WANTED = (Credential("app_id", "后台 › App ID"), Credential("app_secret", "后台 › App Secret"))


def test_credentials_come_from_the_environment_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[feishu]\napp_id = "file"\napp_secret = " s-3cret "\n', encoding="utf-8")
    found = load_credentials("feishu", WANTED, tmp_path, {"KEWEN_FEISHU_APP_ID": "variable"})
    assert (found["app_id"], found["app_secret"]) == ("variable", "s-3cret")
    assert "s-3cret" not in repr(found)


@pytest.mark.parametrize(
    ("config", "environment", "said"),
    [
        ("", {}, "KEWEN_FEISHU_APP_ID（后台 › App ID）；KEWEN_FEISHU_APP_SECRET（后台 › App Secret）"),
        ("", {"KEWEN_FEISHU_APP_ID": "x"}, "缺少 KEWEN_FEISHU_APP_SECRET（后台 › App Secret）。"),
        ("feishu = 3", {}, "应为一张表"),
        ("[feishu]\napp_id = 3", {}, "应为一张表"),
        ('[feishu]\napp_secret = "s-3cret', {}, "读不了"),
        ('[feishu]\napp_secret = "s-3cret\\u200b"', {"KEWEN_FEISHU_APP_ID": "x"}, "KEWEN_FEISHU_APP_SECRET 含有不该有"),
    ],
)
def test_what_is_wrong_with_credentials_is_said(
    tmp_path: Path, config: str, environment: dict[str, str], said: str
) -> None:
    (tmp_path / "config.toml").write_text(config, encoding="utf-8")
    with pytest.raises(KewenError) as caught:
        load_credentials("feishu", WANTED, tmp_path, environment)
    assert caught.value.code == "invalid_setting"
    assert said in caught.value.message
    assert "s-3cret" not in caught.value.message


@pytest.mark.parametrize(
    ("package", "call"),
    [
        ("lark_oapi", lambda: feishu.FeishuApi("a", "b", "https://open.feishu.cn")),
        ("dingtalk_stream", lambda: dingtalk_gateway.stream("a", "b", "https://api.dingtalk.com", print)),
        ("cryptography.hazmat.primitives.ciphers", lambda: feishu_callback.decrypt("k", "AAAA")),
    ],
)
def test_a_missing_package_is_named_with_the_way_to_get_it(
    monkeypatch: pytest.MonkeyPatch, package: str, call: Callable[[], object]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(KewenError, match=r'python -m pip install "kewen\[(feishu|dingtalk)\]"') as caught:
        call()
    assert (caught.value.code, caught.value.exit_code) == ("missing_extra", 7)


# -- the thread of an SDK ---------------------------------------------------------------------------


def test_an_error_in_a_task_that_nobody_awaits_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(error: Exception) -> None:
        raise error

    def work(loop: Any) -> None:
        loop.create_task(fail(ValueError("only logged")))
        loop.create_task(fail(KeyError("fatal")))
        loop.run_forever()
        raise RuntimeError("the loop was stopped")

    with caplog.at_level(logging.ERROR):
        thread = LoopThread(work, (KeyError,))
        thread.start()
        with pytest.raises(KeyError, match="fatal"):
            thread.wait()
    assert "ValueError" in caplog.text
    assert "only logged" not in caplog.text
