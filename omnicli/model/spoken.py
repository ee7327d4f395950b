"""Codes of the language as people read them: a reason, a state or a duration is English already, French by one table; also figures.

Files, stores and `--json` always hold the code; only what a person reads is spoken. Names that a project gives itself
(events, fields, `as:` of an exit) are said as they are written.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal

from omnicli.texts import language, t

_FRENCH = {
    # why something was not sent, or waits
    "unreachable": "injoignable", "condition": "condition fausse", "capped": "plafond atteint", "expired": "trop tard", "budget": "budget épuisé",
    "no_date": "sans date", "no_words": "pas de texte", "barred_by_law": "interdit par la loi", "complaint_open": "réclamation ouverte",
    "duplicate": "doublon", "stopped": "arrêtée", "render_failed": "rendu impossible", "refused": "refusé", "exhausted": "essais épuisés",
    "stale": "faits périmés", "dropped": "abandonné", "quiet_hours": "heures calmes", "cap": "plafond", "min_gap": "trop rapproché", "pack": "loi",
    "approval": "accord attendu", "paused": "campagne suspendue", "hold": "base retenue", "rate": "débit", "breaker": "prestataire en panne",
    "no_address": "pas d'adresse", "bad_address": "adresse morte", "suppressed": "barré", "no_consent": "pas d'accord",
    "consent_expired": "accord périmé", "tried": "déjà refusé", "no template": "pas de gabarit", "no_template": "pas de gabarit",
    "no_approved_template": "pas de modèle approuvé", "past": "déjà passé",
    # how far a touch has come
    "planned": "prévu", "claimed": "pris", "sending": "en envoi", "retry": "à réessayer", "accepted": "accepté", "rejected": "refusé",
    "unknown": "inconnu", "parked": "garé", "skipped": "écarté", "held_out": "groupe témoin", "not_sent": "non parti", "intent": "tenté",
    "waived": "levé", "delivered": "remis", "bounced": "revenu", "opened": "ouvert",
    # a life, moment by moment
    "event": "événement", "touch": "envoi", "consent": "consentement", "pass": "passage", "bar": "interdit", "granted": "accordé",
    "denied": "refusé", "withdrawn": "retiré", "entered": "entrée", "ended": "fini", "barred": "posé", "lifted": "levé", "goal": "but atteint",
    "end": "fin du parcours", "none": "aucune", "unsubscribed": "désabonnement", "complained": "plainte", "asked": "demandé", "unmatched": "sans contact",
    "doubt": "refus à éclaircir", "soft_bounces": "rebonds répétés", "out_of_reach": "téléphone éteint", "objection": "opposition", "receipt": "accusé",
    "contradiction": "contradiction", "erased": "oubli demandé", "stop": "STOP reçu", "confirmed_duplicate": "double avéré",
    "clicked": "cliqué", "replied": "réponse", "failed": "échec",
    # the facts of a moment
    "channel": "canal", "purpose": "usage", "campaign": "campagne", "step": "étape", "reason": "motif", "due_at": "dû", "held_by": "retenu par",
    "delivery": "remise", "scope": "portée", "until": "jusqu'au", "proof": "preuve", "text": "texte", "link": "lien", "keyword": "mot",
    "value": "valeur", "place": "lieu", "about": "sujet", "form": "formulaire", "topic": "sujet",
    # states of a task and of a case
    "open": "à prendre", "done": "faite", "voicemail": "répondeur", "no_answer": "sans réponse", "answered": "répondu", "callback": "à rappeler",
}  # fmt: skip

_TIMES = {
    "minute": "minute", "hour": "heure", "day": "jour", "week": "semaine", "month": "mois", "year": "an", "second": "seconde",
    "monday": "lundi", "tuesday": "mardi", "wednesday": "mercredi", "thursday": "jeudi", "friday": "vendredi", "saturday": "samedi", "sunday": "dimanche",
    "before": "avant", "after": "après", "at": "à", "until": "jusqu'à", "next": "prochain", "now": "tout de suite", "of": "du", "per": "par",
    "holidays": "jours fériés", "sends": "envois",
}  # fmt: skip


def word(code: str) -> str:
    """A code of the closed lists in the language in use; whatever is no such code comes back as it is."""
    return code if language() == "en" else _FRENCH.get(code, code)


def codes(said: str) -> list[str]:
    """The codes that this is the French of: `garé` is `parked`; several may be said alike."""
    folded = said.casefold().strip()
    return [code for code, french in _FRENCH.items() if french.casefold() == folded]


def named(code: str) -> str:
    """The word, and behind it the code where they differ: `trop tard (expired)`, `law (pack)`, so that `omni explain` finds it."""
    said = "law" if code == "pack" and language() == "en" else word(code)
    return said if said == code else f"{said} ({code})"


def both(name: str, value: str) -> str:
    """`email: no_consent`, with the space that French wants before its colon."""
    return t("{name}: {value}", "{name} : {value}", name=name, value=value)


def time(written: object) -> str:
    """A literal of time as it is said: `3 days` is `3 jours`, `up to 1 day` is `jusqu'à 1 jour`, `monday 09:00` is `lundi 09:00`."""
    text = str(written)
    if language() == "en":
        return text
    text = text.replace("up to ", "jusqu'à ").replace("best hour", "à la meilleure heure")
    return re.sub(r"(?<![\w.-])([a-z]+)(?![\w.-])", lambda found: _one(found[1]), text)


def _one(said: str) -> str:
    if said in _TIMES:
        return _TIMES[said]
    single = _TIMES.get(said.removesuffix("s"))
    if single is None:
        return said
    return single if single.endswith("s") else f"{single}s"


def number(value: int | float | Decimal, digits: int = 0) -> str:
    """`1,092` or `1 092`."""
    text = f"{value:,.{digits}f}"
    return text if language() == "en" else text.replace(",", "\u202f").replace(".", ",")


def cash(micro: int, currency: str) -> str:
    """Millionths of a currency: `5.32 EUR`, `5,32 EUR`; below a cent with as many places as it takes."""
    return amount(Decimal(micro).scaleb(-6), currency)


def amount(value: Decimal, currency: str) -> str:
    """An amount of a currency with its cents; below a cent with as many places as it takes."""
    small = bool(value) and abs(value) < Decimal("0.01")
    return f"{number(value, -int(value.normalize().as_tuple().exponent) if small else 2)} {currency}"


def ago(then: datetime, now: datetime) -> str:
    """`3 days`, `2 h`, `5 min`: how far apart two instants are."""
    seconds = abs(int((now - then).total_seconds()))
    if seconds >= 2 * 86400:
        return t("{n} days", "{n} jours", n=seconds // 86400)
    if seconds >= 2 * 3600:
        return f"{seconds // 3600} h"
    return f"{max(seconds // 60, 1)} min"
