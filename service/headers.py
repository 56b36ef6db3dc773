"""Headers that every response bears: what a browser may do with it, and that it is not to be kept. Pure."""

from __future__ import annotations

import re

from starlette.datastructures import MutableHeaders

_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_PAGE = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""A document is a stranger's text: nothing in it may run, load or be framed."""
_DOCS = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI starts by a script within its page. Nothing of a document stands there."""
_APP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types lit-html"
)
"""Its own scripts alone, and no text of a document ever becomes HTML: but for lit-html, which makes its templates of
what is written in them, nothing may (W3C Trusted Types)."""
_IS_DOCS = re.compile(r"/docs(?:/.*)?")
_SHARED = ("/healthz", "/widget.js")
"""What the ask box loads into the pages of others."""


def secure(headers: MutableHeaders, path: str) -> None:
    """Add to a response's headers what is missing; what a route has set stays."""
    is_page = headers.get("content-type", "").startswith("text/html")
    page = _APP if path == "/" else _DOCS if _IS_DOCS.fullmatch(path) else _PAGE
    for name, value in {
        "Content-Security-Policy": page if is_page else _NOTHING,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        # An address may bear a signature.
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "cross-origin" if path in _SHARED else "same-origin",
        "X-Robots-Tag": "noindex",
        # The page's files belong together: each is asked for anew, and not sent where it is still the same.
        "Cache-Control": "no-cache" if path.startswith("/web/") else "no-store",
    }.items():
        headers.setdefault(name, value)
