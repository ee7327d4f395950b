"""Where a channel reaches a person: one strict e-mail address, one possible telephone number, ids as they are.

Each reader takes a cleaned text and gives (value, norm): the value that is sent to, and the form by which two
spellings of one address are told to be one. `Refused` says why not.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from omnicli.channels.clean import Refused
from omnicli.channels.numbers import quick
from omnicli.text import fold
from omnicli.texts import t

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(rf"(?P<local>{_ATOM}(?:\.{_ATOM})*)@(?P<host>(?:{_LABEL}\.)+(?:[A-Za-z]{{2,63}}|xn--[A-Za-z0-9-]{{1,59}}))")
#: Lines that are addresses, or nothing: half the time of asking one by one. No step can be taken two ways, so a line that is none
#: costs no more than reading it (possessive groups, which would say so, match wrongly in Python before 3.11.5).
_EMAILS = re.compile(
    rf"(?:(?:{_ATOM}(?:\.{_ATOM})*@(?:(?!-)[A-Za-z0-9-]{{1,63}}(?<!-)\.)+(?:[A-Za-z]{{2,63}}|xn--[A-Za-z0-9-]{{1,59}}))?\n)*"
)
_POWER = re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d+")
_NUMBER_SIGNS = re.compile(r"[0-9０-９٠-٩۰-۹ ().\-/+＋\u2010-\u2015\u2212·]+")
_FLOAT = re.compile(r"(\d{6,15})\.0+")


def email(text: str) -> tuple[str, str]:
    """One address of the form `local@host.tld` (dot-atom, no comments, no quotes, host in ASCII); RFC 5321 lengths.

    The host is written small, the local part as it came; `norm` is the whole folded by case.
    """
    found = _EMAIL.fullmatch(text)
    if found is None and not text.isascii():
        text = _ascii_host(text)
        found = _EMAIL.fullmatch(text)
    if found is None or len(found["local"]) > 64 or len(text) > 254:
        raise _no_email(text)
    return f"{found['local']}@{found['host'].lower()}", text.lower()


def plain_email(text: str) -> tuple[str, str, None] | None:
    """The same for an address that needs no repair at all, as nearly all; None for the others."""
    found = _EMAIL.fullmatch(text)
    if found is None or found.end("local") > 64 or len(text) > 254:
        return None
    small = text.lower()
    at = found.end("local")
    return text[:at] + small[at:], small, None


def plain_emails(texts: Sequence[str]) -> tuple[list[str | None], list[str | None]] | None:
    """Values and norms of many texts of which each is an address that needs no repair, or empty; None when one may be another."""
    lines = "\n".join(texts) + "\n"
    if max(map(len, texts)) > 64 or lines.count("\n") != len(texts) or not _EMAILS.fullmatch(lines):
        return None
    if lines.islower() or lines.lower() == lines:
        found = [text or None for text in texts]
        return found, found
    whole = [plain_email(text) if text else None for text in texts]
    return [w and w[0] for w in whole], [w and w[1] for w in whole]


def _ascii_host(text: str) -> str:
    """The host in its ASCII form (`bücher.example` is `xn--bcher-kva.example`)."""
    local, _, host = text.rpartition("@")
    if not local.isascii():
        raise Refused("not_an_email", t("not an e-mail address: letters before the @ that few servers take",
                                        "pas une adresse e-mail : des lettres avant l'@ que peu de serveurs acceptent"))  # fmt: skip
    try:
        return f"{local}@{unicodedata.normalize('NFC', host).lower().encode('idna').decode()}"
    except UnicodeError:
        raise _no_email(text) from None


def _no_email(text: str) -> Refused:
    if len(re.findall(r"[^\s,;<>]+@[^\s,;<>]+", text)) > 1:
        return Refused("several_emails", t("more than one e-mail address", "plus d'une adresse e-mail"))
    return Refused("not_an_email", t("not an e-mail address", "pas une adresse e-mail"))


_PHONE_REASONS: Mapping[int, Callable[[], tuple[str, str]]] = {
    1: lambda: ("unknown_country_code", t("not a telephone number: no such country code",
                                          "pas un numéro de téléphone : cet indicatif n'existe pas")),
    2: lambda: ("too_short", t("not a telephone number: too short", "pas un numéro de téléphone : trop court")),
    3: lambda: ("too_long", t("not a telephone number: too long", "pas un numéro de téléphone : trop long")),
    4: lambda: ("no_area_code", t("not a telephone number: the area code is missing",
                                  "pas un numéro de téléphone : il manque l'indicatif régional")),
    5: lambda: ("wrong_length", t("not a telephone number: no number there is that long",
                                  "pas un numéro de téléphone : aucun n'a cette longueur")),
}  # fmt: skip


def phone(text: str, country: str | None) -> tuple[str, str]:
    """A *possible* number in E.164 (`+33639981234`); national forms need the country (ISO code).

    Possible, not valid: numbering plans change, and ranges kept for fiction are not valid. But a letter O, a power of ten
    from a spreadsheet, letters, extensions and two numbers in one are refused, though `phonenumbers` would take some.
    """
    whole = _FLOAT.fullmatch(text)
    text = whole[1] if whole else text
    if not _NUMBER_SIGNS.fullmatch(text):
        raise _no_number(text)
    text = re.sub(r"^\(?00", "+", text)  # 00 dials abroad nearly everywhere, and begins no number
    value = quick(text, country)
    return (value, value) if value is not None else _e164(text, country)


def _no_number(text: str) -> Refused:
    if _POWER.fullmatch(text):
        return Refused("power_of_ten", t("a spreadsheet made a power of ten of the number: digits are lost",
                                         "un tableur a fait du numéro une puissance de dix : des chiffres sont perdus"))  # fmt: skip
    if re.search(r"[oO]", text) and re.fullmatch(r"[0-9oO ().\-/+]+", text):
        return Refused("letter_for_digit", t("not a telephone number: the letter O stands for a nought",
                                             "pas un numéro de téléphone : la lettre O remplace un zéro"))  # fmt: skip
    if len([part for part in re.split(r"[,;]", text) if len(re.findall(r"\d", part)) > 5]) > 1:
        return Refused("several_phones", t("more than one telephone number", "plus d'un numéro de téléphone"))
    if re.search(r"\d.*(?:ext|poste|x|#)\D*\d+", text, re.IGNORECASE):
        return Refused("extension", t("not a telephone number to write to: it has an extension",
                                      "pas un numéro où écrire : il a un poste interne"))  # fmt: skip
    return Refused("not_a_phone", t("not a telephone number", "pas un numéro de téléphone"))


def _e164(text: str, country: str | None) -> tuple[str, str]:
    import phonenumbers

    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as error:
        raise _unparsed(error.error_type, text, country) from None
    answer = int(phonenumbers.is_possible_number_with_reason(number))
    if answer:
        kind, reason = _PHONE_REASONS[answer]()
        raise Refused(kind, reason)
    value = str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    return value, value


def _unparsed(error_type: int, text: str, country: str | None) -> Refused:
    """Why `phonenumbers` gave up (error types 0 to 4 of NumberParseException)."""
    if error_type == 0 and country is None and not text.lstrip(" (").startswith(("+", "＋")):
        return Refused("no_country", t("not a telephone number: which country? write it with + and the country code",
                                       "pas un numéro de téléphone : quel pays ? écrivez-le avec + et l'indicatif"))  # fmt: skip
    place = {0: 1, 2: 2, 3: 2, 4: 3}.get(error_type)
    if place is None:
        return Refused("not_a_phone", t("not a telephone number", "pas un numéro de téléphone"))
    return Refused(*_PHONE_REASONS[place]())


def identifier(text: str) -> tuple[str, str]:
    """A push token, a page-scoped id: kept as it is."""
    if _POWER.fullmatch(text):
        raise Refused("power_of_ten", t("a spreadsheet made a power of ten of the id: digits are lost",
                                        "un tableur a fait de l'identifiant une puissance de dix : des chiffres sont perdus"))  # fmt: skip
    if any(letter.isspace() for letter in text) or len(text) > 4096:
        raise Refused("not_an_id", t("not an id: it has spaces or is too long", "pas un identifiant : des espaces, ou trop long"))
    return text, text


def push(text: str) -> tuple[str, str]:
    """What a browser gave (`PushSubscription.toJSON()`), written without spaces; its endpoint tells two spellings to be one. A
    token of another kind is kept as it is."""
    if not text.startswith("{"):
        return identifier(text)
    try:
        found = json.loads(text)
        endpoint, keys = str(found["endpoint"]), {name: str(found["keys"][name]) for name in ("auth", "p256dh")}
        value = json.dumps({"endpoint": endpoint, "keys": keys}, separators=(",", ":"))
    except (ValueError, TypeError, KeyError, RecursionError):
        endpoint, value = "", ""
    if not endpoint.startswith(("https://", "http://")) or len(value) > 4096 or any(letter.isspace() for letter in value):
        raise Refused("no_subscription", t("not a subscription of a browser: it has no endpoint or no keys",
                                           "pas un abonnement de navigateur : il manque l'adresse ou les clés"))  # fmt: skip
    return value, endpoint


def postal(text: str) -> tuple[str, str]:
    """A postal address of up to seven lines."""
    return text, fold(text)


@lru_cache(maxsize=1024)
def normalise(channel: str, text: str, country: str | None = None) -> tuple[str, str]:
    """(value, norm) of an address typed by a person for this channel; Refused when it is none."""
    from omnicli.channels.clean import clean

    bare, _ = clean(text, lines=channel == "letter")
    match channel:
        case "email":
            return email(bare)
        case "sms" | "whatsapp" | "voice":
            return phone(bare, country)
        case "letter":
            return postal(bare)
        case "push":
            return push(bare)
    return identifier(bare)


def channel_of(text: str) -> str | None:
    """The channel that a typed address is surely of: `email` or `sms`; None when it may be anything."""
    if "@" in text:
        return "email"
    return "sms" if _NUMBER_SIGNS.fullmatch(text.strip()) and len(re.findall(r"\d", text)) > 5 else None
