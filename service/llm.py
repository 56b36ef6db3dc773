"""Any OpenAI-compatible chat endpoint, whole or as a stream. httpx (extra `llm`) is imported where it is used."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from service.errors import KewenError, echo

_ATTEMPTS = 4
_RETRIED = (408, 409, 429, 500, 502, 503, 504)
_LONGEST_WAIT = 20.0
_CONNECT_SECONDS = 5.0
_MOST_BYTES = 1 << 20
_MOST_STREAMS = 64
_streams = threading.BoundedSemaphore(_MOST_STREAMS)
"""Streams of this process, each of which keeps a thread waiting: a model that hangs must not keep all of them."""
_REFUSALS = {
    401: "它不接受这个密钥（HTTP 401），请检查 KEWEN_LLM_KEY",
    403: "它不接受这个密钥（HTTP 403），请检查 KEWEN_LLM_KEY",
    404: "它没有这个模型或地址（HTTP 404），请检查 KEWEN_LLM_MODEL 和 KEWEN_LLM_URL",
    429: "它忙不过来或额度已用完（HTTP 429）",
}


class ChatModel:
    """`POST {url}/chat/completions` (OpenAI, Chat Completions API), with patience for a busy server."""

    def __init__(self, url: str, model: str, key: str = "", timeout: float = 120.0) -> None:
        """`timeout` in seconds, for each attempt.

        Raises:
            KewenError: `invalid_setting`, where the address or the model's name is missing or wrong.
        """
        if not url or not model:
            raise KewenError(
                "invalid_setting",
                "还没有配置大语言模型。请设 KEWEN_LLM_URL（如 http://127.0.0.1:11434/v1）和 KEWEN_LLM_MODEL。",
            )
        if not _is_address(url):
            raise KewenError(
                "invalid_setting", "llm_url 应为 http 或 https 地址，其中不带密钥与参数，如 http://127.0.0.1:11434/v1。"
            )
        if not key.isascii() or not key.isprintable():
            raise KewenError("invalid_setting", "llm_key 含有密钥中不会有的字符。")
        self.model = model
        self._key = key
        self._address = url.rstrip("/") + "/chat/completions"
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout = timeout

    def reveals_key(self, text: str) -> bool:
        """Whether a text that came from the endpoint holds the key, which it knows."""
        return bool(self._key) and self._key in text

    def complete(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The model's answer; empty where it refuses to give any.

        Raises:
            KewenError: `llm_unavailable`, where the endpoint can't be reached, refuses, or answers nonsense.
        """
        httpx = _httpx()
        body = {"model": self.model, "messages": list(messages), "stream": False}
        reason = ""
        for attempt in range(_ATTEMPTS):
            try:
                response = httpx.post(self._address, json=body, headers=self._headers, timeout=self._timeout)
            except (httpx.RequestError, httpx.InvalidURL) as error:
                reason, wait = f"连不上（{type(error).__name__}）", 2.0**attempt
            else:
                if response.is_success:
                    return _content(response)
                reason, wait = f"HTTP {response.status_code}", _wait(response, attempt)
                if response.status_code not in _RETRIED:
                    break
            if attempt + 1 < _ATTEMPTS:
                time.sleep(wait)
        raise KewenError(
            "llm_unavailable", f"大语言模型 {echo(self._address)} 用不了：{reason}。请检查地址、密钥和模型名。"
        )

    def stream(self, messages: Sequence[Mapping[str, str]], seconds: float) -> Iterator[str]:
        """The answer in pieces, as they come; one attempt, because a reader waits.

        `seconds` limit each wait, and the whole, looked at with each piece.

        Raises:
            KewenError: `llm_unavailable`, where the endpoint can't be reached, refuses, is too slow, breaks off or
                answers nonsense, or too many wait for it; pieces may have come until then.
        """
        if not _streams.acquire(blocking=False):
            raise _failure(f"已有 {_MOST_STREAMS} 个提问在等它作答")
        try:
            yield from self._stream(messages, seconds)
        finally:
            _streams.release()

    def _stream(self, messages: Sequence[Mapping[str, str]], seconds: float) -> Iterator[str]:
        httpx = _httpx()
        deadline = time.monotonic() + seconds
        limits = httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))
        body = {"model": self.model, "messages": list(messages), "stream": True}
        is_finished = False
        try:
            with httpx.stream("POST", self._address, json=body, headers=self._headers, timeout=limits) as response:
                if not response.is_success:
                    raise _failure(_REFUSALS.get(response.status_code, f"它应答 HTTP {response.status_code}"))
                for content, ends in _pieces(response, deadline, seconds):
                    is_finished |= ends
                    yield content
        except httpx.TimeoutException as error:
            raise _failure(f"它超过 {seconds:g} 秒没有应答") from error
        # Proxies and certificates of the environment raise what they like: ImportError, ValueError, OSError.
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ImportError, OSError, ValueError) as error:
            if not is_finished:
                raise _failure(f"连不上，或连接中断（{type(error).__name__}）") from error
        if not is_finished:
            raise _failure("它没有答完，或应答不合 Chat Completions 的流式格式")


def _httpx() -> Any:  # noqa: ANN401 - imported where it is used
    try:
        import httpx
    except ImportError as error:
        raise KewenError(
            "llm_unavailable", '调用大语言模型需要 httpx。请运行：python -m pip install "kewen[llm]"。'
        ) from error
    return httpx


def _failure(reason: str) -> KewenError:
    """Without the address and without a word of the response: either could hold a key."""
    return KewenError("llm_unavailable", f"大语言模型用不了：{reason}。")


def _pieces(response: Any, deadline: float, seconds: float) -> Iterator[tuple[str, bool]]:  # noqa: ANN401
    """The pieces of a stream of server-sent events, and whether each is the last (OpenAI, Chat Completions API)."""
    rest, read = b"", 0
    for data in response.iter_bytes():
        if time.monotonic() > deadline:
            raise _failure(f"它超过 {seconds:g} 秒没有答完")
        read += len(data)
        if read > _MOST_BYTES:
            raise _failure("它的应答太长")
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            payload = line.removeprefix(b"data:").strip()
            if payload == b"[DONE]":
                yield "", True
                return
            if line.startswith(b"data:"):
                yield _delta(payload)


def _delta(payload: bytes) -> tuple[str, bool]:
    """The text of one event, and whether the model says that it has finished."""
    try:
        choices = json.loads(payload)["choices"]
        content = choices[0]["delta"].get("content") if choices else ""
        ends = bool(choices and choices[0].get("finish_reason"))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise _failure("它的应答不合 Chat Completions 的流式格式") from error
    # Half a surrogate pair is legal JSON and no text.
    return (
        content.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(content, str) else ""
    ), ends


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        extra = (
            parts.username or parts.password or parts.query or parts.fragment
        )  # a key there would end up in messages
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0 and not extra
    except ValueError:
        return False


def _content(response: Any) -> str:  # noqa: ANN401 - httpx is imported where it is used
    try:
        content = response.json()["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise KewenError("llm_unavailable", "大语言模型的响应不合 Chat Completions 的格式。") from error
    return content if isinstance(content, str) else ""


def _wait(response: Any, attempt: int) -> float:  # noqa: ANN401
    """Seconds to wait: what the server asks for (RFC 9110, Retry-After), within reason, else 1, 2, 4 …"""
    asked = response.headers.get("Retry-After", "")
    return min(float(asked), _LONGEST_WAIT) if asked.isascii() and asked.isdecimal() else 2.0**attempt
