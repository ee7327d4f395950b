"""The map of an import: which column of the file is what, as YAML; and the guess of one from a header.

`column: target`, where a target is a declared attribute, `id`, `language`, `country`, `time_zone`, `preferred_channel`,
`place`, `created`, `address.<channel>`, `address.letter.<part>`, `consent.<channel>` (`.on`, `.from`), or `ignore`; a form
that makes something of the column (`{add_to: spend}`, `{month_of: birth_month}`, `{to: birth_date, written: dd/mm/yyyy}`);
or a list of those. Conditions never compute, so what they ask must be made here (docs/decisions/import-derived-values.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnicli.errors import OmniError
from omnicli.model.project import Project
from omnicli.text import fold, nearest, system_said
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Source

BUILT_IN = ("language", "country", "time_zone", "preferred_channel", "place", "created")
LETTER_PARTS = ("name", "company", "extra", "street", "postcode", "city", "region", "country")
#: form → the kinds of attribute that it may fill.
FORMS: Mapping[str, tuple[str, ...]] = {
    "add_to": ("number", "money", "percent", "distance", "duration"), "month_of": ("number",), "day_of": ("number",), "year_of": ("number",),
}  # fmt: skip
#: How a date may be written in the file; the separators `.`, `-` and `/` are one.
DATES = ("dd/mm/yyyy", "mm/dd/yyyy", "yyyy/mm/dd", "dd/mm/yy", "mm/dd/yy", "yyyymmdd")
_ADDRESSED = ("email", "sms", "whatsapp", "messenger", "voice", "push", "letter")


@dataclass(frozen=True, slots=True)
class Target:
    """What one column fills. `kind`: `ignore`, `id`, `built_in` (name), `attribute` (name), `address` (name: channel, part of
    a letter), `consent` (name: channel, part: `state` `on` `from`); `form`: `add_to` …; `written`: how its dates look."""

    kind: str
    name: str = ""
    part: str = ""
    form: str = ""
    written: str = ""

    def __str__(self) -> str:
        match self.kind:
            case "address":
                return f"address.{self.name}" + (f".{self.part}" if self.part else "")
            case "consent":
                return f"consent.{self.name}" + (f".{self.part}" if self.part != "state" else "")
            case "built_in" | "attribute":
                if self.form:
                    return f"{{{self.form}: {self.name}}}"
                return f"{{to: {self.name}, written: {self.written}}}" if self.written else self.name
        return self.kind


@dataclass(frozen=True, slots=True)
class ImportMap:
    """Column → targets, in the order of the map; `guessed` when nobody wrote it."""

    columns: Mapping[str, tuple[Target, ...]]
    guessed: bool = False

    def targets(self, kind: str) -> list[Target]:
        return [target for targets in self.columns.values() for target in targets if target.kind == kind]

    def signature(self) -> str:
        """A text that is the same for maps that mean the same."""
        return "\n".join(f"{column}: {' '.join(map(str, targets))}" for column, targets in sorted(self.columns.items()))


# --- reading --------------------------------------------------------------------------------------------------------
def read_map(path: Path, project: Project) -> ImportMap:
    """The map in a YAML file; OmniError with file, line and column at the first thing that is wrong."""
    from omnicli.campaignfile import read_source

    try:
        raw = path.read_bytes()
    except OSError as error:
        raise OmniError(
            t("cannot read {path}: {why}", "impossible de lire {path} : {why}", path=path, why=system_said(error)), code="map"
        ) from None
    source, findings = read_source(str(path), raw)
    errors = [f for f in findings if f.severity == "error"]
    if errors:
        place = errors[0].place
        raise OmniError(f"{path}:{place.line}:{place.column}: {errors[0].code} {errors[0].message}", code="map")
    if not isinstance(source.root, dict):
        raise OmniError(t("{path} is no map: write 'column: name' lines", "{path} n'est pas une table : écrivez des lignes « colonne: nom »",
                          path=path), code="map")  # fmt: skip
    columns = {}
    for column, written in source.root.items():
        try:
            columns[str(column)] = read_targets(written, project)
        except _Wrong as wrong:
            raise _at(path, source, str(column), wrong) from None
    return ImportMap(columns)


class _Wrong(ValueError):
    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def _at(path: Path, source: Source, column: str, wrong: _Wrong) -> OmniError:
    place = source.place((column,))
    return OmniError(f"{path}:{place.line}:{place.column}: {wrong}", hint=wrong.hint, code="map")


def read_targets(written: Any, project: Project) -> tuple[Target, ...]:
    """The targets of one column as written in YAML."""
    if isinstance(written, (list, tuple)):
        return tuple(target for one in written for target in read_targets(one, project))
    if isinstance(written, dict):
        return (_form(written, project),)
    if not isinstance(written, str) or not written.strip():
        raise _Wrong(t("wants a name, a list of names, or 'ignore'", "veut un nom, une liste de noms, ou « ignore »"))
    return (_target(" ".join(written.split()), project),)


def _form(written: Mapping[str, Any], project: Project) -> Target:
    words = {str(key): str(value) for key, value in written.items()}
    if set(words) == {"to", "written"}:
        pattern = re.sub(r"[.\-]", "/", words["written"].lower())
        if pattern not in DATES:
            raise _Wrong(t("no date is written '{written}'", "aucune date ne s'écrit « {written} »", written=words["written"]),
                         t("one of {all}", "l'une de {all}", all=", ".join(DATES)))  # fmt: skip
        target = _target(words["to"], project)
        return Target(target.kind, target.name, target.part, written=pattern)
    if len(words) != 1 or next(iter(words)) not in FORMS:
        meant = nearest(next(iter(words), ""), FORMS)
        raise _Wrong(t("unknown form '{form}'", "forme inconnue « {form} »", form=", ".join(words)),
                     t("did you mean '{meant}'?", "vouliez-vous dire « {meant} » ?", meant=meant) if meant else
                     t("there are add_to, month_of, day_of, year_of and {{to: …, written: …}}",
                       "il y a add_to, month_of, day_of, year_of et {{to: …, written: …}}"))  # fmt: skip
    form, name = next(iter(words.items()))
    attribute = project.contacts.attributes.get(name)
    if attribute is None:
        raise _unknown(name, project)
    if attribute.kind not in FORMS[form]:
        raise _Wrong(t("'{name}' is a {kind}; {form} wants a {wanted}", "« {name} » est un {kind} ; {form} veut un {wanted}", name=name,
                       kind=attribute.kind, form=form, wanted=" / ".join(FORMS[form])))  # fmt: skip
    return Target("attribute", name, form=form)


def _target(word: str, project: Project) -> Target:
    if word in ("ignore", "id"):
        return Target(word)
    if word in BUILT_IN:
        return Target("built_in", word)
    if word in project.contacts.attributes:
        return Target("attribute", word)
    head, _, rest = word.partition(".")
    channel, _, part = rest.partition(".")
    if head == "contact" and rest:
        return _target(rest, project)
    if head in ("address", "consent") and channel:
        return _of_channel(word, head, channel, part, project)
    raise _unknown(word, project)


def _of_channel(word: str, head: str, channel: str, part: str, project: Project) -> Target:
    if channel not in project.channels:
        meant = nearest(channel, project.channels)
        raise _Wrong(t("channel '{channel}' is not set up in omni.yaml", "le canal « {channel} » n'est pas déclaré dans omni.yaml", channel=channel),
                     t("did you mean '{meant}'?", "vouliez-vous dire « {meant} » ?", meant=f"{head}.{meant}") if meant else "")  # fmt: skip
    parts = ("on", "from") if head == "consent" else LETTER_PARTS if channel == "letter" else ()
    if part and part not in parts:
        meant = nearest(part, parts)
        raise _Wrong(t("no '{word}'", "pas de « {word} »", word=word),
                     t("did you mean '{meant}'?", "vouliez-vous dire « {meant} » ?", meant=f"{head}.{channel}.{meant}") if meant else "")  # fmt: skip
    if head == "address" and channel not in _ADDRESSED and channel in ("qr", "task", "webhook"):
        raise _Wrong(t("channel '{channel}' has no address", "le canal « {channel} » n'a pas d'adresse", channel=channel))
    return Target(head, channel, part or ("state" if head == "consent" else ""))


def known_targets(project: Project) -> list[str]:
    """Everything that a map may name in this project."""
    found = ["id", "ignore", *BUILT_IN, *project.contacts.attributes]
    for channel in project.channels:
        if channel not in ("qr", "task", "webhook"):
            found += [f"address.{channel}", f"consent.{channel}", f"consent.{channel}.on", f"consent.{channel}.from"]
    return found


def _unknown(word: str, project: Project) -> _Wrong:
    meant = nearest(word, known_targets(project))
    return _Wrong(t("no attribute called '{word}'", "aucun attribut ne s'appelle « {word} »", word=word),
                  t("did you mean '{meant}'?", "vouliez-vous dire « {meant} » ?", meant=meant) if meant else
                  t("declare it under contacts.attributes in omni.yaml, or write 'ignore'",
                    "déclarez-le sous contacts.attributes dans omni.yaml, ou écrivez « ignore »"))  # fmt: skip


def check_map(mapping: ImportMap, header: Sequence[str], project: Project) -> list[str]:
    """Warnings about columns that the map leaves out; OmniError for what cannot be: a column that is not in the file."""
    for column in mapping.columns:
        if column not in header:
            meant = nearest(column, header)
            raise OmniError(
                t("the map names a column '{column}' that the file does not have", "la table nomme une colonne « {column} » absente du fichier", column=column),
                hint=t("did you mean '{meant}'?", "vouliez-vous dire « {meant} » ?", meant=meant) if meant else
                t("the file has {all}", "le fichier a {all}", all=", ".join(header[:12]) + (" …" if len(header) > 12 else "")), code="map",
            )  # fmt: skip
    _once(mapping)
    left = [column for column in header if column not in mapping.columns and not column.startswith("omni_")]
    if not left:
        return []
    return [
        t(
            "not in the map, so not imported: {columns}",
            "absentes de la table, donc pas importées : {columns}",
            columns=", ".join(left),
        )
    ]


def _once(mapping: ImportMap) -> None:
    """Only `add_to` and the addresses of a channel may be filled by several columns."""
    seen: dict[str, str] = {}
    for column, targets in mapping.columns.items():
        for target in targets:
            if target.kind in ("ignore",) or target.form == "add_to" or (target.kind == "address" and not target.part):
                continue
            key = f"{target.kind}.{target.name}.{target.part}"
            if key in seen:
                raise OmniError(t("the columns '{a}' and '{b}' both fill '{what}'", "les colonnes « {a} » et « {b} » remplissent toutes deux « {what} »",
                                  a=seen[key], b=column, what=target), code="map")  # fmt: skip
            seen[key] = column


# --- guessing -------------------------------------------------------------------------------------------------------
_WORDS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "customer id", "contact id", "client id", "user id", "identifiant", "numero client", "n client", "no client", "num client", "code client", "external id",
           "ref", "reference", "ref client", "reference client", "customer number", "customer no"),
    "address.email": ("email", "e mail", "mail", "email address", "adresse email", "adresse e mail", "courriel", "adresse mail"),
    "mobile": ("mobile", "mobile phone", "phone", "telephone", "tel", "portable", "tel portable", "gsm", "cell", "cell phone", "phone number",
               "numero de telephone", "telephone mobile"),
    "landline": ("landline", "fixe", "telephone fixe", "home phone", "tel fixe"),
    "address.messenger": ("messenger", "messenger id", "psid"),
    "address.push": ("push", "push token", "device token"),
    "address.letter.street": ("street", "address", "adresse", "rue", "address 1", "adresse 1", "street address"),
    "address.letter.extra": ("address 2", "adresse 2", "complement"),
    "address.letter.postcode": ("postcode", "postal code", "zip", "zip code", "code postal", "cp"),
    "address.letter.city": ("city", "town", "ville", "commune"),
    "language": ("language", "lang", "locale", "langue"),
    "country": ("country", "country code", "pays"),
    "time_zone": ("time zone", "timezone", "tz", "fuseau", "fuseau horaire"),
    "preferred_channel": ("preferred channel", "canal prefere"),
    "place": ("place", "store", "shop", "magasin", "boutique"),
    "created": ("created", "created at", "created on", "signup date", "registered", "customer since", "date de creation", "cree le", "date d inscription",
                "date inscription", "inscription", "inscrit le", "client depuis"),
}  # fmt: skip
#: Words of a header that mean the same attribute, whatever the project calls it.
_SAME: tuple[tuple[str, ...], ...] = (
    ("first name", "firstname", "given name", "prenom"), ("last name", "lastname", "surname", "family name", "nom", "nom de famille"),
    ("birth date", "date of birth", "birthday", "birthdate", "dob", "date de naissance", "date naissance", "ne le", "anniversaire"), ("city", "town", "ville", "commune"),
    ("postcode", "postal code", "zip", "zip code", "code postal", "cp"), ("title", "civilite", "salutation"), ("gender", "sexe", "genre"),
    ("orders", "number of orders", "nb commandes", "nombre de commandes", "commandes"), ("company", "societe", "entreprise"),
)  # fmt: skip
_CONSENT = {
    "state": (
        "{c} consent",
        "consent {c}",
        "{c} opt in",
        "{c} optin",
        "opt in {c}",
        "optin {c}",
        "accepts {c}",
        "accept {c}",
        "{c} ok",
        "ok {c}",
        "consentement {c}",
        "accepte {c}",
        "accepte les {c}",
        "accepte l {c}",
        "accord {c}",
        "autorise {c}",
    ),
    "on": ("{c} consent on", "{c} consent date", "consent {c} on", "{c} optin date", "date consentement {c}", "date accord {c}"),
    "from": ("{c} consent from", "{c} consent source", "consent {c} from"),
}


def _plain(name: str) -> str:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return " ".join(re.sub(r"[^\w]+|_", " ", fold(spaced)).split())


#: What the channels are called in headers beside their own name.
_CALLED: Mapping[str, tuple[str, ...]] = {
    "email": ("e mail", "e mails", "emails", "mail", "mails", "courriel"), "sms": ("texto", "textos"), "letter": ("courrier", "post"),
    "voice": ("appel", "appels", "telephone"), "push": ("notification", "notifications"),
}  # fmt: skip


def guess_mapping(header: Iterable[str], project: Project, rows: Sequence[Sequence[str]] = ()) -> ImportMap:
    """What each column probably is: by its name and the names that the project declares; unsure ones are `ignore`.

    The first `rows` tell how the dates of a column are written when that is not year, month, day.
    """
    taken: set[str] = set()
    columns = {}
    for place, column in enumerate(header):
        found = tuple(target for target in _guess(column, project) if str(target) not in taken)
        taken.update(str(target) for target in found)
        written = written_dates([row[place] for row in rows if place < len(row)], project)
        columns[column] = tuple(_dated(target, written, project) for target in found) or (Target("ignore"),)
    return ImportMap(columns, guessed=True)


def written_dates(values: Iterable[str], project: Project) -> str:
    """`dd/mm/yyyy` or `mm/dd/yyyy` when the values are such dates; `""` when they are none, or written year first.

    A day above 12 decides; where there is none, a project for the United States alone reads the month first.
    """
    days, months, read = 0, 0, 0
    for value in values:
        if not (text := value.strip()):
            continue
        if not (found := re.fullmatch(r"(\d{1,2})[./-](\d{1,2})[./-]\d{4}", text)):
            return ""
        read, days, months = read + 1, days + (int(found[1]) > 12), months + (int(found[2]) > 12)
    if not read:
        return ""
    month_first = months > days if months != days else tuple(project.countries) == ("US",)
    return "mm/dd/yyyy" if month_first else "dd/mm/yyyy"


def _dated(target: Target, written: str, project: Project) -> Target:
    """The target with the way its dates are written, when it holds dates."""
    attribute = project.contacts.attributes.get(target.name) if target.kind == "attribute" else None
    holds = (target.kind, target.name) == ("built_in", "created") or (attribute is not None and attribute.kind == "date")
    return Target(target.kind, target.name, target.part, written=written) if written and holds and not target.form else target


def _guess(column: str, project: Project) -> list[Target]:
    word, channels = _plain(column), project.channels
    same = next((words for words in _SAME if word in words), (word,))
    found = [Target("attribute", name) for name in project.contacts.attributes if _plain(name) == word or _plain(name) in same][
        :1
    ]
    for channel in channels:
        for part, patterns in _CONSENT.items():
            if word in {pattern.format(c=name) for pattern in patterns for name in (channel, *_CALLED.get(channel, ()))}:
                return [*found, Target("consent", channel, part)]
        if word in (f"address {channel}",):
            return [*found, Target("address", channel)]
    for target, words in _WORDS.items():
        if word in words:
            return found + _named(target, project)
    return found


def _named(target: str, project: Project) -> list[Target]:
    spread = {"mobile": ("sms", "whatsapp", "voice"), "landline": ("voice",)}.get(target)
    if spread is not None:
        return [Target("address", channel) for channel in spread if channel in project.channels]
    try:
        return [_target(target, project)]
    except _Wrong:
        return []


def write_map(mapping: ImportMap, path: Path, source: str) -> None:
    """Write the map as YAML, with a line that says what it is; an existing file is never overwritten."""
    lines = [
        t("# Which column of {file} is what: guessed by omni, yours to change.", "# Quelle colonne de {file} est quoi : deviné par omni, à vous de corriger.",
          file=source),
        t("# 'ignore' leaves a column out; a new attribute is declared under contacts.attributes in omni.yaml.",
          "# « ignore » laisse une colonne de côté ; un nouvel attribut se déclare sous contacts.attributes dans omni.yaml."),
    ]  # fmt: skip
    for column, targets in mapping.columns.items():
        words = [str(target) for target in targets]
        lines.append(f"{_key(column)}: {words[0] if len(words) == 1 else '[' + ', '.join(words) + ']'}")
    with path.open("x", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def _key(column: str) -> str:
    if re.fullmatch(r"[A-Za-z][\w ]*", column) and column.lower() not in (
        "yes",
        "no",
        "on",
        "off",
        "true",
        "false",
        "null",
        "y",
        "n",
    ):
        return column.strip()
    return '"' + column.replace("\\", "\\\\").replace('"', '\\"') + '"'
