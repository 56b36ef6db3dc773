"""Pages of a PDF as pictures, and where the characters of their text are printed: asked of a process apart."""

from __future__ import annotations

import base64
import hashlib
import math
from dataclasses import dataclass
from typing import Any

from corpus.readers import sandbox
from corpus.readers.limits import DRAWING

Place = tuple[float, float, float, float, int]
"""Left, top, right and bottom edge in points from the upper left of the page as it is shown, and its line, from 0."""


@dataclass(frozen=True, slots=True)
class PagePlaces:
    """The size of a page in points, and a Place for each character of its text but for white space, in their order.

    `places` is None where the page isn't read as that text.
    """

    width: float
    height: float
    places: tuple[Place, ...] | None


def find_places(name: str, data: bytes, number: int, text: str) -> PagePlaces:
    """Where page `number`, from 0, of a PDF has the characters of its `text`.

    Raises:
        ReadError: as reading a PDF.
    """
    task = {"task": "places", "page": number, "sha256": characters_of(text)}
    answer = sandbox.run(name, data, task, DRAWING)
    with sandbox.understood(name):
        return _page_places(answer["page"], sum(not c.isspace() for c in text))


def draw_page(name: str, data: bytes, number: int, width: int) -> bytes:
    """Page `number`, from 0, of a PDF, `width` pixels wide, as WebP.

    Raises:
        ReadError: as reading a PDF; `too_large`, where it would be too high.
    """
    answer = sandbox.run(name, data, {"task": "picture", "page": number, "width": width}, DRAWING)
    with sandbox.understood(name):
        return base64.b64decode(answer["picture"], validate=True)


def characters_of(text: str) -> str:
    """The sha256 of a text's characters but for white space."""
    return hashlib.sha256("".join(text.split()).encode("utf-8", "surrogatepass")).hexdigest()


def _page_places(page: dict[str, Any], count: int) -> PagePlaces:
    """ValueError, KeyError or TypeError, where it is none for so many characters."""
    found = page["places"]
    places = None if found is None else tuple(_place(*x) for x in found)
    if places is not None and len(places) != count:
        raise ValueError("a place for each character")
    return PagePlaces(_finite(page["width"]), _finite(page["height"]), places)


def _place(x0: float, y0: float, x1: float, y1: float, line: int) -> Place:
    return _finite(x0), _finite(y0), _finite(x1), _finite(y1), int(line)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("not finite")
    return float(value)
