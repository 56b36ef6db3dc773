"""DingTalk's gateway: the SDK's stream of messages, and the calls that go out."""

from __future__ import annotations

import json
import logging
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from service.bots.background import LoopThread
from service.bots.core import NotDelivered
from service.errors import KewenError, echo
from service.settings import LOOPBACK_NAMES

if TYPE_CHECKING:
    import asyncio

_LOG = logging.getLogger("kewen")
_TOPIC = "/v1.0/im/bot/messages/get"
_TIMEOUT = 10.0
_PAUSE = 1.0
_LONGEST_ANSWER = 1 << 20

Take = Callable[[Mapping[str, Any]], None]


def stream(client_id: str, client_secret: str, address: str, take: Take) -> LoopThread:
    """A thread that receives messages; the SDK reconnects by itself, for ever.

    Raises:
        KewenError: `missing_extra`; `invalid_setting`, where the platform refuses or can't be reached.
    """
    sdk = _sdk()
    client = sdk.DingTalkStreamClient(sdk.Credential(client_id, client_secret), logger=_SdkLog())
    first = deque([_open(client, address)])
    opened = 0.0

    def open_connection() -> dict[str, Any] | None:
        # The SDK's own has no time limit, and takes wrong credentials for a bad line; and where a connection was closed
        # in good order it opens the next at once, hundreds a second.
        nonlocal opened
        time.sleep(max(0.0, opened + _PAUSE - time.monotonic()))
        opened = time.monotonic()
        try:
            return first.popleft() if first else _open(client, address)
        except KewenError as error:
            _LOG.warning("%s", error.message)
            return None

    async def process(callback: Any) -> tuple[int, str]:  # noqa: ANN401 - the SDK has no types
        take(callback.data)
        return sdk.AckMessage.STATUS_OK, "OK"

    handler = sdk.CallbackHandler()
    handler.process = process
    client.open_connection = open_connection
    client.register_callback_handler(_TOPIC, handler)

    def work(loop: asyncio.AbstractEventLoop) -> None:
        loop.run_until_complete(client.start())

    return LoopThread(work)


def _open(client: Any, address: str) -> dict[str, Any]:  # noqa: ANN401
    """`POST /v1.0/gateway/connections/open`: the address of a connection, and the ticket for it."""
    body = {
        "clientId": client.credential.client_id,
        "clientSecret": client.credential.client_secret,
        "subscriptions": [{"type": "CALLBACK", "topic": _TOPIC}],
        "ua": "kewen",
        "localIp": client.get_host_ip(),
    }
    try:
        opened = post(f"{address}/v1.0/gateway/connections/open", body)
        endpoint, ticket = str(opened["endpoint"]), str(opened["ticket"])
    except NotDelivered as error:
        raise _refused(str(error)) from error
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise _refused(type(error).__name__) from error
    if not endpoint.startswith("wss://") and urlsplit(endpoint).hostname not in LOOPBACK_NAMES:
        raise _refused("连接的地址不是 wss")
    return {"endpoint": endpoint, "ticket": ticket}


def _refused(reason: str) -> KewenError:
    return KewenError(
        "invalid_setting",
        f"连不上钉钉（{reason}）。请核对 KEWEN_DINGTALK_CLIENT_ID 与 KEWEN_DINGTALK_CLIENT_SECRET，"
        "确认应用已发布、机器人已启用 Stream 模式，并检查网络与 --address。",
    )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An answer that leads elsewhere is an error: the address that was checked is the one that counts."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,  # noqa: ANN401
        newurl: str,
    ) -> None:
        return None


def post(url: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """POST JSON to an address that was checked, and read the JSON object that answers.

    Raises:
        NotDelivered: any HTTP status but success, with the platform's code for it.
        OSError, ValueError, TypeError, RecursionError: no answer, or no object.
    """
    request = urllib.request.Request(  # noqa: S310
        url, json.dumps(body).encode(), {"Content-Type": "application/json", "Accept": "application/json"}
    )
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=_TIMEOUT) as response:
            answer = _object(response.read(_LONGEST_ANSWER))
    except urllib.error.HTTPError as error:
        code = ""
        with error, suppress(OSError, ValueError, TypeError, RecursionError):
            code = echo(_object(error.read(_LONGEST_ANSWER)).get("code", ""), 60)
        raise NotDelivered(f"HTTP {error.code} {code}".strip()) from error
    return answer


def _object(text: bytes) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise TypeError("no object")
    return value


class _SdkLog:
    """What the SDK logs, without messages and tickets: what it only tells, and what its exceptions say, is left out."""

    def info(self, message: str, *values: object) -> None:
        pass

    warning = info

    def error(self, message: str, *values: object) -> None:
        _LOG.warning("DingTalk: %s", echo(str(message).partition(",")[0]))

    exception = error


def _sdk() -> Any:  # noqa: ANN401
    try:
        import dingtalk_stream
    except ImportError as error:
        raise KewenError(
            "missing_extra", '钉钉机器人需要另装的包，请运行：python -m pip install "kewen[dingtalk]"。'
        ) from error
    return dingtalk_stream
