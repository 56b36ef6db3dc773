"""Feishu's callbacks: signed, encrypted, and not to be believed before both are checked.

Source: open.feishu.cn/document, event subscription, request-url configuration.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from service.errors import KewenError

RECEIVED = "im.message.receive_v1"
"""The event of a message to the bot."""
_STALE_SECONDS = 3600
_MALFORMED = (KeyError, TypeError, ValueError, AttributeError, RecursionError)


class FeishuCallback:
    """The handler of callbacks: signed, encrypted, not older than an hour; `clock` gives Unix time in seconds.

    Without a signature only the encrypted `url_verification` is answered, by which the console tries the address.
    """

    def __init__(
        self,
        encrypt_key: str,
        token: str,
        take: Callable[[Mapping[str, Any]], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key = encrypt_key
        self._token = token
        self._take = take
        self._clock = clock

    def __call__(
        self, headers: Mapping[str, str], query: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, Any] | str]:
        is_signed = "x-lark-signature" in headers
        if is_signed:
            self._check_signature(headers, body)
        try:
            payload = json.loads(decrypt(self._key, json.loads(body)["encrypt"]))
            if payload.get("type") == "url_verification":
                self._check_token(payload["token"])
                return 200, {"challenge": str(payload["challenge"])[:1000]}
            if not is_signed:
                raise _forbidden()
            self._check_token(payload["header"]["token"])
            if payload["header"]["event_type"] == RECEIVED:
                self._take(payload["event"])
        except _MALFORMED as error:
            raise _forbidden() from error
        return 200, {}

    def _check_signature(self, headers: Mapping[str, str], body: bytes) -> None:
        sent = headers.get("x-lark-request-timestamp", "")
        given = signature(sent, headers.get("x-lark-request-nonce", ""), self._key, body)
        if not hmac.compare_digest(given.encode(), headers["x-lark-signature"].encode("utf-8", "surrogatepass")):
            raise _forbidden()
        if not re.fullmatch(r"\d{1,12}", sent, re.ASCII) or abs(self._clock() - int(sent)) > _STALE_SECONDS:
            raise _forbidden()

    def _check_token(self, token: object) -> None:
        if not hmac.compare_digest(str(token).encode("utf-8", "surrogatepass"), self._token.encode()):
            raise _forbidden()


def signature(timestamp: str, nonce: str, key: str, body: bytes) -> str:
    """`X-Lark-Signature`: hexadecimal SHA-256 over timestamp, nonce, Encrypt Key and the raw body.

    >>> signature("1700000000", "nonce123", "test key", b'{"encrypt":"abc"}')[:16]
    'fa24b1676251ac6f'
    """
    return hashlib.sha256(f"{timestamp}{nonce}{key}".encode("utf-8", "surrogatepass") + body).hexdigest()


def decrypt(key: str, encrypted: str) -> bytes:
    """What `encrypt` holds: Base64 of 16 bytes of IV and AES-256-CBC with PKCS #7, under SHA-256 of the Encrypt Key.

    Raises:
        ValueError: it is not of that form.
        KewenError: `missing_extra`.
    """
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        from cryptography.hazmat.primitives.padding import PKCS7
    except ImportError as error:
        raise missing() from error
    data = base64.b64decode(encrypted, validate=True)
    if len(data) < 32:
        raise ValueError("too short")
    cipher = Cipher(algorithms.AES(hashlib.sha256(key.encode()).digest()), modes.CBC(data[:16])).decryptor()
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(cipher.update(data[16:]) + cipher.finalize()) + unpadder.finalize()


def _forbidden() -> KewenError:
    return KewenError("bad_signature", "飞书回调的签名、密文或令牌不对。")


def missing() -> KewenError:
    """The optional packages are not installed."""
    return KewenError("missing_extra", '飞书机器人需要另装的包，请运行：python -m pip install "kewen[feishu]"。')
