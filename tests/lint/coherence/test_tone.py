"""Emoji, shouting and registers are read as people read them: a family is one emoji, `le ton` is no possessive."""

from __future__ import annotations

import pytest

from omnicli.lint.coherence import tone
from omnicli.lint.coherence.registers import _lists, foreign_to, without_list


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("Bonjour 👋", 1), ("👨‍👩‍👧‍👦", 1), ("🇫🇷🇬🇧", 2), ("👍🏽", 1), ("❤️", 1), ("❤", 0), ("1️⃣ 2️⃣", 2), ("→ ✓ © № ★ 20 % # *", 0), ("✨⭐🎁", 3), ("🏳️‍🌈", 1), ("☎️", 1)],
)  # fmt: skip
def test_emoji_are_counted_as_seen(text: str, count: int) -> None:
    assert len(list(tone.emoji(text))) == count


@pytest.mark.parametrize(
    ("text", "found"),
    [("THANK YOU FOR COMING", ["THANK YOU FOR COMING"]), ("DERNIÈRE CHANCE, PROFITEZ vite", ["DERNIÈRE CHANCE, PROFITEZ"]), ("un SMS et un QR", []), ("SMS STOP TVA", ["SMS STOP TVA"]), ("Avec BIENVENUE20", []), ("Le MOT", [])],
)  # fmt: skip
def test_three_words_in_capitals_are_shouting(text: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in tone.loud(text)] == found


def test_sentences_are_measured() -> None:
    assert tone.words_a_sentence("Un deux. Trois quatre !") == (2.0, 2)
    assert tone.words_a_sentence("…") == (0.0, 0)
    assert tone.words("Avec BIENVENUE20, c'est 20 % jusqu'au 31.") == 6


TU, VOUS = "tu", "vous"


@pytest.mark.parametrize(
    ("language", "register", "text", "words"),
    [
        ("fr", TU, "Voici votre code, profitez-en chez vous.", ["votre", "profitez", "vous"]), ("fr", TU, "Chez nous, assez de nez.", []), ("fr", TU, "Découvrez !", ["Découvrez"]),
        ("fr", VOUS, "Ton code t'attend, et ta bougie aussi.", ["Ton", "t'", "ta"]), ("fr", VOUS, "Ton code t’attend", ["Ton", "t’"]), ("fr", VOUS, "Le ton juste, un ton au-dessus", []),
        ("fr", VOUS, "Profite de 20 %. La lune profite à tous.", ["Profite"]), ("fr", VOUS, "Va-t'en", ["Va"]), ("fr", VOUS, "Dis-toi bien", ["Dis", "toi"]), ("fr", VOUS, "Y a-t-il un tuteur ?", []),
        ("fr", VOUS, "Reviens vite", ["Reviens"]), ("fr", "informal", "TES ET VOS", ["VOS"]), ("fr-CA", TU, "votre", ["votre"]),
        ("de", VOUS, "Dein Code für dich", ["Dein", "dich"]), ("de", TU, "Hier ist Ihr Code, nur für Sie.", ["Ihr", "Sie"]), ("de", TU, "Sie ist da. Ihr Duft bleibt.", []), ("de", TU, "Entdecken Sie mehr", ["Sie"]),
        ("es", VOUS, "Tu código te espera", ["Tu", "te"]), ("es", TU, "Para usted. Descubra más", ["usted", "Descubra"]), ("es", VOUS, "Té para todos", []), ("it", VOUS, "Il tuo codice", ["tuo"]),
        ("nl", TU, "Uw code voor u", ["Uw", "u"]), ("nl", VOUS, "Jouw code", ["Jouw"]), ("ru", TU, "Ваш код", ["Ваш"]), ("pl", VOUS, "Twój kod", ["Twój"]), ("pt", VOUS, "O teu código", ["teu"]),
    ],
)  # fmt: skip
def test_words_of_the_other_register_are_found(language: str, register: str, text: str, words: list[str]) -> None:
    pattern = foreign_to(language, register)
    assert pattern is not None
    found = [match[0] for match in pattern.finditer(text)]
    if language == "de" and text.startswith("Entdecken"):
        assert found in (["Sie"], ["Entdecken Sie"])
    else:
        assert found == words


def test_english_has_one_form_and_basque_no_list() -> None:
    assert foreign_to("en", TU) is None
    assert foreign_to("eu", TU) is None
    assert without_list(["fr", "en-GB", "eu", "ja"]) == ("eu", "ja")


@pytest.mark.parametrize("language", [language for language, lists in _lists().items() if lists])
def test_no_word_is_of_both_registers(language: str) -> None:
    lists = _lists()[language]
    for register, other in ((TU, "informal"), (VOUS, "formal")):
        pattern = foreign_to(language, register)
        assert pattern is not None
        for word in lists[other].get("words", ()):
            assert not pattern.fullmatch(word), word
