"""A saved plan as a file: canonical JSON, a line a touch, with its own hash, so that a torn or edited one is refused."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from omnicli import clock
from omnicli.campaigns.bound import Bound
from omnicli.errors import Exit, OmniError
from omnicli.texts import t

FORMAT = 1
KIND = "omni plan"
#: A plan of a million touches is some 300 MB; what is larger is no plan of ours.
LARGEST = 1 << 30


@dataclass(frozen=True, slots=True)
class Kept:
    """One touch of a saved plan. Keys and seals are hexadecimal; `at` is when it was to leave; `cost` in millionths."""

    touch: str
    owner: str
    person: str
    campaign: str
    version: str
    step: str
    message: str
    channel: str
    at: datetime
    cost: int
    sent: str
    words: str
    address: str
    consent: str
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Held:
    """One campaign of the plan: the version that would be in force, and the hashes of its parts."""

    name: str
    number: int
    hash: str
    parts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Record:
    """A saved plan. `until` None: no `--until` was given, and it holds until its first touch expires. `by` made it, and answers
    for it where `approve_above` asks; `forecasts` and `forecast_cost` bind nobody."""

    project: str
    environment: str
    store: str
    by: str
    made: datetime
    until: datetime | None
    currency: str
    campaigns: tuple[Held, ...]
    templates: Mapping[str, str]
    settings: Mapping[str, str]
    touches: tuple[Kept, ...]
    forecasts: int = 0
    forecast_cost: int = 0
    held: Mapping[str, int] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.campaigns)

    @property
    def cost(self) -> int:
        return sum(k.cost for k in self.touches)

    def bound(self) -> Bound:
        """What a run may do that carries it out."""
        return Bound(
            {bytes.fromhex(k.touch): bytes.fromhex(k.sent) for k in self.touches},
            frozenset(bytes.fromhex(k.owner) for k in self.touches),
        )


# --- writing --------------------------------------------------------------------------------------------------------
def text_of(record: Record) -> str:
    """The file: its hash stands in the second line, over every byte behind that line."""
    head = {
        "project": record.project, "environment": record.environment, "store": record.store, "by": record.by,
        "made": clock.iso(record.made), "until": clock.iso(record.until) if record.until else None, "currency": record.currency,
        "campaigns": {c.name: {"version": c.number, "hash": c.hash, "parts": dict(c.parts)} for c in record.campaigns},
        "templates": dict(record.templates), "settings": dict(record.settings),
        "count": len(record.touches), "cost": record.cost,
        "forecasts": {"touches": record.forecasts, "cost": record.forecast_cost}, "held": dict(record.held or {}),
    }  # fmt: skip
    lines = [f"{_json(name)}: {_json(value)},\n" for name, value in head.items()]
    touches = ",\n".join(_json(_row(k)) for k in record.touches)
    body = "".join(lines) + '"touches": [\n' + touches + "\n]}\n"
    return f'{{"kind": "{KIND}", "format": {FORMAT},\n"sha256": "{_hash(body)}",\n{body}'


def _row(k: Kept) -> dict[str, Any]:
    return {
        "touch": k.touch, "pass": k.owner, "person": k.person, "campaign": k.campaign, "version": k.version, "step": k.step,
        "message": k.message, "channel": k.channel, "at": clock.iso(k.at), "cost": k.cost, "sent": k.sent, "words": k.words,
        "address": k.address, "consent": k.consent, "facts": dict(k.facts),
    }  # fmt: skip


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(", ", ": "))


def _hash(body: str) -> str:
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


# --- reading --------------------------------------------------------------------------------------------------------
def read(file: Path) -> Record:
    """The saved plan; OmniError (exit 2) when there is none, (exit 4) when it is torn, edited or of another format."""
    try:
        state = file.stat()
        if stat.S_ISFIFO(state.st_mode) or stat.S_ISCHR(state.st_mode):  # it would be read for ever
            raise _refused(file, t("it is no file", "ce n'est pas un fichier"))
        if state.st_size > LARGEST:
            raise _refused(file, t("it is larger than any plan", "il est plus grand que tout plan"))
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else t("it is no text", "ce n'est pas du texte")
        said = t("cannot read the plan {file}: {why}", "impossible de lire le plan {file} : {why}", file=file, why=why)
        raise OmniError(said, hint="omni campaign plan NAME --out FILE", code="plan-unreadable") from None
    first, _, rest = text.partition("\n")
    second, _, body = rest.partition("\n")
    if not first.startswith(f'{{"kind": "{KIND}"'):
        raise _refused(file, t("it is no saved plan", "ce n'est pas un plan enregistré"))
    if first != f'{{"kind": "{KIND}", "format": {FORMAT},':
        raise _refused(file, t("it was written by another version of omni", "il vient d'une autre version d'omni"))
    if second != f'"sha256": "{_hash(body)}",':
        raise _refused(
            file, t("it was cut off or edited since it was written", "il a été tronqué ou modifié depuis qu'il a été écrit")
        )
    try:
        return _record(json.loads(text))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError, OmniError):
        raise _refused(file, t("it says what no plan says", "il dit ce qu'aucun plan ne dit")) from None


def _refused(file: Path, why: str) -> OmniError:
    return OmniError(
        t("the plan {file} is refused: {why}; nothing was sent", "le plan {file} est refusé : {why} ; rien n'est parti",
          file=file.name, why=why),
        hint=t("make it anew: omni campaign plan NAME --out FILE", "refaites-le : omni campaign plan NAME --out FICHIER"),
        code="plan-refused", exit=Exit.REFUSED,
    )  # fmt: skip


def _record(data: Mapping[str, Any]) -> Record:
    """The values; whatever an exception says, it was not we who wrote this."""
    campaigns = tuple(
        Held(_text(name), _whole(c["version"]), _text(c["hash"]), _texts(c["parts"])) for name, c in data["campaigns"].items()
    )
    until = clock.read_instant(data["until"], "UTC") if data["until"] else None
    return Record(
        _text(data["project"]), _text(data["environment"]), _text(data["store"]), _text(data["by"]),
        clock.read_instant(data["made"], "UTC"), until, _text(data["currency"]), campaigns, _texts(data["templates"]),
        _texts(data["settings"]), tuple(_kept(k) for k in data["touches"]), _whole(data["forecasts"]["touches"]),
        _whole(data["forecasts"]["cost"]), {_text(name): _whole(n) for name, n in data["held"].items()},
    )  # fmt: skip


def _kept(k: Mapping[str, Any]) -> Kept:
    return Kept(
        _hex(k["touch"]), _hex(k["pass"]), _hex(k["person"]), _text(k["campaign"]), _text(k["version"]), _text(k["step"]),
        _text(k["message"]), _text(k["channel"]), clock.read_instant(k["at"], "UTC"), _whole(k["cost"]), _hex(k["sent"]),
        _hex(k["words"]), _hex(k["address"]), _hex(k["consent"]), _texts(k["facts"]),
    )  # fmt: skip


def _text(value: Any) -> str:
    """One line that can be shown: `by` and the names stand in what is asked before sending."""
    if not isinstance(value, str) or not value.isprintable():
        raise TypeError
    return value


def _texts(value: Mapping[str, Any]) -> dict[str, str]:
    return {_text(key): _text(one) for key, one in value.items()}


def _hex(value: Any) -> str:
    return bytes.fromhex(_text(value)).hex()


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise TypeError
    return value
