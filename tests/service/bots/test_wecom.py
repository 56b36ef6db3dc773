"""The WeCom robot: cipher and signature, callbacks, and the long connection to a stand-in of WeCom's server."""

from __future__ import annotations

import base64
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st
from starlette.testclient import TestClient
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from service.assistant import Assistant
from service.bots.core import BotOptions, Desk
from service.bots.webhook import webhook_app
from service.bots.wecom import WeComCallback, address_of, run
from service.bots.wecom_connection import Timing, WeComConnection, _Exchange
from service.bots.wecom_crypto import WeComCrypto
from service.bots.wecom_messages import SEARCHING, WELCOME, read_message, shortened
from service.errors import KewenError
from tests.service.bots.conftest import FIGURE, QUESTION

TOKEN, KEY = "QDG6eK", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
STAMP, NONCE = "1409659813", "1372623149"
FAST = Timing(ping=5.0, ack=0.15, first=0.02, longest=0.05, absence=2.0)


def message(number: int = 1, text: str = QUESTION, **fields: Any) -> dict[str, Any]:
    """A message as WeCom sends it."""
    return {
        "msgid": f"m{number}",
        "aibotid": "BOT",
        "chattype": "single",
        "from": {"userid": "zhang"},
        "msgtype": "text",
        "text": {"content": text},
        **fields,
    }


# -- cipher and signature ---------------------------------------------------------------------------

MESSAGE = '{"msgtype": "text", "text": {"content": "你好"}}'
ENCRYPTED = (
    "Q3stYC6hdFzMh9T8HCvyDFabG+JGLJxiQQjbngxXzCc6MapoW/hkBaNjBkzDjZUrHi6tUkgU6kM0Lh8NVCXotScOW4IMEwiqn1QluiLXdqA2gdhLh"
    "LrumZ6PdbXwIIUp"
)
SIGNATURE = "7c979095974ec109489470be33ea3559a6c8e9d6"


def test_the_published_vector_in_both_directions():
    crypto = WeComCrypto(TOKEN, KEY)
    envelope = crypto.encrypt(MESSAGE, STAMP, NONCE, b"0123456789abcdef")
    assert envelope == {"encrypt": ENCRYPTED, "msgsignature": SIGNATURE, "timestamp": STAMP, "nonce": NONCE}
    assert crypto.decrypt(ENCRYPTED, SIGNATURE, STAMP, NONCE) == MESSAGE


