"""WeCom (企业微信) smart robots: messages come over a long connection or by callback; an answer is a stream message.

Sources: developer.work.weixin.qq.com/document/path/101031 (answers), 101033 (encryption), 101463 (long connection).
"""

from __future__ import annotations

import hashlib
import json
import re
import signal
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from service.assistant import Assistant
from service.bots.core import BotOptions, Desk
from service.bots.credentials import Credential, load_credentials
from service.bots.wecom_crypto import WeComCrypto, forbidden
from service.bots.wecom_messages import MALFORMED, SEARCHING, WELCOME, read_message, stream_body, text_body
from service.errors import KewenError
from service.keeper import Notify
from service.links import Links
from service.settings import LOOPBACK_NAMES

ADDRESS = "wss://openws.work.weixin.qq.com"
"""Where WeCom takes long connections."""
_CONNECTION = (
    Credential("bot_id", "企业微信管理后台 › 智能机器人 › API 模式 › 长连接 › Bot ID"),
    Credential("secret", "企业微信管理后台 › 智能机器人 › API 模式 › 长连接 › Secret"),
)
_CALLBACK = (
    Credential("token", "企业微信管理后台 › 智能机器人 › API 模式 › 接收消息回调地址 › Token"),
    Credential("encoding_aes_key", "企业微信管理后台 › 智能机器人 › API 模式 › 接收消息回调地址 › EncodingAESKey"),
)
_STALE_SECONDS = 3600
_PATIENCE = 300.0
"""WeCom asks for the rest of a stream message for six minutes; before that it must have an end."""
_KEPT_SECONDS = 600.0
_KEPT = 1000
"""So many stream messages are kept; of more, the oldest are forgotten."""
_LATE = "这个问题没有及时答上，请再问一次。"
_GONE = "这次回答已经过期，请再问一次。"


def run(assistant: Assistant, options: BotOptions, notify: Notify) -> None:
    """Answer in WeCom until stopped, or until another program has taken the robot's long connection over.

    Raises:
        KewenError: `invalid_setting`, `missing_extra`, `unsafe_configuration`, or what opening the index raises.
    """
    wanted = _CALLBACK if options.is_webhook else _CONNECTION
    address = address_of(options.address)
    credentials = load_credentials("wecom", wanted, assistant.settings.home)
    assistant.retriever()
    desk = Desk(assistant, Links(assistant.settings), options.per_minute, markdown=True)
    try:
        if options.is_webhook:
            from service.bots.webhook import serve

            crypto = WeComCrypto(credentials["token"], credentials["encoding_aes_key"])
            serve("wecom", WeComCallback(desk, crypto), options, notify, has_get=True)
        else:
            from service.bots.wecom_connection import WeComConnection

            signal.signal(signal.SIGTERM, signal.default_int_handler)
            WeComConnection(desk, credentials["bot_id"], credentials["secret"], address, notify).run()
    except KeyboardInterrupt:
        notify("已停止。")
    finally:
        desk.close()


def address_of(address: str) -> str:
    """Where the long connection goes; by default to WeCom itself.

    Raises:
        KewenError: `invalid_setting`: the secret is sent there, so only wss will do, but for this machine.
    """
    if not address:
        return ADDRESS
    try:
        parts = urlsplit(address)
        is_good = bool(parts.hostname) and (parts.port or 1) > 0 and "@" not in parts.netloc and not parts.fragment
        is_safe = parts.scheme == "wss" or (parts.scheme == "ws" and parts.hostname in LOOPBACK_NAMES)
    except ValueError:
        is_good = is_safe = False
    if not (is_good and is_safe and address.isascii()):
        raise KewenError("invalid_setting", "--address 应为 wss:// 网址；只有本机才可用 ws://。")
    return address


# -- callbacks --------------------------------------------------------------------------------------


class Streams:
    """The answers that WeCom will ask for, by name; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: OrderedDict[str, tuple[float, str | None]] = OrderedDict()

    def open(self, name: str) -> bool:
        """Begin an answer; False where it was begun before."""
        now = self._clock()
        with self._lock:
            while self._open and (len(self._open) >= _KEPT or next(iter(self._open.values()))[0] < now - _KEPT_SECONDS):
                self._open.popitem(last=False)
            if name in self._open:
                return False
            self._open[name] = now, None
            return True

    def finish(self, name: str, text: str) -> None:
        with self._lock:
            if name in self._open:
                self._open[name] = self._open[name][0], text

    def drop(self, name: str) -> None:
        with self._lock:
            self._open.pop(name, None)

    def body(self, name: str) -> dict[str, Any]:
        """The answer as it stands now."""
        with self._lock:
            begun, text = self._open.get(name, (0.0, _GONE))
        if text is None and self._clock() - begun > _PATIENCE:
            text = _LATE
        return stream_body(name, SEARCHING if text is None else text, text is not None)


class WeComCallback:
    """The handler of callbacks, signed and not older than an hour.

    A question is answered at once by the beginning of a stream message; WeCom then asks for the rest until it has
    the end. `clock` gives Unix time in seconds.
    """

    def __init__(self, desk: Desk, crypto: WeComCrypto, clock: Callable[[], float] = time.time) -> None:
        self._desk = desk
        self._crypto = crypto
        self._clock = clock
        self._streams = Streams(clock)

    def __call__(
        self, headers: Mapping[str, str], query: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, Any] | str]:
        try:
            if "echostr" in query and not body:
                # The console tries the address: what comes is sent back in clear.
                return 200, self._decrypted(query["echostr"], query)
            message = json.loads(self._decrypted(json.loads(body)["encrypt"], query), strict=False)
            answer = self._answer(message)
        except MALFORMED as error:
            raise forbidden() from error
        if answer is None:
            return 200, ""
        text = json.dumps(answer, ensure_ascii=False)
        return 200, self._crypto.encrypt(text, str(int(self._clock())), query["nonce"])

    def _decrypted(self, encrypted: object, query: Mapping[str, str]) -> str:
        sent = query["timestamp"]
        if not isinstance(encrypted, str) or not re.fullmatch(r"\d{1,12}", sent, re.ASCII):
            raise forbidden()
        text = self._crypto.decrypt(encrypted, query["msg_signature"], sent, query["nonce"])
        if abs(self._clock() - int(sent)) > _STALE_SECONDS:
            raise forbidden()
        return text

    def _answer(self, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """What is said at once; None is nothing."""
        if body["msgtype"] == "event":
            return text_body(WELCOME) if body["event"]["eventtype"] == "enter_chat" else None
        if body["msgtype"] == "stream":
            return self._streams.body(str(body["stream"]["id"])[:64])
        message = read_message(body)
        # From the message's id, so that a repeated delivery goes on with the same answer.
        name = hashlib.sha256(message.id.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        is_new = self._streams.open(name)
        if not self._desk.take(message, lambda text: self._streams.finish(name, text)) and is_new:
            self._streams.drop(name)
            return None
        return self._streams.body(name)
