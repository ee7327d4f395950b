"""What a machine says in a call: who and how to object first, in the contact's language, with one key heard at any moment."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from twilio_values import MARK, PUBLIC, a_call, a_provider, close_all

from omnicli.providers.twilio import voice
from omnicli.providers.twilio.voice import Speaker, script

LUNE = Speaker("Maison Lune", "Polly.Lea")


def a_tree(
    text: str = "Bonjour Léa, ici Maison Lune. Votre commande est prête.", language: str = "fr", **changes: object
) -> ElementTree.Element:
    provider = a_provider("http://127.0.0.1:9")
    found = voice.call(a_call(text, language=language), provider.account_settings, speaker=Speaker("Maison Lune", **changes))  # type: ignore[arg-type]
    close_all()
    assert isinstance(found, dict)
    return ElementTree.fromstring(found["twiml"].encode())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Bonjour Léa, ici Maison Lune. Votre commande est prête.", ("Bonjour Léa, ici Maison Lune.", "Pour ne plus être appelé, tapez 9.", "Votre commande est prête.")),
        ("Bonjour. Maison Lune à l'appareil. Tapez 1.", ("Bonjour. Maison Lune à l'appareil.", "Pour ne plus être appelé, tapez 9.", "Tapez 1.")),
        ("Votre commande est prête.", ("Bonjour, ici Maison Lune.", "Pour ne plus être appelé, tapez 9.", "Votre commande est prête.")),
        ("Un. Deux. Trois, de Maison Lune.", ("Bonjour, ici Maison Lune.", "Pour ne plus être appelé, tapez 9.", "Un. Deux. Trois, de Maison Lune.")),
        ("ICI MAISON LUNE\n\nÀ demain", ("ICI MAISON LUNE", "Pour ne plus être appelé, tapez 9.", "À demain")),
        ("Ici Maison Lune", ("Ici Maison Lune", "Pour ne plus être appelé, tapez 9.")),
    ],
)  # fmt: skip
def test_who_calls_comes_first_then_how_to_object_then_why(text: str, said: tuple[str, ...]) -> None:
    assert script(text, speaker=LUNE, language="fr", key="9") == said


def test_the_words_of_omni_follow_the_contacts_language() -> None:
    assert script("Your order is ready.", speaker=LUNE, language="en", key="0")[:2] == (
        "Hello, this is Maison Lune.",
        "To stop these calls, press 0.",
    )
    assert script("Hallo.", speaker=LUNE, language="de", key="0")[0] == "Hello, this is Maison Lune."


def test_everything_is_said_while_a_key_is_listened_for() -> None:
    root = a_tree(voice="Polly.Lea")
    gather = root[0]
    assert [child.tag for child in root] == ["Gather", "Hangup"]
    assert gather.attrib == {"input": "dtmf", "numDigits": "1", "timeout": "6", "method": "POST",
                             "action": f"{PUBLIC}/webhooks/twilio/inbound?o={MARK}&l=fr#rc=3&rp=5xx,ct,rt"}  # fmt: skip
    says = gather.findall("Say")
    assert [say.attrib for say in says] == [{"language": "fr-FR", "voice": "Polly.Lea"}] * 3
    assert says[1].text == "Pour ne plus être appelé, tapez 9."


@pytest.mark.parametrize(
    ("language", "locale"), [("fr", "fr-FR"), ("en", "en-US"), ("pt", "pt-PT"), ("fr-CA", "fr-CA"), ("tlh", None), ("", None)]
)
def test_a_voice_speaks_the_language_that_twilio_knows_or_its_own(language: str, locale: str | None) -> None:
    assert a_tree(language=language)[0][0].attrib == ({"language": locale} if locale else {})


@pytest.mark.parametrize("name", ["<Say>Pirate</Say>", "\x00\x08Léa", "]]>", "&amp;", "\ud800", "a\ufffeb"])
def test_a_field_is_words_and_never_a_verb(name: str) -> None:
    root = a_tree(f"Bonjour {name}, ici Maison Lune. À demain.")
    assert [child.tag for child in root[0]] == ["Say", "Pause", "Say", "Pause", "Say"]