@tries(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_what_is_encrypted_is_decrypted(text: str):
    crypto = WeComCrypto(TOKEN, KEY)
    envelope = crypto.encrypt(text, STAMP, NONCE)
    assert len(base64.b64decode(envelope["encrypt"])) % 32 == 0
    assert crypto.decrypt(envelope["encrypt"], envelope["msgsignature"], STAMP, NONCE) == text


def raw(plain: bytes) -> str:
    """Ciphertext of bytes of any form, made as an attacker with the key would."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    key = base64.b64decode(f"{KEY}=")
    cipher = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(cipher.update(plain) + cipher.finalize()).decode()


WRONG = {
    "garbled": "A" + ENCRYPTED[1:60] + "B" + ENCRYPTED[61:],
    "truncated": ENCRYPTED[:64],
    "not whole blocks": ENCRYPTED[:20],
    "empty": "",
    "no Base64": "你好*" * 10,
    "padding too long": raw(bytes(16) + (4).to_bytes(4, "big") + b"abcd" + b"\x28" * 40),
    "padding of zero": raw(bytes(16) + (4).to_bytes(4, "big") + b"abcd" + b"\x00" * 8),
    "padding uneven": raw(bytes(16) + (4).to_bytes(4, "big") + b"abcd" + b"\x07" * 7 + b"\x08"),
    "length beyond the end": raw(bytes(16) + (999).to_bytes(4, "big") + b"abcd" + b"\x08" * 8),
    "nothing but padding": raw(b"\x20" * 32),
    "no UTF-8": raw(bytes(16) + (4).to_bytes(4, "big") + b"\xff\xfe\xff\xfe" + b"\x08" * 8),
    "another receiver": WeComCrypto(TOKEN, KEY, "ww123").encrypt(MESSAGE, STAMP, NONCE)["encrypt"],
}


@pytest.mark.parametrize("encrypted", WRONG.values(), ids=WRONG)
def test_what_was_not_encrypted_for_us_is_refused_even_when_signed(encrypted: str):
    crypto = WeComCrypto(TOKEN, KEY)
    with pytest.raises(KewenError) as refused:
        crypto.decrypt(encrypted, crypto.signature(STAMP, NONCE, encrypted), STAMP, NONCE)
    assert (refused.value.code, refused.value.status) == ("bad_signature", 403)


@pytest.mark.parametrize(
    ("signature", "stamp", "nonce"),
    [
        (SIGNATURE.upper(), STAMP, NONCE),
        ("", STAMP, NONCE),
        ("\udcff" * 40, STAMP, NONCE),
        (SIGNATURE, "1409659814", NONCE),
        (SIGNATURE, STAMP, "1372623140"),
        (WeComCrypto("other", KEY).signature(STAMP, NONCE, ENCRYPTED), STAMP, NONCE),
    ],
)
def test_a_wrong_signature_is_refused(signature: str, stamp: str, nonce: str):
    with pytest.raises(KewenError, match="签名或密文不对"):
        WeComCrypto(TOKEN, KEY).decrypt(ENCRYPTED, signature, stamp, nonce)


@pytest.mark.parametrize("key", ["", KEY[:-1], f"{KEY}=", KEY[:-1] + "-", KEY[:-1] + "Ａ"])
def test_a_key_that_is_none_is_named(key: str):
    with pytest.raises(KewenError, match="KEWEN_WECOM_ENCODING_AES_KEY") as refused:
        WeComCrypto(TOKEN, key)
    assert refused.value.code == "invalid_setting"
    assert not key or key not in refused.value.message


# -- messages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"text": {"content": "@科问 宝山有多少家企业？"}, "chattype": "group", "chatid": "c"}, "宝山有多少家企业？"),
        ({"text": {"content": "@科问\u2005@李四 问题 "}, "chattype": "group", "chatid": "c"}, "问题"),
        ({"text": {"content": "问题 @科问 "}, "chattype": "group", "chatid": "c"}, "问题"),
        ({"text": {"content": "@科问"}, "chattype": "group", "chatid": "c"}, ""),
        ({"text": {"content": "@科问 报告里的 @符号"}, "chattype": "group", "chatid": "c"}, "报告里的 @符号"),
        (
            {"text": {"content": "@科问宝山区有多少家高新企业？"}, "chattype": "group", "chatid": "c"},
            "@科问宝山区有多少家高新企业？",
        ),
        ({"text": {"content": "邮箱a@b.cn是谁的"}, "chattype": "group", "chatid": "c"}, "邮箱a@b.cn是谁的"),
        ({"text": {"content": "@all 是什么"}}, "@all 是什么"),
        ({"msgtype": "voice", "voice": {"content": " 说的话 "}}, "说的话"),
        (
            {
                "msgtype": "mixed",
                "mixed": {
                    "msg_item": [{"msgtype": "image", "image": {}}, {"msgtype": "text", "text": {"content": "字"}}]
                },
            },
            "字",
        ),
    ],
)
def test_the_words_of_a_message(fields: dict[str, Any], text: str):
    read = read_message(message(**{"text": {}, **fields}) | fields)
    assert (read.text, read.is_text) == (text, True)
    assert read.is_group == ("chatid" in fields)
    assert read.chat == fields.get("chatid", "zhang")


def test_a_message_without_words_is_known_as_such():
    assert not read_message(message(msgtype="image", image={"url": "http://x"})).is_text
    assert not read_message(message(msgtype="mixed", mixed={"msg_item": []})).is_text


@pytest.mark.parametrize("length", [20_480, 20_481, 100_000])
def test_an_answer_fits_into_a_message(length: int):
    for text in ("科" * (length // 3) + "x" * (length % 3), "好\n" * (length // 4) + "x" * (length % 4)):
        assert len(text.encode()) == length
        short = shortened(text)
        assert len(short.encode()) <= 20_480
        assert (short == text) == (length == 20_480)
        assert text.startswith(short.removesuffix("\n……（太长，以下略去）"))
        assert length == 20_480 or len(short.encode()) > 20_400
        assert "�" not in short


# -- callbacks --------------------------------------------------------------------------------------


class Caller:
    """WeCom, as it calls: it signs and encrypts, and reads answers."""

    def __init__(self, desk: Desk) -> None:
        self.now = 1_700_000_000.0
        self.crypto = WeComCrypto(TOKEN, KEY)
        self.handler = WeComCallback(desk, self.crypto, clock=lambda: self.now)
        self.http = TestClient(webhook_app("wecom", self.handler, has_get=True))

    def query(self, encrypted: str) -> dict[str, str]:
        stamp = str(int(self.now))
        return {
            "msg_signature": self.crypto.signature(stamp, NONCE, encrypted),
            "timestamp": stamp,
            "nonce": NONCE,
        }

    def post(self, body: Any) -> dict[str, Any] | None:
        """The decrypted answer to a callback; None where it is empty."""
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        encrypted = self.crypto.encrypt(text, str(int(self.now)), NONCE)["encrypt"]
        response = self.http.post("/wecom", params=self.query(encrypted), json={"encrypt": encrypted})
        assert response.status_code == 200, response.text
        if not response.text:
            return None
        answer = response.json()
        assert set(answer) == {"encrypt", "msgsignature", "timestamp", "nonce"}
        return json.loads(
            self.crypto.decrypt(answer["encrypt"], answer["msgsignature"], answer["timestamp"], answer["nonce"])
        )

    def poll(self, name: str) -> dict[str, Any]:
        answer = self.post({"msgid": "p", "chattype": "single", "msgtype": "stream", "stream": {"id": name}})
        assert answer is not None
        assert answer["msgtype"] == "stream"
        return answer["stream"]

    def final(self, name: str) -> str:
        for _ in range(400):
            stream = self.poll(name)
            if stream["finish"]:
                return stream["content"]
            assert stream["content"] == SEARCHING
            time.sleep(0.02)
        raise AssertionError("no answer came")


@pytest.fixture
def caller(make_desk: Callable[..., Desk]) -> Caller:
    return Caller(make_desk(markdown=True, per_minute=0))


def test_the_console_tries_the_address(caller: Caller):
    encrypted = caller.crypto.encrypt("1616140317555161061", str(int(caller.now)), NONCE)["encrypt"]
    response = caller.http.get("/wecom", params={**caller.query(encrypted), "echostr": encrypted})
    assert (response.status_code, response.text) == (200, "1616140317555161061")


def test_a_question_is_begun_at_once_and_ended_when_asked(caller: Caller):
    begun = caller.post(message())
    assert begun is not None
    name = begun["stream"]["id"]
    text = caller.final(name)
    assert FIGURE in text
    assert "[1]" in text
    assert "](https://kewen.example.cn/d/" in text
    again = caller.post(message())
    assert again == {"msgtype": "stream", "stream": {"id": name, "finish": True, "content": text}}
    assert caller.poll(name)["content"] == text


def test_the_first_answer_does_not_wait(caller: Caller, monkeypatch: pytest.MonkeyPatch):
    go_on = threading.Event()
    ask = Assistant.ask
    monkeypatch.setattr(Assistant, "ask", lambda self, *a, **k: go_on.wait(5) and ask(self, *a, **k))
    begun = caller.post(message())
    assert begun is not None
    name = begun["stream"]["id"]
    assert begun == {"msgtype": "stream", "stream": {"id": name, "finish": False, "content": SEARCHING}}
    assert caller.post(message()) == begun, "a repeated delivery goes on with the same answer"
    assert not caller.poll(name)["finish"]
    caller.now += 301
    assert caller.poll(name) == {"id": name, "finish": True, "content": "这个问题没有及时答上，请再问一次。"}
    go_on.set()


def test_streams_that_are_gone_have_an_end(caller: Caller):
    assert caller.poll("never was")["finish"]
    begun = caller.post(message(1, msgtype="image"))
    assert begun is not None
    name = begun["stream"]["id"]
    assert "只认文字" in caller.final(name)
    caller.now += 601
    caller.post(message(2))
    assert "过期" in caller.poll(name)["content"]


def test_open_streams_are_bounded(caller: Caller):
    for number in range(1500):
        caller.handler._streams.open(str(number))
    assert len(caller.handler._streams._open) == 1000
    assert "过期" in caller.poll("0")["content"]
    assert caller.poll("1499")["content"] == SEARCHING


def test_events(caller: Caller):
    event = {"msgid": "e", "chattype": "single", "from": {"userid": "zhang"}, "msgtype": "event"}
    assert caller.post({**event, "event": {"eventtype": "enter_chat"}}) == {
        "msgtype": "text",
        "text": {"content": WELCOME},
    }
    assert caller.post({**event, "event": {"eventtype": "feedback_event"}}) is None


def test_a_closed_desk_says_nothing(make_desk: Callable[..., Desk]):
    desk = make_desk(markdown=True)
    caller = Caller(desk)
    desk.close()
    assert caller.post(message()) is None


STRANGE = ["", "[]", "null", "3", '{"encrypt": 3}', '{"encrypt": []}', "{", '{"encrypt": null}', "[" * 100_000]


@pytest.mark.parametrize("body", STRANGE, ids=range(len(STRANGE)))
def test_what_is_no_callback_is_refused(caller: Caller, body: str):
    for query in ({}, caller.query(body), {**caller.query(""), "timestamp": "１２"}, {**caller.query(""), "nonce": ""}):
        response = caller.http.post("/wecom", params=query, content=body)
        assert response.status_code == 403
        assert response.json() == {"error": "bad_signature"}


@pytest.mark.parametrize("text", [*STRANGE[:-1], '{"msgtype": "text"}', '{"msgtype": "stream", "stream": 1}', "{}"])
def test_a_signed_message_of_a_strange_form_is_refused(caller: Caller, text: str):
    encrypted = caller.crypto.encrypt(text, str(int(caller.now)), NONCE)["encrypt"]
    response = caller.http.post("/wecom", params=caller.query(encrypted), json={"encrypt": encrypted})
    assert response.status_code == 403


def test_a_wrong_signature_and_an_old_callback_are_refused(caller: Caller):
    encrypted = caller.crypto.encrypt(json.dumps(message()), str(int(caller.now)), NONCE)["encrypt"]
    query = caller.query(encrypted)
    wrong = caller.http.post("/wecom", params={**query, "msg_signature": "0" * 40}, json={"encrypt": encrypted})
    assert (wrong.status_code, wrong.json()) == (403, {"error": "bad_signature"})
    caller.now += 3601
    assert caller.http.post("/wecom", params=query, json={"encrypt": encrypted}).status_code == 403
    caller.now -= 2
    assert caller.http.post("/wecom", params=query, json={"encrypt": encrypted}).status_code == 200


# -- the long connection ----------------------------------------------------------------------------


class WeCom:
    """A stand-in of WeCom's server: it takes subscriptions, acknowledges, and keeps every frame it gets."""

    def __init__(self) -> None:
        self.frames: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.connections = 0
        self.codes: dict[str, list[int | None]] = {}
        self.socket: ServerConnection | None = None
        self.server = serve(self.handle, "127.0.0.1", 0)
        self.address = f"ws://127.0.0.1:{self.server.socket.getsockname()[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def handle(self, socket: ServerConnection) -> None:
        self.connections += 1
        self.socket = socket
        try:
            for data in socket:
                frame = json.loads(data)
                codes = self.codes.get(frame["cmd"], [])
                code = codes.pop(0) if codes else 0
                self.frames.put(frame)
                if code is not None:
                    socket.send(json.dumps({"headers": frame["headers"], "errcode": code, "errmsg": "x"}))
        except ConnectionClosed:
            pass

    def push(self, command: str, body: Any, request: str = "r1") -> None:
        assert self.socket is not None
        self.socket.send(json.dumps({"cmd": command, "headers": {"req_id": request}, "body": body}))

    def next(self, command: str) -> dict[str, Any]:
        """The next frame of a kind; others are passed over."""
        deadline = time.monotonic() + 8
        while True:
            frame = self.frames.get(timeout=max(0.01, deadline - time.monotonic()))
            assert time.monotonic() < deadline
            if frame["cmd"] == command:
                return frame

    def answer(self, request: str) -> str:
        """The text of the final frame for a question, and that all before it was of the same stream message."""
        names = set()
        while True:
            frame = self.next("aibot_respond_msg")
            assert frame["headers"] == {"req_id": request}
            assert frame["body"]["msgtype"] == "stream"
            stream = frame["body"]["stream"]
            names.add(stream["id"])
            if stream["finish"]:
                assert len(names) == 1
                return stream["content"]
            assert stream["content"] == SEARCHING


@pytest.fixture
def wecom() -> Iterator[WeCom]:
    stand_in = WeCom()
    yield stand_in
    stand_in.server.shutdown()


Notices = list[str]


@contextmanager
def connected(wecom: WeCom, desk: Desk, timing: Timing = FAST) -> Iterator[Notices]:
    notices: Notices = []
    connection = WeComConnection(desk, "BOT", "a secret", wecom.address, notices.append, timing)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            connection.run()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        subscribed = wecom.next("aibot_subscribe")
        assert subscribed["body"] == {"bot_id": "BOT", "secret": "a secret"}
        yield notices
    finally:
        connection.stop()
        thread.join(5)
        assert not thread.is_alive()
        assert not failures


def test_a_question_over_the_connection(wecom: WeCom, make_desk: Callable[..., Desk]):
    with connected(wecom, make_desk(markdown=True)) as notices:
        wecom.push("aibot_msg_callback", message(text=f"@科问 {QUESTION}", chattype="group", chatid="c"), "r7")
        text = wecom.answer("r7")
        assert FIGURE in text
        assert "](https://kewen.example.cn/d/" in text
        assert notices == ["企业微信机器人已就绪（长连接，按 Ctrl+C 停止）"]


def test_it_says_at_once_that_it_searches(
    wecom: WeCom, make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
):
    go_on = threading.Event()
    ask = Assistant.ask
    monkeypatch.setattr(Assistant, "ask", lambda self, *a, **k: go_on.wait(5) and ask(self, *a, **k))
    with connected(wecom, make_desk(markdown=True)):
        wecom.push("aibot_msg_callback", message(), "r1")
        begun = wecom.next("aibot_respond_msg")
        assert begun["body"]["stream"]["content"] == SEARCHING
        assert not begun["body"]["stream"]["finish"]
        go_on.set()
        final = wecom.next("aibot_respond_msg")
        assert final["body"]["stream"]["id"] == begun["body"]["stream"]["id"]
        assert final["body"]["stream"]["finish"]


def test_a_frame_waits_for_the_acknowledgement_of_the_one_before(
    wecom: WeCom, make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
):
    go_on, finished = threading.Event(), threading.Event()
    ask = Assistant.ask
    monkeypatch.setattr(Assistant, "ask", lambda self, *a, **k: go_on.wait(5) and ask(self, *a, **k))
    finish = _Exchange.finish
    monkeypatch.setattr(_Exchange, "finish", lambda self, text: finished.set() or finish(self, text))
    with connected(wecom, make_desk(markdown=True), replace(FAST, ack=5.0)):
        wecom.codes["aibot_respond_msg"] = [None]
        wecom.push("aibot_msg_callback", message())
        wecom.next("aibot_respond_msg")
        go_on.set()
        assert finished.wait(5)
        time.sleep(0.1)
        assert wecom.frames.empty()
        assert wecom.socket is not None
        wecom.socket.send(json.dumps({"headers": {"req_id": "r1"}, "errcode": 0}))
        assert wecom.next("aibot_respond_msg")["body"]["stream"]["finish"]


def test_a_repeated_question_is_answered_once(wecom: WeCom, make_desk: Callable[..., Desk]):
    with connected(wecom, make_desk(markdown=True)):
        for request in ("r1", "r2"):
            wecom.push("aibot_msg_callback", message(1), request)
        wecom.push("aibot_msg_callback", message(2, msgtype="image"), "r3")
        said: dict[str, str] = {}
        while len(said) < 2:
            frame = wecom.next("aibot_respond_msg")
            if frame["body"]["stream"]["finish"]:
                said[frame["headers"]["req_id"]] = frame["body"]["stream"]["content"]
        assert FIGURE in said["r1"]
        assert "只认文字" in said["r3"]


def test_who_asks_too_often_is_told_so(wecom: WeCom, make_desk: Callable[..., Desk]):
    with connected(wecom, make_desk(markdown=True, per_minute=1)):
        wecom.push("aibot_msg_callback", message(1), "r1")
        wecom.answer("r1")
        wecom.push("aibot_msg_callback", message(2), "r2")
        assert "太频繁" in wecom.answer("r2")


def test_who_enters_is_welcomed(wecom: WeCom, make_desk: Callable[..., Desk]):
    with connected(wecom, make_desk(markdown=True)):
        wecom.push("aibot_event_callback", {"msgtype": "event", "event": {"eventtype": "enter_chat"}}, "e1")
        frame = wecom.next("aibot_respond_welcome_msg")
        assert frame["headers"] == {"req_id": "e1"}
        assert frame["body"] == {"msgtype": "text", "text": {"content": WELCOME}}


def test_frames_of_a_strange_form_are_passed_over(wecom: WeCom, make_desk: Callable[..., Desk]):
    with connected(wecom, make_desk(markdown=True)):
        assert wecom.socket is not None
        for data in ("", "[]", "{", '{"headers": 3}', '{"headers": {"req_id": 3}}', b"\xff\xfe", '{"headers": {}}'):
            wecom.socket.send(data)
        for body in (None, [], {}, {"msgtype": "text"}, message(from_=1) | {"from": 3}, message(msgid=5)):
            wecom.push("aibot_msg_callback", body)
        wecom.push("aibot_event_callback", {"event": None})
        wecom.push("something_new", {})
        wecom.socket.send(
            '{"cmd": "aibot_msg_callback", "headers": {"req_id": "r\\ud800"}, "body": '
            '{"msgid": "odd", "chattype": "single", "from": {"userid": "li"}, "msgtype": "image"}}'
        )
        wecom.push("aibot_msg_callback", message(text="宝山区有多少家\x01生物医药企业？"), "r9")
        while wecom.frames.empty() or wecom.next("aibot_respond_msg")["headers"]["req_id"] != "r9":
            time.sleep(0.01)
        assert wecom.connections == 1


@pytest.mark.parametrize(
    ("code", "reason"), [(846605, "its req_id is not known"), (846608, "can't be changed any more"), (5, "no reason")]
)
def test_a_refused_answer_stands_in_the_log(
    wecom: WeCom, make_desk: Callable[..., Desk], caplog: pytest.LogCaptureFixture, code: int, reason: str
):
    with connected(wecom, make_desk(markdown=True)):
        wecom.codes["aibot_respond_msg"] = [code, code, code]
        wecom.push("aibot_msg_callback", message())
        wecom.answer("r1")
        until(lambda: reason in caplog.text)
        assert f"message m1 was not delivered: WeCom answered {code}" in caplog.text


def test_a_frame_that_comes_twice_is_answered_once(wecom: WeCom, make_desk: Callable[..., Desk]):
    with connected(wecom, make_desk(markdown=True)):
        for _ in range(2):
            wecom.push("aibot_msg_callback", message())
        assert "449 家" in str(wecom.answer("r1"))
        wecom.push("aibot_msg_callback", message(msgid="m2"), "r2")
        assert "449 家" in str(wecom.answer("r2")), "the worker is free again"


def test_an_answer_that_is_not_acknowledged_is_said_once_more(
    wecom: WeCom, make_desk: Callable[..., Desk], caplog: pytest.LogCaptureFixture
):
    with connected(wecom, make_desk(markdown=True)):
        wecom.codes["aibot_respond_msg"] = [None] * 4
        wecom.push("aibot_msg_callback", message())
        first, second = wecom.answer("r1"), wecom.answer("r1")
        assert first == second
        until(lambda: "did not acknowledge" in caplog.text)


def test_wrong_credentials_end_it_with_words(wecom: WeCom, make_desk: Callable[..., Desk]):
    wecom.codes["aibot_subscribe"] = [853000]
    connection = WeComConnection(make_desk(markdown=True), "BOT", "a secret", wecom.address, [].append, FAST)
    with pytest.raises(KewenError, match="KEWEN_WECOM_BOT_ID 与 KEWEN_WECOM_SECRET") as refused:
        to_its_end(connection.run)
    assert refused.value.code == "invalid_setting"
    assert "a secret" not in refused.value.message
    assert wecom.connections == 1


def test_another_refusal_is_tried_again(wecom: WeCom, make_desk: Callable[..., Desk], caplog: pytest.LogCaptureFixture):
    wecom.codes["aibot_subscribe"] = [45009, None, 0]
    with connected(wecom, make_desk(markdown=True)) as notices:
        until(lambda: bool(notices))
        assert wecom.connections == 3
        assert "a secret" not in caplog.text


def test_a_lost_connection_comes_back_and_the_answer_goes_over_it(
    wecom: WeCom, make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
):
    go_on = threading.Event()
    ask = Assistant.ask
    monkeypatch.setattr(Assistant, "ask", lambda self, *a, **k: go_on.wait(5) and ask(self, *a, **k))
    with connected(wecom, make_desk(markdown=True)) as notices:
        wecom.push("aibot_msg_callback", message())
        wecom.next("aibot_respond_msg")
        assert wecom.socket is not None
        wecom.socket.close()
        go_on.set()
        wecom.next("aibot_subscribe")
        assert FIGURE in wecom.answer("r1")
        assert len(notices) == wecom.connections == 2


def test_pings_go_out_and_a_dead_connection_is_left(wecom: WeCom, make_desk: Callable[..., Desk]):
    with connected(wecom, make_desk(markdown=True), replace(FAST, ping=0.03)):
        for _ in range(4):
            assert wecom.next("ping")["headers"]["req_id"].startswith("ping")
        assert wecom.connections == 1
        wecom.codes["ping"] = [None] * 3
        wecom.next("aibot_subscribe")
        assert wecom.connections == 2


def test_who_is_replaced_does_not_come_back(wecom: WeCom, bot_assistant: Assistant, monkeypatch: pytest.MonkeyPatch):
    """The whole command: from credentials to its end."""
    monkeypatch.setenv("KEWEN_WECOM_BOT_ID", "BOT")
    monkeypatch.setenv("KEWEN_WECOM_SECRET", "a secret")
    monkeypatch.setattr("signal.signal", lambda *_: None)
    lines: list[str] = []

    def script() -> None:
        wecom.next("aibot_subscribe")
        wecom.push("aibot_msg_callback", message(msgtype="image"))
        wecom.answer("r1")
        wecom.push("aibot_event_callback", {"event": {"eventtype": "disconnected_event"}})

    thread = threading.Thread(target=script, daemon=True)
    thread.start()
    to_its_end(lambda: run(bot_assistant, BotOptions(False, "127.0.0.1", 0, wecom.address, 10), lines.append))
    thread.join(5)
    assert "另一个程序用同一个机器人" in lines[-1]
    assert wecom.connections == 1


def test_ctrl_c_answers_what_waits(wecom: WeCom, bot_assistant: Assistant, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KEWEN_WECOM_BOT_ID", "BOT")
    monkeypatch.setenv("KEWEN_WECOM_SECRET", "a secret")
    monkeypatch.setattr("signal.signal", lambda *_: None)
    ask = Assistant.ask
    monkeypatch.setattr(Assistant, "ask", lambda self, *a, **k: time.sleep(0.2) or ask(self, *a, **k))

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("service.bots.wecom_connection.WeComConnection._event", interrupt)

    def script() -> None:
        wecom.next("aibot_subscribe")
        wecom.push("aibot_msg_callback", message())
        wecom.push("aibot_event_callback", {"event": {"eventtype": "feedback_event"}})

    threading.Thread(target=script, daemon=True).start()
    lines: list[str] = []
    to_its_end(lambda: run(bot_assistant, BotOptions(False, "127.0.0.1", 0, wecom.address, 10), lines.append))
    assert lines[-1] == "已停止。"
    assert FIGURE in wecom.answer("r1")


def test_what_is_missing_is_named(bot_assistant: Assistant, monkeypatch: pytest.MonkeyPatch):
    for name in ("BOT_ID", "SECRET", "TOKEN", "ENCODING_AES_KEY"):
        monkeypatch.delenv(f"KEWEN_WECOM_{name}", raising=False)
    for is_webhook, name in ((False, "KEWEN_WECOM_BOT_ID"), (True, "KEWEN_WECOM_ENCODING_AES_KEY")):
        with pytest.raises(KewenError, match=name):
            run(bot_assistant, BotOptions(is_webhook, "127.0.0.1", 0, "", 10), [].append)


@pytest.mark.parametrize(
    "address",
    ["ws://wecom.example.cn", "https://a.cn", "wss://", "wss://u:p@a.cn", "wss://a.cn:99999", "wss://[", "wss://甲.cn"],
)
def test_the_secret_goes_to_no_unsafe_address(address: str):
    with pytest.raises(KewenError, match="wss://"):
        address_of(address)


def test_private_addresses():
    assert address_of("") == "wss://openws.work.weixin.qq.com"
    assert address_of("wss://wecom.example.cn:8443/ws") == "wss://wecom.example.cn:8443/ws"


def until(happened: Callable[[], bool]) -> None:
    for _ in range(400):
        if happened():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def to_its_end(work: Callable[[], None]) -> None:
    """Run what should end, and raise what it raises."""
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    if failures:
        raise failures[0]
