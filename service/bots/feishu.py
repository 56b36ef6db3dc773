"""Feishu and Lark: messages come over the SDK's long connection or by callback, answers go out by the reply API.

Sources: open.feishu.cn/document, event subscription (v2.0), `im/v1/messages/{id}/reply`; lark-oapi 1.7.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from service.answer_render import tidy
from service.assistant import Assistant
from service.bots.background import LoopThread, run_until_stopped
from service.bots.core import BotOptions, Desk, Message, NotDelivered
from service.bots.credentials import Credential, load_credentials
from service.bots.feishu_callback import RECEIVED, FeishuCallback, missing
from service.errors import KewenError, echo
from service.keeper import Notify
from service.links import Links
from service.settings import LOOPBACK_NAMES

_LOG = logging.getLogger("kewen")
_APP = (
    Credential("app_id", "飞书开放平台 › 应用 › 凭证与基础信息 › App ID"),
    Credential("app_secret", "飞书开放平台 › 应用 › 凭证与基础信息 › App Secret"),
)
_CALLBACK = (
    Credential("encrypt_key", "飞书开放平台 › 应用 › 事件与回调 › 加密策略 › Encrypt Key"),
    Credential("verification_token", "飞书开放平台 › 应用 › 事件与回调 › 加密策略 › Verification Token"),
)
_DOMAINS = {"": "https://open.feishu.cn", "feishu": "https://open.feishu.cn", "lark": "https://open.larksuite.com"}
_IGNORED = (
    "im.message.message_read_v1",
    "im.message.recalled_v1",
    "im.message.reaction.created_v1",
    "im.message.reaction.deleted_v1",
    "im.chat.access_event.bot_p2p_chat_entered_v1",
    "im.chat.member.bot.added_v1",
    "im.chat.member.bot.deleted_v1",
)
"""Other events that an app may have subscribed to; one without a handler would be sent again and again."""
_TIMEOUT = 10.0
_MENTION = re.compile(r"@_user_\d+|@_all")
_MALFORMED = (KeyError, TypeError, ValueError, AttributeError, RecursionError)


def run(assistant: Assistant, options: BotOptions, notify: Notify) -> None:
    """Answer in Feishu until stopped.

    Raises:
        KewenError: `invalid_setting`, `missing_extra`, `unsafe_configuration`, or what opening the index raises.
    """
    domain = domain_of(options.address)
    wanted = _APP + _CALLBACK if options.is_webhook else _APP
    credentials = load_credentials("feishu", wanted, assistant.settings.home)
    api = FeishuApi(credentials["app_id"], credentials["app_secret"], domain)
    bot_id = api.bot_id()
    assistant.retriever()
    desk = Desk(assistant, Links(assistant.settings), options.per_minute)
    bot = FeishuBot(desk, api.reply, bot_id)
    if options.is_webhook:
        from service.bots.webhook import serve

        handler = FeishuCallback(credentials["encrypt_key"], credentials["verification_token"], bot.take)
        try:
            serve("feishu", handler, options, notify)
        finally:
            desk.close()
        return
    notify(f"飞书机器人已启动：{domain}（长连接，按 Ctrl+C 停止）")
    connection = long_connection(credentials["app_id"], credentials["app_secret"], domain, bot.take)
    try:
        run_until_stopped(connection, desk.close)
    except Exception as error:
        raise _refused("飞书的长连接断了，没有再连", error) from error


def domain_of(address: str) -> str:
    """The origin of the platform's API.

    Raises:
        KewenError: `invalid_setting`: the app's secret is sent there, so only https will do, but for this machine.
    """
    if address in _DOMAINS:
        return _DOMAINS[address]
    parts = urlsplit(address.rstrip("/"))
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK_NAMES)
    if not is_safe or not parts.hostname or "@" in parts.netloc or parts.path or parts.query or parts.fragment:
        raise KewenError("invalid_setting", "--address 应为 feishu、lark，或只到主机与端口的 https 网址。")
    return f"{parts.scheme}://{parts.netloc}"


# -- what comes in ----------------------------------------------------------------------------------


class FeishuBot:
    """Hands what concerns the bot to the desk. `bot_id` is its own open_id, by which it knows when it is mentioned."""

    def __init__(self, desk: Desk, reply: Callable[[str, str], None], bot_id: str) -> None:
        self._desk = desk
        self._reply = reply
        self._bot_id = bot_id

    def take(self, event: Mapping[str, Any]) -> None:
        """An event of the type im.message.receive_v1; it never raises, or the platform would send it again."""
        try:
            message = read_event(event, self._bot_id)
        except _MALFORMED as error:
            _LOG.warning("a Feishu event could not be read: %s", type(error).__name__)
            return
        if message is not None:
            self._desk.take(message, lambda text: self._reply(message.id, text))


def read_event(event: Mapping[str, Any], bot_id: str) -> Message | None:
    """The message of an event; none where it isn't for the bot: of another bot, or in a group without a mention.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, RecursionError: it has not the form of an event.
    """
    sender, message = event["sender"], event["message"]
    if sender.get("sender_type", "user") != "user":
        return None
    mentions: Sequence[Mapping[str, Any]] = message.get("mentions") or ()
    is_group = message["chat_type"] != "p2p"
    names = {str(x["key"]): "" if _is_bot(x, bot_id) else f"@{tidy(str(x.get('name', '')))}" for x in mentions}
    if is_group and not any(_is_bot(x, bot_id) for x in mentions):
        return None
    text = _content(str(message["message_type"]), json.loads(message["content"]))
    text = text if text is None else _MENTION.sub(lambda m: names.get(m.group(), ""), text)
    ids = [message["message_id"], sender["sender_id"]["open_id"], message["chat_id"]]
    if not all(isinstance(x, str) and x for x in ids):
        raise ValueError("ids should be strings")
    return Message(ids[0], ids[1], ids[2], (text or "").strip(), is_group, text is not None)


def _is_bot(mention: Mapping[str, Any], bot_id: str) -> bool:
    ids = mention.get("id")
    return isinstance(ids, Mapping) and ids.get("open_id") == bot_id


def _content(kind: str, content: Mapping[str, Any]) -> str | None:
    """The text of a message, with keys for mentions; none where it has no words of its own."""
    if kind == "text":
        return str(content["text"])
    if kind != "post":
        return None
    rows = [[str(x.get("text") or x.get("user_id") or "") for x in row] for row in content["content"]]
    return "\n".join([str(content.get("title") or ""), *("".join(row) for row in rows)])


# -- the SDK ----------------------------------------------------------------------------------------


class FeishuApi:
    """The two calls that the bot makes; the SDK keeps the tenant's token fresh."""

    def __init__(self, app_id: str, app_secret: str, domain: str) -> None:
        self._lark = lark = _sdk()
        builder = lark.Client.builder().app_id(app_id).app_secret(app_secret).domain(domain)
        self._client = builder.timeout(_TIMEOUT).log_level(lark.LogLevel.ERROR).build()

    def bot_id(self) -> str:
        """The bot's open_id, which also shows that the credentials are good.

        Raises:
            KewenError: `invalid_setting`, where the platform can't be reached or refuses.
        """
        lark = self._lark
        request = lark.BaseRequest.builder().http_method(lark.HttpMethod.GET).uri("/open-apis/bot/v3/info")
        try:
            response = self._client.request(request.token_types({lark.AccessTokenType.TENANT}).build())
            if not response.success():
                raise NotDelivered(f"代码 {response.code}：{echo(response.msg, 80)}")
            return str(json.loads(response.raw.content)["bot"]["open_id"])
        except Exception as error:
            raise _refused("连不上飞书", error) from error

    def reply(self, message_id: str, text: str) -> None:
        """Answer a message. Its id is the answer's idempotency key: a second attempt gives no second answer.

        Raises:
            NotDelivered: the platform refuses.
        """
        from lark_oapi.api.im.v1 import ReplyMessageRequest, ReplyMessageRequestBody

        content = json.dumps({"text": text}, ensure_ascii=False)
        body = ReplyMessageRequestBody.builder().msg_type("text").content(content).uuid(message_id[:50]).build()
        request = ReplyMessageRequest.builder().message_id(message_id).request_body(body).build()
        try:
            response = self._client.im.v1.message.reply(request)
        except OSError:  # requests' exceptions are OSErrors: the line was down for a moment
            response = self._client.im.v1.message.reply(request)
        if not response.success():
            raise NotDelivered(f"Feishu answered {response.code}: {response.msg}")


