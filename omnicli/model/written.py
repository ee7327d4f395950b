"""Pydantic types of the authored files: each literal parses its one spelling, prints it back, and has a JSON Schema.

Authored values are frozen. A scalar arrives as raw text (a `str`, never typed by YAML); validation errors carry the
finding's code as the pydantic error type, with `wanted`, `got` and, where one meaning is left, `fix` in their context.
A place that failed holds `UNKNOWN`, which every type lets pass, so that one file can be validated until all is found.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from omnicli.model import literals as lit
from omnicli.text import nearest
from omnicli.texts import t

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")

TEXT_LIMIT, WORDS_LIMIT = 2_000, 20_000


class Unknown:
    """Stands where a value failed: everything that depends on it stays silent.

    It is false, empty, has every attribute and can be called, always with itself as the answer, so that a reader of a
    file with errors needs no test at each step; `value is UNKNOWN` tells it from an absent one.
    """

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __str__(self) -> str:
        return "?"

    def __bool__(self) -> bool:
        return False

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __contains__(self, _item: object) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, _key: object) -> Any:
        return self

    def __call__(self, *_args: object, **_values: object) -> Any:
        return self

    def __lt__(self, _other: object) -> bool:
        return False

    __gt__ = __le__ = __ge__ = __lt__

    def __hash__(self) -> int:
        return 0

    def __copy__(self) -> Unknown:
        return self

    def __deepcopy__(self, _memo: object) -> Unknown:
        return self

    def __reduce__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


def unknown(value: object) -> bool:
    """Whether a place failed and holds no value; mypy knows nothing of it, so this is asked where it matters."""
    return value is UNKNOWN


class Empty(str):
    """A key with nothing behind it."""

    __slots__ = ()


class Null(str):
    """`~` or `null` without quotes: no value of this language."""

    __slots__ = ()


class Loose(str):
    """A key that was refused as a name, and is kept so that what speaks of it stays silent."""

    __slots__ = ()


def wrong(code: str, wanted: str, got: object, *, fix: str = "", note: str = "", **more: object) -> PydanticCustomError:
    """The validation error that becomes a finding; `more` may hold `message` (the whole text) and `at` (deeper keys)."""
    context: dict[str, Any] = {"wanted": wanted, "got": shown(got), "fix": fix, "note": note, **more}
    return PydanticCustomError(code, "wants {wanted}, got '{got}'", context)


def shown(value: object) -> str:
    """A value as a message names it: its own words, or what it is."""
    if isinstance(value, dict):
        return t("a mapping", "un dictionnaire")
    if isinstance(value, list | tuple):
        return t("a list", "une liste")
    text = " ".join(str(value).split())
    return text if len(text) <= 80 else f"{text[:79]}…"


def refuse(error: lit.LiteralError) -> PydanticCustomError:
    """A literal's refusal as a validation error."""
    return wrong(error.code, error.wanted, error.got, fix=error.fix or "", note=error.note)


