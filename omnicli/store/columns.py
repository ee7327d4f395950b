"""Declared attributes and event fields are real columns: this module names them, adds them, and types what goes in.

`contact.a_<name>` holds the value, `contact.f_<name>` its folded copy (text, choice, list), `event.p_<field>` the
comparable value of a payload field. A value of the wrong type is refused here, so no condition ever meets one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.errors import OmniError
from omnicli.model import literals as lit
from omnicli.model.project import Attribute, Project
from omnicli.model.vocabulary import RESPONSE_FIELDS, Kind
from omnicli.store import tables
from omnicli.text import fold
from omnicli.texts import t

#: What a column of each kind holds: number, percent as written; money in minor units; distance in metres; duration in
#: minutes; date as ISO text; time in milliseconds UTC; yes or no as 0/1.
STORAGE: Mapping[str, str] = {
    "text": "TEXT", "code": "TEXT", "choice": "TEXT", "list": "TEXT", "date": "TEXT", "number": "REAL", "percent": "REAL",
    "distance": "REAL", "money": "INTEGER", "duration": "INTEGER", "time": "INTEGER", "yes or no": "INTEGER",
}  # fmt: skip
FOLDED = frozenset({"text", "choice", "list"})
#: Response fields that are columns of `event` themselves.
OWN_COLUMNS = frozenset({"channel", "campaign", "message", "step"})
LIST_MARK = "\x1f"
LARGEST = 2**53

YES = frozenset({"yes", "y", "true", "1", "1.0", "oui", "o", "vrai", "on", "x"})
NO = frozenset({"no", "n", "false", "0", "0.0", "non", "faux", "off"})


class ValueRefused(ValueError):
    """A value that its declaration does not allow; the text says why."""


def kind_of(attribute: Attribute) -> Kind:
    return Kind(attribute.kind, attribute.currency, attribute.choices, attribute.sensitive)


def attribute_column(name: str) -> str:
    """The column of a declared attribute; its folded copy is `folded_column`."""
    return "a_" + name.replace("-", "_")


def folded_column(name: str) -> str:
    return "f_" + name.replace("-", "_")


def payload_column(name: str) -> str:
    return "p_" + name.replace("-", "_")


# --- values ---------------------------------------------------------------------------------------------------------
def to_column(kind: Kind, value: object, *, zone: str = "UTC") -> tuple[Any, str | None]:
    """The stored value and its folded copy (None where the kind has none); ValueRefused when the kind forbids it.

    `value` is a text as written in data or a typed one (bool, int, Decimal, date, aware datetime, literals). Wall times
    without an offset are of `zone`.
    """
    stored = _READ[kind.name](kind, value, zone)
    return stored, folded(kind, stored)


def folded(kind: Kind, stored: Any) -> str | None:
    """The folded copy of a stored value."""
    if stored is None or kind.name not in FOLDED:
        return None
    if kind.name == "list":
        return LIST_MARK + "".join(f"{fold(word)}{LIST_MARK}" for word in json.loads(stored))
    return fold(stored)


def from_column(kind: Kind, stored: Any) -> Any:
    """The typed value again: int or Decimal, Percent, Money, Distance, Duration, date, aware datetime, bool, str, tuple."""
    if stored is None:
        return None
    match kind.name:
        case "number":
            return int(stored) if float(stored).is_integer() else Decimal(repr(stored))
        case "percent":
            return lit.Percent(Decimal(repr(stored)).normalize() if stored else Decimal(0))
        case "money":
            currency = kind.currency or "EUR"
            return lit.Money(Decimal(stored).scaleb(-lit.MINOR_DIGITS.get(currency, 2)), currency)
        case "distance":
            return lit.Distance(Decimal(repr(stored)))
        case "duration":
            return _duration(int(stored))
        case "date":
            return date.fromisoformat(stored)
        case "time":
            return clock.from_ms(stored)
        case "yes or no":
            return bool(stored)
        case "list":
            return tuple(json.loads(stored))
    return stored


def _duration(minutes: int) -> lit.Duration:
    for size, unit in ((1440, "day"), (60, "hour")):
        if minutes % size == 0 and minutes:
            return lit.Duration(minutes // size, unit)
    return lit.Duration(minutes, "minute")


def payload_columns(project: Project, name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The `p_` columns of an event's payload; ValueRefused names the field that is not what its event declares.

    Fields that are not declared have no column (they stay in `event.payload`). A missing or empty field is no value.
    """
    declared = fields_of(project, name)
    found: dict[str, Any] = {}
    for field, raw in payload.items():
        kind = declared.get(field)
        if kind is None or raw is None or raw == "":
            continue
        try:
            stored, copy = to_column(kind, raw, zone=project.time_zone)
        except ValueRefused as refused:
            raise ValueRefused(f"{field}: {refused}") from None
        found[payload_column(field)] = stored if copy is None else copy
    return found


