"""WeCom's long connection: a WebSocket (RFC 6455) that kewen opens, and over which questions come and answers go.

Source: developer.work.weixin.qq.com/document/path/101463. Frames are `{"cmd", "headers": {"req_id"}, "body"}`; an answer
has the `req_id` of its question, and an acknowledgement that of what it acknowledges.
"""

from __future__ import annotations

import json
import logging
import queue
import random
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from service.bots.core import Desk, NotDelivered
from service.bots.wecom_crypto import missing
from service.bots.wecom_messages import MALFORMED, SEARCHING, WELCOME, read_message, stream_body, text_body
from service.errors import KewenError, echo
from service.keeper import Notify

if TYPE_CHECKING:
    from websockets.sync.connection import Connection

_LOG = logging.getLogger("kewen")
_BAD_CREDENTIALS = 853000
_REASONS = {846605: "its req_id is not known", 846608: "the stream message can't be changed any more"}
_UNANSWERED = 2
"""After so many pings without an answer the connection is dead."""
_ATTEMPTS = 2
_KEPT = 1000
"""So many questions may wait for their answers; of more, the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. A new connection is tried after `first`, then twice that and so on up to `longest`; one that held for
    `settled` starts anew. `ack` is waited for an acknowledgement, `absence` for a lost connection to be back.
    """

    ping: float = 30.0
    ack: float = 5.0
    first: float = 1.0
    longest: float = 30.0
    settled: float = 60.0
    absence: float = 30.0


class WeComConnection:
    """The connection of one robot; WeCom keeps one alone and sends the older one away.

    Raises:
        KewenError: `missing_extra`.
    """

    def __init__(
        self, desk: Desk, bot_id: str, secret: str, address: str, notify: Notify, timing: Timing | None = None
    ) -> None:
        try:
            from websockets.exceptions import WebSocketException
            from websockets.sync.client import connect
        except ImportError as error:
            raise missing() from error
        self.timing = timing or Timing()
        self._connect = connect
        self._lost = (OSError, WebSocketException)
        self._desk = desk
        self._credentials = {"bot_id": bot_id, "secret": secret}
        self._address = address
        self._notify = notify
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._socket: Connection | None = None
        self._is_replaced = False
        self._pings = 0
        self._exchanges: OrderedDict[str, _Exchange] = OrderedDict()

    def run(self) -> None:
        """Answer until stopped, or until WeCom says that another connection has taken over.

        Raises:
            KewenError: `invalid_setting`, where WeCom refuses the credentials.
        """
        failures = 0
        while not self._stopping.is_set():
            begun = time.monotonic()
            reason = "it was closed"
            try:
                self._session()
            except self._lost as error:
                # The name alone: messages of exceptions may hold addresses.
                reason = type(error).__name__
            if self._is_replaced:
                self._notify("另一个程序用同一个机器人连上了企业微信，本程序已停止。一个机器人只能有一条长连接。")
                return
            failures = 0 if time.monotonic() - begun > self.timing.settled else failures + 1
            self._pause(failures, reason)

    def stop(self) -> None:
        """End `run`, from another thread."""
        self._stopping.set()
        with self._changed:
            socket = self._socket
            self._changed.notify_all()
        if socket is not None:
            socket.close()

    def send(self, frame: Mapping[str, Any]) -> None:
        """Send a frame, once there is a connection.

        Raises:
            NotDelivered: there was none in time, or it broke.
        """
        with self._changed:
            # Not while stopping: there will be no other.
            self._changed.wait_for(lambda: self._socket or self._stopping.is_set(), self.timing.absence)
            socket = self._socket
        if socket is None:
            raise NotDelivered("there is no connection to WeCom")
        try:
            socket.send(json.dumps(frame))
        except self._lost as error:
            raise NotDelivered("the connection to WeCom broke") from error

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    def forget(self, request: str) -> None:
        """Nothing more will be said to this question."""
        self._exchanges.pop(request, None)

    def _pause(self, failures: int, reason: str) -> None:
        if self._stopping.is_set():
            return
        longest = min(self.timing.longest, self.timing.first * 2 ** min(failures, 10))
        seconds = longest * random.uniform(0.5, 1.0)  # noqa: S311 - so that many robots don't come back at once
        _LOG.warning("no connection to WeCom (%s); the next attempt is in %.1f s", reason, seconds)
        self._stopping.wait(seconds)

    def _session(self) -> None:
        """One connection, from opening to its end."""
        # The platform has pings of its own; those of WebSocket it may not answer.
        with self._connect(self._address, ping_interval=None, close_timeout=2.0) as socket:
            self._subscribe(socket)
            self._now(socket)
            self._notify("企业微信机器人已就绪（长连接，按 Ctrl+C 停止）")
            try:
                self._listen(socket)
            except KeyboardInterrupt:
                self._stopping.set()
                self._desk.close()  # while what waits can still be answered
                raise
            finally:
                self._now(None)

    def _now(self, socket: Connection | None) -> None:
        with self._changed:
            self._socket = socket
            self._changed.notify_all()

    def _subscribe(self, socket: Connection) -> None:
        request = _new_id("aibot_subscribe")
        socket.send(json.dumps(_frame("aibot_subscribe", request, self._credentials)))
        deadline = time.monotonic() + 2 * self.timing.ack
        while (left := deadline - time.monotonic()) > 0:
            frame = _parsed(socket.recv(timeout=left))
            if frame is None or frame["headers"]["req_id"] != request:
                continue
            code = frame.get("errcode")
            if code == _BAD_CREDENTIALS:
                raise KewenError(
                    "invalid_setting",
                    "企业微信不认这个机器人：请核对 KEWEN_WECOM_BOT_ID 与 KEWEN_WECOM_SECRET（853000），"
                    "并在管理后台确认 API 模式选的是长连接。",
                )
            if code != 0:
                raise ConnectionError(f"WeCom refuses with {echo(code, 20)}")
            return
        raise TimeoutError

    def _listen(self, socket: Connection) -> None:
        self._pings = 0
        due = time.monotonic() + self.timing.ping
        while not self._stopping.is_set() and not self._is_replaced:
            if time.monotonic() >= due:
                if self._pings >= _UNANSWERED:
                    return
                self._pings += 1
                due = time.monotonic() + self.timing.ping
                socket.send(json.dumps(_frame("ping", _new_id("ping"))))
            try:
                frame = _parsed(socket.recv(timeout=max(0.01, due - time.monotonic())))
            except TimeoutError:
                continue
            if frame is not None:
                self._take(frame, socket)

    def _take(self, frame: Mapping[str, Any], socket: Connection) -> None:
        request, body = frame["headers"]["req_id"], frame.get("body")
        try:
            match frame.get("cmd"):
                case "aibot_msg_callback":
                    self._question(request, body)
                case "aibot_event_callback":
                    self._event(request, body, socket)
                case None | "":
                    self._acknowledged(request, frame.get("errcode"))
        except MALFORMED as error:
            _LOG.warning("a frame of WeCom could not be read: %s", type(error).__name__)

    def _question(self, request: str, body: Any) -> None:  # noqa: ANN401 - JSON, of whatever form
        if request in self._exchanges:  # sent again while it is being answered
            return
        message = read_message(body)
        exchange = self._exchanges[request] = _Exchange(self, request)
        while len(self._exchanges) > _KEPT:
            self._exchanges.popitem(last=False)
        if self._desk.take(message, exchange.finish):
            exchange.begin()
        else:
            self.forget(request)

    def _event(self, request: str, body: Any, socket: Connection) -> None:  # noqa: ANN401
        kind = body["event"]["eventtype"]
        if kind == "enter_chat":
            socket.send(json.dumps(_frame("aibot_respond_welcome_msg", request, text_body(WELCOME))))
        elif kind == "disconnected_event":
            self._is_replaced = True

    def _acknowledged(self, request: str, code: object) -> None:
        if request.startswith("ping"):
            self._pings = 0
        elif request in self._exchanges and isinstance(code, int):
            self._exchanges[request].acknowledge(code)
        elif code != 0:
            _LOG.warning("WeCom refused a frame: %s", echo(code, 20))


