"""Boxes, matrices and the turn of a page: a file's coordinates → points from the upper left."""

from __future__ import annotations

from typing import NamedTuple

Matrix = tuple[float, float, float, float, float, float]
Point = tuple[float, float]
IDENTITY: Matrix = (1, 0, 0, 1, 0, 0)


class Box(NamedTuple):
    """`y0` is the upper edge."""

    x0: float
    y0: float
    x1: float
    y1: float


class View:
    """Turns the file's coordinates so that most of the text stands upright, the origin at the upper left."""

    def __init__(self, frame: Box, turn: int) -> None:
        self._frame, self._turn = frame, turn
        width, height = frame.x1 - frame.x0, frame.y1 - frame.y0
        self.width, self.height = (height, width) if turn % 2 else (width, height)

    def point(self, x: float, y: float) -> tuple[float, float]:
        f = self._frame
        match self._turn:
            case 1:
                return y - f.y0, x - f.x0
            case 2:
                return f.x1 - x, y - f.y0
            case 3:
                return f.y1 - y, f.x1 - x
            case _:
                return x - f.x0, f.y1 - y

    def box(self, x0: float, y0: float, x1: float, y1: float) -> Box:
        (a, b), (c, d) = self.point(x0, y0), self.point(x1, y1)
        return Box(min(a, c), min(b, d), max(a, c), max(b, d))


def product(m: Matrix, n: Matrix) -> Matrix:
    """First `m`, then `n`."""
    return (
        m[0] * n[0] + m[1] * n[2],
        m[0] * n[1] + m[1] * n[3],
        m[2] * n[0] + m[3] * n[2],
        m[2] * n[1] + m[3] * n[3],
        m[4] * n[0] + m[5] * n[2] + n[4],
        m[4] * n[1] + m[5] * n[3] + n[5],
    )


def apply(m: Matrix, x: float, y: float) -> Point:
    return m[0] * x + m[2] * y + m[4], m[1] * x + m[3] * y + m[5]
