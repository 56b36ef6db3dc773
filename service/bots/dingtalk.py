"""DingTalk: messages come over the SDK's stream or by callback, answers go to the conversation's own webhook.

Sources: open.dingtalk.com/document, robots (receiving messages, `sessionWebhook`) and stream mode; dingtalk-stream 0.24.
"""

from __future__ import annotations

import base64
import hmac
import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from service.assistant import Assistant
from service.bots.background import run_until_stopped
from service.bots.core import BotOptions, Desk, Message, NotDelivered
from service.bots.credentials import Credential, load_credentials
from service.bots.dingtalk_gateway import Take, post, stream
from service.errors import KewenError
from service.keeper import Notify
from service.links import Links
from service.settings import LOOPBACK_NAMES

_LOG = logging.getLogger("kewen")
_WANTED = (
    Credential("client_id", "钉钉开放平台 › 应用开发 › 应用 › 凭证与基础信息 › Client ID"),
    Credential("client_secret", "钉钉开放平台 › 应用开发 › 应用 › 凭证与基础信息 › Client Secret"),
)
_ADDRESS = "https://api.dingtalk.com"
_WEBHOOK_HOSTS = ("api.dingtalk.com", "oapi.dingtalk.com")
_STALE_MS = 3_600_000
_TITLE = 30
_MALFORMED = (KeyError, TypeError, ValueError, AttributeError, RecursionError)


def run(assistant: Assistant, options: BotOptions, notify: Notify) -> None:
    """Answer in DingTalk until stopped.

    Raises:
        KewenError: `invalid_setting`, `missing_extra`, `unsafe_configuration`, or what opening the index raises.
    """
    address = checked_address(options.address or _ADDRESS)
    credentials = load_credentials("dingtalk", _WANTED, assistant.settings.home)
    assistant.retriever()
    desk = Desk(assistant, Links(assistant.settings), options.per_minute, markdown=True)
    bot = DingTalkBot(desk, address)
    if options.is_webhook:
        from service.bots.webhook import serve

        try:
            serve("dingtalk", DingTalkCallback(credentials["client_secret"], bot.take), options, notify)
        finally:
            desk.close()
        return
    connection = stream(credentials["client_id"], credentials["client_secret"], address, bot.take)
    notify(f"钉钉机器人已启动：{address}（Stream 模式，按 Ctrl+C 停止）")
    run_until_stopped(connection, desk.close)


def checked_address(address: str) -> str:
    """The origin of the platform's API.

    Raises:
        KewenError: `invalid_setting`: the secret is sent there, so only https will do, but for this machine.
    """
    parts = urlsplit(address.rstrip("/"))
    if not _is_safe(address) or parts.path or parts.query or parts.fragment:
        raise KewenError("invalid_setting", "--address 应为只到主机与端口的 https 网址，如 https://api.dingtalk.com。")
    return f"{parts.scheme}://{parts.netloc}"


def _is_safe(address: str) -> bool:
    parts = urlsplit(address)
    is_local = parts.hostname in LOOPBACK_NAMES
    return bool(parts.hostname) and "@" not in parts.netloc and (parts.scheme == "https" or is_local)


# -- what comes in ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Session:
    """Where the answer to a message goes: `url` until `expires` (Unix time in ms); `staff_id` is to be mentioned."""

    url: str
    expires: int
    staff_id: str


