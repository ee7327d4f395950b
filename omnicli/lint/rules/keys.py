"""Family K: no key and no person in a committed file, every address over https, and analytics words of one form."""

from __future__ import annotations

import re
from collections.abc import Iterator

from omnicli.lint.coherence.scalars import scalars, span_of, template_lines
from omnicli.lint.ground import Ground, Path_, rename
from omnicli.lint.rule import rule
from omnicli.model.finding import Finding, Place
from omnicli.texts import t

#: What keys look like, by whose they are; each provider publishes the shape of its own (checked 2026-11).
SHAPES: tuple[tuple[str, str], ...] = (
    ("SendGrid", r"\bSG\.[\w-]{16,32}\.[\w-]{16,64}"), ("Twilio", r"\b(?:AC|SK)[0-9a-f]{32}\b"), ("Stripe", r"\b[rs]k_(?:live|test)_[0-9A-Za-z]{16,}"),
    ("AWS", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), ("GitHub", r"\b(?:gh[pousr]_[0-9A-Za-z]{30,}|github_pat_\w{30,})"), ("GitLab", r"\bglpat-[\w-]{20,}"),
    ("Slack", r"\bxox[abeoprs]-[\w-]{10,}"), ("Google", r"\bAIza[\w-]{35}"), ("Brevo", r"\bxkeysib-[0-9a-f]{32,}(?:-\w+)?"), ("Mailgun", r"\bkey-[0-9a-f]{32}\b"),
    ("Mailchimp", r"\b[0-9a-f]{32}-us\d{1,2}\b"), ("private", r"-----BEGIN [A-Z ]*PRIVATE KEY-----"), ("JWT", r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
)  # fmt: skip
_SHAPE = re.compile("|".join(f"({pattern})" for _, pattern in SHAPES))
#: Each of these shapes holds one of these, but for a few rare words that is all there is to look for.
_IN_SHAPES = (
    "SG.",
    "AC",
    "SK",
    "k_live_",
    "k_test_",
    "AKIA",
    "ASIA",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xox",
    "AIza",
    "xkeysib-",
    "key-",
    "-us",
    "-----BEGIN ",
    "eyJ",
)
_SECRET_KEY = re.compile(
    r"(?:^|[_-])(?:secret(?:[_-]key)?|password|passwd|pass|token|api[_-]?key|private[_-]?key|auth|credentials?)$", re.IGNORECASE
)
_REFERENCE = re.compile(r"\$\{[A-Za-z_]\w*\}")
_IN_ADDRESS = re.compile(r"://[^/\s:@]*:(?!\$\{)([^/\s@{}]+)@")


@rule("K001")
def secret(ground: Ground) -> Iterator[Finding]:
    for file, source in ground.loaded.sources.items():
        seen: set[int] = set()
        for match in _shaped(source.text):
            place = span_of(file, source.text, *match.span())
            seen.add(place.line)
            yield _secret(ground, place, SHAPES[(match.lastindex or 1) - 1][0])
        for path, text in scalars(source):
            start, end = _hidden(path, text)
            if end and source.place(path).line not in seen:
                yield _secret(ground, source.within(path, start, end - start), t("generic", "d'accès"), path=path)
    for file, number, line in template_lines(ground):
        for match in _shaped(line):
            yield _secret(ground, Place.at(file, number, match.start() + 1, len(match[0])), SHAPES[(match.lastindex or 1) - 1][0])


def _shaped(text: str) -> Iterator[re.Match[str]]:
    return _SHAPE.finditer(text) if any(word in text for word in _IN_SHAPES) else iter(())


def _secret(ground: Ground, place: Place, whose: str, path: Path_ = ()) -> Finding:
    said = t("looks like a {whose} key; write {name}", "on dirait une clé {whose} ; écrivez {name}", whose=whose, name="${NAME}")
    return ground.finding("K001", place, said, path=path)


def _hidden(path: Path_, text: str) -> tuple[int, int]:
    """The span of what must not be read: the value of a key that names a secret, or the password in an address."""
    if found := _IN_ADDRESS.search(text):
        return found.span(1)
    named = (
        isinstance(path[-1], str)
        and _SECRET_KEY.search(path[-1])
        and path[0] in ("webhooks", "providers", "channels", "environments", "database")
    )
    return (0, len(text)) if named and len(text) >= 6 and " " not in text and not _REFERENCE.search(text) else (0, 0)


_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_NUMBER = re.compile(r"(?<![\w.])(?:\+|0)\d(?:[ .-]?\d){8,13}(?!\w)")
#: Domains that belong to nobody (RFC 2606, RFC 6761), and where private people have their mail.
_NOBODY = re.compile(r"(?:^|\.)(?:example|test|invalid|localhost)$|(?:^|\.)example\.(?:com|net|org)$")
_PRIVATE = frozenset(
    ["gmail.com", "googlemail.com", "outlook.com", "outlook.fr", "hotmail.com", "hotmail.fr", "live.com", "live.fr", "msn.com", "yahoo.com", "yahoo.fr", "ymail.com", "aol.com", "icloud.com",
     "me.com", "mac.com", "orange.fr", "wanadoo.fr", "free.fr", "sfr.fr", "laposte.net", "bbox.fr", "gmx.de", "gmx.net", "gmx.fr", "web.de", "t-online.de", "proton.me", "protonmail.com",
     "libero.it", "virgilio.it", "btinternet.com", "skynet.be", "bluewin.ch"]
)  # fmt: skip
#: Numbers that regulators keep for fiction: ARCEP decision 2018-0881, Ofcom, NANP 555-01xx; +1 555 is no area.
_FICTION = re.compile(
    r"\+?(?:33|0033|0)?0?(?:19900|26191|35301|46571|53649|63998)\d{4}|(?:\+?44|0)(?:7700900|2079460|1632960)\d{3,}|\+?1?555\d{7}|\+?1?\d{3}55501\d{2}"
)
#: Where the house says how to reach itself; people's data does not belong there, its own does.
_OWN = ("channels", "teams", "brand", "places", "providers", "environments", "public_url", "project")


@rule("K002")
def personal_data(ground: Ground) -> Iterator[Finding]:
    for file, source in ground.loaded.sources.items():
        for path, text in scalars(source):
            if path[0] not in _OWN and not ("facts" in path or "say" in path):
                for start, end, kind in _personal(text):
                    yield _real(ground, source.within(path, start, end - start), kind, path)
            elif "say" in path:
                for start, end, kind in _personal(text, numbers=False):
                    yield _real(ground, source.within(path, start, end - start), kind, path)
        for line, column, comment in source.comments:
            for start, end, kind in _personal(comment):
                yield _real(ground, Place.at(file, line, column + start, end - start), kind)
    for file, number, line_text in template_lines(ground):
        for start, end, kind in _personal(line_text, numbers=False):
            yield _real(ground, Place.at(file, number, start + 1, end - start), kind)


def _real(ground: Ground, place: Place, kind: str, path: Path_ = ()) -> Finding:
    said = t("a real-looking {kind} in a committed file", "{kind} d'apparence réelle dans un fichier versionné", kind=kind)
    hint = t(
        "write one from a range of fiction: someone@example.com, +33639980000",
        "écrivez-en une de fiction : quelqu-un@example.com, +33639980000",
    )
    return ground.finding("K002", place, said, path=path, help=hint)


def _personal(text: str, *, numbers: bool = True) -> Iterator[tuple[int, int, str]]:
    """Addresses of private people, and mobile numbers outside the ranges of fiction."""
    for match in _MAIL.finditer(text) if "@" in text else ():
        host = match[0].rpartition("@")[2].lower()
        if host in _PRIVATE and not _NOBODY.search(host):
            yield *match.span(), t("e-mail address", "adresse e-mail")
    for match in _NUMBER.finditer(text) if numbers else ():
        digits = re.sub(r"[ .-]", "", match[0])
        if not _FICTION.fullmatch(digits) and _dialled(digits):
            yield *match.span(), t("phone number", "numéro de téléphone")


def _dialled(digits: str) -> bool:
    import phonenumbers

    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(digits, "FR")))
    except phonenumbers.NumberParseException:
        return False


