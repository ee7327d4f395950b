"""Addresses, telephone numbers and codes as they stand in a text: what is copied, dialled or typed in at the till."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from omnicli.lint.coherence.plainly import Found, Plainly
from omnicli.text import distance

#: Endings that make `maisonlune.example` an address without `https://`; others are taken for a forgotten space.
ENDINGS = (
    "com|net|org|eu|fr|de|uk|be|ch|ca|us|it|es|nl|pt|at|lu|ie|dk|se|no|fi|pl|cz|ro|gr|hu|info|biz|shop|store|app|dev|io|co|me|ly|gl|page|link|online"
    "|site|website|club|paris|bzh|example|test"
)
_HOST = rf"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\.(?:{ENDINGS})"
_URL = re.compile(
    rf"(?i:https?://[^\s<>\"'“”«»{{}}|\\^`]+|(?<![\w@.-])www\.[^\s<>\"'“”«»]+)|(?<![\w@./-]){_HOST}(?![\w@-]|\.\w)(?:[/?#][^\s<>\"'“”«»]*)?"
)
_DOTTED = re.compile(r"[\w/]\.\w|://")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"(?<![\w.,/+#-])(?:\+|00|\()?\(?\d(?:[ .()/-]{0,2}\d){6,14}(?![\w/]|[.,]\d| ?%)")
_AMERICAN = re.compile(r"\(?\d{3}\)?[ .-]{1,2}\d{3}[ .-]\d{4}")
_CODE = re.compile(r"(?<![\w@./&=?#-])(?=[A-Za-z_-]{0,40}\d)[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*(?![\w@]|[-_]\w)")
_SPACED = re.compile(r"(?<!\w)(?:[A-Z0-9] ){3,}[A-Z0-9](?!\w)")
#: A word in capitals that is long enough to be a code misspelt by one letter.
_CAPITALS = re.compile(r"(?<![\w@./&=?#-])[A-Z][A-Z0-9_-]{5,39}(?![\w@])")
_SAID = re.compile(
    r"(?:\b[Cc]ode|\b[Cc]odice|\b[Cc]ódigo|[a-z]code|\b[Kk]od)(?: (?:promo|avantage|promotionnel|sconto))?(?: ?: ?| )[«“\"']? ?(?P<code>[A-Z]{4,40})(?![\w])"
)
#: `24H`, `18H30`, `500ML`, `A4`, `CO2`, `B2B`, `1ER`: what has letters and figures and is no code.
_NO_CODE = re.compile(r"\d+[A-Za-z]{1,3}(?:\d{1,2})?|[A-Za-z]{1,3}\d{1,2}|[A-Za-z]\d[A-Za-z]|\d+[xX]\d+")


def addresses(plain: Plainly) -> Iterator[Found]:
    """Web addresses, with `https://` before those that leave it out."""
    for match in _URL.finditer(plain.text) if _DOTTED.search(plain.text) else ():
        text = match[0].rstrip(".,;:!?)]…")
        if text.count("(") > text.count(")") and match[0][len(text) :].startswith(")"):
            text += ")"
        yield match.start(), match.start() + len(text), (text if "://" in text else f"https://{text}",)


def mail_addresses(plain: Plainly) -> Iterator[Found]:
    """E-mail addresses: no fact's type, but nothing else may be read in them."""
    for match in _MAIL.finditer(plain.text) if "@" in plain.text else ():
        yield *match.span(), (match[0],)


def phones(plain: Plainly, countries: Sequence[str]) -> Iterator[Found]:
    """Telephone numbers in E.164: international ones, and those of the project's countries."""
    for match in _PHONE.finditer(plain.text):
        number = _dialled(match[0].strip(), countries)
        if number:
            start = match.start() + len(match[0]) - len(match[0].lstrip())
            yield start, match.start() + len(match[0].rstrip()), (number,)


def _dialled(text: str, countries: Sequence[str]) -> str | None:
    import phonenumbers

    if text.startswith("00"):
        text = "+" + text[2:]
    for country in [None] if text.startswith("+") else countries:
        try:
            number = phonenumbers.parse(text, country)
        except phonenumbers.NumberParseException:
            continue
        dialled = text[0] == "0" or _AMERICAN.fullmatch(text)  # numbers of fiction are possible and not valid
        if phonenumbers.is_possible_number(number) and (country is None or dialled or phonenumbers.is_valid_number(number)):
            return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    return None


def folded_code(text: str) -> str:
    """A code as it is compared: capitals, without the spaces and hyphens in which it may be said."""
    return re.sub(r"[\s_-]", "", text).upper()


def codes(plain: Plainly, known: Collection[str]) -> Iterator[Found]:
    """Codes: capitals with figures, words after `code`, letters said one by one, and whatever looks like a `known` one."""
    wanted = {folded_code(code) for code in known}
    stems = {_stem(code) for code in wanted} - {""}
    for match in _SPACED.finditer(plain.text):
        code = folded_code(match[0])
        if code in wanted or _mixed(code):
            yield *match.span(), (code,)
    for match in _SAID.finditer(plain.text):
        yield *match.span("code"), (folded_code(match["code"]),)
    for code in known:
        for match in re.finditer(rf"(?<![\w@./&=?#-]){re.escape(code)}(?![\w@]|[-_]\w)", plain.text, re.IGNORECASE):
            yield *match.span(), (folded_code(code),)
    for match in _CAPITALS.finditer(plain.text) if wanted else ():
        code = folded_code(match[0])
        if any(code != one and abs(len(code) - len(one)) < 2 and distance(code, one, most=1) == 1 for one in wanted):
            yield *match.span(), (code,)
    for match in _CODE.finditer(plain.text):
        code = folded_code(match[0])
        if code in wanted or (_mixed(code) and (_stem(code) in stems or _shaped(match[0]))):
            yield *match.span(), (code,)


def _mixed(code: str) -> bool:
    return any(letter.isdigit() for letter in code) and any(letter.isalpha() for letter in code)


def _stem(code: str) -> str:
    """The letters of a code when there are enough to know it by."""
    letters = re.sub(r"\d", "", code)
    return letters if len(letters) >= 4 else ""


def _shaped(text: str) -> bool:
    return len(text) >= 4 and text.isascii() and text == text.upper() and not _NO_CODE.fullmatch(text)
