"""WeCom's callbacks are signed and encrypted, and so are the answers to them.

Sources: developer.work.weixin.qq.com/document/path/101033, and the official `WXBizJsonMsgCrypt.py`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from typing import Any

from service.errors import KewenError

_BLOCK_BITS = 256
"""PKCS #7 (RFC 5652, 6.3) fills up to 32 bytes here, not to the 16 of an AES block."""
_RANDOM, _LENGTH = 16, 4
"""Bytes before the message: random ones, and the message's length."""
_KEY = re.compile(r"[A-Za-z0-9+/]{43}", re.ASCII)


class WeComCrypto:
    """Signature and cipher of one callback address.

    `encrypt` holds Base64 of AES-256-CBC of 16 random bytes, the length of the message (4 bytes, big-endian), the
    message and `receive_id`, which is empty for smart robots. The key is EncodingAESKey in Base64, the IV its first
    16 bytes.

    Raises:
        KewenError: `invalid_setting`, where `aes_key` has not its form; `missing_extra`.
    """

    def __init__(self, token: str, aes_key: str, receive_id: str = "") -> None:
        if not _KEY.fullmatch(aes_key):
            raise KewenError("invalid_setting", "KEWEN_WECOM_ENCODING_AES_KEY 应为 43 个字母或数字，请重新复制。")
        try:
            from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
            from cryptography.hazmat.primitives.padding import PKCS7
        except ImportError as error:
            raise missing() from error
        key = base64.b64decode(f"{aes_key}=")
        self._token = token
        self._receive_id = receive_id.encode()
        self._cipher = Cipher(algorithms.AES(key), modes.CBC(key[:16]))
        self._padding = PKCS7(_BLOCK_BITS)

    def signature(self, timestamp: str, nonce: str, encrypted: str) -> str:
        """`msg_signature`: hexadecimal SHA-1 of token, timestamp, nonce and ciphertext, sorted and joined."""
        joined = "".join(sorted([self._token, timestamp, nonce, encrypted]))
        return hashlib.sha1(joined.encode("utf-8", "surrogatepass")).hexdigest()  # noqa: S324 - the platform's choice

    def decrypt(self, encrypted: str, signature: str, timestamp: str, nonce: str) -> str:
        """The message, once its signature has been checked.

        Raises:
            KewenError: `bad_signature`, whatever is wrong: who can't sign learns nothing about what was decrypted.
        """
        expected = self.signature(timestamp, nonce, encrypted)
        if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogatepass")):
            raise forbidden()
        try:
            decryptor, unpadder = self._cipher.decryptor(), self._padding.unpadder()
            padded = decryptor.update(base64.b64decode(encrypted, validate=True)) + decryptor.finalize()
            return self._message(unpadder.update(padded) + unpadder.finalize())
        except ValueError as error:  # of Base64, cipher, padding, UTF-8, or our own
            raise forbidden() from error

    def encrypt(self, text: str, timestamp: str, nonce: str, random: bytes | None = None) -> dict[str, Any]:
        """The signed envelope of an answer. `random` is given by tests alone, for a known ciphertext."""
        message = text.encode("utf-8", "replace")
        head = secrets.token_bytes(_RANDOM) if random is None else random
        plain = head + len(message).to_bytes(_LENGTH, "big") + message + self._receive_id
        padder, encryptor = self._padding.padder(), self._cipher.encryptor()
        data = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
        encrypted = base64.b64encode(data).decode()
        signature = self.signature(timestamp, nonce, encrypted)
        return {"encrypt": encrypted, "msgsignature": signature, "timestamp": timestamp, "nonce": nonce}

    def _message(self, plain: bytes) -> str:
        start = _RANDOM + _LENGTH
        end = start + int.from_bytes(plain[_RANDOM:start], "big")
        if len(plain) < max(start, end) or not hmac.compare_digest(plain[end:], self._receive_id):
            raise ValueError("the length or the receiver is another")
        return plain[start:end].decode("utf-8")


def forbidden() -> KewenError:
    """The answer to whoever is not the platform."""
    return KewenError("bad_signature", "企业微信回调的签名或密文不对。")


def missing() -> KewenError:
    """The optional packages are not installed."""
    return KewenError("missing_extra", '企业微信机器人需要另装的包，请运行：python -m pip install "kewen[wecom]"。')