class Authored(BaseModel):
    """Frozen, no unknown keys, aliases for Python's keywords (`if_` is written `if`)."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, arbitrary_types_allowed=True, defer_build=True
    )  # one schema for a whole file, built when the first file is read
    _known_keys: ClassVar[tuple[frozenset[str], frozenset[str]]]

    #: Keys of earlier versions of the language: old → (new, since, gone in).
    old_keys: ClassVar[Mapping[str, tuple[str, str, str]]] = {}

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, value: Any, handler: Callable[[Any], Any]) -> Any:
        if isinstance(value, dict):
            value = cls.from_mapping(value)
        elif value is UNKNOWN or isinstance(value, cls):
            return value
        elif isinstance(value, Empty):
            value = {}
        elif isinstance(value, str | list | tuple) and not isinstance(value, Null):
            short = cls.from_short(value) if isinstance(value, str) else cls.from_list(list(value))
            if short is value or not isinstance(short, dict):
                raise wrong("S003", cls.wanted(), value)
            value = short
        else:
            raise wrong("S003", cls.wanted(), value)
        known, required = cls.keys()
        for key in required:
            if type(value.get(key)) is Empty:
                value = {k: v for k, v in value.items() if k not in required or type(v) is not Empty}
                break
        present = value.keys()
        if not (present <= known and required <= present) and (problem := cls._misshapen(value)):
            raise problem
        return handler(value)

    @classmethod
    def _misshapen(cls, value: dict[str, Any]) -> PydanticCustomError | None:
        """Unknown and missing keys in one error: `unknown`, `missing` and `expected` in its context."""
        known, required = cls.keys()
        aliases = [field.alias or name for name, field in cls.model_fields.items()]
        spelled = {field.alias or name: name for name, field in cls.model_fields.items()}
        unknown = [key for key in value if key not in known]
        missing = [key for key in aliases if key in required and key not in value and spelled[key] not in value]
        if not unknown and not missing:
            return None
        context = {
            "unknown": unknown,
            "missing": missing,
            "expected": aliases,
            "meanings": {field.alias or name: field.description or "" for name, field in cls.model_fields.items()},
            "old": dict(cls.old_keys),
        }
        return PydanticCustomError("shape", "unknown or missing keys", context)

    @classmethod
    def keys(cls) -> tuple[frozenset[str], frozenset[str]]:
        """All keys as they are written (and their Python names), and the required ones."""
        cached = cls.__dict__.get("_known_keys")
        if cached is None:
            names = {key for name, field in cls.model_fields.items() for key in (name, field.alias or name)}
            needed = {field.alias or name for name, field in cls.model_fields.items() if field.is_required()}
            cached = (frozenset(names), frozenset(needed))
            cls._known_keys = cached
        return cached

    @classmethod
    def from_mapping(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The full form of a mapping; itself where nothing can be left out."""
        return values

    @classmethod
    def wanted(cls) -> str:
        """What the model's place wants, for messages."""
        return t("a mapping (key: value)", "un dictionnaire (clé : valeur)")

    @classmethod
    def from_short(cls, text: str) -> Any:
        """The long form of a single scalar; the scalar itself where no short form exists."""
        return text

    @classmethod
    def from_list(cls, values: list[Any]) -> Any:
        """The long form of a list; the list itself where no short form exists."""
        return values


def _literal(
    parse: Callable[[str], Any], kind: type | tuple[type, ...], wanted: tuple[str, str], *examples: str, pattern: str | None = None,
    also: tuple[str, ...] = (),
) -> Any:  # fmt: skip
    """Reader, printer and JSON Schema of a literal; `also` names YAML types that editors may see in its place."""

    def read(value: Any) -> Any:
        if isinstance(value, str):
            if not isinstance(value, Empty | Null) and value:
                try:
                    return parse(" ".join(value.split()))
                except lit.LiteralError as error:
                    if isinstance(value, Loose):
                        return value
                    raise refuse(error) from None
            raise no_value(value, t(*wanted))
        if value is UNKNOWN or (isinstance(value, kind) and not isinstance(value, bool)):
            return value
        raise wrong("S003", t(*wanted), value)

    schema: dict[str, Any] = {"type": ["string", *also] if also else "string", "examples": list(examples)}
    if pattern:
        schema["pattern"] = pattern
    return (PlainValidator(read), PlainSerializer(_spelled, return_type=str), WithJsonSchema(schema))


def _spelled(value: Any) -> str:
    """The one spelling that reads back as the value; a date and time has no seconds."""
    return value.strftime("%Y-%m-%d %H:%M") if isinstance(value, datetime) else str(value)


def no_value(value: str, wanted: str) -> PydanticCustomError:
    """Nothing stands there (S001), or a null, which is no value (S003)."""
    if isinstance(value, Empty):
        return wrong("S001", wanted, "", empty=True)
    if isinstance(value, Null):
        return wrong("S003", wanted, value, note=t("'{v}' is not a value", "« {v} » n'est pas une valeur", v=value))
    return wrong("S003", wanted, value)


_BLANKS = re.compile(r"[ \t\r\n]+")
_BLANKS_IN_LINE = re.compile(r"[ \t]+")
_LINE_END = re.compile(r"\r\n|\r|\n")


