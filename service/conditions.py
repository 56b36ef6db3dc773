"""Conditions on what is known of a passage and its report, as Dify writes them. Pure functions.

The operators are those of Dify's External Knowledge API and mean what they mean there (langgenius/dify,
`process_metadata_filter_func`): letters are told apart by case; `in` takes a list, or values with commas between; numbers
may come as strings. Unlike there, nothing is passed over: a condition that can't be read is an error, and a negated one
holds exactly where its opposite does not, so also where the field is missing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeGuard

from corpus.citations import citation_label
from corpus.types import Citation
from index.types import DocumentInfo
from service.errors import KewenError, echo

Value = str | int | None
Operand = tuple[str, ...] | tuple[Fraction, ...]

DOCUMENT_FIELDS = ("document_id", "title", "year", "series", "kind", "issuer")
PASSAGE_FIELDS = ("section", "label", "passage_id")
FIELDS = (*DOCUMENT_FIELDS, *PASSAGE_FIELDS)
_NUMBERS = ("year",)

_NEGATED: Mapping[str, str] = {
    "not contains": "contains",
    "is not": "is",
    "≠": "is",
    "!=": "is",
    "not in": "in",
    "not empty": "empty",
}
_ALIASES: Mapping[str, str] = {"=": "is", "==": "is", "before": "<", "after": ">", "<=": "≤", ">=": "≥"}
_TEXT: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "start with": str.startswith,
    "end with": str.endswith,
}
_ORDER: Mapping[str, Callable[[Fraction, Fraction], bool]] = {
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "≤": lambda a, b: a <= b,
    "≥": lambda a, b: a >= b,
}
OPERATORS = ("empty", "is", "in", *_TEXT, *_ORDER, *_NEGATED, *_ALIASES)
_NUMBER = re.compile(r"\s*([+-]?\d{1,30}(?:\.\d{1,30})?)\s*年?\s*")


@dataclass(frozen=True, slots=True)
class Condition:
    """`operator` is one of those that are neither aliases nor negated; `negated` turns it round.

    `operands` are what the field is held against: numbers for a field that is one, else texts; any one of them for `in`
    and `is`, exactly one for the others, none for `empty`.
    """

    field: str
    operator: str
    negated: bool
    operands: Operand

    def holds(self, fields: Mapping[str, Value]) -> bool:
        """Whether it holds of what is known; a missing field is empty, and otherwise like nothing."""
        return self._matches(fields.get(self.field)) != self.negated

    def _matches(self, value: Value) -> bool:
        if self.operator == "empty":
            return value in (None, "")
        if value is None:
            return False
        if self.operator in _TEXT:
            return any(isinstance(x, str) and _TEXT[self.operator](str(value), x) for x in self.operands)
        if self.operator in _ORDER:
            return any(isinstance(x, Fraction) and _ORDER[self.operator](Fraction(value), x) for x in self.operands)
        return value in self.operands


@dataclass(frozen=True, slots=True)
class Conditions:
    """Several conditions: all must hold, or where `any_of` at least one; none at all always hold."""

    any_of: bool
    conditions: tuple[Condition, ...]

    def holds(self, fields: Mapping[str, Value]) -> bool:
        """Whether they hold of what is known of a passage and its report."""
        if not self.conditions:
            return True
        held = (condition.holds(fields) for condition in self.conditions)
        return any(held) if self.any_of else all(held)

    @property
    def concerns_passages(self) -> bool:
        """Whether the report alone does not decide."""
        return any(x.field in PASSAGE_FIELDS for x in self.conditions)

    def documents(self, known: Iterable[DocumentInfo]) -> frozenset[str]:
        """The ids of the documents that may have a passage of which the conditions hold."""
        if self.any_of and self.concerns_passages:
            return frozenset(x.id for x in known)
        decisive = Conditions(self.any_of, tuple(x for x in self.conditions if x.field in DOCUMENT_FIELDS))
        return frozenset(x.id for x in known if decisive.holds(document_fields(x)))


NO_CONDITIONS = Conditions(False, ())


def document_fields(document: DocumentInfo) -> dict[str, Value]:
    """What may be asked of a report."""
    return {
        "document_id": document.id,
        "title": document.title,
        "year": document.year,
        "series": document.series,
        "kind": document.kind,
        "issuer": document.issuer,
    }


def passage_fields(passage_id: str, citation: Citation) -> dict[str, Value]:
    """What may be asked of a passage beside: as a reader sees it, editorial headings in 〔…〕."""
    section = " › ".join(f"〔{name}〕" if name in citation.restored else name for name in citation.section)
    return {"section": section, "label": citation_label(citation), "passage_id": passage_id}


def read_conditions(given: object) -> Conditions:
    """Dify's `metadata_condition`: `{"logical_operator" or "logic", "conditions": [{"name", "comparison_operator", "value"}]}`.

    None, and an object without conditions, are no condition at all.

    Raises:
        KewenError: `unknown_field`, `unknown_operator`, or `invalid_request` for a value that won't do.
    """
    if given is None:
        return NO_CONDITIONS
    if not isinstance(given, dict):
        raise _refused("metadata_condition 应为对象。")
    conditions = given.get("conditions")
    if conditions is None:
        return NO_CONDITIONS
    if not isinstance(conditions, list):
        raise _refused("metadata_condition 的 conditions 应为列表。")
    logic = given.get("logical_operator") or given.get("logic") or "and"
    if not isinstance(logic, str) or logic.lower() not in ("and", "or"):
        raise _refused(f"logical_operator 应为 and 或 or（现为 {echo(logic, 20)}）。")
    return Conditions(logic.lower() == "or", tuple(map(_condition, conditions)))


def _condition(given: object) -> Condition:
    if not isinstance(given, dict):
        raise _refused("conditions 的每一项应为对象。")
    name = given.get("name")
    if isinstance(name, list) and len(name) == 1:  # as Dify's documentation has it; its code sends a string
        name = name[0]
    if name not in FIELDS:
        raise KewenError("unknown_field", f"没有字段 {echo(name, 60)}。可用：{'、'.join(FIELDS)}。")
    operator = given.get("comparison_operator")
    if operator not in OPERATORS:
        raise KewenError("unknown_operator", f"没有运算符 {echo(operator, 60)}。可用：{' | '.join(OPERATORS)}。")
    plain = _NEGATED.get(operator, operator)
    plain = _ALIASES.get(plain, plain)
    values = _values(name, plain, given.get("value"))
    return Condition(name, plain, operator in _NEGATED, values)


def _values(name: str, operator: str, given: object) -> Operand:
    """What the field is held against: numbers where it is one, but for what only looks at its digits."""
    if operator == "empty":
        return ()
    values = _listed(given) if operator == "in" else [given]
    if operator in _ORDER and name not in _NUMBERS:
        raise _refused(f"字段 {name} 是文字，不能比较大小。")
    if name in _NUMBERS and operator not in _TEXT:
        return tuple(_number(name, x) for x in values)
    return tuple(_text(name, x) for x in values)


def _listed(given: object) -> Sequence[object]:
    if isinstance(given, str):
        return [x.strip() for x in given.split(",") if x.strip()]
    return given if isinstance(given, list) else [given]


def _number(name: str, given: object) -> Fraction:
    """`2023`, `2023.0`, `"2023"` or `"2023年"`."""
    if isinstance(given, str):
        found = _NUMBER.fullmatch(given)
        if found:
            return Fraction(found.group(1))
    elif _is_number(given):
        return Fraction(given)
    raise _refused(f"字段 {name} 是数，它的值应为数（现为 {echo(given, 40)}）。")


def _text(name: str, given: object) -> str:
    if isinstance(given, str):
        return given
    if _is_number(given):
        return str(given)
    raise _refused(f"字段 {name} 的值应为文字。")


def _is_number(given: object) -> TypeGuard[int | float]:
    """Whether it is a number of JSON; Python reads NaN and Infinity too, which JSON does not know."""
    if isinstance(given, bool):
        return False
    return isinstance(given, int) or (isinstance(given, float) and math.isfinite(given))


def _refused(message: str) -> KewenError:
    return KewenError("invalid_request", message, {"param": "metadata_condition"})