_PLAIN = re.compile(
    r"http://(?!(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?![\w.-]))(?!www\.w3\.org|schemas\.microsoft\.com|schemas\.openxmlformats)",
    re.IGNORECASE,
)


@rule("K003")
def plain_http(ground: Ground) -> Iterator[Finding]:
    for source in ground.loaded.sources.values():
        if "http://" in source.text.lower():
            for path, text in scalars(source):
                for match in _PLAIN.finditer(text):
                    yield _plain(ground, source.within(path, match.start(), 7), path)
    for file, number, line in template_lines(ground):
        for match in _PLAIN.finditer(line):
            yield _plain(ground, Place.at(file, number, match.start() + 1, 7))


def _plain(ground: Ground, place: Place, path: Path_ = ()) -> Finding:
    said = t(
        "http:// link: whoever is on the way can read and change it",
        "lien http:// : quiconque est sur le chemin le lit et le change",
    )
    fix = (
        rename(place, "https://", title=t("write https://", "écrire https://"), safe=False)
        if place.end_column - place.column == 7
        else None
    )
    return ground.finding("K003", place, said, path=path, fix=fix)


_UTM = re.compile(r"[?&]utm_(?:source|medium|campaign|content|id|term)=([^&#\s]+)")
_UTM_WORD = re.compile(r"[a-z0-9_-]+")


@rule("K004")
def utm_form(ground: Ground) -> Iterator[Finding]:
    for source in ground.loaded.sources.values():
        for path, text in scalars(source):
            if path[:2] == ("tracking", "utm") and not _UTM_WORD.fullmatch(text):
                yield _utm(ground, source.within(path, 0, len(text)), text, path)
            for match in _UTM.finditer(text) if "utm_" in text else ():
                if not _UTM_WORD.fullmatch(match[1]):
                    yield _utm(ground, source.within(path, match.start(1), len(match[1])), match[1], path)
    for file, number, line in template_lines(ground):
        for match in _UTM.finditer(line) if "utm_" in line else ():
            if not _UTM_WORD.fullmatch(match[1]) and "{" not in match[1]:
                yield _utm(ground, Place.at(file, number, match.start(1) + 1, len(match[1])), match[1])


def _utm(ground: Ground, place: Place, word: str, path: Path_ = ()) -> Finding:
    from omnicli.render.links import safe_word

    said = t("'{word}': lower case, letters, digits, - and _", "« {word} » : minuscules, lettres, chiffres, - et _", word=word)
    right = safe_word(word)
    fix = rename(place, right, title=t("write '{right}'", "écrire « {right} »", right=right), safe=False) if right else None
    return ground.finding("K004", place, said, path=path, fix=fix)