def _text(value: Any) -> Any:
    if isinstance(value, str):
        if isinstance(value, Empty | Null):
            raise no_value(value, t("a text", "un texte"))
        text = value.strip(" \t\r\n")
        if "  " in text or "\n" in text or "\t" in text:
            text = _BLANKS.sub(" ", text)
        return bounded(text if text.isascii() else unicodedata.normalize("NFC", text), TEXT_LIMIT)
    if value is UNKNOWN:
        return value
    raise wrong("S003", t("a text", "un texte"), value, note=brace_advice(value))


def _words(value: Any) -> Any:
    """A `say` text: lines are kept, blanks inside them collapsed; no-break spaces are the author's."""
    if isinstance(value, str):
        if isinstance(value, Null | Empty):
            raise no_value(value, t("a text", "un texte"))
        text = value.strip(" \t\r\n")
        if "  " in text or "\n" in text or "\t" in text or "\r" in text:
            text = "\n".join(_BLANKS_IN_LINE.sub(" ", line).strip(" ") for line in _LINE_END.split(text))
        return bounded(text if text.isascii() else unicodedata.normalize("NFC", text), WORDS_LIMIT)
    if value is UNKNOWN:
        return value
    raise wrong("S003", t("a text", "un texte"), value, note=brace_advice(value))


def bounded(text: str, limit: int) -> str:
    """The text itself when it is not longer than `limit`."""
    if len(text) <= limit:
        return text
    raise wrong(
        "S003", t("a text of at most {n} characters", "un texte d'au plus {n} caractères", n=limit), f"{text[:20]}… ({len(text)})"
    )


def brace_advice(value: object) -> str:
    """Why a mapping or a list stands where a text is wanted."""
    if isinstance(value, dict) and value:
        return t("a text that begins with '{' must be quoted", "un texte qui commence par « { » doit être mis entre guillemets")
    return ""


def _name(value: Any) -> Any:
    if type(value) is str and lit.is_name(value):
        return value
    if value is UNKNOWN or isinstance(value, Loose):
        return value
    if isinstance(value, str):
        if isinstance(value, Empty | Null):
            raise no_value(value, t(*_A_NAME))
        try:
            return lit.parse_name(value.strip())
        except lit.LiteralError as error:
            raise refuse(error) from None
    raise wrong("S003", t(*_A_NAME), value)


def _yes_no(value: Any) -> Any:
    if value is UNKNOWN or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if isinstance(value, Empty | Null):
            raise no_value(value, t("yes or no", "yes ou no"))
        try:
            return lit.parse_yes_no(value.strip())
        except lit.LiteralError as error:
            raise refuse(error) from None
    raise wrong("S003", t("yes or no", "yes ou no"), value)


def words(*known: str) -> Any:
    """Reader of one word of a closed list; another is S004, with the nearest as a safe fix."""

    def read(value: Any) -> Any:
        if value is UNKNOWN or (type(value) is str and value in known):
            return value
        expected = ", ".join(known)
        if isinstance(value, str):
            if isinstance(value, Empty | Null) or not value:
                raise no_value(value, expected)
            raise wrong("S004", expected, value, fix=nearest(value, known) or "")
        raise wrong("S003", t("one of {x}", "un mot parmi {x}", x=expected), value)

    return (PlainValidator(read), WithJsonSchema({"type": "string", "enum": list(known)}))


def whole(low: int, high: int) -> Any:
    """Reader of a whole number from `low` to `high`."""

    def read(value: Any) -> Any:
        if value is UNKNOWN or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        wanted = t("a whole number from {a} to {b}", "un nombre entier de {a} à {b}", a=low, b=high)
        if isinstance(value, str):
            if isinstance(value, Empty | Null) or not value:
                raise no_value(value, wanted)
            try:
                number = lit.parse_number(" ".join(value.split()))
            except lit.LiteralError as error:
                raise wrong("S003", wanted, value, fix=error.fix if error.fix and error.fix.isdigit() else "") from None
            if number == number.to_integral_value() and low <= number <= high:
                return int(number)
        raise wrong("S003", wanted, value)

    schema = {"type": ["integer", "string"], "minimum": low, "maximum": high, "pattern": "^[0-9]+$"}
    return (PlainValidator(read), WithJsonSchema(schema))


