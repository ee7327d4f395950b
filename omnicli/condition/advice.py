"""What is said about a text that the grammar refuses: always `A001` with the column, and advice where the slip is known."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from omnicli.condition.problem import Problem
from omnicli.condition.syntax import UNITS, WORDS
from omnicli.text import nearest
from omnicli.texts import t

_UNIT_WORDS = tuple(unit + end for unit in UNITS for end in ("s", ""))
_SHORT = {
    "d": "days",
    "j": "days",
    "h": "hours",
    "min": "minutes",
    "mn": "minutes",
    "w": "weeks",
    "y": "years",
    "jours": "days",
    "jour": "day",
    "heures": "hours",
    "heure": "hour",
    "semaines": "weeks",
    "semaine": "week",
    "mois": "months",
    "ans": "years",
    "an": "year",
    "années": "years",
}
_SPELLINGS = {
    "&&": "and",
    "&": "and",
    "||": "or",
    "|": "or",
    "==": "=",
    "<>": "!=",
    "=<": "<=",
    "=>": ">=",
    "> =": ">=",
    "< =": "<=",
    "! =": "!=",
    "!": "not",
    "≠": "!=",
    "≥": ">=",
    "≤": "<=",
}
_AGGREGATES = ("count", "sum", "min", "max", "first", "last")
_PREDICATE = {"everyone", "segment", "persona", "enrolled"}
_QUOTES = "«»“”„‘’‹›`"


def advise(text: str, error: Any) -> Problem:
    """The one problem of a text that does not parse."""
    token = getattr(error, "token", None)
    if token is not None and token.type == "$END":
        return _ended(text, set(error.expected))
    at = int(error.pos_in_stream)
    wanted = set(getattr(error, "expected", None) or error.allowed or ())
    word = _word_at(text, at)
    for look in _LOOKS:
        if found := look(text, at, word, wanted):
            return found
    return _problem(
        at,
        at + len(word),
        t(
            "'{word}' does not fit here; expected {wanted}",
            "« {word} » n'a pas sa place ici ; attendu : {wanted}",
            word=word,
            wanted=_wanted(wanted),
        ),
    )


def _problem(start: int, end: int, message: str, fix: str | None = None) -> Problem:
    return Problem("A001", start + 1, end - start, message, fix)


def _ended(text: str, wanted: set[str]) -> Problem:
    end = len(text.rstrip())
    if not end:
        return _problem(
            0,
            0,
            t(
                "the condition is empty; 'everyone' means everybody",
                "la condition est vide ; « everyone » veut dire tout le monde",
            ),
        )
    if wanted == {"RPAR"} or ("RPAR" in wanted and text.count("(") > text.count(")") and not wanted & {"NAME", "NUMBER"}):
        return _problem(end, end, t("the parenthesis is not closed", "la parenthèse n'est pas fermée"), ")")
    if wanted >= {"_AGO"}:
        return _problem(
            end, end, t("write 'ago' or 'from now' behind the duration", "écrire « ago » ou « from now » après la durée"), " ago"
        )
    return _problem(
        end,
        end,
        t(
            "the condition stops too early; expected {wanted}",
            "la condition s'arrête trop tôt ; attendu : {wanted}",
            wanted=_wanted(wanted),
        ),
    )


def _wanted(names: set[str]) -> str:
    """A few words for a set of terminals: what a person would have written there."""
    if "STRING" in names:
        return t("a value", "une valeur")
    if {"_AGO", "_FROM"} & names:
        return "'ago', 'from now'"
    if "_NOW" in names and "DATE" in names:
        return t(
            "an instant such as 'today', '3 days ago' or 2027-01-31", "un instant comme « today », « 3 days ago » ou 2027-01-31"
        )
    if "_SEGMENT" in names:
        return t(
            "a condition such as 'orders > 0' or 'clicked within 7 days'",
            "une condition comme « orders > 0 » ou « clicked within 7 days »",
        )
    if "UNIT" in names:
        return t("a unit such as 'days'", "une unité comme « days »")
    if "NUMBER" in names:
        return t("a duration such as '3 days'", "une durée comme « 3 days »")
    if {"_AND", "_OR"} <= names:
        return (
            t("an operator, 'and' or 'or'", "un opérateur, « and » ou « or »")
            if "COMPARE" in names
            else t("'and' or 'or'", "« and » ou « or »")
        )
    if "LPAR" in names and len(names) == 1:
        return "'('"
    if "NAME" in names:
        return t("a name", "un nom")
    words = sorted(f"'{name.lstrip('_').lower()}'" for name in names if name.startswith("_"))
    return ", ".join(words) or t("something else", "autre chose")


def _word_at(text: str, at: int) -> str:
    found = re.compile(r"[^\W\d][\w./-]*|-?\d[\d.,]*|\S").match(text, at)
    return found[0] if found else text[at : at + 1]


def _word_before(text: str, at: int) -> tuple[str, int]:
    found = re.search(r"([^\W\d][\w-]*)\s*$", text[:at])
    return (found[1], found.start(1)) if found else ("", at)


# --- the known slips, each a look at the place of the error -----------------------------------------------------------
def _symbols(text: str, at: int, word: str, wanted: set[str]) -> Problem | None:
    """`==`, `<>`, `&&` … and operators written with a gap."""
    for start in (at - 2, at - 1, at):
        for symbol in sorted(_SPELLINGS, key=len, reverse=True):
            if start >= 0 and text.startswith(symbol, start) and start <= at < start + len(symbol):
                right = _SPELLINGS[symbol]
                once = t("write '=' once", "écrire « = » une seule fois")
                end = start + len(symbol)
                while text[end : end + 1] == "=" and symbol == "==":
                    end += 1
                return _problem(
                    start, end, once if symbol == "==" else t("write '{right}'", "écrire « {right} »", right=right), right
                )
    return None


def _quotes(text: str, at: int, word: str, wanted: set[str]) -> Problem | None:
    letter = text[at : at + 1]
    if letter in "'\"":
        return _problem(at, len(text), t("the quote is not closed", "le guillemet n'est pas fermé"), text[at:].rstrip() + letter)
    if letter in _QUOTES:
        found = re.compile(r"[«“„‘‹`’]\s*([^«»“”„‘’‹›`\"]*?)\s*[»”’›`“]").match(text, at)
        fix = f'"{found[1]}"' if found else None
        return _problem(at, found.end() if found else at + 1, t("use straight quotes", "utiliser des guillemets droits"), fix)
    if letter == "#":
        return _problem(
            at,
            len(text),
            t(
                "' #' starts a comment: quote the whole condition",
                "« # » commence un commentaire : mettre la condition entre guillemets",
            ),
        )
    return None


def _decimals(text: str, at: int, word: str, wanted: set[str]) -> Problem | None:
    """`39,92`, `1 500`, `39.`, `.5`, `1.2.3`."""
    found = re.search(r"(-?\d+)$", text[:at])
    if text[at : at + 1] == "," and found and (tail := re.compile(r",\s?(\d+)").match(text, at)):
        right = f"{found[1]}.{tail[1]}"
        return _problem(
            at, at + 1, t("decimals take a point: {right}", "les décimales prennent un point : {right}", right=right), "."
        )
    if (gap := re.search(r"(\d{1,3})(\s)$", text[:at])) and re.compile(r"\d{3}(?!\d)").match(text, at) and "COMMA" in wanted:
        return _problem(
            at - 1,
            at + 3,
            t(
                "write the number without a gap: {right}",
                "écrire le nombre sans espace : {right}",
                right=gap[1] + text[at : at + 3],
            ),
            text[at : at + 3],
        )
    odd = re.compile(r"-?\.\d+|-?\d+\.(?!\d)|-?\d+(\.\d+){2,}|-?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\S*").match(text, at)
    if odd and ("NUMBER" in wanted):
        note = t(
            "a number is digits with an optional point: 12 or 0.5; quote it when it is a text",
            "un nombre s'écrit en chiffres avec un point : 12 ou 0.5 ; entre guillemets si c'est un texte",
        )
        return _problem(at, odd.end(), note, f"0{odd[0]}" if odd[0].startswith(".") else None)
    return None


_JOINS = {"et": "and", "und": "and", "an": "and", "ad": "and", "ou": "or", "oder": "or", "sinon": "or"}


def _joins(text: str, at: int, word: str, wanted: set[str]) -> Problem | None:
    """`a et b`, `a ou b`."""
    if not {"_AND", "_OR"} <= wanted:
        return None
    before, start = _word_before(text, at)
    for found, place in ((word, at), (before, start)):
        if right := _JOINS.get(found.lower()):
            return _problem(place, place + len(found), t("write '{right}'", "écrire « {right} »", right=right), right)
    return None


def _functions(text: str, at: int, word: str, wanted: set[str]) -> Problem | None:
    """`avg(purchase.value)`."""
    before, start = _word_before(text, at)
    if word != "(" or not before or before.lower() in WORDS or text[start + len(before) : at].strip():
        return None
    right = nearest(before, _AGGREGATES)
    if right is None and "DOT" not in wanted:
        return None
    listed = ", ".join(_AGGREGATES)
    said = t("there is no '{word}'; there are {listed}", "« {word} » n'existe pas ; il y a {listed}", word=before, listed=listed)
    return _problem(start, start + len(before), said, right)


def _units(text: str, at: int, word: str, wanted: set[str]) -> Problem | None:
    """`3 dyas`, `3d`, `3 jours`, `50 eur`, `50 €`, `10 kms`."""
    if "UNIT" not in wanted or not re.search(r"\d\s*$", text[:at]):
        return None
    if "CURRENCY" in wanted:
        if re.fullmatch(r"[A-Za-z]{3}", word) and word.upper() in ("EUR", "USD", "GBP", "CAD", "CHF"):
            return _problem(
                at, at + 3, t("a currency is written {right}", "une devise s'écrit {right}", right=word.upper()), word.upper()
            )
        if symbol := {"€": "EUR", "$": "USD", "£": "GBP"}.get(text[at]):
            gap = "" if text[at - 1].isspace() else " "
            return _problem(
                at, at + 1, t("a currency is written {right}", "une devise s'écrit {right}", right=symbol), gap + symbol
            )
        if word.lower() in ("kms", "kilometres", "metres", "kilomètres", "mètres"):
            right = "km" if word.lower().startswith("k") else "m"
            return _problem(
                at, at + len(word), t("did you mean '{right}'?", "vouliez-vous dire « {right} » ?", right=right), right
            )
    right = _SHORT.get(word.lower()) or nearest(word, _UNIT_WORDS) or ""
    if right:
        gap = "" if text[at - 1].isspace() else " "
        return _problem(
            at, at + len(word), t("did you mean '{right}'?", "vouliez-vous dire « {right} » ?", right=right), gap + right
        )
    return None


def _sql(text: str, at: int, word: str, wanted: set[str]) -> Problem | None:
    """Habits from SQL: `between`, `like`, `is null`, `is not missing`, `exists`."""
    before, start = _word_before(text, at)
    match before.lower():
        case "between":
            return _problem(start, start + 7, t("write x >= 20 and x <= 30", "écrire x >= 20 and x <= 30"))
        case "like" | "matches" | "ilike":
            return _problem(
                start,
                start + len(before),
                t("write 'contains' or 'starts with'", "écrire « contains » ou « starts with »"),
                "contains",
            )
        case "begins" | "startswith":
            return _problem(start, start + len(before), t("write 'starts with'", "écrire « starts with »"), "starts with")
        case "equals" | "equal":
            return _problem(start, start + len(before), t("write '='", "écrire « = »"), "=")
    if before.lower() == "is" and "_MISSING" in wanted:
        found = re.compile(r"not\s+(missing|null|known|empty|set)|null|empty|none", re.I).match(text, at)
        if found:
            right = "known" if re.fullmatch(r"not\s+(missing|null|empty)", found[0], re.I) else "missing"
            return _problem(at, found.end(), t("write 'is {right}'", "écrire « is {right} »", right=right), right)
        return _problem(
            start,
            start + 2,
            t(
                "'is' asks 'is known' or 'is missing'; to compare write '='",
                "« is » demande « is known » ou « is missing » ; pour comparer, écrire « = »",
            ),
            "=",
        )
    if before.lower() == "starts" and "_WITH" in wanted:
        return _problem(at, at, t("write 'starts with'", "écrire « starts with »"), "with ")
    return None


def _dates(text: str, at: int, word: str, wanted: set[str]) -> Problem | None:
    """`signed_up < 30 days ago`."""
    if word.lower() in ("ago", "from") and re.search(r"[<>=]\s*\d+\s+\w+\s*$", text[:at]):
        return _problem(
            at,
            at + len(word),
            t("dates are compared with 'before' and 'after'", "les dates se comparent avec « before » et « after »"),
        )
    return None


def _words(text: str, at: int, word: str, wanted: set[str]) -> Problem | None:
    """A misspelt word of the language at the place or just before it; a text of several words without quotes."""
    before, start = _word_before(text, at)
    expected = {name.lstrip("_").lower() for name in wanted} & WORDS
    close = nearest(word, expected) if word.isalpha() and word.lower() not in WORDS else None
    if close:
        return _problem(at, at + len(word), t("did you mean '{right}'?", "vouliez-vous dire « {right} » ?", right=close), close)
    operators = WORDS - _PREDICATE - {"not", "now", "today", "ago", "from", "next", "known", "missing", "enter", "with"}
    close = nearest(before, operators) if before and before.lower() not in WORDS and len(before) > 2 else None
    if close and re.search(r"\S\s+$", text[:start]):
        return _problem(
            start, start + len(before), t("did you mean '{right}'?", "vouliez-vous dire « {right} » ?", right=close), close
        )
    several = re.search(r"(?:[=<>,(]|\bcontains|\bwith)\s*([^\W\d][\w-]*(?:\s+[\w-]+)*)\s*$", text[:at])
    if several and {"_AND", "_OR"} & wanted and re.match(r"[\w-]", word) and word.lower() not in WORDS:
        more = re.compile(r"[^\W][\w-]*(?:\s+(?!(?:and|or)\b)[\w-]+)*").match(text, at)
        end = more.end() if more else at + len(word)
        whole = text[several.start(1) : end]
        return _problem(
            several.start(1),
            end,
            t(
                'a text of several words is quoted: "{text}"',
                'un texte de plusieurs mots se met entre guillemets : "{text}"',
                text=whole,
            ),
            f'"{whole}"',
        )
    return None


def _shapes(text: str, at: int, word: str, wanted: set[str]) -> Problem | None:
    """A value on the left, a list without parentheses, a closing parenthesis too many, `where` without `(`."""
    before, _ = _word_before(text, at)
    if word == ")" and text.count(")") > text.count("("):
        return _problem(at, at + 1, t("this parenthesis was never opened", "cette parenthèse n'a jamais été ouverte"), "")
    if word == ")" and before.lower() in ("", "in") and text[:at].rstrip().endswith("("):
        return _problem(at, at + 1, t("the list is empty; expected a value", "la liste est vide ; attendu : une valeur"))
    if wanted == {"LPAR"} and before.lower() in ("in", "where"):
        what = "in (a, b)" if before.lower() == "in" else "where (value > 10)"
        return _problem(at, at + len(word), t("write {what}, in parentheses", "écrire {what}, entre parenthèses", what=what))
    if "_SEGMENT" in wanted and re.match(r"-?\d|['\"]", word):
        return _problem(
            at, at + len(word), t("the name stands on the left: write orders > 3", "le nom est à gauche : écrire orders > 3")
        )
    return None


_LOOKS: tuple[Callable[[str, int, str, set[str]], Problem | None], ...] = (
    _quotes,
    _symbols,
    _decimals,
    _joins,
    _functions,
    _units,
    _dates,
    _sql,
    _shapes,
    _words,
)
