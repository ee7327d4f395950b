"""Makes a call by machine: says first who calls and how never to be called again, then why; takes one key (rules.md VO-01, FR-13).

The whole call is said inline (docs/providers 4): one thing less that must be reachable. Keys come back to our public address,
so without one no machine calls: nobody could object.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omnicli.model.touch import Handed, Outcome
from omnicli.providers.twilio.account import Account
from omnicli.texts import t

if TYPE_CHECKING:
    from twilio.twiml.voice_response import Gather, VoiceResponse

#: Characters of inline TwiML; seconds until nobody answers; seconds a call lasts at most (docs/providers 4).
TWIML, RINGS, LASTS = 4000, 45, 300
#: Seconds to wait for a key once everything is said.
WAITS = 6
EVENTS = ["initiated", "ringing", "answered", "completed"]

#: Language → how Twilio names it; others speak the voice's own.
LOCALES = {"fr": "fr-FR", "en": "en-US", "de": "de-DE", "es": "es-ES", "it": "it-IT", "nl": "nl-NL", "pt": "pt-PT"}
_LOCALE = re.compile(r"[a-z]{2}-[A-Z]{2}")
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n\s*\n")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks: the house's name as it is said aloud, and the machine's voice (`Polly.Lea`, None: Twilio's own)."""

    brand: str
    voice: str | None = None


def spoken(language: str) -> dict[str, str]:
    """The few words that omni itself says in a call, in the contact's language (French, else English)."""
    if language[:2] == "fr":
        return {"who": "Bonjour, ici {brand}.", "object": "Pour ne plus être appelé, tapez {key}.",
                "gone": "C'est noté, vous ne serez plus appelé. Au revoir.", "thanks": "Merci, au revoir."}  # fmt: skip
    return {"who": "Hello, this is {brand}.", "object": "To stop these calls, press {key}.",
            "gone": "Noted, you will not be called again. Goodbye.", "thanks": "Thank you, goodbye."}  # fmt: skip


def script(text: str, *, speaker: Speaker, language: str, key: str) -> tuple[str, ...]:
    """What is said, in order: who calls, how to object, and the rest. The greeting is the script's own when its first two
    sentences name the house."""
    sentences = [s.strip() for s in _SENTENCE.split(_FORBIDDEN.sub("", text).strip(), maxsplit=2) if s.strip()]
    words = spoken(language)
    for n in range(1, min(2, len(sentences)) + 1):
        if speaker.brand.casefold() in " ".join(sentences[:n]).casefold():
            rest = (" ".join(sentences[n:]),) if sentences[n:] else ()
            return (" ".join(sentences[:n]), words["object"].format(key=key), *rest)
    return (words["who"].format(brand=speaker.brand), words["object"].format(key=key), " ".join(sentences))


def twiml(one: Handed, *, speaker: Speaker, account: Account) -> str:
    """The call as TwiML: everything is said inside `<Gather>`, so that a key works at any moment."""
    from twilio.twiml.voice_response import Gather, VoiceResponse

    response = VoiceResponse()
    gather = Gather(input="dtmf", num_digits=1, timeout=WAITS, action=account.pressed_url(one.mark, one.language), method="POST")
    said = script(
        one.rendered.parts.get("script", "") if one.rendered else "",
        speaker=speaker,
        language=one.language,
        key=account.opt_out_key,
    )
    for n, sentence in enumerate(said):
        if n:
            gather.pause(length=1)
        _say(gather, sentence, one.language, speaker)
    response.append(gather)
    response.hangup()
    return str(response)


def _say(into: Gather | VoiceResponse, text: str, language: str, speaker: Speaker) -> None:
    attributes: dict[str, Any] = {}
    if speaker.voice:
        attributes["voice"] = speaker.voice
    locale = language if _LOCALE.fullmatch(language) else LOCALES.get(language[:2])
    if locale:
        attributes["language"] = locale
    into.say(text, **attributes)


def goodbye(language: str, *, objected: bool, voice: str | None = None) -> bytes:
    """What is said after a key: thanks, or that nobody will call again; then the call ends (rules.md SU-10, FR-10)."""
    from twilio.twiml.voice_response import VoiceResponse

    response = VoiceResponse()
    _say(response, spoken(language)["gone" if objected else "thanks"], language, Speaker("", voice))
    response.hangup()
    return str(response).encode("utf-8")


def call(one: Handed, account: Account, *, speaker: Speaker) -> dict[str, Any] | Outcome:
    """The arguments of one call; an Outcome when it cannot be made."""
    if not one.address:
        return Outcome("rejected", code="21201", detail=t("nobody to call", "personne à appeler"), bad_address=True)
    if not one.sender:
        why = t("channels.voice.from is missing", "il manque channels.voice.from")
        return Outcome("not_sent", code="21603", detail=why, halt=True, halts="channel")
    url = account.status_url(one.mark)
    if url is None or not one.mark:
        why = t(
            "a machine calls only where a key can be heard: set public_url",
            "une machine n'appelle que si l'on entend les touches : public_url",
        )
        return Outcome("not_sent", code="public_url", detail=why, halt=True, halts="channel")
    if not (one.rendered and one.rendered.parts.get("script", "").strip()):
        return Outcome("rejected", code="21602", detail=t("the script is empty", "le script est vide"))
    text = twiml(one, speaker=speaker, account=account)
    if len(text) > TWIML:
        why = t("{n} characters of TwiML, at most {most}", "{n} caractères de TwiML, au plus {most}", n=len(text), most=TWIML)
        return Outcome("rejected", code="21617", detail=why)
    return {
        "to": one.address, "from_": one.sender, "twiml": text, "timeout": RINGS, "time_limit": LASTS,
        "status_callback": url, "status_callback_method": "POST", "status_callback_event": list(EVENTS),
        "machine_detection": "Enable", "async_amd": "true", "async_amd_status_callback": url, "async_amd_status_callback_method": "POST",
    }  # fmt: skip
