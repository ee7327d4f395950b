"""The typed literals of the campaign language (docs/language, 2.1): each parses its one spelling and prints it again.

`parse` takes the raw text of a YAML scalar and gives the value or raises `LiteralError` with the finding's code, what
was wanted and, where a single meaning is left, the right spelling. `str()` of a value parses back to the same value.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal

from omnicli import clock
from omnicli.texts import t

REGISTERS = ("tu", "vous", "formal", "informal")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MINOR_DIGITS = {
    "JPY": 0, "KRW": 0, "XAF": 0, "XOF": 0, "XPF": 0, "CLP": 0, "VND": 0, "ISK": 0, "BIF": 0, "DJF": 0, "GNF": 0, "KMF": 0, "PYG": 0, "RWF": 0,
    "UGX": 0, "VUV": 0, "BHD": 3, "KWD": 3, "TND": 3, "IQD": 3, "JOD": 3, "LYD": 3, "OMR": 3,
}  # fmt: skip

#: ISO 4217, the currencies in use.
CURRENCIES = frozenset(
    [
        "AED",
        "AFN",
        "ALL",
        "AMD",
        "ANG",
        "AOA",
        "ARS",
        "AUD",
        "AWG",
        "AZN",
        "BAM",
        "BBD",
        "BDT",
        "BGN",
        "BHD",
        "BIF",
        "BMD",
        "BND",
        "BOB",
        "BRL",
        "BSD",
        "BTN",
        "BWP",
        "BYN",
        "BZD",
        "CAD",
        "CDF",
        "CHF",
        "CLP",
        "CNY",
        "COP",
        "CRC",
        "CUP",
        "CVE",
        "CZK",
        "DJF",
        "DKK",
        "DOP",
        "DZD",
        "EGP",
        "ERN",
        "ETB",
        "EUR",
        "FJD",
        "FKP",
        "GBP",
        "GEL",
        "GHS",
        "GIP",
        "GMD",
        "GNF",
        "GTQ",
        "GYD",
        "HKD",
        "HNL",
        "HTG",
        "HUF",
        "IDR",
        "ILS",
        "INR",
        "IQD",
        "IRR",
        "ISK",
        "JMD",
        "JOD",
        "JPY",
        "KES",
        "KGS",
        "KHR",
        "KMF",
        "KPW",
        "KRW",
        "KWD",
        "KYD",
        "KZT",
        "LAK",
        "LBP",
        "LKR",
        "LRD",
        "LSL",
        "LYD",
        "MAD",
        "MDL",
        "MGA",
        "MKD",
        "MMK",
        "MNT",
        "MOP",
        "MRU",
        "MUR",
        "MVR",
        "MWK",
        "MXN",
        "MYR",
        "MZN",
        "NAD",
        "NGN",
        "NIO",
        "NOK",
        "NPR",
        "NZD",
        "OMR",
        "PAB",
        "PEN",
        "PGK",
        "PHP",
        "PKR",
        "PLN",
        "PYG",
        "QAR",
        "RON",
        "RSD",
        "RUB",
        "RWF",
        "SAR",
        "SBD",
        "SCR",
        "SDG",
        "SEK",
        "SGD",
        "SHP",
        "SLE",
        "SOS",
        "SRD",
        "SSP",
        "STN",
        "SVC",
        "SYP",
        "SZL",
        "THB",
        "TJS",
        "TMT",
        "TND",
        "TOP",
        "TRY",
        "TTD",
        "TWD",
        "TZS",
        "UAH",
        "UGX",
        "USD",
        "UYU",
        "UZS",
        "VED",
        "VES",
        "VND",
        "VUV",
        "WST",
        "XAF",
        "XCD",
        "XCG",
        "XOF",
        "XPF",
        "YER",
        "ZAR",
        "ZMW",
        "ZWG",
    ]
)
#: ISO 3166-1 alpha-2 (Kosovo's XK, which people write too).
COUNTRIES = frozenset(
    [
        "AD",
        "AE",
        "AF",
        "AG",
        "AI",
        "AL",
        "AM",
        "AO",
        "AQ",
        "AR",
        "AS",
        "AT",
        "AU",
        "AW",
        "AX",
        "AZ",
        "BA",
        "BB",
        "BD",
        "BE",
        "BF",
        "BG",
        "BH",
        "BI",
        "BJ",
        "BL",
        "BM",
        "BN",
        "BO",
        "BQ",
        "BR",
        "BS",
        "BT",
        "BV",
        "BW",
        "BY",
        "BZ",
        "CA",
        "CC",
        "CD",
        "CF",
        "CG",
        "CH",
        "CI",
        "CK",
        "CL",
        "CM",
        "CN",
        "CO",
        "CR",
        "CU",
        "CV",
        "CW",
        "CX",
        "CY",
        "CZ",
        "DE",
        "DJ",
        "DK",
        "DM",
        "DO",
        "DZ",
        "EC",
        "EE",
        "EG",
        "EH",
        "ER",
        "ES",
        "ET",
        "FI",
        "FJ",
        "FK",
        "FM",
        "FO",
        "FR",
        "GA",
        "GB",
        "GD",
        "GE",
        "GF",
        "GG",
        "GH",
        "GI",
        "GL",
        "GM",
        "GN",
        "GP",
        "GQ",
        "GR",
        "GS",
        "GT",
        "GU",
        "GW",
        "GY",
        "HK",
        "HM",
        "HN",
        "HR",
        "HT",
        "HU",
        "ID",
        "IE",
        "IL",
        "IM",
        "IN",
        "IO",
        "IQ",
        "IR",
        "IS",
        "IT",
        "JE",
        "JM",
        "JO",
        "JP",
        "KE",
        "KG",
        "KH",
        "KI",
        "KM",
        "KN",
        "KP",
        "KR",
        "KW",
        "KY",
        "KZ",
        "LA",
        "LB",
        "LC",
        "LI",
        "LK",
        "LR",
        "LS",
        "LT",
        "LU",
        "LV",
        "LY",
        "MA",
        "MC",
        "MD",
        "ME",
        "MF",
        "MG",
        "MH",
        "MK",
        "ML",
        "MM",
        "MN",
        "MO",
        "MP",
        "MQ",
        "MR",
        "MS",
        "MT",
        "MU",
        "MV",
        "MW",
        "MX",
        "MY",
        "MZ",
        "NA",
        "NC",
        "NE",
        "NF",
        "NG",
        "NI",
        "NL",
        "NO",
        "NP",
        "NR",
        "NU",
        "NZ",
        "OM",
        "PA",
        "PE",
        "PF",
        "PG",
        "PH",
        "PK",
        "PL",
        "PM",
        "PN",
        "PR",
        "PS",
        "PT",
        "PW",
        "PY",
        "QA",
        "RE",
        "RO",
        "RS",
        "RU",
        "RW",
        "SA",
        "SB",
        "SC",
        "SD",
        "SE",
        "SG",
        "SH",
        "SI",
        "SJ",
        "SK",
        "SL",
        "SM",
        "SN",
        "SO",
        "SR",
        "SS",
        "ST",
        "SV",
        "SX",
        "SY",
        "SZ",
        "TC",
        "TD",
        "TF",
        "TG",
        "TH",
        "TJ",
        "TK",
        "TL",
        "TM",
        "TN",
        "TO",
        "TR",
        "TT",
        "TV",
        "TW",
        "TZ",
        "UA",
        "UG",
        "UM",
        "US",
        "UY",
        "UZ",
        "VA",
        "VC",
        "VE",
        "VG",
        "VI",
        "VN",
        "VU",
        "WF",
        "WS",
        "YE",
        "YT",
        "ZA",
        "ZM",
        "ZW",
    ]
) | {"XK"}
_SYMBOLS = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY"}
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"


class LiteralError(ValueError):
    """A scalar that is not what its key wants: `code` of the finding, `wanted`, and `fix` (safe) when one is sure."""

    def __init__(self, code: str, wanted: str, got: str, *, fix: str | None = None, note: str = "") -> None:
        super().__init__(f"wants {wanted}, got '{got}'")
        self.code, self.wanted, self.got, self.fix, self.note = code, wanted, got, fix, note


def parse_number(text: str) -> Decimal:
    """`12`, `0.5`, `-3`: a point, no exponent, no digit groups."""
    if re.fullmatch(_NUMBER, text):
        return Decimal(text)
    plain = re.sub(r"[\s\u00a0\u202f_]", "", text)
    if re.fullmatch(_NUMBER, plain):
        raise LiteralError("S003", t("a number such as 1500", "un nombre tel que 1500"), text, fix=plain)
    if re.fullmatch(r"-?[0-9]+,[0-9]+", plain):
        raise LiteralError(
            "S003",
            t("a number such as 1.5 (decimals take a point)", "un nombre tel que 1.5 (décimales après un point)"),
            text,
            fix=plain.replace(",", "."),
        )
    if re.fullmatch(r"\.[0-9]+", plain):
        raise LiteralError("S003", t("a number such as 0.5", "un nombre tel que 0.5"), text, fix=f"0{plain}")
    raise LiteralError("S003", t("a number such as 12 or 0.5", "un nombre tel que 12 ou 0.5"), text)


def parse_yes_no(text: str) -> bool:
    """`yes` or `no`, and only these two words."""
    match text:
        case "yes":
            return True
        case "no":
            return False
    fix = {"true": "yes", "on": "yes", "oui": "yes", "false": "no", "off": "no", "non": "no"}.get(text.lower())
    raise LiteralError("S003", t("yes or no", "yes ou no"), text, fix=fix)


is_name = re.compile(r"[a-z][a-z0-9_-]{0,63}").fullmatch


def parse_name(text: str) -> str:
    """A name of a persona, segment, message, step, arm or team: `[a-z][a-z0-9_-]{0,63}`."""
    if is_name(text):
        return text
    low = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-")
    fix = low if re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", low) else None
    raise LiteralError(
        "S003",
        t("a name such as 'offre-bienvenue' (a-z, 0-9, - and _)", "un nom tel que « offre-bienvenue » (a-z, 0-9, - et _)"),
        text,
        fix=fix,
    )


def parse_language(text: str) -> str:
    """`fr`, `fr-CA`: a language, and the country where it is spoken when that matters."""
    if re.fullmatch(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2}|-[0-9]{3})?", text):
        return text
    parts = re.fullmatch(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{2}))?", text)
    fix = (parts[1].lower() + (f"-{parts[2].upper()}" if parts[2] else "")) if parts else None
    raise LiteralError("S003", t("a language such as fr or fr-CA", "une langue telle que fr ou fr-CA"), text, fix=fix)


def parse_country(text: str) -> str:
    """An ISO 3166 code of two capitals."""
    if text in COUNTRIES:
        return text
    upper = {"UK": "GB", "EN": "GB"}.get(text.upper(), text.upper())
    raise LiteralError(
        "S003", t("a country code such as FR", "un code de pays tel que FR"), text, fix=upper if upper in COUNTRIES else None
    )


def parse_currency(text: str) -> str:
    """An ISO 4217 code of three capitals."""
    if text in CURRENCIES:
        return text
    upper = _SYMBOLS.get(text, text.upper())
    raise LiteralError(
        "S003", t("a currency such as EUR", "une devise telle que EUR"), text, fix=upper if upper in CURRENCIES else None
    )


def parse_url(text: str) -> str:
    """An address with its scheme; whether it must be https is lint's to say."""
    if re.fullmatch(r"[a-z][a-z0-9+.-]*://[^\s/?#]+\S*", text, re.IGNORECASE):
        return text
    bare = re.fullmatch(r"(?:www\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)+(?:/\S*)?", text, re.IGNORECASE)
    wanted = t("an address such as https://example.com", "une adresse telle que https://example.com")
    raise LiteralError("S003", wanted, text, fix=f"https://{text}" if bare else None)


