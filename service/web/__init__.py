"""Files that browsers load: the page, the style of the source page, and the widget."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

PAGE = Path(str(files("service.web"))) / "page"
"""The page's own folder: all of it is served, as it is, at `/web`."""


def read(name: str) -> bytes:
    """One of the files of this folder.

    Raises:
        FileNotFoundError: there is none of that name.
    """
    return files("service.web").joinpath(name).read_bytes()
