"""A progress bar, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def progress_bar(doing: str, unit: str, **stages: tuple[str, str]) -> Callable[..., None]:
    """A function of how much is done and of how much, in `unit` (of bytes, `B`, thousands and millions are shown); it
    shows nothing where nobody watches.

    A third argument names the stage: one of `stages`, each with a bar of its own, its text and its unit.
    """
    if not sys.stderr.isatty():
        return lambda done, total, stage="": None
    from tqdm import tqdm

    bar: Any = None
    shown = ""

    def show(done: int, total: int, stage: str = "") -> None:
        nonlocal bar, shown
        if bar is None or stage != shown:
            if bar is not None:
                bar.close()
            text, of = stages.get(stage, (doing, unit))
            bar, shown = tqdm(total=total, desc=text, unit=of, unit_scale=of == "B", file=sys.stderr), stage
        bar.update(done - bar.n)
        if done >= total:
            bar.close()

    return show