def parse_words_key(text: str) -> str:
    """A key of `say` and `approved`: `fr`, `fr/tu`."""
    language, slash, register = text.partition("/")
    try:
        parse_language(language)
    except LiteralError as error:
        wanted = t("a language or language/register such as fr/tu", "une langue ou langue/registre telle que fr/tu")
        raise LiteralError(
            "S003",
            wanted,
            text,
            fix=f"{error.fix}{slash}{register}" if error.fix and (not slash or register in REGISTERS) else None,
        ) from None
    if slash and register not in REGISTERS:
        wanted = t("a register: {x}", "un registre : {x}", x=", ".join(REGISTERS))
        low = register.lower()
        raise LiteralError("S003", wanted, text, fix=f"{language}/{low}" if low in REGISTERS else None)
    return text


@dataclass(frozen=True, slots=True, order=True)
class Percent:
    """`20 %`; `value` is the figure before the sign (20), not a fraction."""

    value: Decimal

    @classmethod
    def parse(cls, text: str) -> Percent:
        found = re.fullmatch(rf"({_NUMBER})\s*%", text)
        if not found:
            if re.fullmatch(r"0\.[0-9]+", text):
                raise LiteralError(
                    "S003",
                    t("a percentage such as 20 %", "un pourcentage tel que 20 %"),
                    text,
                    note=f"{_plain(Decimal(text) * 100)} %?",
                )
            fix = f"{text} %" if re.fullmatch(r"[0-9]{1,3}", text) and 1 < int(text) <= 100 else None
            if comma := re.fullmatch(r"([0-9]+),([0-9]+)\s*%", text):
                fix = f"{comma[1]}.{comma[2]} %"
            raise LiteralError("S003", t("a percentage such as 20 %", "un pourcentage tel que 20 %"), text, fix=fix)
        value = Decimal(found[1])
        if not 0 <= value <= 100:
            raise LiteralError("S003", t("a percentage from 0 % to 100 %", "un pourcentage de 0 % à 100 %"), text)
        return cls(value)

    @property
    def share(self) -> Decimal:
        """As a fraction: 20 % is 0.2."""
        return self.value / 100

    def __str__(self) -> str:
        return f"{_plain(self.value)} %"


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """`39.92 EUR`; amounts keep the decimals they were written with, `minor` is what is stored and summed."""

    amount: Decimal
    currency: str

    @classmethod
    def price(cls, text: str) -> Money:
        """As `parse`, up to six decimals: one part of a channel may cost 0.001 EUR."""
        return cls.parse(text, decimals=6)

    @classmethod
    def parse(cls, text: str, *, decimals: int | None = None) -> Money:
        found = re.fullmatch(rf"({_NUMBER})\s*([A-Z]{{3}})", text)
        if not found:
            cls._explain(text)
            raise LiteralError("S003", t("money such as 39.92 EUR", "un montant tel que 39.92 EUR"), text)
        amount, currency = Decimal(found[1]), found[2]
        if currency not in CURRENCIES:
            raise LiteralError(
                "S003", t("money with an ISO 4217 code such as EUR", "un montant avec un code ISO 4217 tel que EUR"), text
            )
        digits = MINOR_DIGITS.get(currency, 2) if decimals is None else decimals
        if -int(amount.as_tuple().exponent) > digits:
            raise LiteralError("S003", t("money with at most {n} decimals", "un montant d'au plus {n} décimales", n=digits), text)
        return cls(amount, currency)

    @staticmethod
    def _explain(text: str) -> None:
        plain = text.strip()
        if re.fullmatch(_NUMBER, plain):
            raise LiteralError(
                "S005",
                t("money such as 39.92 EUR", "un montant tel que 39.92 EUR"),
                text,
                note=t("which currency? e.g. {v} EUR", "quelle devise ? p. ex. {v} EUR", v=plain),
            )
        figure = re.sub(r"[\s\u00a0\u202f]", "", plain)
        for symbol, code in _SYMBOLS.items():
            if symbol in figure:
                amount = figure.replace(symbol, "").replace(",", ".")
                if re.fullmatch(_NUMBER, amount):
                    raise LiteralError(
                        "S003", t("money such as 39.92 EUR", "un montant tel que 39.92 EUR"), text, fix=f"{amount} {code}"
                    )
        comma = re.fullmatch(r"([0-9]+),([0-9]+)\s*([A-Z]{3})", plain)
        if comma:
            raise LiteralError("S003", t("money such as 39.92 EUR (decimals take a point)", "un montant tel que 39.92 EUR (décimales après un point)"), text,
                               fix=f"{comma[1]}.{comma[2]} {comma[3]}")  # fmt: skip
        lower = re.fullmatch(rf"({_NUMBER})\s*([A-Za-z]{{3}})", plain)
        if lower:
            raise LiteralError(
                "S003", t("money such as 39.92 EUR", "un montant tel que 39.92 EUR"), text, fix=f"{lower[1]} {lower[2].upper()}"
            )

    @property
    def digits(self) -> int:
        return MINOR_DIGITS.get(self.currency, 2)

    @property
    def minor(self) -> int:
        """Minor units (cents), rounded half up when the amount is finer (prices a part may be 0.001 EUR)."""
        return int((self.amount.scaleb(self.digits)).quantize(Decimal(1), rounding="ROUND_HALF_UP"))

    @property
    def micro(self) -> int:
        """Millionths of the unit: what costs are counted in, since a mail may cost 0.001 EUR."""
        return int(self.amount.scaleb(6))

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