def fields_of(project: Project, name: str) -> Mapping[str, Kind]:
    """The declared payload fields of an event that have `p_` columns."""
    global _fields
    if _fields[0] is not project:
        _fields = (project, {event: {f: kind_of(a) for f, a in fields.items()} for event, fields in project.events.items()})
    return _fields[1].get(name, ANSWERED)


#: Fields of responses from channels, of kinds of `sla`, and of whatever declares nothing.
ANSWERED: Mapping[str, Kind] = {field: kind for field, kind in RESPONSE_FIELDS.items() if field not in OWN_COLUMNS}
#: The project asked about last, and its events' fields: a fold asks a million times about one.
_fields: tuple[Project | None, dict[str, dict[str, Kind]]] = (None, {})


def _refuse(kind: Kind, value: object, wanted: str) -> ValueRefused:
    return ValueRefused(t("wants {wanted}, got '{got}'", "veut {wanted}, reçu « {got} »", wanted=wanted, got=value))


def _text(kind: Kind, value: object, zone: str) -> str:
    text = value if isinstance(value, str) else _plain(value)
    if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueRefused(t("not a text: it holds a character that is none", "pas un texte : il contient un caractère interdit"))
    return text


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _choice(kind: Kind, value: object, zone: str) -> str:
    text = _text(kind, value, zone)
    if text in kind.choices:
        return text
    wanted = fold(text)
    for word in kind.choices:
        if fold(word) == wanted:
            return word
    from omnicli.text import did_you_mean

    words = ", ".join(kind.choices[:8]) + (" …" if len(kind.choices) > 8 else "")
    raise ValueRefused(t("not one of {words}.{hint}", "ne fait pas partie de {words}.{hint}", words=words,
                         hint=did_you_mean(text, kind.choices)))  # fmt: skip


def _list(kind: Kind, value: object, zone: str) -> str:
    words: Iterable[object]
    if isinstance(value, str):
        mark = next((m for m in (LIST_MARK, ";", "|", ",") if m in value), ";")
        words = value.split(mark)
    elif isinstance(value, (list, tuple, set, frozenset)):
        words = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
    else:
        words = (value,)
    seen: dict[str, str] = {}
    for word in words:
        text = _text(kind, word, zone).replace(LIST_MARK, " ").strip()
        if text:
            seen.setdefault(fold(text), text)
    return json.dumps(list(seen.values()), ensure_ascii=False, separators=(",", ":"))


def _decimal(kind: Kind, value: object, wanted: str) -> Decimal:
    if isinstance(value, bool):
        raise _refuse(kind, value, wanted)
    if isinstance(value, (int, Decimal)):
        number = Decimal(value)
    elif isinstance(value, float):
        number = Decimal(repr(value))
    else:
        try:
            number = lit.parse_number(str(value).strip())
        except lit.LiteralError as error:
            raise _refuse(kind, value, error.wanted) from None
    if not number.is_finite() or abs(number) > LARGEST:
        raise _refuse(kind, value, wanted)
    return number


def _number(kind: Kind, value: object, zone: str) -> float:
    return float(_decimal(kind, value, t("a number such as 12 or 0.5", "un nombre tel que 12 ou 0.5")))


def _percent(kind: Kind, value: object, zone: str) -> float:
    wanted = t("a percentage such as 20 %", "un pourcentage tel que 20 %")
    if isinstance(value, lit.Percent):
        return float(value.value)
    figure = value.strip().removesuffix("%").strip() if isinstance(value, str) else value
    number = _decimal(kind, figure, wanted)
    if not 0 <= number <= 100:
        raise _refuse(kind, value, wanted)
    return float(number)


def _money(kind: Kind, value: object, zone: str) -> int:
    currency = kind.currency or "EUR"
    wanted = t("money such as 39.92 {currency}", "un montant tel que 39.92 {currency}", currency=currency)
    amount = value
    if isinstance(value, str):
        words = value.strip().split()
        if len(words) > 1 and words[-1].isalpha():
            try:
                amount = lit.Money.parse(" ".join(words))
            except lit.LiteralError:
                raise _refuse(kind, value, wanted) from None
    if isinstance(amount, lit.Money):
        if amount.currency != currency:
            raise _refuse(kind, value, wanted)
        amount = amount.amount
    number = _decimal(kind, amount, wanted)
    digits = lit.MINOR_DIGITS.get(currency, 2)
    minor = number.scaleb(digits)
    if minor != minor.to_integral_value():
        # a float such as 27.459999999 is 27.46; a written 27.4567 is no amount of money
        rounded = minor.quantize(Decimal(1), rounding="ROUND_HALF_UP")
        if not isinstance(value, float) or abs(minor - rounded) > Decimal("0.000001"):
            raise _refuse(kind, value, wanted)
        minor = rounded
    return int(minor)


