"""Links that open a citation in its source; signed once there are keys, so that a click in a chat works."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote

from corpus.storage import storage_errors, write_synced
from corpus.types import Citation
from service.errors import KewenError, user_errors
from service.keys import KeyRing
from service.settings import Settings

Link = Callable[[Citation], str]
"""The URL at which a citation's quoted words can be read."""

_DAY = 86_400
_DAYS = 30
_EVALUATION = "evaluation"
_LENGTH = 32
_SECRET = "link.key"  # noqa: S105 - the name of its file


class Links:
    """`{public_url}/d/{document}?at=120-140,150-160&h=3f9a2c1b#quote`.

    `at` are the spans of the quote in code points, `h` the beginning of its sha256: where the report has changed since,
    the page can say so. Once there are keys, `until` and `sign` are added: HMAC-SHA256 (RFC 2104) over all of it, cut to
    128 bits, which opens that place of that document alone, for 30 days.
    """

    def __init__(self, settings: Settings) -> None:
        self._base = settings.base_url
        self._home = settings.home
        self._keys = KeyRing(settings)
        self._secret = b""

    def prepare(self) -> None:
        """Have what signs at hand, where links are signed: what is wrong with it shows at the start.

        Raises:
            KewenError: `storage_error`, where the secret can't be kept, or `invalid_setting`, where it is damaged.
        """
        if self._keys.is_required:
            self._load()

    def url(self, citation: Citation) -> str:
        """The link of one citation.

        Raises:
            KewenError: as `prepare`.
        """
        at = ",".join(f"{start}-{end}" for start, end in citation.spans)
        digest = quote_hash(citation.quote)
        link = f"{self.document_url(citation.document_id)}?at={at}&h={digest}"
        if self._keys.is_required:
            until = _until(_DAYS)
            link += f"&until={until}&sign={self._sign(citation.document_id, at, digest, until)}"
        return f"{link}#quote"

    def document_url(self, document_id: str) -> str:
        """Where a document can be read; never signed."""
        return f"{self._base}/d/{quote(document_id, safe='')}"

    def opens(self, document_id: str, at: str, digest: str, until: str, sign: str) -> bool:
        """Whether a signature is one of ours for this place, and still good."""
        return self._is_ours((document_id, at, digest), until, sign)

    def evaluation_url(self) -> str:
        """Where the evaluation report can be read; once there are keys, signed until the end of the next day.

        Raises:
            KewenError: as `prepare`.
        """
        link = f"{self._base}/{_EVALUATION}"
        if not self._keys.is_required:
            return link
        until = _until(1)
        return f"{link}?until={until}&sign={self._sign(_EVALUATION, until)}"

    def opens_evaluation(self, until: str, sign: str) -> bool:
        """Whether a signature is one of ours for the evaluation report, and still good."""
        return self._is_ours((_EVALUATION,), until, sign)

    def _is_ours(self, parts: tuple[str, ...], until: str, sign: str) -> bool:
        if not (until.isascii() and until.isdecimal() and len(until) < 15 and int(until) > time.time()):
            return False
        expected = self._sign(*parts, until)
        return hmac.compare_digest(expected.encode(), sign.encode("utf-8", "surrogatepass"))

    def _sign(self, *parts: str) -> str:
        message = "\n".join(parts).encode("utf-8", "surrogatepass")
        mac = hmac.digest(self._load(), message, "sha256")
        return base64.urlsafe_b64encode(mac[:16]).decode().rstrip("=")

    def _load(self) -> bytes:
        """The secret, made at its first use. Two that make it at once agree: the first to link its file in wins."""
        if not self._secret:
            path = self._home / _SECRET
            with user_errors(), storage_errors("保存签名密钥"):
                if not path.exists():
                    self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
                    new = path.with_suffix(f".{os.getpid()}.new")
                    write_synced(new, secrets.token_bytes(_LENGTH))
                    with suppress(FileExistsError):
                        os.link(new, path)
                    new.unlink()
                self._secret = path.read_bytes()
            if len(self._secret) != _LENGTH:
                self._secret = b""
                raise KewenError("invalid_setting", f"数据目录中的 {_SECRET} 已损坏。请删去它；已发出的链接随之失效。")
        return self._secret


def _until(days: int) -> str:
    """A time so many days ahead: whole days, so that a link is the same all day."""
    return str((int(time.time()) // _DAY + days + 1) * _DAY)


def quote_hash(quote: str) -> str:
    """The first 8 hexadecimal digits of the quote's sha256."""
    return hashlib.sha256(quote.encode("utf-8", "surrogatepass")).hexdigest()[:8]