def long_connection(app_id: str, app_secret: str, domain: str, take: Callable[[Mapping[str, Any]], None]) -> LoopThread:
    """A thread that receives events; the SDK reconnects by itself until the platform refuses it."""
    lark = _sdk()
    from lark_oapi.ws import client as ws
    from lark_oapi.ws.exception import ClientException, ServerUnreachableException

    builder = lark.EventDispatcherHandler.builder("", "")
    builder = builder.register_p2_customized_event(RECEIVED, lambda x: take(x.event))
    for name in _IGNORED:
        builder = builder.register_p2_customized_event(name, lambda x: None)
    clients: list[Any] = []

    def work(loop: asyncio.AbstractEventLoop) -> None:
        ws.loop = loop
        client = ws.Client(app_id, app_secret, lark.LogLevel.ERROR, builder.build(), domain)
        clients.append(client)
        client.start()

    def close(loop: asyncio.AbstractEventLoop) -> None:
        for client in clients:
            if client._conn is not None:
                loop.run_until_complete(client._conn.close())

    return LoopThread(work, (ClientException, ServerUnreachableException), close)


def _sdk() -> Any:  # noqa: ANN401 - the SDK has no types
    # It takes the thread's loop when it is imported, or makes one that nobody closes.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        import lark_oapi
        from lark_oapi.core.log import logger
    except ImportError as error:
        raise missing() from error
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    logger.handlers.clear()  # it writes to standard output; the root logger's handlers will do
    return lark_oapi


def _refused(what: str, error: Exception) -> KewenError:
    """What went wrong with the platform, and where to look. The platform's own words are shown, cut short."""
    code, message = getattr(error, "code", None), getattr(error, "msg", None) or "".join(map(str, error.args[:1]))
    reason = f"代码 {echo(code, 20)}：{echo(message, 80)}" if code else type(error).__name__
    reason = str(error) if isinstance(error, NotDelivered) else reason
    return KewenError(
        "invalid_setting",
        f"{what}（{reason}）。请核对 KEWEN_FEISHU_APP_ID 与 KEWEN_FEISHU_APP_SECRET，"
        "确认应用已发布、已启用机器人与长连接，并检查网络与 --address。",
    )