_UNITS = ("minute", "hour", "day", "week", "month", "year")
_LONGEST = timedelta(days=36_500)
_SHORT_UNITS = {"m": "minute", "min": "minute", "h": "hour", "d": "day", "w": "week", "y": "year"}


@dataclass(frozen=True, slots=True)
class Duration:
    """`3 days`: minutes and hours are elapsed time; days, weeks, months and years are calendar steps in a zone."""

    count: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Duration:
        found = re.fullmatch(r"([0-9]{1,6})\s+([a-z]+?)s?", text)
        if found and found[2] in _UNITS and int(found[1]) > 0:
            length = cls(int(found[1]), found[2])
            if length.about > _LONGEST:
                raise LiteralError("S003", t("a duration of at most 100 years", "une durée d'au plus 100 ans"), text)
            return length
        short = re.fullmatch(r"([0-9]{1,6})\s*([a-zA-Z]+?)s?", text)
        unit = short and (_SHORT_UNITS.get(short[2]) or (short[2].lower() if short[2].lower() in _UNITS else None))
        fix = str(cls(int(short[1]), unit)) if short and unit and int(short[1]) > 0 else None
        if short and not unit:
            from omnicli.text import nearest

            close = nearest(short[2], _UNITS)
            fix = str(cls(int(short[1]), close)) if close and int(short[1]) > 0 else None
        raise LiteralError("S003", t("a duration such as '3 days'", "une durée telle que « 3 days »"), text, fix=fix)

    @classmethod
    def timeout(cls, text: str) -> Duration:
        """As `parse`, seconds allowed: how long a machine is waited for, never a person."""
        if found := re.fullmatch(r"([1-9][0-9]{0,4})\s+seconds?", text):
            return cls(int(found[1]), "second")
        return cls.parse(text)

    @property
    def elapsed(self) -> bool:
        return self.unit in ("second", "minute", "hour")

    @property
    def about(self) -> timedelta:
        """A length to compare durations by: a month 30 days, a year 365."""
        days = {"day": 1, "week": 7, "month": 30, "year": 365}
        if self.unit == "second":
            return timedelta(seconds=self.count)
        if self.unit == "minute":
            return timedelta(minutes=self.count)
        if self.unit == "hour":
            return timedelta(hours=self.count)
        return timedelta(days=days[self.unit] * self.count)

    def after(self, instant: datetime, zone: tzinfo) -> datetime:
        """The instant this long after `instant`; calendar units step on the wall clock of `zone`."""
        return self._step(instant, zone, self.count)

    def before(self, instant: datetime, zone: tzinfo) -> datetime:
        """The instant this long before `instant`."""
        return self._step(instant, zone, -self.count)

    def _step(self, instant: datetime, zone: tzinfo, count: int) -> datetime:
        if self.elapsed:
            return instant + count * (self.about / self.count)
        local = instant.astimezone(zone).replace(tzinfo=None)
        return clock.wall(datetime.combine(self.shift(local.date(), count), local.time()), zone)

    def shift(self, day: date, count: int | None = None) -> date:
        """The calendar day this many units away (`count` may be negative); 31 January + 1 month is 28 February."""
        n = self.count if count is None else count
        if self.unit in ("day", "week"):
            return day + timedelta(days=n * (7 if self.unit == "week" else 1))
        if self.elapsed:
            return day + timedelta(days=n * self.about.days // self.count)
        months = day.year * 12 + day.month - 1 + n * (12 if self.unit == "year" else 1)
        year, month = divmod(months, 12)
        return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))

    def __str__(self) -> str:
        return f"{self.count} {self.unit}{'s' if self.count != 1 else ''}"