def _distance(kind: Kind, value: object, zone: str) -> float:
    if isinstance(value, lit.Distance):
        return float(value.metres)
    try:
        return float(lit.Distance.parse(str(value).strip()).metres)
    except lit.LiteralError:
        raise _refuse(kind, value, t("a distance such as 10 km", "une distance telle que 10 km")) from None


def _length(kind: Kind, value: object, zone: str) -> int:
    if not isinstance(value, lit.Duration):
        try:
            value = lit.Duration.parse(str(value).strip())
        except lit.LiteralError:
            raise _refuse(kind, value, t("a duration such as '3 days'", "une durée telle que « 3 days »")) from None
    return int(value.about.total_seconds() // 60)


def _date(kind: Kind, value: object, zone: str) -> str:
    if isinstance(value, datetime):
        from zoneinfo import ZoneInfo

        return (value.astimezone(ZoneInfo(zone)) if value.tzinfo else value).date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    text = str(value).strip()
    if len(text) == 10 and text[4:5] == "-" == text[7:8]:
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            raise _refuse(kind, value, t("a day that exists", "un jour qui existe")) from None
    raise _refuse(kind, value, t("a date such as 2027-01-31", "une date telle que 2027-01-31"))


def _time(kind: Kind, value: object, zone: str) -> int:
    if isinstance(value, datetime):
        return clock.to_ms(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        return clock.to_ms(clock.read_instant(str(value), zone))
    except ValueError:
        raise _refuse(
            kind, value, t("a date and time such as 2027-01-31 10:00", "une date et heure telle que 2027-01-31 10:00")
        ) from None


def _yes_no(kind: Kind, value: object, zone: str) -> int:
    if isinstance(value, bool):
        return int(value)
    word = _plain(value).strip().lower()
    if word in YES:
        return 1
    if word in NO:
        return 0
    raise _refuse(kind, value, t("yes or no", "yes ou no"))


_READ: Mapping[str, Any] = {
    "text": _text, "code": _text, "choice": _choice, "list": _list, "number": _number, "percent": _percent, "money": _money,
    "distance": _distance, "duration": _length, "date": _date, "time": _time, "yes or no": _yes_no,
}  # fmt: skip
assert math.isfinite(LARGEST)


# --- columns --------------------------------------------------------------------------------------------------------
def wanted_columns(project: Project) -> dict[tuple[str, str], str]:
    """(owner, name) → what the declaration asks for: `contact` attributes by kind, `event` fields by storage."""
    wanted: dict[tuple[str, str], str] = {}
    columns: dict[str, str] = {}
    for name, attribute in project.contacts.attributes.items():
        twin = columns.setdefault(attribute_column(name), name)
        if twin != name:
            raise OmniError(t("the attributes '{a}' and '{b}' would share one column", "les attributs « {a} » et « {b} » "
                              "partageraient une colonne", a=twin, b=name), code="store")  # fmt: skip
        currency = f" {attribute.currency}" if attribute.currency else ""
        wanted["contact", name] = attribute.kind + currency
    storages: dict[str, set[str]] = {}
    for field, kind in RESPONSE_FIELDS.items():
        if field not in OWN_COLUMNS:
            storages.setdefault(field.replace("-", "_"), set()).add(STORAGE[kind.name])
    for fields in project.events.values():
        for field, attribute in fields.items():
            storages.setdefault(field.replace("-", "_"), set()).add(STORAGE[attribute.kind])
    for field, kinds in storages.items():
        wanted["event", field] = kinds.pop() if len(kinds) == 1 else "ANY"
    return wanted


def ensure_columns(connection: sa.Connection, project: Project) -> list[str]:
    """Give every declared attribute and event field its column; what was added or converted, as `contact.a_x`.

    A changed type converts what converts and empties the rest. A column whose declaration is gone stays: its values
    come back with the declaration.
    """
    known = {(row.owner, row.name): row.kind for row in connection.execute(sa.select(tables.declared))}
    changed: list[str] = []
    for (owner, name), kind in wanted_columns(project).items():
        before = known.get((owner, name))
        if before == kind:
            continue
        if owner == "contact":
            _contact_column(connection, project, name, before)
            changed.append(f"contact.{attribute_column(name)}")
        else:
            _event_column(connection, project, name, kind, before)
            changed.append(f"event.{payload_column(name)}")
        connection.execute(sa.delete(tables.declared).where(tables.declared.c.owner == owner, tables.declared.c.name == name))
        connection.execute(sa.insert(tables.declared).values(owner=owner, name=name, kind=kind))
    return changed


def add_column(connection: sa.Connection, table: str, column: str, kind: str) -> None:
    """Give a table a column that another store's has; `kind` is a word of `carrying.shape`."""
    _add(connection, table, column, {"int": "INTEGER", "real": "REAL", "text": "TEXT", "blob": "BLOB", "any": "ANY"}[kind])


def _add(connection: sa.Connection, table: str, column: str, storage: str) -> None:
    quote = connection.dialect.identifier_preparer.quote_identifier
    if connection.dialect.name == "postgresql":
        known = {
            "REAL": "DOUBLE PRECISION",
            "INTEGER": "BIGINT",
            "ANY": 'TEXT COLLATE "C"',
            "TEXT": 'TEXT COLLATE "C"',
            "BLOB": "BYTEA",
        }
        storage = known.get(storage, storage)
    connection.exec_driver_sql(f"ALTER TABLE {quote(table)} ADD COLUMN {quote(column)} {storage}")


def _drop(connection: sa.Connection, table: str, column: str) -> None:
    quote = connection.dialect.identifier_preparer.quote_identifier
    connection.exec_driver_sql(f"ALTER TABLE {quote(table)} DROP COLUMN {quote(column)}")


def _contact_column(connection: sa.Connection, project: Project, name: str, before: str | None) -> None:
    """Add the column (and its folded copy); a default is given to everybody, a value of an older type converted."""
    attribute = project.contacts.attributes[name]
    kind = kind_of(attribute)
    column, copy = attribute_column(name), folded_column(name)
    old: list[tuple[int, Any]] = []
    if before is not None:
        word, _, currency = before.partition(" ") if before.startswith("money ") else (before, "", "")
        was = Kind(word, currency or None)
        stored: sa.ColumnClause[Any] = sa.column(column)
        rows = connection.execute(sa.select(tables.contact.c.id, stored).where(stored.is_not(None)))
        old = [(row[0], _convert(was, kind, row[1], project.time_zone)) for row in rows]
        _drop(connection, "contact", column)
        if was.name in FOLDED:
            _drop(connection, "contact", copy)
    _add(connection, "contact", column, STORAGE[kind.name])
    if kind.name in FOLDED:
        _add(connection, "contact", copy, "TEXT")
    contact = sa.table("contact", sa.column("id"), sa.column(column), sa.column(copy))
    if old:
        values = [{"row": i, "v": v, "f": folded(kind, v)} for i, v in old if v is not None]
        sets: dict[str, Any] = {column: sa.bindparam("v")} | ({copy: sa.bindparam("f")} if kind.name in FOLDED else {})
        if values:
            connection.execute(sa.update(contact).where(contact.c.id == sa.bindparam("row")).values(sets), values)
    if attribute.default is not None:
        try:
            value, text = to_column(kind, attribute.default, zone=project.time_zone)
        except ValueRefused:
            return  # lint reports a default of the wrong type; nobody is given it
        given = {column: value} | ({copy: text} if kind.name in FOLDED else {})
        connection.execute(sa.update(contact).where(contact.c[column].is_(None)).values(given))


def _convert(was: Kind, kind: Kind, stored: Any, zone: str) -> Any:
    value = from_column(was, stored)
    try:
        return to_column(kind, value if not isinstance(value, (lit.Money, lit.Percent)) else str(value), zone=zone)[0]
    except ValueRefused:
        return None


def _event_column(connection: sa.Connection, project: Project, field: str, storage: str, before: str | None) -> None:
    """Add the column; events that stand are read again from their payload."""
    column = payload_column(field)
    if before is not None:
        _drop(connection, "event", column)
    _add(connection, "event", column, storage)
    _fill_events(connection, project, field)


def _fill_events(connection: sa.Connection, project: Project, field: str) -> None:
    names = [name for name, fields in project.events.items() if any(f.replace("-", "_") == field for f in fields)]
    if not names:
        return
    event = tables.event
    rows = connection.execute(
        sa.select(event.c.id, event.c.name, event.c.payload).where(event.c.name.in_(names), event.c.payload.is_not(None))
    )
    column, values = payload_column(field), []
    for row in rows:
        payload = {f: v for f, v in json.loads(row.payload).items() if f.replace("-", "_") == field}
        try:
            found = payload_columns(project, row.name, payload)
        except ValueRefused:
            continue
        if column in found:
            values.append({"row": row.id, "v": found[column]})
    if values:
        target = sa.table("event", sa.column("id"), sa.column(column))
        connection.execute(
            sa.update(target).where(target.c.id == sa.bindparam("row")).values({column: sa.bindparam("v")}), values
        )
