"""Words as people write them: folding, nearest names, masking, width on a screen."""

from __future__ import annotations

import errno
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from omnicli.texts import t

_LETTERS = str.maketrans(
    {"œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "’": "'"}
)
_SPACE = re.compile(r"\s+")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


class _Marks(dict[int, int | None]):
    """A table for `str.translate` that drops what combines with the letter before; each letter is asked once."""

    def __missing__(self, code: int) -> int | None:
        self[code] = found = None if unicodedata.combining(chr(code)) else code
        return found


_MARKS = _Marks()


def fold(text: str) -> str:
    """The form in which texts are compared (campaign-language 6.3): `Orléans` and `orleans` are one.

    NFKD, combining marks dropped, œ æ ø ł đ ’ replaced, case folded, white space collapsed.
    """
    if text.isascii():
        return _SPACE.sub(" ", text.lower()).strip()
    decomposed = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    bare = decomposed.translate(_MARKS)
    return _SPACE.sub(" ", bare.casefold().translate(_LETTERS)).strip()


def distance(left: str, right: str, *, most: int = 3) -> int:
    """Damerau-Levenshtein distance (optimal string alignment), cut off at `most` + 1."""
    if abs(len(left) - len(right)) > most:
        return most + 1
    before: list[int] = []
    previous = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        current = [i]
        for j, b in enumerate(right, 1):
            cost = min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            current.append(cost)
        before, previous = previous, current
    return min(previous[-1], most + 1)


def nearest(word: str, known: Iterable[str], *, most: int = 2) -> str | None:
    """The known word that `word` most likely means: folded equal, else distance at most `most`; else None."""
    folded = fold(word)
    best: tuple[int, str] | None = None
    for candidate in known:
        if fold(candidate) == folded:
            return candidate
        allowed = min(most, max(1, len(candidate) // 3))
        away = distance(folded, fold(candidate), most=allowed)
        if away <= allowed and (best is None or away < best[0]):
            best = (away, candidate)
    return best[1] if best else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` with its leading space, or nothing."""
    found = nearest(word, known)
    return t(" Did you mean '{found}'?", " Vouliez-vous dire « {found} » ?", found=found) if found else ""


_SYSTEM = {
    errno.ENOENT: "fichier ou dossier introuvable", errno.EACCES: "accès refusé", errno.EPERM: "opération interdite", errno.EISDIR: "c'est un dossier",
    errno.ENOTDIR: "ce n'est pas un dossier", errno.EEXIST: "existe déjà", errno.EROFS: "système de fichiers en lecture seule",
    errno.ENOSPC: "disque plein", errno.ENAMETOOLONG: "nom trop long", errno.EMFILE: "trop de fichiers ouverts", errno.EIO: "le disque répond par une erreur",
    errno.ECONNREFUSED: "connexion refusée", errno.ETIMEDOUT: "délai dépassé", errno.EADDRNOTAVAIL: "cette adresse n'est pas de cette machine", errno.ECONNRESET: "connexion coupée par l'autre côté",
    errno.EADDRINUSE: "adresse déjà utilisée", errno.ELOOP: "liens en cercle",
    -2: "nom de machine inconnu", -3: "le serveur de noms ne répond pas",  # of getaddrinfo
}  # fmt: skip


def system_said(error: OSError) -> str:
    """What the operating system refused, in the language in use; its own words are English."""
    words = error.strerror or type(error).__name__
    return t("{said}", "{dit}", said=words, dit=_SYSTEM.get(error.errno or 0, words))


def mask(address: str) -> str:
    """`l…a@example.com`, `+336…12`: enough to recognise, too little to use."""
    name, at, host = address.partition("@")
    if at:
        return f"{name[:1]}…{name[-1:]}@{host}" if len(name) > 2 else f"…@{host}"
    return f"{address[:4]}…{address[-2:]}" if len(address) > 7 else "…"


def printable(text: str) -> str:
    """Text for a terminal: control, zero-width and bidirectional characters and halves of letters dropped (delivery S31)."""
    return text if text.isprintable() else _CONTROL.sub("", text)


def nul_shown(value: Any) -> Any:
    """The same with the character NUL, which no text of PostgreSQL can hold, shown as ␀; also inside lists and mappings."""
    if isinstance(value, str):
        return value.replace("\x00", "␀") if "\x00" in value else value
    if isinstance(value, Mapping):
        return {nul_shown(key): nul_shown(one) for key, one in value.items()}
    return [nul_shown(one) for one in value] if isinstance(value, list) else value


def width(text: str) -> int:
    """Columns that a terminal gives the text: wide letters two, combining marks none."""
    columns = 0
    for letter in text:
        if unicodedata.combining(letter) or unicodedata.category(letter) in ("Cf", "Mn", "Me"):
            continue
        columns += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
    return columns