def _url(text: str) -> str:
    return text if _REFERENCE.fullmatch(text) else lit.parse_url(text)


_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_A_NAME = ("a name such as 'offre-bienvenue' (a-z, 0-9, - and _)", "un nom tel que « offre-bienvenue » (a-z, 0-9, - et _)")
_SCALARS = ("number", "boolean")

Text = Annotated[str, PlainValidator(_text), WithJsonSchema({"type": ["string", *_SCALARS], "maxLength": TEXT_LIMIT})]
Words = Annotated[str, PlainValidator(_words), WithJsonSchema({"type": ["string", *_SCALARS], "maxLength": WORDS_LIMIT})]
Name = Annotated[
    str,
    PlainValidator(_name),
    WithJsonSchema({"type": ["string", "boolean"], "pattern": "^[a-z][a-z0-9_-]{0,63}$", "examples": ["offre-bienvenue"]}),
]
Number = Annotated[
    Decimal,
    *_literal(
        lit.parse_number, (Decimal, int), ("a number such as 12 or 0.5", "un nombre tel que 12 ou 0.5"), "12", also=("number",)
    ),
]
YesNo = Annotated[
    bool,
    PlainValidator(_yes_no),
    PlainSerializer(lambda value: "yes" if value else "no", return_type=str),
    WithJsonSchema({"enum": ["yes", "no", True, False]}),
]
Percent = Annotated[
    lit.Percent,
    *_literal(
        lit.Percent.parse,
        lit.Percent,
        ("a percentage such as 20 %", "un pourcentage tel que 20 %"),
        "20 %",
        pattern=r"^\d+(\.\d+)?\s*%$",
    ),
]
Money = Annotated[
    lit.Money,
    *_literal(lit.Money.parse, lit.Money, ("money such as 39.92 EUR", "un montant tel que 39.92 EUR"), "39.92 EUR",
              pattern=r"^-?\d+(\.\d+)?\s*[A-Z]{3}$"),
]  # fmt: skip
Price = Annotated[
    lit.Money,
    *_literal(lit.Money.price, lit.Money, ("money such as 0.05 EUR", "un montant tel que 0.05 EUR"), "0.05 EUR",
              pattern=r"^\d+(\.\d+)?\s*[A-Z]{3}$"),
]  # fmt: skip
Language = Annotated[
    str,
    *_literal(lit.parse_language, str, ("a language such as fr or fr-CA", "une langue telle que fr ou fr-CA"), "fr", "fr-CA",
              pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2}|-\d{3})?$"),
]  # fmt: skip
Country = Annotated[
    str,
    *_literal(
        lit.parse_country,
        str,
        ("a country code such as FR", "un code de pays tel que FR"),
        "FR",
        also=("boolean",),
        pattern="^[A-Z]{2}$",
    ),
]
Currency = Annotated[
    str, *_literal(lit.parse_currency, str, ("a currency such as EUR", "une devise telle que EUR"), "EUR", pattern="^[A-Z]{3}$")
]
Url = Annotated[
    str,
    *_literal(
        _url, str, ("an address such as https://example.com", "une adresse telle que https://example.com"), "https://example.com"
    ),
]
WordsKey = Annotated[
    str,
    *_literal(
        lit.parse_words_key,
        str,
        ("a language or language/register such as fr/tu", "une langue ou langue/registre telle que fr/tu"),
        "fr/tu",
    ),
]
Duration = Annotated[
    lit.Duration,
    *_literal(lit.Duration.parse, lit.Duration, ("a duration such as '3 days'", "une durée telle que « 3 days »"), "3 days", "2 hours",
              pattern=r"^[1-9]\d*\s+(minute|hour|day|week|month|year)s?$"),
]  # fmt: skip
Distance = Annotated[
    lit.Distance,
    *_literal(lit.Distance.parse, lit.Distance, ("a distance such as 10 km", "une distance telle que 10 km"), "10 km",
              pattern=r"^\d+(\.\d+)?\s*(km|m|cm)$"),
]  # fmt: skip
TimeOfDay = Annotated[
    lit.TimeOfDay,
    *_literal(lit.TimeOfDay.parse, lit.TimeOfDay, ("a time of day such as 10:00", "une heure telle que 10:00"), "10:00", also=("integer",),
              pattern=r"^([01]\d|2[0-3]):[0-5]\d$"),
]  # fmt: skip
Day = Annotated[
    date,
    *_literal(
        lit.parse_date,
        date,
        ("a date such as 2027-01-31", "une date telle que 2027-01-31"),
        "2027-01-31",
        pattern=r"^\d{4}-\d\d-\d\d$",
    ),
]
DayTime = Annotated[
    datetime,
    *_literal(lit.parse_date_time, datetime, ("a date and time such as 2027-01-31 10:00", "une date et une heure telles que 2027-01-31 10:00"),
              "2027-01-31 10:00", pattern=r"^\d{4}-\d\d-\d\d([ T]\d\d:\d\d)?$"),
]  # fmt: skip
Rate = Annotated[
    lit.Rate,
    *_literal(lit.Rate.parse, lit.Rate, ("a rate such as '3 per week'", "une cadence telle que « 3 per week »"), "3 per week", "10 per second",
              pattern=r"^\d+\s+per\s+(\d+\s+)?(second|minute|hour|day|week|month)s?$"),
]  # fmt: skip
Moment = Annotated[
    lit.Moment,
    *_literal(lit.Moment.parse, lit.Moment, ("a moment such as 'next 10:00' or 'best hour'", "un moment tel que « next 10:00 » ou « best hour »"),
              "next 10:00", "best hour", "2 days before deadline at 10:00", also=("integer",)),
]  # fmt: skip
Window = Annotated[
    lit.Window,
    *_literal(lit.Window.parse, lit.Window, ("a window such as '20:00-09:00', 'sunday' or 'holidays'",
                                             "une plage telle que « 20:00-09:00 », « sunday » ou « holidays »"), "20:00-09:00", "sunday", "holidays"),
]  # fmt: skip
AtCap = Annotated[
    lit.AtCap,
    *_literal(lit.AtCap.parse, lit.AtCap, ("'skip', 'next channel' or 'wait up to 2 days, else skip'",
                                           "« skip », « next channel » ou « wait up to 2 days, else skip »"),
              "wait up to 2 days, else skip", "skip", "next channel"),
]  # fmt: skip
Every = Annotated[
    lit.Every,
    *_literal(lit.Every.parse, lit.Every, ("an occurrence such as 'monday 09:00'", "une échéance telle que « monday 09:00 »"),
              "monday 09:00", "day 07:00", "day 1 of month 09:00"),
]  # fmt: skip
Again = Annotated[
    lit.Again,
    *_literal(lit.Again.parse, lit.Again, ("'never', 'always' or 'after 180 days'", "« never », « always » ou « after 180 days »"),
              "never", "after 180 days", pattern=r"^(never|always|after \d+ \w+)$"),
]  # fmt: skip
Wait = Annotated[
    lit.Wait,
    *_literal(lit.Wait.parse, lit.Wait, ("'3 days', 'until next 10:00' or 'up to 3 days'", "« 3 days », « until next 10:00 » ou « up to 3 days »"),
              "3 days", "until next 10:00", "up to 3 days"),
]  # fmt: skip
Ceiling = Annotated[
    lit.Ceiling,
    *_literal(
        lit.Ceiling.parse,
        lit.Ceiling,
        ("'5000 sends' or money such as 500 EUR", "« 5000 sends » ou un montant tel que 500 EUR"),
        "5000 sends",
    ),
]
Change = Annotated[
    lit.Change,
    *_literal(
        lit.Change.parse, lit.Change, ("a value, +5, -5 or clear", "une valeur, +5, -5 ou clear"), "+1", "clear", also=_SCALARS
    ),
]
Decide = Annotated[
    lit.Decide,
    *_literal(
        lit.Decide.parse,
        lit.Decide,
        ("'after 2000 contacts at 95 %'", "« after 2000 contacts at 95 % »"),
        "after 2000 contacts at 95 %",
    ),
]
Condition = Annotated[
    str,
    *_literal(
        str,
        str,
        ("a condition such as 'orders = 0'", "une condition telle que « orders = 0 »"),
        "orders = 0",
        "signup within 7 days",
    ),
]
EventTerm = Annotated[
    str,
    *_literal(str, str, ("an event such as 'purchase' or 'clicked offre-bienvenue'", "un événement tel que « purchase » ou « clicked offre-bienvenue »"),
              "purchase", "clicked offre-bienvenue"),
]  # fmt: skip

