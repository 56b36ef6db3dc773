"""DingTalk, end to end against a stand-in of its platform: gateway, stream (JSON frames), session webhook, callbacks."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from dingtalk_stream import ChatbotMessage

from service.bots.core import BotOptions, Desk, NotDelivered
from service.bots.dingtalk import DingTalkBot, DingTalkCallback, Session, checked_address, read_message, sign
from service.bots.dingtalk_gateway import stream
from service.bots.webhook import serve, webhook_app
from service.cli_bot import bot
from service.errors import KewenError
from tests.service.bots.conftest import FIGURE, QUESTION, SECONDS, Clock, Rest, Sockets

SECRET = "this is a secret"  # noqa: S105


class Platform:
    """What the bot calls: the gateway that opens a stream, and the webhook of a conversation."""

    def __init__(self, rest: Rest, sockets: Sockets, clock: Clock) -> None:
        self.rest, self.sockets, self.clock, self.url = rest, sockets, clock, rest.url
        self.secret = SECRET
        rest.routes = {
            "POST /v1.0/gateway/connections/open": self._open,
            "POST /robot/sendBySession": lambda path, body: (200, {"errcode": 0, "errmsg": "ok"}),
        }

    def _open(self, path: str, body: Any) -> tuple[int, Any]:
        if (body["clientId"], body["clientSecret"]) != ("ding-1", self.secret):
            return 401, {"code": "invalidClientIdOrSecret", "message": "…"}
        assert body["subscriptions"] == [{"type": "CALLBACK", "topic": "/v1.0/im/bot/messages/get"}]
        return 200, {"endpoint": f"{self.sockets.url}/connect", "ticket": "t/1"}

    def message(self, text: str = QUESTION, number: str = "msg1", **fields: Any) -> dict[str, Any]:
        """A message as the platform sends it."""
        return {
            "msgId": number,
            "msgtype": "text",
            "text": {"content": text},
            "conversationId": "cid1",
            "conversationType": "1",
            "senderId": "$:LWCP_v1:$x",
            "senderStaffId": "staff1",
            "senderNick": "张三",
            "sessionWebhook": f"{self.url}/robot/sendBySession?session=token-1",
            "sessionWebhookExpiredTime": int(self.clock() * 1000) + 5_400_000,
            "robotCode": "ding-1",
            **fields,
        }

    def next_reply(self) -> dict[str, Any]:
        path, _, body = self.rest.next_call("/robot/sendBySession")
        assert path.endswith("?session=token-1")
        return body


@pytest.fixture
def platform(rest: Rest, sockets: Sockets, clock: Clock) -> Platform:
    return Platform(rest, sockets, clock)


@pytest.fixture
def dingtalk(platform: Platform, make_desk: Callable[..., Desk], clock: Clock) -> DingTalkBot:
    return DingTalkBot(make_desk(markdown=True), platform.url, clock)


# -- the stream -------------------------------------------------------------------------------------


def frame(data: dict[str, Any], kind: str = "CALLBACK", topic: str = ChatbotMessage.TOPIC) -> str:
    headers = {
        "topic": topic,
        "messageId": f"frame-{data.get('msgId')}",
        "contentType": "application/json",
        "time": "1",
    }
    return json.dumps({"specVersion": "1.0", "type": kind, "headers": headers, "data": json.dumps(data)})


@pytest.fixture
def connected(platform: Platform, dingtalk: DingTalkBot) -> Iterator[Platform]:
    thread = stream("ding-1", SECRET, platform.url, dingtalk.take)
    thread.start()
    yield platform
    thread.stop(SECONDS)
    thread.wait()


def test_a_message_is_acknowledged_and_answered_at_its_webhook(connected: Platform) -> None:
    connection = connected.sockets.next_connection()
    assert connected.sockets.paths == ["/connect?ticket=t%2F1"]
    connection.send(frame(connected.message()))
    ack = json.loads(connected.sockets.next_frame())
    assert (ack["code"], ack["headers"]["messageId"]) == (200, "frame-msg1")
    reply = connected.next_reply()
    assert reply["msgtype"] == "markdown"
    assert FIGURE in reply["markdown"]["text"]
    assert "](https://kewen.example.cn/d/baoshan-2026-innovation-plan?at=" in reply["markdown"]["text"]
    assert 0 < len(reply["markdown"]["title"]) <= 30
    assert reply["at"] == {"atUserIds": [], "isAtAll": False}


def test_a_message_that_comes_twice_is_answered_once(connected: Platform) -> None:
    connection = connected.sockets.next_connection()
    for number in ("msg1", "msg1", "msg2"):
        connection.send(frame(connected.message(number=number)))
    assert [json.loads(connected.sockets.next_frame())["code"] for _ in range(3)] == [200] * 3
    for _ in range(2):
        connected.next_reply()
    assert not [x for x in list(connected.rest.calls.queue) if x[0].startswith("/robot")]


def test_after_the_server_ends_a_connection_another_is_opened(connected: Platform) -> None:
    connected.sockets.next_connection().send(frame({}, "SYSTEM", "disconnect"))
    connection = connected.sockets.next_connection()
    connection.send(frame(connected.message()))
    assert FIGURE in connected.next_reply()["markdown"]["text"]
    connection.close()
    connected.sockets.next_connection().send(frame(connected.message(number="msg2")))
    assert FIGURE in connected.next_reply()["markdown"]["text"]


def test_what_the_sdk_logs_holds_no_ticket_and_no_message(
    connected: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    connection = connected.sockets.next_connection()
    connection.send(frame({"text": QUESTION}, "SYSTEM", "other"))
    connection.send("{}")
    connection.send(frame({"msgId": "broken"}))
    assert json.loads(connected.sockets.next_frame())["code"] == 200
    assert json.loads(connected.sockets.next_frame())["code"] == 200
    assert "could not be read" in caplog.text
    for word in ("t/1", "t%2F1", QUESTION, SECRET):
        assert word not in caplog.text


def test_wrong_credentials_are_named_in_chinese(platform: Platform) -> None:
    with pytest.raises(KewenError, match=r"HTTP 401 invalidClientIdOrSecret.*KEWEN_DINGTALK_CLIENT_SECRET") as caught:
        stream("ding-1", "wrong-1", platform.url, print)
    assert caught.value.code == "invalid_setting"
    assert "wrong-1" not in caught.value.message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, []), "TypeError"),
        ((200, {}), "KeyError"),
        ((200, {"endpoint": "ws://evil.cn", "ticket": "t"}), "不是 wss"),
        ((500, []), "HTTP 500"),
        ((302, {"location": "http://127.0.0.1:9/"}), "HTTP 302"),
    ],
)
def test_a_gateway_that_answers_nonsense_is_named(platform: Platform, answer: tuple[int, Any], said: str) -> None:
    platform.rest.routes["POST /v1.0/gateway/connections/open"] = lambda path, body: answer
    with pytest.raises(KewenError, match=said):
        stream("ding-1", SECRET, platform.url, print)


# -- who is meant, and what is asked ----------------------------------------------------------------


def test_in_a_group_the_asker_is_mentioned(platform: Platform, dingtalk: DingTalkBot) -> None:
    group = {"conversationType": "2", "isInAtList": True}
    dingtalk.take(platform.message("大家好", "msg0", conversationType="2", isInAtList=False))
    dingtalk.take(platform.message(f" {QUESTION} ", "msg1", **group))
    reply = platform.next_reply()
    assert reply["at"] == {"atUserIds": ["staff1"], "isAtAll": False}
    assert reply["markdown"]["text"].startswith("@staff1\n\n")
    assert FIGURE in reply["markdown"]["title"]
    # Someone from outside the organisation has no staff id; a strange one is not written out.
    for staff_id in (None, "a b](http://x)"):
        read = read_message(platform.message(senderStaffId=staff_id, **group))
        assert read is not None
        assert read[1].staff_id == ""


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"msgtype": "richText", "content": {"richText": [{"text": "一"}, {"downloadCode": "x"}, {"text": "二"}]}},
            "一二",
        ),
        ({"msgtype": "audio", "content": {"recognition": "说的话", "downloadCode": "x"}}, "说的话"),
        ({"msgtype": "audio", "content": {"downloadCode": "x"}}, None),
        ({"msgtype": "picture", "content": {"downloadCode": "x"}}, None),
    ],
)
def test_words_are_read_from_every_kind_of_message_that_has_them(
    platform: Platform, fields: dict[str, Any], text: str | None
) -> None:
    read = read_message(platform.message(**fields))
    assert read is not None
    assert (read[0].text, read[0].is_text) == (text or "", text is not None)


@pytest.mark.parametrize(
    "fields",
    [
        {"msgId": None},
        {"conversationId": 3},
        {"senderStaffId": None, "senderId": None},
        {"text": 3},
        {"sessionWebhookExpiredTime": "soon"},
        {"msgtype": "richText", "content": {"richText": [3]}},
    ],
)
def test_a_malformed_message_is_logged_and_dropped(
    platform: Platform, dingtalk: DingTalkBot, caplog: pytest.LogCaptureFixture, fields: dict[str, Any]
) -> None:
    dingtalk.take({**platform.message(), **fields})
    assert "could not be read" in caplog.text


# -- replies ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.cn/robot/sendBySession",
        "http://oapi.dingtalk.com/robot/sendBySession",
        "https://oapi.dingtalk.com.evil.cn/x",
        "https://oapi.dingtalk.com@evil.cn/x",
        "https://evil.cn@oapi.dingtalk.com/x",
        "https://oapi.dingtalk.com:8443/x",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:9/x",
        "file:///etc/passwd",
        "",
    ],
)
def test_an_answer_goes_to_dingtalk_alone(dingtalk: DingTalkBot, clock: Clock, url: str) -> None:
    with pytest.raises(NotDelivered, match="none of DingTalk's"):
        dingtalk.reply(Session(url, int(clock() * 1000) + 1000, ""), "答")


def test_an_answer_does_not_follow_where_it_is_led(platform: Platform, dingtalk: DingTalkBot) -> None:
    platform.rest.routes["POST /robot/sendBySession"] = lambda path, body: (302, {"location": f"{platform.url}/inside"})
    read = read_message(platform.message())
    assert read is not None
    with pytest.raises(NotDelivered, match="HTTP 302"):
        dingtalk.reply(read[1], "答")
    platform.next_reply()
    assert platform.rest.calls.empty()


def test_an_answer_is_tried_again_where_the_line_was_closed(
    platform: Platform, dingtalk: DingTalkBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
        tried.append(url)
        if len(tried) == 1:
            raise ConnectionResetError
        return {"errcode": 0}

    monkeypatch.setattr("service.bots.dingtalk.post", post)
    read = read_message(platform.message())
    assert read is not None
    dingtalk.reply(read[1], "答")
    assert len(tried) == 2


def test_a_session_that_is_over_is_logged(
    platform: Platform, dingtalk: DingTalkBot, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    dingtalk.take(platform.message(sessionWebhookExpiredTime=int(clock() * 1000) - 1))
    dingtalk._desk.close(SECONDS)
    assert "the session has expired" in caplog.text
    assert "token-1" not in caplog.text
    assert platform.rest.calls.empty()


def test_a_refused_answer_is_logged_with_its_code(
    platform: Platform, dingtalk: DingTalkBot, caplog: pytest.LogCaptureFixture
) -> None:
    platform.rest.routes["POST /robot/sendBySession"] = lambda path, body: (200, {"errcode": 310000, "errmsg": "no"})
    dingtalk.take(platform.message())
    dingtalk._desk.close(SECONDS)
    assert "DingTalk answered 310000: no" in caplog.text


@pytest.mark.parametrize("address", ["http://api.dingtalk.com", "https://", "https://u:p@x", "https://x/y", "file:///"])
def test_the_secret_goes_only_to_https(address: str) -> None:
    with pytest.raises(KewenError, match="--address"):
        checked_address(address)


# -- callbacks --------------------------------------------------------------------------------------


def signed(clock: Clock, offset: int = 0) -> dict[str, str]:
    timestamp = str(int(clock() * 1000) + offset)
    return {"timestamp": timestamp, "sign": sign(timestamp, SECRET)}


@pytest.fixture
def callback(running: Callable[[Any], str], dingtalk: DingTalkBot, clock: Clock) -> str:
    return running(webhook_app("dingtalk", DingTalkCallback(SECRET, dingtalk.take, clock))) + "/dingtalk"


def test_a_callback_is_answered_at_its_webhook(callback: str, platform: Platform, clock: Clock) -> None:
    response = httpx.post(callback, json=platform.message(), headers=signed(clock, -3_599_000))
    assert (response.status_code, response.json()) == (200, {})
    assert FIGURE in platform.next_reply()["markdown"]["text"]


def test_what_is_not_signed_or_too_old_is_refused(callback: str, platform: Platform, clock: Clock) -> None:
    good = signed(clock)
    wrong: list[dict[str, str | bytes]] = [
        {},
        {"timestamp": good["timestamp"]},
        {**good, "sign": good["sign"][:-2] + "A="},
        {**good, "sign": "é".encode()},
        {**good, "timestamp": good["timestamp"] + "0"},
        {"timestamp": "x", "sign": sign("x", SECRET)},
        {"timestamp": "", "sign": sign("", SECRET)},
        dict(signed(clock, 3_601_000)),
        dict(signed(clock, -3_601_000)),
    ]
    for headers in wrong:
        response = httpx.post(callback, json=platform.message(), headers=headers)
        assert (response.status_code, response.json()) == (403, {"error": "bad_signature"})
    assert httpx.post(callback, content=b"[" * 100_000, headers=good).status_code == 400
    assert platform.rest.calls.empty()


# -- the command ------------------------------------------------------------------------------------


def test_a_command_without_credentials_says_which() -> None:
    result = CliRunner().invoke(bot, ["dingtalk"])
    assert isinstance(result.exception, KewenError)
    assert "KEWEN_DINGTALK_CLIENT_ID（钉钉开放平台" in result.exception.message


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM ends a process at once elsewhere")
def test_the_command_answers_until_it_is_told_to_stop(platform: Platform, shared_home: Path, clock: Clock) -> None:
    environment = {
        **os.environ,
        "KEWEN_HOME": str(shared_home),
        "KEWEN_DINGTALK_CLIENT_ID": "ding-1",
        "KEWEN_DINGTALK_CLIENT_SECRET": SECRET,
        "PYTHONUTF8": "1",
    }
    clock.now = 4e9  # the process has a clock of its own
    run = [sys.executable, "-c", "from service.cli_bot import bot; bot()", "dingtalk", "--address", platform.url]
    with subprocess.Popen(run, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            connection = platform.sockets.opened.get(timeout=60)
            connection.send(frame(platform.message()))
            assert FIGURE in platform.next_reply()["markdown"]["text"]
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0
    assert out == b""
    assert "钉钉机器人已启动" in err.decode()
    assert "没有设 KEWEN_PUBLIC_URL" in err.decode()
    assert b"Traceback" not in err
    assert SECRET not in err.decode()


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM ends a process at once elsewhere")
def test_the_command_serves_callbacks_until_it_is_told_to_stop(
    platform: Platform, shared_home: Path, clock: Clock
) -> None:
    environment = {
        **os.environ,
        "KEWEN_HOME": str(shared_home),
        "KEWEN_PUBLIC_URL": "https://kewen.example.cn",
        "KEWEN_DINGTALK_CLIENT_ID": "ding-1",
        "KEWEN_DINGTALK_CLIENT_SECRET": SECRET,
        "PYTHONUTF8": "1",
    }
    clock.now = time.time()
    arguments = ["dingtalk", "--webhook", "--port", "0", "--address", platform.url]
    run = [sys.executable, "-c", "from service.cli_bot import bot; bot()", *arguments]
    with subprocess.Popen(run, env=environment, stderr=subprocess.PIPE, text=True, encoding="utf-8") as process:
        try:
            assert process.stderr is not None
            found = re.search(r"http://127\.0\.0\.1:\d+/dingtalk", process.stderr.readline())
            assert found is not None
            assert httpx.post(found.group(), json=platform.message(), headers=signed(clock)).status_code == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()
    # What was acknowledged is answered before the end.
    assert FIGURE in platform.next_reply()["markdown"]["text"]


def test_a_port_that_is_taken_is_named(platform: Platform) -> None:
    port = int(platform.url.rpartition(":")[2])
    with pytest.raises(KewenError, match=rf"不能监听 127\.0\.0\.1:{port}"):
        serve("dingtalk", lambda *_: (200, {}), BotOptions(True, "127.0.0.1", port, "", 10), print)