_METRES = {"km": Decimal(1000), "m": Decimal(1), "cm": Decimal("0.01")}


@dataclass(frozen=True, slots=True, order=True)
class Distance:
    """`10 km`, `500 m`; kept in metres beside its spelling."""

    metres: Decimal
    unit: str = "km"

    @classmethod
    def parse(cls, text: str) -> Distance:
        found = re.fullmatch(rf"({_NUMBER})\s*(km|m|cm)", text)
        if not found or Decimal(found[1]) < 0:
            raise LiteralError("S003", t("a distance such as 10 km", "une distance telle que 10 km"), text)
        return cls(Decimal(found[1]) * _METRES[found[2]], found[2])

    def __str__(self) -> str:
        return f"{_plain(self.metres / _METRES[self.unit])} {self.unit}"


@dataclass(frozen=True, slots=True, order=True)
class TimeOfDay:
    """`10:00`, as minutes since midnight; `24:00` (1440) only as the end of a window."""

    minutes: int

    @classmethod
    def parse(cls, text: str, *, end: bool = False) -> TimeOfDay:
        found = re.fullmatch(r"([0-9]{2}):([0-9]{2})", text)
        minutes = int(found[1]) * 60 + int(found[2]) if found and int(found[2]) < 60 else -1
        if 0 <= minutes < 1440 or (minutes == 1440 and end):
            return cls(minutes)
        loose = re.fullmatch(r"([0-9]{1,2})\s*[:hH.]\s*([0-9]{2})?(?::[0-9]{2})?", text)
        fix = None
        if loose and int(loose[1]) < 24 and int(loose[2] or 0) < 60:
            fix = f"{int(loose[1]):02d}:{int(loose[2] or 0):02d}"
        raise LiteralError("S003", t("a time of day such as 10:00", "une heure telle que 10:00"), text, fix=fix)

    def __str__(self) -> str:
        return f"{self.minutes // 60:02d}:{self.minutes % 60:02d}"


