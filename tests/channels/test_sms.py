"""SMS parts are counted as carriers count them."""

from __future__ import annotations

import pytest

from omnicli.channels.sms import BASIC, EXTENDED, PLAINER, count_sms, foreign


@pytest.mark.parametrize(
    ("text", "encoding", "parts", "units"),
    [
        ("", "GSM-7", 1, 0),
        ("a" * 160, "GSM-7", 1, 160),
        ("a" * 161, "GSM-7", 2, 161),
        ("a" * 306, "GSM-7", 2, 306),
        ("a" * 307, "GSM-7", 3, 307),
        ("é" * 160, "GSM-7", 1, 160),
        ("€" * 80, "GSM-7", 1, 160),
        ("€" * 81, "GSM-7", 2, 162),
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 3, 306),  # the euro sign is not split between two parts
        ("[" * 77, "GSM-7", 1, 154),
        ("ç", "UCS-2", 1, 1),
        ("ç" * 70, "UCS-2", 1, 70),
        ("ç" * 71, "UCS-2", 2, 71),
        ("ç" * 134, "UCS-2", 2, 134),
        ("ç" * 135, "UCS-2", 3, 135),
        ("🕯" * 35, "UCS-2", 1, 70),
        ("🕯" * 36, "UCS-2", 2, 72),
        ("a" * 66 + "🕯" + "a" * 66, "UCS-2", 3, 134),  # nor is a surrogate pair
        ("a" * 100 + "\u00a0", "UCS-2", 2, 101),  # one no-break space costs a part
    ],
)
def test_parts_of_a_text(text: str, encoding: str, parts: int, units: int) -> None:
    counted = count_sms(text)
    assert (counted.encoding, counted.parts, counted.units) == (encoding, parts, units)


def test_the_alphabet_has_its_127_characters_and_nine_on_the_second_page() -> None:
    assert len(BASIC) == 127  # 128 places, one of them the escape
    assert len(EXTENDED) == 10  # and the form feed


def test_what_forces_the_dear_encoding_is_named_once_in_order() -> None:
    assert foreign("ça, c’est ça") == ("ç", "’")


def test_what_is_proposed_instead_is_always_cheap() -> None:
    assert not [letter for letter, plain in PLAINER.items() if foreign(plain) and letter not in BASIC]


def test_the_quick_count_is_the_slow_count() -> None:
    """Every length near the edges, with the double characters anywhere."""
    for size in (*range(150, 172), *range(300, 312), *range(455, 464)):
        for at in (0, 75, 152, 153, size - 1):
            text = "a" * at + "€" + "a" * max(0, size - at - 1)
            assert count_sms(text).parts == _slowly(text)


def _slowly(text: str) -> int:
    units = sum(2 if letter in EXTENDED else 1 for letter in text)
    if units <= 160:
        return 1
    parts, used = 1, 0
    for letter in text:
        size = 2 if letter in EXTENDED else 1
        if used + size > 153:
            parts, used = parts + 1, 0
        used += size
    return parts