Timeout = Annotated[
    lit.Duration,
    *_literal(lit.Duration.timeout, lit.Duration, ("a duration such as '10 seconds'", "une durée telle que « 10 seconds »"), "10 seconds",
              pattern=r"^[1-9]\d*\s+(second|minute|hour)s?$"),
]  # fmt: skip

_ALIASES = {
    "string": "text", "str": "text", "bool": "yes or no", "boolean": "yes or no", "yes/no": "yes or no", "int": "number", "integer": "number",
    "float": "number", "decimal": "number", "datetime": "time", "timestamp": "time", "tags": "list", "set": "list", "percentage": "percent",
}  # fmt: skip


def attribute_type(kinds: tuple[str, ...]) -> Any:
    """Reader of an attribute's type: one of `kinds`, `money EUR`, or the closed list of its words."""
    known = (*kinds, "money EUR")

    def read(value: Any) -> Any:
        if value is UNKNOWN:
            return value
        if isinstance(value, list | tuple):
            return _choices(value)
        if not isinstance(value, str):
            raise wrong(
                "S003",
                t("a type such as number, 'money EUR' or [a, b]", "un type tel que number, « money EUR » ou [a, b]"),
                value,
            )
        if isinstance(value, Empty | Null) or not value:
            raise no_value(value, ", ".join(known))
        text = " ".join(value.split())
        if text in kinds or (text.startswith("money ") and text[6:] in lit.CURRENCIES):
            return text
        if text == "money":
            raise wrong("S005", "money EUR", text, note=t("which currency? e.g. money EUR", "quelle devise ? p. ex. money EUR"))
        raise wrong("S004", ", ".join(known), text, fix=_ALIASES.get(text.lower()) or nearest(text, known) or "")

    schema = {
        "anyOf": [
            {"enum": list(kinds)},
            {"type": "string", "pattern": "^money [A-Z]{3}$"},
            {"type": "array", "items": {"type": ["string", *_SCALARS]}, "minItems": 1},
        ]
    }
    return (PlainValidator(read), WithJsonSchema(schema))


