"""The right side of an operator: a literal becomes the value that the store compares, or a problem at its own words."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from omnicli.condition import meaning as m
from omnicli.condition import syntax as s
from omnicli.condition.notes import Notes, Unknown, described, meant, some
from omnicli.model.literals import MINOR_DIGITS, Duration
from omnicli.model.vocabulary import Kind
from omnicli.text import fold, nearest
from omnicli.texts import t


class Values(Notes):
    """Types values beside a term."""

    def value(self, value: s.Value, left: m.Left, name: str) -> m.Stored:
        """The value as the store keeps it, or the problem that it has beside this term."""
        kind = left.kind
        if value.kind == "word" and value.text.lower() in s.WORDS:
            raise self.failed(
                "A001",
                value.at,
                t(
                    "'{word}' is a word of the language: quote it",
                    "« {word} » est un mot du langage : le mettre entre guillemets",
                    word=value.text,
                ),
                f'"{value.text}"',
            )
        match kind.name:
            case "text" | "code" | "list":
                return self._text(value, kind, name)
            case "choice":
                return self._choice(value, kind, name)
            case "number" if value.kind == "number":
                return self._figure(value)
            case "percent" if value.kind == "percent":
                return self._figure(value)
            case "money":
                return self._money(value, kind, name)
            case "distance" if value.kind == "distance":
                return _plain(Decimal(value.text) * (1000 if value.unit == "km" else 1))
            case "duration" if value.kind == "length":
                assert value.length is not None
                return int(self.duration(value.length).about.total_seconds()) // 60
        raise self._wrong_type(value, kind, name)

    def _wrong_type(self, value: s.Value, kind: Kind, name: str) -> Unknown:
        fix = None
        said = t(
            "{name} is {kind}; {value} is {other}",
            "{name} est {kind} ; {value} est {other}",
            name=name,
            kind=described(kind),
            value=f"'{value.text}'" if value.kind in ("word", "text") else self.source(value.at),
            other=_written(value),
        )
        if value.kind == "word" and value.text in self.names.attributes:
            fix = f"contact.{value.text}"
            said += t("; the attribute is {fix}", " ; l'attribut s'écrit {fix}", fix=fix)
        elif kind.name == "percent" and value.kind == "number":
            fix = f"{value.text} %"
            said = t("{name} is a percentage: write {fix}", "{name} est un pourcentage : écrire {fix}", name=name, fix=fix)
        elif kind.name == "distance" and value.kind == "number":
            said = t(
                "{name} is a distance: write {value} km or {value} m",
                "{name} est une distance : écrire {value} km ou {value} m",
                name=name,
                value=value.text,
            )
        elif kind.name == "duration" and value.kind == "number":
            said = t(
                "{name} is a duration: write {value} days",
                "{name} est une durée : écrire {value} days",
                name=name,
                value=value.text,
            )
        return self.failed("A002", value.at, said, fix)

    def _text(self, value: s.Value, kind: Kind, name: str) -> str:
        if value.kind not in ("text", "word", "number", "date", "datetime"):
            raise self._wrong_type(value, kind, name)
        if value.kind == "word" and value.text in self.names.attributes and self.names.attributes[value.text].name == kind.name:
            self.note(
                "A014",
                value.at,
                t(
                    "'{name}' is read as a text; the attribute is contact.{name}",
                    "« {name} » est lu comme un texte ; l'attribut est contact.{name}",
                    name=value.text,
                ),
                f"contact.{value.text}",
            )
        return value.text if kind.name == "code" else fold(value.text)

    def _choice(self, value: s.Value, kind: Kind, name: str) -> str:
        if value.kind in ("text", "word", "number"):
            for choice in kind.choices:
                if choice == value.text or fold(choice) == fold(value.text):
                    return choice
            close = nearest(value.text, kind.choices)
            raise self.failed(
                "A002",
                value.at,
                t(
                    "'{value}' is not one of {choices}",
                    "« {value} » ne fait pas partie de {choices}",
                    value=value.text,
                    choices=some(kind.choices),
                )
                + meant(close, join=";"),
                close,
            )
        raise self._wrong_type(value, kind, name)

    def _money(self, value: s.Value, kind: Kind, name: str) -> int:
        if value.kind == "number":
            raise self.failed(
                "S005",
                value.at,
                t(
                    "which currency? write {value} {currency}",
                    "quelle devise ? écrire {value} {currency}",
                    value=value.text,
                    currency=kind.currency or "EUR",
                ),
                f"{value.text} {kind.currency or 'EUR'}",
            )
        if value.kind != "money":
            raise self._wrong_type(value, kind, name)
        if value.unit != kind.currency:
            raise self.failed(
                "A002",
                value.at,
                t("{name} is in {currency}", "{name} est en {currency}", name=name, currency=kind.currency or "?"),
            )
        self._figure(value)
        minor = Decimal(value.text).scaleb(MINOR_DIGITS.get(value.unit, 2))
        if minor != minor.to_integral_value():
            digits = MINOR_DIGITS.get(value.unit, 2)
            raise self.failed(
                "A002", value.at, t("{currency} has {n} decimals", "{currency} a {n} décimales", currency=value.unit, n=digits)
            )
        return int(minor)

    def _figure(self, value: s.Value) -> int | float:
        if len(value.text.strip("-").replace(".", "")) > 15:
            raise self.failed("A002", value.at, t("a number has at most 15 digits", "un nombre a au plus 15 chiffres"))
        return _plain(Decimal(value.text))

    def duration(self, length: s.Length) -> Duration:
        """A whole number above 0, and not beyond two hundred years."""
        if not length.count.isdigit() or int(length.count) < 1 or len(length.count) > 9:
            raise self.failed(
                "A001",
                length.at,
                t(
                    "a duration is a whole number above 0, such as '3 days'",
                    "une durée est un nombre entier positif, comme « 3 days »",
                ),
            )
        found = Duration(int(length.count), length.unit)
        if (
            int(length.count) * {"minute": 1, "hour": 60, "day": 1440, "week": 10080, "month": 43200, "year": 525600}[length.unit]
            > 200 * 525600
        ):
            raise self.failed("A001", length.at, t("a duration is at most 200 years", "une durée est d'au plus 200 ans"))
        return found

    def _calendar(self, text: str, at: s.Span) -> str:
        try:
            found = date.fromisoformat(text)
        except ValueError:
            found = date.min
        if not 1900 <= found.year <= 9000:
            raise self.failed("A001", at, t("there is no day {day}", "il n'y a pas de jour {day}", day=text))
        return text


def _written(value: s.Value) -> str:
    match value.kind:
        case "text" | "word":
            return t("a text", "un texte")
        case "number":
            return t("a number", "un nombre")
        case "percent":
            return t("a percentage", "un pourcentage")
        case "money":
            return t("an amount of money", "un montant")
        case "distance":
            return t("a distance", "une distance")
        case "length":
            return t("a duration", "une durée")
    return t("a date", "une date")


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
