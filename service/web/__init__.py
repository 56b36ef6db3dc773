"""Files that browsers load: the widget, and the style of the source page."""

from __future__ import annotations

from importlib.resources import files


def read(name: str) -> bytes:
    """One of the files of this folder.

    Raises:
        FileNotFoundError: there is none of that name.
    """
    return files("service.web").joinpath(name).read_bytes()
