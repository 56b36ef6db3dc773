"""The latest evaluation report: its page and its figures, as they are kept in the home for the service to show.

The figures are written last and name the page by its sha256: a page that they do not name is none of theirs.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from corpus.storage import make_folder, replace_synced

_FOLDER, _PAGE, _FIGURES = "evaluation", "report.html", "summary.json"
_MOST_PAGE, _MOST_FIGURES = 64 << 20, 1 << 20
"""Bytes. The page of 252 questions has half a million."""
LONGEST_NAME = 200

_Share = Annotated[float, Field(ge=0, le=1)]
_Name = Annotated[str, Field(max_length=LONGEST_NAME)]
_Count = Annotated[int, Field(ge=0)]


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Measured(_Kept):
    """一个成绩及其区间。"""

    mean: _Share = Field(description="平均")
    low: _Share = Field(description="95% 区间的下端")
    high: _Share = Field(description="95% 区间的上端")

    @model_validator(mode="before")
    @classmethod
    def _from_triple(cls, value: Any) -> Any:  # noqa: ANN401
        """`[mean, low, high]`, as a run's summary has it."""
        if isinstance(value, (list, tuple)) and len(value) == 3:
            return dict(zip(("mean", "low", "high"), value, strict=True))
        return value


class OfType(_Kept):
    """一类问题的成绩。"""

    questions: _Count = Field(description="题数")
    success: Measured = Field(alias="Success@5", description="前五条命中")


class Headlines(_Kept):
    """一次评测的成绩。"""

    made: AwareDatetime = Field(description="报告做成的时间", strict=False)
    system: _Name = Field(description="所评的系统")
    split: _Name | None = Field(description="用了标准问题的哪一半；null 为全部")
    questions: _Count = Field(description="题数")
    answerable: _Count = Field(description="其中报告里有答案的")
    measures: dict[_Name, Measured] = Field(description="检索成绩，以指标为名，如 Success@5", max_length=50)
    answers: dict[_Name, Measured] = Field(description="答案成绩；没有评测答案的为空", max_length=50)
    by_type: dict[_Name, OfType] = Field(description="按问题类型", max_length=50)


class Figures(Headlines):
    """一次评测的成绩，与它的网页。"""

    page: str = Field(description="报告网页的 sha256", pattern="^[0-9a-f]{64}$")


def keep(home: Path, page: bytes, figures: dict[str, Any]) -> None:
    """Keep a report in the place of the one before it. `figures` are those of `Headlines`.

    Raises:
        OSError: the disk is full or can't be written.
        ValueError: the figures are no shares, or lack something.
    """
    whole = Figures.model_validate({**figures, "page": hashlib.sha256(page).hexdigest()})
    folder = home / _FOLDER
    make_folder(folder)
    replace_synced(folder / _PAGE, page)
    replace_synced(folder / _FIGURES, whole.model_dump_json(by_alias=True, indent=1).encode("utf-8"))


def figures(home: Path) -> Figures | None:
    """The figures of the latest report; None where there is none that is whole."""
    return _kept(home)[0]


def page(home: Path) -> bytes | None:
    """The page of the latest report; None where there is none that is whole."""
    return _kept(home)[1]


def _kept(home: Path) -> tuple[Figures, bytes] | tuple[None, None]:
    """Whatever else lies there is no report."""
    with suppress(OSError, ValidationError):
        known = Figures.model_validate_json(_read(home / _FOLDER / _FIGURES, _MOST_FIGURES))
        data = _read(home / _FOLDER / _PAGE, _MOST_PAGE)
        if hashlib.sha256(data).hexdigest() == known.page:
            return known, data
    return None, None


def _read(path: Path, most: int) -> bytes:
    """The first `most` bytes of a file: a larger one is none of ours and will not pass. Of what is no file, nothing."""
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(most)
