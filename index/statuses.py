"""How the documents of a build fared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class DocumentStatus:
    """How one document fared. `kept`: it could not be read anew, and its last indexed version stays.

    `reused`: nothing of it has changed, and its part was copied.
    """

    id: str
    status: Literal["ok", "kept", "failed"]
    passages: int
    code: str = ""
    message: str = ""
    reused: bool = False
