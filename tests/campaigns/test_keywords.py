"""What a written answer asks for, in French and in English (docs/delivery 17)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from omnicli.campaigns.respond.history import Verdict, Word, judge
from omnicli.campaigns.respond.keywords import keyword, of_payload, said, the_words

TORTURE = Path(__file__).parents[3] / "shared" / "data" / "torture" / "omni-extra" / "inputs.json"
STOP = ("stop", "STOP", " Stop. ", "STOP!!!", "«Stop»", "stop all", "STOPALL", "Unsubscribe", "cancel", "END", "quit", "revoke", "opt-out", "OptOut", "remove",
        "Arrêt", "ARRET", "arrêter", "désabo", "Désabonnement", "STOP SVP", "Please stop", "stop merci", "s t o p", "ＳＴＯＰ", "ST\u200bOP", "stop\n\n", "Stop sms",
        "plus de sms", "Plus de SMS svp !", "leave me alone", "Leave me alone please, I am tired of this", "arrêtez vos messages", "Arrêtez de m'envoyer des messages",
        "Ne m'envoyez plus rien", "Je ne veux plus recevoir vos publicités", "do not contact me again", "Don't text me", "stop texting me", "no more texts",
        "Take me off your list", "Désinscrivez-moi", "Laissez-moi tranquille", "ne me contactez plus", "Merci d'arrêter : plus aucun message")  # fmt: skip
START = ("START", "start", "Yes", "unstop", "OUI", "oui !")
HELP = ("help", "HELP", "Info", "aide ?")
DOUBT = (
    "ST0P",
    "je crois que je voudrais arrêter un jour",
    "the bus stop is closed",
    "c'est du spam ?",
    "mauvais numéro",
    "Désabonnement de mon fils ?",
    "RGPD",
)
NOTHING = ("unstoppable", "Unstoppable!", "don't stop", "Ne stop pas, continuez", "non-stop", "N'arrêtez pas !", "je veux plus de pizza", "Plus d'infos ?",
           "Oui, avec plaisir", "ok merci", "", "   ", "…", "\x00", "4", "the end of the day", "cancelled", "nonstop", "J'adore vos messages", "x" * 5000)  # fmt: skip


@pytest.mark.parametrize("word", ["stop", "start", "help", "doubt", None])
def test_a_message_asks_for(word: str | None) -> None:
    texts = {"stop": STOP, "start": START, "help": HELP, "doubt": DOUBT, None: NOTHING}[word]
    assert {text: said(text) for text in texts} == dict.fromkeys(texts, word)


def test_a_long_message_that_quotes_ours_is_no_refusal() -> None:
    assert said("Bonjour, " + "je vous écris au sujet de ma commande. " * 40 + "STOP au 36180") is None


def test_what_the_provider_answered_already_is_what_it_was_taken_for() -> None:
    assert of_payload({"text": "?", "opt_out": "STOP"}) == "stop"
    assert of_payload({"text": "stop", "opt_out": "nonsense"}) == "stop"
    assert of_payload({}) is None


def test_the_torture_forms() -> None:
    if not TORTURE.exists():
        pytest.skip("../shared/data is not here")
    forms = [form.get("Body", "") for form in json.loads(TORTURE.read_text())["twilio_forms"]]
    told = {form: said(form) for form in forms}
    assert {form for form, word in told.items() if word == "doubt"} == {"ST0P"}
    assert {form for form, word in told.items() if word is None} == {"don't stop", "", "\x00"} | {
        form for form in forms if len(form) > 100
    }
    assert all(keyword(form) is not None for form in forms)


def test_naughty_strings_never_raise() -> None:
    blns = TORTURE.parents[1] / "blns" / "blns.json"
    if not blns.exists():
        pytest.skip("../shared/data is not here")
    assert sum(said(text) == "stop" for text in json.loads(blns.read_text())) == 0


def test_the_words_are_dated_and_each_is_found_by_itself() -> None:
    known = the_words()
    assert {word for word, kind in known.whole.items() if kind == "stop"} >= {"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "opt out",
                                                                            "remove", "arret", "desabo"}  # fmt: skip
    assert {word for word, kind in known.whole.items() if kind == "start"} == {"start", "yes", "unstop", "oui"}
    assert {word for word, kind in known.whole.items() if kind == "help"} == {"help", "info", "aide"}


# --- the words of one sender ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ("", (None, None)),
        ("stop@3", (3, None)),
        ("stop@3 stop@5", (3, None)),
        ("stop@3 start@5", (None, None)),
        ("stop@3 start@5 stop@7 stop@8", (7, None)),
        ("start@3 stop@3", (3, None)),
        ("doubt@2 stop@3", (3, 2)),
        ("doubt@2 stop@3 start@4 doubt@4", (None, 4)),
    ],
)
def test_the_first_refusal_since_the_last_start_stands(words: str, verdict: tuple[int | None, int | None]) -> None:
    said_ = [Word(int(at), word, 1) for word, _, at in (one.partition("@") for one in words.split())]  # type: ignore[arg-type]
    for order in (said_, said_[::-1]):
        found: Verdict = judge(order)
        assert (found.stopped, found.doubted) == verdict
