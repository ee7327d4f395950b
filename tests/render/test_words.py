"""The texts of `say` are split once into constants and placeholders."""

from __future__ import annotations

import pytest

from omnicli.render.words import Placeholder, WordsError, parse_words, placeholders


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", ()),
        ("bonjour", ("bonjour",)),
        ("{price}", (Placeholder("price"),)),
        ("à {price} !", ("à ", Placeholder("price", column=3), " !")),
        ("{deadline:weekday}", (Placeholder("deadline", "weekday"),)),
        ('{first_name or "Bonjour"}', (Placeholder("first_name", instead="Bonjour"),)),
        ("{first_name or 'toi'}", (Placeholder("first_name", instead="toi"),)),
        (r'{a or "dit \"oui\""}', (Placeholder("a", instead='dit "oui"'),)),
        ('{ price : short or "" }', (Placeholder("price", "short", ""),)),
        ("{points | one=point | other=points}", (Placeholder("points", plurals=(("one", "point"), ("other", "points"))),)),
        ("{{rien}}", ("{rien}",)),
        ("{orders}{ordinal}", (Placeholder("orders"), Placeholder("ordinal", column=9))),
    ],
)
def test_pieces(text: str, pieces: tuple[object, ...]) -> None:
    assert parse_words(text) == pieces


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("a } b", 3, "stands alone"),
        ("a {", 4, "a name"),
        ("a {price", 9, "missing"),
        ("a {price!}", 9, "not expected"),
        ("{x or y}", 7, "quoted"),
        ("{n | one=a}", 1, "'other'"),
        ("{n | plenty=a | other=b}", 6, "no plural category"),
        ("{0}", 2, "a name"),
    ],
)
def test_mistakes_have_their_column(text: str, column: int, says: str) -> None:
    with pytest.raises(WordsError, match=says) as caught:
        parse_words(text)
    assert caught.value.column == column


def test_placeholders_alone() -> None:
    assert [one.name for one in placeholders("{a} et {b:short}")] == ["a", "b"]