def parse_date(text: str) -> date:
    """`2027-01-31`: a calendar day that exists."""
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise LiteralError("S003", t("a date such as 2027-01-31", "une date telle que 2027-01-31"), text)


def parse_date_time(text: str) -> datetime:
    """`2027-01-31` or `2027-01-31 10:00`: naive wall time in the zone that the key states; no offsets."""
    found = re.fullmatch(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[ T]([0-9]{2}:[0-9]{2}))?", text)
    if not found:
        raise LiteralError(
            "S003", t("a date and time such as 2027-01-31 10:00", "une date et une heure telles que 2027-01-31 10:00"), text
        )
    minutes = TimeOfDay.parse(found[2]).minutes if found[2] else 0
    return datetime.combine(parse_date(found[1]), datetime.min.time()) + timedelta(minutes=minutes)


_PERIODS = {"second": None, "minute": 1, "hour": 60, "day": 1440, "week": 10080, "month": 43200}


@dataclass(frozen=True, slots=True)
class Rate:
    """`10 per second`, `3 per week`, `4 per 30 days`; a week is 7 days, a month 30."""

    count: int
    every: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Rate:
        found = re.fullmatch(r"([0-9]{1,9})\s+per\s+(?:([0-9]{1,4})\s+)?([a-z]+?)s?", text)
        if not found or found[3] not in _PERIODS or int(found[2] or 1) < 1:
            raise LiteralError("S003", t("a rate such as '3 per week'", "une cadence telle que « 3 per week »"), text)
        return cls(int(found[1]), int(found[2] or 1), found[3])

    @property
    def seconds(self) -> int:
        per = _PERIODS[self.unit]
        return self.every * (1 if per is None else per * 60)

    @property
    def days(self) -> int:
        """Length in consecutive local dates; a period below a day counts as one."""
        return max(1, self.seconds // 86400)

    def __str__(self) -> str:
        return f"{self.count} per {self.unit}" if self.every == 1 else f"{self.count} per {self.every} {self.unit}s"


@dataclass(frozen=True, slots=True)
class Moment:
    """When something should happen (2.2). `kind` is one of

    `now` · `best hour` · `time` (the next HH:MM) · `weekday` (the next such day, at `time` or send_time) · `date`
    (`day`, at `time` or send_time) · `anchor` (`length` `before`/`after` or on `anchor`, at `time` or the anchor's own).
    """

    kind: str
    time: TimeOfDay | None = None
    weekday: int | None = None
    day: date | None = None
    length: Duration | None = None
    direction: str | None = None
    anchor: str | None = None

    @classmethod
    def parse(cls, text: str) -> Moment:
        words = " ".join(text.split())
        if words in ("now", "best hour"):
            return cls(words)
        if found := re.fullmatch(r"(?:next )?([0-9]{1,2}[:h.]\S*)", words):
            return cls("time", time=TimeOfDay.parse(found[1]))
        if found := re.fullmatch(rf"next ({'|'.join(WEEKDAYS)})(?: (\S+))?", words):
            return cls("weekday", weekday=WEEKDAYS.index(found[1]), time=TimeOfDay.parse(found[2]) if found[2] else None)
        if found := re.fullmatch(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[ T](\S+))?", words):
            return cls("date", day=parse_date(found[1]), time=TimeOfDay.parse(found[2]) if found[2] else None)
        if found := re.fullmatch(r"(?:([0-9]+ ?[a-z]+) (before|after) )?([a-z][\w.-]*)(?: at (\S+))?", words):
            length = Duration.parse(found[1]) if found[1] else None
            time = TimeOfDay.parse(found[4]) if found[4] else None
            if found[3] not in ("next", "now"):
                return cls("anchor", time=time, length=length, direction=found[2], anchor=found[3])
        raise LiteralError(
            "S003",
            t(
                "a moment such as 'next 10:00', 'best hour' or '2 days before deadline at 10:00'",
                "un moment tel que « next 10:00 », « best hour » ou « 2 days before deadline at 10:00 »",
            ),
            text,
        )

    def __str__(self) -> str:
        at = f" at {self.time}" if self.time else ""
        match self.kind:
            case "time":
                return f"next {self.time}"
            case "weekday":
                return f"next {WEEKDAYS[self.weekday or 0]}" + (f" {self.time}" if self.time else "")
            case "date":
                return f"{self.day}" + (f" {self.time}" if self.time else "")
            case "anchor":
                return (f"{self.length} {self.direction} " if self.length else "") + f"{self.anchor}{at}"
        return self.kind


@dataclass(frozen=True, slots=True)
class Window:
    """When nothing may happen (7.2): `20:00-09:00`, `sunday`, `sunday 20:00-09:00`, `monday-friday 12:00-14:00`,
    `holidays`, `holidays FR`. `days` empty means every day; `start`/`end` None means the whole day. Half-open."""

    days: tuple[int, ...] = ()
    start: TimeOfDay | None = None
    end: TimeOfDay | None = None
    holidays: bool = False
    country: str | None = None

    @classmethod
    def parse(cls, text: str) -> Window:
        words = " ".join(text.split())
        if found := re.fullmatch(r"holidays(?: ([A-Z]{2}))?", words):
            return cls(holidays=True, country=found[1])
        names = "|".join(WEEKDAYS)
        found = re.fullmatch(rf"(?:({names})(?:-({names}))?)?\s*(?:([0-9]\S*?)\s*-\s*([0-9]\S*))?", words)
        if not words or not found:
            raise LiteralError(
                "S003",
                t(
                    "a window such as '20:00-09:00', 'sunday' or 'holidays'",
                    "une plage telle que « 20:00-09:00 », « sunday » ou « holidays »",
                ),
                text,
            )
        days: tuple[int, ...] = ()
        if found[1]:
            first = WEEKDAYS.index(found[1])
            last = WEEKDAYS.index(found[2]) if found[2] else first
            days = tuple((first + i) % 7 for i in range((last - first) % 7 + 1))
        if not found[3]:
            return cls(days=days)
        start, end = TimeOfDay.parse(found[3]), TimeOfDay.parse(found[4], end=True)
        if start == end:
            raise LiteralError("S003", t("a window whose ends differ", "une plage dont les bouts diffèrent"), text)
        return cls(days=days, start=start, end=end)

    def __str__(self) -> str:
        if self.holidays:
            return "holidays" + (f" {self.country}" if self.country else "")
        days = ""
        if self.days:
            days = WEEKDAYS[self.days[0]] + (f"-{WEEKDAYS[self.days[-1]]}" if len(self.days) > 1 else "")
        return (days + (f" {self.start}-{self.end}" if self.start else "")).strip()


@dataclass(frozen=True, slots=True)
class AtCap:
    """What becomes of a touch that meets `cap` or `min_gap`: wait up to `wait` (if any), then `then`."""

    wait: Duration | None
    then: str  # "skip" | "next channel"

    @classmethod
    def parse(cls, text: str) -> AtCap:
        words = " ".join(text.split())
        if words in ("skip", "next channel"):
            return cls(None, words)
        if found := re.fullmatch(r"wait up to (.+?), else (skip|next channel)", words):
            return cls(Duration.parse(found[1]), found[2])
        raise LiteralError(
            "S003",
            t(
                "'skip', 'next channel' or 'wait up to 2 days, else skip'",
                "« skip », « next channel » ou « wait up to 2 days, else skip »",
            ),
            text,
        )

    def __str__(self) -> str:
        return f"wait up to {self.wait}, else {self.then}" if self.wait else self.then


@dataclass(frozen=True, slots=True)
class Every:
    """Occurrences (4.4): `monday 09:00`, `day 07:00`, `day 1 of month 09:00`, in the project's zone."""

    kind: str  # "weekday" | "day" | "month"
    day: int  # weekday 0-6, or day of month 1-31; 0 for every day
    time: TimeOfDay

    @classmethod
    def parse(cls, text: str) -> Every:
        words = " ".join(text.split())
        if found := re.fullmatch(rf"({'|'.join(WEEKDAYS)}) (\S+)", words):
            return cls("weekday", WEEKDAYS.index(found[1]), TimeOfDay.parse(found[2]))
        if found := re.fullmatch(r"day ([0-9]{1,2}) of month (\S+)", words):
            if 1 <= int(found[1]) <= 31:
                return cls("month", int(found[1]), TimeOfDay.parse(found[2]))
        elif found := re.fullmatch(r"day (\S+)", words):
            return cls("day", 0, TimeOfDay.parse(found[1]))
        raise LiteralError(
            "T003",
            t(
                "an occurrence such as 'monday 09:00', 'day 07:00' or 'day 1 of month 09:00'",
                "une échéance telle que « monday 09:00 », « day 07:00 » ou « day 1 of month 09:00 »",
            ),
            text,
        )

    def on(self, day: date) -> bool:
        """Whether the calendar day has an occurrence; `day 31 of month` means the last day of shorter months."""
        if self.kind == "weekday":
            return day.weekday() == self.day
        if self.kind == "month":
            return day.day == min(self.day, monthrange(day.year, day.month)[1])
        return True

    def __str__(self) -> str:
        head = {"weekday": WEEKDAYS[self.day % 7], "month": f"day {self.day} of month", "day": "day"}[self.kind]
        return f"{head} {self.time}"


@dataclass(frozen=True, slots=True)
class Again:
    """`never`, `always`, `after 180 days`."""

    kind: str
    after: Duration | None = None

    @classmethod
    def parse(cls, text: str) -> Again:
        words = " ".join(text.split())
        if words in ("never", "always"):
            return cls(words)
        if words.startswith("after "):
            return cls("after", Duration.parse(words[6:]))
        raise LiteralError(
            "S003", t("'never', 'always' or 'after 180 days'", "« never », « always » ou « after 180 days »"), text
        )

    def __str__(self) -> str:
        return f"after {self.after}" if self.after else self.kind


@dataclass(frozen=True, slots=True)
class Wait:
    """`3 days` · `until <moment>` · `up to 3 days` (with `for:`)."""

    kind: str  # "length" | "until" | "up to"
    length: Duration | None = None
    moment: Moment | None = None

    @classmethod
    def parse(cls, text: str) -> Wait:
        words = " ".join(text.split())
        if words.startswith("until "):
            return cls("until", moment=Moment.parse(words[6:]))
        if words.startswith("up to "):
            return cls("up to", length=Duration.parse(words[6:]))
        return cls("length", length=Duration.parse(words))

    def __str__(self) -> str:
        if self.kind == "until":
            return f"until {self.moment}"
        return f"up to {self.length}" if self.kind == "up to" else str(self.length)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """`approve_above`: `5000 sends` or money."""

    sends: int | None = None
    money: Money | None = None

    @classmethod
    def parse(cls, text: str) -> Ceiling:
        if found := re.fullmatch(r"([0-9]+) sends", " ".join(text.split())):
            return cls(sends=int(found[1]))
        try:
            return cls(money=Money.parse(text))
        except LiteralError as error:
            raise LiteralError(
                error.code,
                t("'5000 sends' or money such as 500 EUR", "« 5000 sends » ou un montant tel que 500 EUR"),
                text,
                fix=error.fix,
            ) from None

    def __str__(self) -> str:
        return f"{self.sends} sends" if self.sends is not None else str(self.money)


@dataclass(frozen=True, slots=True)
class Change:
    """What `set` writes: `=` a value (raw text, typed by the attribute), `+5`, `-5`, or `clear`."""

    kind: str  # "=" | "+" | "-" | "clear"
    value: str = ""

    @classmethod
    def parse(cls, text: str) -> Change:
        if text == "clear":
            return cls("clear")
        if found := re.fullmatch(r"([+-])([0-9].*)", text):
            return cls(found[1], found[2])
        return cls("=", text)

    def __str__(self) -> str:
        return "clear" if self.kind == "clear" else (self.value if self.kind == "=" else f"{self.kind}{self.value}")


@dataclass(frozen=True, slots=True)
class Decide:
    """`after 2000 contacts at 95 %` · `after 2000 contacts in 5 looks at 95 %` (measurement 5)."""

    contacts: int
    level: Percent
    looks: int = 1

    @classmethod
    def parse(cls, text: str) -> Decide:
        found = re.fullmatch(r"after ([0-9]+) contacts(?: in ([0-9]+) looks)? at (.+)", " ".join(text.split()))
        if not found:
            raise LiteralError("S003", t("'after 2000 contacts at 95 %'", "« after 2000 contacts at 95 % »"), text)
        return cls(int(found[1]), Percent.parse(found[3]), int(found[2] or 1))

    def __str__(self) -> str:
        return f"after {self.contacts} contacts" + (f" in {self.looks} looks" if self.looks > 1 else "") + f" at {self.level}"


def _plain(value: Decimal) -> str:
    text = format(value.normalize(), "f")
    return text