def _choices(values: list[Any] | tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise wrong("S003", t("at least one word", "au moins un mot"), values)
    for n, value in enumerate(values):
        if not isinstance(value, str) or isinstance(value, Empty | Null) or not value:
            raise wrong("S003", t("a word", "un mot"), value, at=[n])
    return tuple(_text(value) for value in values)


def _listing(value: Any, handler: Callable[[Any], Any]) -> Any:
    if type(value) is list or isinstance(value, list | tuple):
        return handler(value)
    if value is UNKNOWN:
        return value
    if isinstance(value, Empty):
        return handler([])
    if isinstance(value, str):
        return handler([value])
    raise wrong("S003", t("a list", "une liste"), value, note=_set_advice(value))


def _set_advice(value: object) -> str:
    if isinstance(value, dict) and value and all(isinstance(v, Empty) for v in value.values()):
        return t("a list stands in [ ]", "une liste s'écrit entre [ ]")
    return ""


def _mapping(value: Any, handler: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return handler(value)
    if value is UNKNOWN:
        return value
    if isinstance(value, Empty):
        return handler({})
    raise wrong("S003", t("a mapping (key: value)", "un dictionnaire (clé : valeur)"), value)


#: A list; a single scalar is a list of one, and a key with nothing behind it an empty one.
Listing = Annotated[tuple[T, ...], WrapValidator(_listing)]
#: A mapping in the order of the file; a key with nothing behind it is an empty one.
Named = Annotated[dict[K, V], WrapValidator(_mapping)]


def frozen(mapping: dict[str, V]) -> MappingProxyType[str, V]:
    return MappingProxyType(mapping)
