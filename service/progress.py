"""A progress bar, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def progress_bar(doing: str, unit: str) -> Callable[[int, int], None]:
    """A function of how much is done and of how much, in `unit` (of bytes, `B`, thousands and millions are shown); it
    shows nothing where nobody watches."""
    if not sys.stderr.isatty():
        return lambda done, total: None
    from tqdm import tqdm

    bar: Any = None

    def show(done: int, total: int) -> None:
        nonlocal bar
        bar = bar or tqdm(total=total, desc=doing, unit=unit, unit_scale=unit == "B", file=sys.stderr)
        bar.update(done - bar.n)
        if done >= total:
            bar.close()

    return show
