"""Pydantic types of the authored files: each literal parses its one spelling, prints it back, and has a JSON Schema.

Authored values are frozen. A scalar arrives as raw text (a `str`, never typed by YAML); validation errors carry the
finding's code as the pydantic error type, with `wanted`, `got` and, where one meaning is left, `fix` in their context.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from omnicli.model import literals as lit

T = TypeVar("T")


class Authored(BaseModel):
    """Frozen, no unknown keys, aliases for Python's keywords (`if_` is written `if`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, arbitrary_types_allowed=True)


class Unknown:
    """Stands where a value failed: everything that depends on it stays silent."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


def _raise(error: lit.LiteralError) -> None:
    raise PydanticCustomError(
        error.code,  # type: ignore[arg-type]
        "wants {wanted}, got '{got}'",
        {"wanted": error.wanted, "got": error.got, "fix": error.fix or "", "note": error.note},
    )


def _reader(parse: Callable[[str], T], kind: type | tuple[type, ...], wanted: str) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if isinstance(value, Unknown):
            return value
        if isinstance(value, kind) and not (kind is str or isinstance(value, str)):
            return value
        if isinstance(value, str):
            if value == "" or value in ("~", "null"):
                raise PydanticCustomError("S003", "wants {wanted}, got '{got}'",
                                          {"wanted": wanted, "got": str(value), "fix": "", "note": ""})  # fmt: skip
            try:
                return parse(" ".join(str(value).split()))
            except lit.LiteralError as error:
                _raise(error)
        found = "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else str(value)
        raise PydanticCustomError("S003", "wants {wanted}, got {got}", {"wanted": wanted, "got": found, "fix": "", "note": ""})

    return read


def _literal(parse: Callable[[str], Any], kind: type, wanted: str, *examples: str, pattern: str | None = None) -> Any:
    schema: dict[str, Any] = {"type": "string", "description": wanted, "examples": list(examples)}
    if pattern:
        schema["pattern"] = pattern
    return (PlainValidator(_reader(parse, kind, wanted)), PlainSerializer(str, return_type=str), WithJsonSchema(schema))


def _text(value: str) -> str:
    import unicodedata

    return unicodedata.normalize("NFC", value)


def _bool_text(value: bool) -> str:
    return "yes" if value else "no"


Text = Annotated[str, *_literal(_text, str, "a text", "Bienvenue")]
Name = Annotated[str, *_literal(lit.parse_name, str, "a name (a-z, 0-9, - and _)", "offre-bienvenue", pattern="^[a-z][a-z0-9_-]{0,63}$")]
Number = Annotated[Decimal, *_literal(lit.parse_number, Decimal, "a number such as 12 or 0.5", "12")]
YesNo = Annotated[
    bool,
    PlainValidator(_reader(lit.parse_yes_no, bool, "yes or no")),
    PlainSerializer(_bool_text, return_type=str),
    WithJsonSchema({"enum": ["yes", "no", True, False], "description": "yes or no"}),
]
Percent = Annotated[lit.Percent, *_literal(lit.Percent.parse, lit.Percent, "a percentage such as 20 %", "20 %")]
Money = Annotated[lit.Money, *_literal(lit.Money.parse, lit.Money, "money such as 39.92 EUR", "39.92 EUR")]
Duration = Annotated[lit.Duration, *_literal(lit.Duration.parse, lit.Duration, "a duration such as '3 days'", "3 days", "2 hours")]
Distance = Annotated[lit.Distance, *_literal(lit.Distance.parse, lit.Distance, "a distance such as 10 km", "10 km")]
TimeOfDay = Annotated[lit.TimeOfDay, *_literal(lit.TimeOfDay.parse, lit.TimeOfDay, "a time of day such as 10:00", "10:00")]
Day = Annotated[date, *_literal(lit.parse_date, date, "a date such as 2027-01-31", "2027-01-31")]
DayTime = Annotated[datetime, *_literal(lit.parse_date_time, datetime, "a date and time such as 2027-01-31 10:00", "2027-01-31 10:00")]
Rate = Annotated[lit.Rate, *_literal(lit.Rate.parse, lit.Rate, "a rate such as '3 per week'", "3 per week", "10 per second")]
Moment = Annotated[lit.Moment, *_literal(lit.Moment.parse, lit.Moment, "a moment such as 'next 10:00' or 'best hour'", "next 10:00")]
Window = Annotated[lit.Window, *_literal(lit.Window.parse, lit.Window, "a window such as '20:00-09:00' or 'sunday'", "20:00-09:00")]
AtCap = Annotated[lit.AtCap, *_literal(lit.AtCap.parse, lit.AtCap, "'skip', 'next channel' or 'wait up to 2 days, else skip'", "skip")]
Every = Annotated[lit.Every, *_literal(lit.Every.parse, lit.Every, "an occurrence such as 'monday 09:00'", "monday 09:00")]
Again = Annotated[lit.Again, *_literal(lit.Again.parse, lit.Again, "'never', 'always' or 'after 180 days'", "never")]
Wait = Annotated[lit.Wait, *_literal(lit.Wait.parse, lit.Wait, "'3 days', 'until next 10:00' or 'up to 3 days'", "3 days")]
Ceiling = Annotated[lit.Ceiling, *_literal(lit.Ceiling.parse, lit.Ceiling, "'5000 sends' or money such as 500 EUR", "5000 sends")]
Change = Annotated[lit.Change, *_literal(lit.Change.parse, lit.Change, "a value, +5, -5 or clear", "+1")]
Decide = Annotated[lit.Decide, *_literal(lit.Decide.parse, lit.Decide, "'after 2000 contacts at 95 %'", "after 2000 contacts at 95 %")]
Condition = Annotated[str, *_literal(str, str, "a condition such as 'orders = 0'", "orders = 0", "signup within 7 days")]
EventTerm = Annotated[str, *_literal(str, str, "an event such as 'purchase' or 'clicked offre-bienvenue'", "purchase")]


def _listed(value: Any) -> Any:
    """A single scalar where a list is wanted is a list of one."""
    return [value] if isinstance(value, str) else value


OneOrMore = BeforeValidator(_listed)

V = TypeVar("V")


def frozen(mapping: dict[str, V]) -> MappingProxyType[str, V]:
    return MappingProxyType(mapping)
