"""Feishu, end to end against a stand-in of its platform: REST API, long connection (protobuf frames) and callbacks."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from hypothesis import given
from hypothesis import strategies as st

from service.bots.core import BotOptions, Desk
from service.bots.feishu import FeishuApi, FeishuBot, domain_of, long_connection, read_event, run
from service.bots.feishu_callback import FeishuCallback, decrypt, signature
from service.bots.webhook import serve, webhook_app
from service.cli_bot import bot
from service.errors import KewenError
from tests.service.bots.conftest import FIGURE, QUESTION, SECONDS, Clock, Rest, Sockets

KEY, TOKEN, BOT = "test key", "v-token", "ou_bot"


# -- the platform -----------------------------------------------------------------------------------


class Platform:
    """What the bot calls: tenant token, bot info, reply, and the address of the long connection."""

    def __init__(self, rest: Rest, sockets: Sockets) -> None:
        self.rest, self.sockets, self.url = rest, sockets, rest.url
        # The SDK keeps tokens by app, for the whole process.
        self.app_id, self.secret = f"cli_{uuid.uuid4().hex}", "s-3cret"
        rest.routes = {
            "POST /open-apis/auth/v3/tenant_access_token/internal": self._token,
            "GET /open-apis/bot/v3/info": lambda path, body: (200, {"code": 0, "msg": "ok", "bot": {"open_id": BOT}}),
            "POST /open-apis/im/v1/messages/": lambda path, body: (200, {"code": 0, "msg": "success", "data": {}}),
            "POST /callback/ws/endpoint": self._endpoint,
        }

    def _token(self, path: str, body: Any) -> tuple[int, Any]:
        if body["app_secret"] != self.secret:
            return 200, {"code": 10014, "msg": "app secret invalid"}
        return 200, {"code": 0, "msg": "ok", "tenant_access_token": "t-1", "expire": 7200}

    def _endpoint(self, path: str, body: Any) -> tuple[int, Any]:
        if body["AppSecret"] != self.secret:
            return 200, {"code": 1000040345, "msg": "app_id or app_secret is invalid"}
        config = {"ReconnectCount": -1, "ReconnectInterval": 1, "ReconnectNonce": 0, "PingInterval": 120}
        url = f"{self.sockets.url}/ws?device_id=1&service_id=7&access_key=k"
        return 200, {"code": 0, "msg": "", "data": {"URL": url, "ClientConfig": config}}

    def next_reply(self) -> tuple[str, dict[str, Any], str]:
        """Path, body and text of the next reply."""
        path, headers, body = self.rest.next_call("/open-apis/im/v1/messages/")
        assert headers["authorization"] == "Bearer t-1"
        assert body["msg_type"] == "text"
        return path, body, json.loads(body["content"])["text"]


@pytest.fixture
def platform(rest: Rest, sockets: Sockets) -> Platform:
    return Platform(rest, sockets)


@pytest.fixture
def feishu(platform: Platform, make_desk: Callable[..., Desk]) -> FeishuBot:
    api = FeishuApi(platform.app_id, platform.secret, platform.url)
    return FeishuBot(make_desk(), api.reply, api.bot_id())


def event(text: str = QUESTION, number: str = "om_1", **fields: Any) -> dict[str, Any]:
    """A message as the platform sends it (im.message.receive_v1, schema 2.0)."""
    message = {
        "message_id": number,
        "chat_id": "oc_1",
        "chat_type": "p2p",
        "message_type": "text",
        "content": json.dumps({"text": text}),
        **fields,
    }
    sender = {"sender_id": {"open_id": "ou_1", "union_id": "on_1"}, "sender_type": "user", "tenant_key": "t"}
    header = {
        "event_id": number,
        "event_type": "im.message.receive_v1",
        "token": TOKEN,
        "app_id": "cli",
        "create_time": "1",
    }
    return {"schema": "2.0", "header": header, "event": {"sender": sender, "message": message}}


def mention(key: str, open_id: str, name: str) -> dict[str, Any]:
    return {"key": key, "id": {"open_id": open_id}, "name": name, "tenant_key": "t"}


# -- the long connection ----------------------------------------------------------------------------


def frames(payload: dict[str, Any], kind: str = "event", pieces: int = 1) -> list[bytes]:
    from lark_oapi.ws.pb.pbbp2_pb2 import Frame

    data = json.dumps(payload, ensure_ascii=False).encode()
    size = -(-len(data) // pieces)
    made = []
    for n in range(pieces):
        frame = Frame()
        frame.SeqID, frame.LogID, frame.service, frame.method = 1, 1, 7, 1
        frame.payload = data[n * size : (n + 1) * size]
        values = {"type": kind, "message_id": uuid.uuid5(uuid.NAMESPACE_URL, data.decode()).hex, "trace_id": "t"}
        for key, value in {**values, "sum": str(pieces), "seq": str(n)}.items():
            header = frame.headers.add()
            header.key, header.value = key, value
        made.append(frame.SerializeToString())
    return made


def next_ack(sockets: Sockets) -> int:
    """The status with which an event is acknowledged; pings are passed over."""
    from lark_oapi.ws.pb.pbbp2_pb2 import Frame

    while True:
        frame = Frame()
        frame.ParseFromString(sockets.next_frame())
        if frame.method == 1:
            return int(json.loads(frame.payload)["code"])


@pytest.fixture
def connected(platform: Platform, feishu: FeishuBot) -> Iterator[Platform]:
    thread = long_connection(platform.app_id, platform.secret, platform.url, feishu.take)
    thread.start()
    yield platform
    thread.stop(SECONDS)
    thread.wait()


def test_a_message_is_acknowledged_and_answered_by_reply(connected: Platform) -> None:
    connection = connected.sockets.next_connection()
    connection.send(frames(event())[0])
    assert next_ack(connected.sockets) == 200
    path, body, text = connected.next_reply()
    assert path == "/open-apis/im/v1/messages/om_1/reply"
    assert body["uuid"] == "om_1"
    assert FIGURE in text
    assert "https://kewen.example.cn/d/baoshan-2026-innovation-plan?at=" in text


def test_a_message_in_pieces_or_sent_twice_is_answered_once(connected: Platform) -> None:
    connection = connected.sockets.next_connection()
    for frame in [*frames(event(), pieces=3), *frames(event()), *frames(event(number="om_2"))]:
        connection.send(frame)
    assert [next_ack(connected.sockets) for _ in range(3)] == [200] * 3
    replied = [connected.next_reply()[0].split("/")[-2] for _ in range(2)]
    assert sorted(replied) == ["om_1", "om_2"]
    assert connected.rest.calls.empty()


def test_after_the_server_closes_the_connection_is_made_again(connected: Platform) -> None:
    connected.sockets.next_connection().close()
    connection = connected.sockets.next_connection()
    connection.send(frames(event())[0])
    assert next_ack(connected.sockets) == 200
    assert FIGURE in connected.next_reply()[2]


def test_what_is_no_message_is_acknowledged_too(connected: Platform) -> None:
    connection = connected.sockets.next_connection()
    read = {"schema": "2.0", "header": {"event_id": "1", "event_type": "im.message.message_read_v1"}, "event": {}}
    broken = {**event(), "event": {"sender": 3}}
    for payload in (read, broken):
        connection.send(frames(payload)[0])
    assert [next_ack(connected.sockets) for _ in range(2)] == [200] * 2
    connection.send(frames(event("", message_type="image", content='{"image_key":"i"}'))[0])
    assert "我只认文字消息" in connected.next_reply()[2]


def test_a_platform_that_refuses_the_connection_for_good_ends_it(platform: Platform, feishu: FeishuBot) -> None:
    thread = long_connection(platform.app_id, platform.secret, platform.url, feishu.take)
    thread.start()
    connection = platform.sockets.next_connection()
    platform.secret += "!"
    connection.close()
    thread._thread.join(SECONDS)
    thread.stop(SECONDS)
    assert "app_id or app_secret is invalid" in str(thread.failure)


def test_a_bot_that_the_platform_does_not_let_connect_says_so_and_ends(
    platform: Platform, bot_assistant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEWEN_FEISHU_APP_ID", platform.app_id)
    monkeypatch.setenv("KEWEN_FEISHU_APP_SECRET", platform.secret)
    refusal = {"code": 1000040345, "msg": "long connection is off"}
    platform.rest.routes["POST /callback/ws/endpoint"] = lambda path, body: (200, refusal)
    said: list[str] = []
    with pytest.raises(KewenError, match=r"长连接断了.*long connection is off") as caught:
        run(bot_assistant, BotOptions(False, "127.0.0.1", 0, platform.url, 10), said.append)
    assert caught.value.code == "invalid_setting"
    assert "已启动" in said[0]


# -- who is meant, and what is asked ----------------------------------------------------------------


def test_in_a_group_only_who_mentions_the_bot_is_answered(platform: Platform, feishu: FeishuBot) -> None:
    group = {"chat_type": "group"}
    others = {**group, "mentions": [mention("@_user_1", "ou_2", "张三")]}
    ours = {**group, "mentions": [mention("@_user_1", BOT, "科问"), mention("@_user_10", "ou_2", "李四")]}
    feishu.take(event("大家好", "om_1", **group)["event"])
    feishu.take(event("@_user_1 你好", "om_2", **others)["event"])
    feishu.take(event("@_all 开会", "om_3", **group)["event"])
    feishu.take(event(f"@_user_1 {QUESTION}", "om_4", **ours)["event"])
    path, _, text = platform.next_reply()
    assert "/om_4/" in path
    assert FIGURE in text
    read = read_event(event("@_user_1 问 @_user_10", "om_5", **ours)["event"], BOT)
    assert read is not None
    assert (read.text, read.is_group) == ("问 @李四", True)


def test_alone_with_the_bot_no_mention_is_needed_and_rich_text_is_read() -> None:
    rows = [
        [{"tag": "at", "user_id": "@_user_1"}, {"tag": "text", "text": " 一"}],
        [{"tag": "img"}],
        [{"tag": "a", "text": "二"}],
    ]
    content = json.dumps({"title": "题", "content": rows})
    mentions = [mention("@_user_1", BOT, "科问")]
    read = read_event(event(message_type="post", content=content, mentions=mentions)["event"], BOT)
    assert read is not None
    assert read.text == "题\n 一\n\n二"
    assert (
        read_event({**event()["event"], "sender": {"sender_id": {"open_id": "x"}, "sender_type": "app"}}, BOT) is None
    )


@pytest.mark.parametrize(
    "broken",
    [
        {"content": "{"},
        {"content": "[" * 100_000},
        {"content": "3"},
        {"message_id": None},
        {"chat_id": 3},
        {"mentions": 3},
        {"mentions": [{}]},
        {"chat_type": None, "mentions": [{"id": None}]},
        {"message_type": "post", "content": '{"content":[3]}'},
    ],
)
def test_a_malformed_event_is_logged_and_dropped(
    feishu: FeishuBot, platform: Platform, caplog: pytest.LogCaptureFixture, broken: dict[str, Any]
) -> None:
    feishu.take(event(**broken)["event"])
    assert "could not be read" in caplog.text


def test_a_user_is_answered_ten_times_a_minute(platform: Platform, make_desk: Callable[..., Desk]) -> None:
    api = FeishuApi(platform.app_id, platform.secret, platform.url)
    bot = FeishuBot(make_desk(per_minute=1), api.reply, BOT)
    for n in range(3):
        bot.take(event(number=f"om_{n}")["event"])
    texts = sorted(platform.next_reply()[2][:5] for _ in range(2))
    assert "提问太频繁" in texts
    assert platform.rest.calls.empty()


# -- replies ----------------------------------------------------------------------------------------


def test_a_refused_reply_is_logged_with_its_code(
    platform: Platform, feishu: FeishuBot, caplog: pytest.LogCaptureFixture, make_desk: Callable[..., Desk]
) -> None:
    platform.rest.routes["POST /open-apis/im/"] = lambda path, body: (200, {})
    platform.rest.routes["POST /open-apis/im/v1/messages/"] = lambda path, body: (400, {"code": 230002, "msg": "out"})
    feishu.take(event()["event"])
    platform.next_reply()
    feishu._desk.close()
    assert "Feishu answered 230002: out" in caplog.text


def test_wrong_credentials_are_named_in_chinese(platform: Platform) -> None:
    with pytest.raises(KewenError, match=r"10014.*KEWEN_FEISHU_APP_SECRET") as caught:
        FeishuApi(platform.app_id, "wrong", platform.url).bot_id()
    assert caught.value.code == "invalid_setting"
    assert "wrong" not in caught.value.message


def test_a_platform_that_is_not_there_is_named_in_chinese() -> None:
    with pytest.raises(KewenError, match="连不上飞书（ConnectionError）"):
        FeishuApi("cli_none", "x", "http://127.0.0.1:9").bot_id()


@pytest.mark.parametrize("address", ["http://open.feishu.cn", "ftp://x", "https://u@x", "https://x/y", "https://", "x"])
def test_the_secret_goes_only_to_https(address: str) -> None:
    with pytest.raises(KewenError, match="--address"):
        domain_of(address)
    assert domain_of("lark") == "https://open.larksuite.com"
    assert domain_of("https://feishu.example.cn:8443/") == "https://feishu.example.cn:8443"


# -- callbacks --------------------------------------------------------------------------------------


def encrypt(key: str, text: bytes, iv: bytes = b"0123456789abcdef") -> str:
    padder = PKCS7(128).padder()
    cipher = Cipher(algorithms.AES(hashlib.sha256(key.encode()).digest()), modes.CBC(iv)).encryptor()
    padded = padder.update(text) + padder.finalize()
    return base64.b64encode(iv + cipher.update(padded) + cipher.finalize()).decode()


def sealed(payload: dict[str, Any], key: str = KEY) -> bytes:
    return json.dumps({"encrypt": encrypt(key, json.dumps(payload).encode())}).encode()


def signed(body: bytes, timestamp: int = 1_700_000_000, key: str = KEY) -> dict[str, str]:
    return {
        "X-Lark-Request-Timestamp": str(timestamp),
        "X-Lark-Request-Nonce": "nonce123",
        "X-Lark-Signature": signature(str(timestamp), "nonce123", key, body),
        "Content-Type": "application/json",
    }


@pytest.fixture
def callback(running: Callable[[Any], str], feishu: FeishuBot, clock: Clock) -> str:
    return running(webhook_app("feishu", FeishuCallback(KEY, TOKEN, feishu.take, clock))) + "/feishu"


def test_the_published_vectors() -> None:
    assert decrypt("test key", "P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=") == b"hello world"
    expected = "fa24b1676251ac6f7e77ce096f97c39d68faf9c7ce89a34ee58abf9ecad1558f"
    assert signature("1700000000", "nonce123", "test key", b'{"encrypt":"abc"}') == expected


@given(st.text(max_size=20), st.binary(max_size=100), st.binary(min_size=16, max_size=16))
def test_what_was_encrypted_is_decrypted(key: str, text: bytes, iv: bytes) -> None:
    assert decrypt(key, encrypt(key, text, iv)) == text


@given(st.binary(max_size=80))
def test_what_is_no_ciphertext_is_a_value_error(data: bytes) -> None:
    for text in (base64.b64encode(data).decode(), data.decode("latin-1")):
        try:
            decrypt(KEY, text)
        except ValueError:
            continue


def test_the_console_tries_the_address(callback: str) -> None:
    body = sealed({"type": "url_verification", "challenge": "ajls384k", "token": TOKEN})
    assert httpx.post(callback, content=body).json() == {"challenge": "ajls384k"}
    wrong = sealed({"type": "url_verification", "challenge": "ajls384k", "token": "other"})
    assert httpx.post(callback, content=wrong).status_code == 403


def test_a_callback_is_answered_by_reply(callback: str, platform: Platform) -> None:
    body = sealed(event())
    for _ in range(2):  # the second is the platform's next attempt
        response = httpx.post(callback, content=body, headers=signed(body))
        assert (response.status_code, response.json()) == (200, {})
    assert FIGURE in platform.next_reply()[2]
    assert platform.rest.calls.empty()


def test_other_events_are_acknowledged(callback: str, platform: Platform) -> None:
    body = sealed({"schema": "2.0", "header": {"event_type": "x", "token": TOKEN}, "event": {}})
    assert httpx.post(callback, content=body, headers=signed(body)).status_code == 200


def _bad_requests() -> Iterator[tuple[bytes, dict[str, str]]]:
    body = sealed(event())
    yield body, {}
    yield body, {**signed(body), "X-Lark-Signature": "0" * 64}
    yield body, {**signed(body), "X-Lark-Signature": "é"}
    yield body + b" ", signed(body)
    yield body, signed(body, 1_700_000_000 - 3601)
    yield body, signed(body, 1_700_000_000 + 3601)
    for other in (
        b"",
        b"3",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"encrypt":3}',
        b'{"encrypt":"!"}',
        b'{"encrypt":"AAAA"}',
        json.dumps({"encrypt": encrypt(KEY, b"{}")[:-8]}).encode(),
        json.dumps({"encrypt": base64.b64encode(bytes(64)).decode()}).encode(),
        json.dumps(event()).encode(),
        sealed(event(), "another key"),
        sealed({}),
        sealed({"header": {"token": "other", "event_type": "im.message.receive_v1"}, "event": event()["event"]}),
    ):
        yield other, signed(other)


@pytest.mark.parametrize(("body", "headers"), list(_bad_requests()))
def test_what_is_not_of_the_platform_is_refused_without_a_reason(
    callback: str, platform: Platform, body: bytes, headers: dict[str, str]
) -> None:
    platform.rest.calls.queue.clear()
    given = {name: value.encode("utf-8") for name, value in headers.items()}
    response = httpx.post(callback, content=body, headers=given)
    assert (response.status_code, response.json()) == (403, {"error": "bad_signature"})
    assert platform.rest.calls.empty()


def test_a_callback_has_one_address_one_method_and_a_limit(callback: str) -> None:
    assert httpx.get(callback).status_code == 405
    assert httpx.post(callback + "/x").status_code == 404
    assert httpx.post(callback, content=b"x" * ((1 << 20) + 1)).json() == {"error": "body_too_large"}


def test_a_defect_shows_nothing_of_itself(running: Callable[[Any], str], caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("secret-1")

    response = httpx.post(running(webhook_app("feishu", broken)) + "/feishu")
    assert (response.status_code, response.json()) == (500, {"error": "internal_error"})


def test_callbacks_are_not_served_beyond_this_machine() -> None:
    with pytest.raises(KewenError) as caught:
        serve("feishu", lambda *_: (200, {}), BotOptions(True, "0.0.0.0", 0, "", 10), print)  # noqa: S104
    assert (caught.value.code, caught.value.exit_code) == ("unsafe_configuration", 8)


# -- the command ------------------------------------------------------------------------------------


def test_a_command_without_credentials_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(bot, ["feishu", "--webhook"])
    assert isinstance(result.exception, KewenError)
    for name in ("APP_ID", "APP_SECRET", "ENCRYPT_KEY", "VERIFICATION_TOKEN"):
        assert f"KEWEN_FEISHU_{name}（飞书开放平台" in result.exception.message


def test_a_command_with_wrong_credentials_ends(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEWEN_FEISHU_APP_ID", platform.app_id)
    monkeypatch.setenv("KEWEN_FEISHU_APP_SECRET", "wrong")
    result = CliRunner().invoke(bot, ["feishu", "--address", platform.url])
    assert isinstance(result.exception, KewenError)
    assert "app secret invalid" in result.exception.message


def test_help_is_chinese() -> None:
    text = CliRunner().invoke(bot, ["feishu", "--help"]).output
    assert "用法：" in text
    assert "--webhook" in text
    assert "Usage" not in text