class _Exchange:
    """What is said to one question: one frame at a time, the next when WeCom has acknowledged the one before."""

    def __init__(self, connection: WeComConnection, request: str) -> None:
        self._connection = connection
        self._request = request
        self._stream = secrets.token_hex(16)
        self._lock = threading.Lock()
        self._is_begun = False
        self._is_over = False
        self._codes: queue.SimpleQueue[int] = queue.SimpleQueue()

    def begin(self) -> None:
        """Say that kewen searches, unless the answer is quicker; in the thread that reads, so it never waits."""
        with self._lock, suppress(NotDelivered):
            if not self._is_over:
                self._connection.send(self._frame(SEARCHING, is_final=False))
                self._is_begun = True

    def finish(self, text: str) -> None:
        """Say the answer; in a worker's thread.

        Raises:
            NotDelivered: WeCom refuses, or does not acknowledge.
        """
        with self._lock:
            self._is_over = True
        try:
            if self._is_begun:
                self._code()
            for _ in range(_ATTEMPTS):  # the connection may have been lost meanwhile
                self._connection.send(self._frame(text, is_final=True))
                code = self._code()
                if code == 0 or self._connection.is_stopping:
                    return
                if code is not None:
                    raise NotDelivered(f"WeCom answered {code}: {_REASONS.get(code, 'no reason is known')}")
            raise NotDelivered("WeCom did not acknowledge it")
        finally:
            self._connection.forget(self._request)

    def acknowledge(self, code: int) -> None:
        self._codes.put(code)

    def _code(self) -> int | None:
        """The next acknowledgement; None where it does not come. Who stops no longer reads them."""
        try:
            return self._codes.get(timeout=0 if self._connection.is_stopping else self._connection.timing.ack)
        except queue.Empty:
            return None

    def _frame(self, text: str, is_final: bool) -> dict[str, Any]:
        return _frame("aibot_respond_msg", self._request, stream_body(self._stream, text, is_final))


def _frame(command: str, request: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    frame = {"cmd": command, "headers": {"req_id": request}}
    return frame if body is None else {**frame, "body": body}


def _new_id(command: str) -> str:
    return f"{command}_{secrets.token_hex(8)}"


def _parsed(data: str | bytes) -> dict[str, Any] | None:
    """A frame with its `req_id`; None where it isn't one."""
    try:
        frame = json.loads(data, strict=False)  # WeCom leaves control characters in strings
        if isinstance(frame["headers"]["req_id"], str):
            return dict(frame)
    except MALFORMED:
        pass
    _LOG.warning("WeCom sent what is no frame")
    return None