class DingTalkBot:
    """Hands messages to the desk, and answers to their conversation. `clock` gives Unix time in seconds."""

    def __init__(self, desk: Desk, address: str, clock: Callable[[], float] = time.time) -> None:
        self._desk = desk
        self._own = urlsplit(address).netloc
        self._clock = clock

    def take(self, data: Mapping[str, Any]) -> None:
        """A message as either way brings it; never raises, or the platform would send it again."""
        try:
            read = read_message(data)
        except _MALFORMED as error:
            _LOG.warning("a DingTalk message could not be read: %s", type(error).__name__)
            return
        if read is not None:
            message, session = read
            self._desk.take(message, lambda text: self.reply(session, text))

    def reply(self, session: Session, text: str) -> None:
        """Send an answer in Markdown; it mentions the asker where others read along.

        Raises:
            NotDelivered: the session is over, its address is none of DingTalk's, or DingTalk refuses.
        """
        if session.expires < self._clock() * 1000:
            raise NotDelivered("the session has expired")
        parts = urlsplit(session.url)
        is_theirs = parts.scheme == "https" and parts.netloc in _WEBHOOK_HOSTS
        if not is_theirs and not (parts.netloc == self._own and _is_safe(session.url)):
            raise NotDelivered("the session's address is none of DingTalk's")
        at = [session.staff_id] if session.staff_id else []
        said = {
            "msgtype": "markdown",
            "markdown": {
                "title": text.partition("\n")[0][:_TITLE],
                "text": "\n\n".join([*(f"@{x}" for x in at), text]),
            },
            "at": {"atUserIds": at, "isAtAll": False},
        }
        try:
            answer = post(session.url, said)
        except ConnectionError:  # closed before it answered: the message comes once, so its answer is tried twice
            answer = post(session.url, said)
        if answer.get("errcode", 0) != 0:
            raise NotDelivered(f"DingTalk answered {answer['errcode']}: {answer.get('errmsg')}")


def read_message(data: Mapping[str, Any]) -> tuple[Message, Session] | None:
    """A message of `/v1.0/im/bot/messages/get`; none where it is of a group and not for the bot.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it has not the form of a message.
    """
    is_group = str(data["conversationType"]) != "1"
    if is_group and data.get("isInAtList") is False:
        return None
    staff_id = str(data.get("senderStaffId") or "")
    ids = [data["msgId"], staff_id or data["senderId"], data["conversationId"]]
    if not all(isinstance(x, str) and x for x in ids):
        raise ValueError("ids should be strings")
    text = _content(data)
    message = Message(ids[0], ids[1], ids[2], (text or "").strip(), is_group, text is not None)
    is_plain = re.fullmatch(r"[\w.-]{1,64}", staff_id, re.ASCII)
    session = Session(str(data["sessionWebhook"]), int(data["sessionWebhookExpiredTime"]), staff_id)
    return message, session if is_group and is_plain else Session(session.url, session.expires, "")


def _content(data: Mapping[str, Any]) -> str | None:
    """The text of a message, of speech as the platform understood it; none where it has no words."""
    match data["msgtype"]:
        case "text":
            return str(data["text"]["content"])
        case "richText":
            return "".join(str(x.get("text", "")) for x in data["content"]["richText"])
        case "audio" if data["content"].get("recognition"):
            return str(data["content"]["recognition"])
        case _:
            return None


class DingTalkCallback:
    """The handler of callbacks. `clock` gives Unix time in seconds.

    The signature is of the time alone, not of the body: that it is DingTalk's rests on HTTPS and on the hour's limit.
    """

    def __init__(self, client_secret: str, take: Take, clock: Callable[[], float] = time.time) -> None:
        self._secret = client_secret
        self._take = take
        self._clock = clock

    def __call__(
        self, headers: Mapping[str, str], query: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, Any] | str]:
        sent, given = headers.get("timestamp", ""), headers.get("sign", "")
        expected = sign(sent, self._secret)
        is_good = hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass"))
        is_time = re.fullmatch(r"\d{1,15}", sent, re.ASCII)
        if not is_good or not is_time or abs(self._clock() * 1000 - int(sent)) > _STALE_MS:
            raise KewenError("bad_signature", "钉钉回调的签名不对，或已过时。")
        try:
            data = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise KewenError("bad_json", "钉钉回调的请求体不是 JSON。") from error
        self._take(data)
        return 200, {}


def sign(timestamp: str, secret: str) -> str:
    """The header `sign`: Base64 of HMAC-SHA256, under the secret, of the time in ms, a line feed and the secret.

    >>> sign("1577262236757", "this is a secret")
    'DJrE6qdyVGCQz9z5r2MDuNcNAhwYnuAkyj13cx169CA='
    """
    message = f"{timestamp}\n{secret}".encode("utf-8", "surrogatepass")
    return base64.b64encode(hmac.digest(secret.encode(), message, "sha256")).decode()
