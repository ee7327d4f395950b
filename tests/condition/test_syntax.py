"""The shipped parser is current, quick to import, and keeps what was written."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnicli.condition import generate
from omnicli.condition.explain import clauses
from omnicli.condition.problem import ConditionError, Problem
from omnicli.condition.syntax import WORDS, Comparison, Junction, Occurrence, parse


def test_the_shipped_parser_was_made_from_this_grammar() -> None:
    first = generate.PARSER.read_text(encoding="utf-8").partition("\n")[0]
    assert first == f"# grammar {generate.fingerprint()}", "run python -m omnicli.condition.generate"


def test_the_shipped_parser_and_lark_read_the_same_trees() -> None:
    from lark import Lark

    from omnicli.condition.lalr import Lark_StandAlone

    shipped = Lark_StandAlone()
    made = Lark(generate.GRAMMAR.read_text(encoding="utf-8"), parser="lalr", propagate_positions=True, maybe_placeholders=True)
    for text in (
        "purchase where (category = bougies and value > 100 EUR) within 90 days", "a = 1 or not (b in (x, 'y z', 3 km) and c is missing)",
        "last(purchase where (at before 7 days after first(clicked j0)), 12 months) before 30 days ago", "renewal within next 1 month",
    ):  # fmt: skip
        assert shipped.parse(text).pretty() == made.parse(text).pretty()


def test_reading_a_condition_imports_neither_lark_nor_regex_nor_sqlalchemy_nor_pydantic() -> None:
    code = (
        "import sys; from omnicli.condition.syntax import parse; parse('orders = 0 and clicked within 3 days'); "
        "print(sorted({'lark', 'regex', 'sqlalchemy', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_words_end_where_the_word_ends() -> None:
    node = parse("android = 1 and in-store = 2 or notes = order")
    assert isinstance(node, Junction)
    assert [part.word for part in (node,)] == ["or"]
    left = node.parts[0]
    assert isinstance(left, Junction)
    assert [part.left.text for part in left.parts if isinstance(part, Comparison)] == ["android", "in-store"]  # type: ignore[union-attr]


def test_words_of_the_language_are_read_in_any_case_and_numbers_keep_their_text() -> None:
    node = parse("NOT Purchase_x WHERE (code = 01000) Within 3 DAYS")
    inner = node.part  # type: ignore[union-attr]
    assert isinstance(inner, Occurrence)
    assert inner.where.value.text == "01000"  # type: ignore[union-attr]
    assert inner.window is not None
    assert inner.window.length is not None
    assert (inner.window.length.count, inner.window.length.unit) == ("3", "day")


def test_positions_are_code_points_of_the_text() -> None:
    text = "ville = 'Orléans' and  age > 3"
    node = parse(text)
    assert isinstance(node, Junction)
    assert [text[part.at[0] : part.at[1]] for part in node.parts] == ["ville = 'Orléans'", "age > 3"]


def test_clauses_look_through_parentheses_around_an_and() -> None:
    assert clauses("a = 1 and (b = 2 and (c = 3 or d = 4)) and not e") == ("a = 1", "b = 2", "(c = 3 or d = 4)", "not e")


PIECES = st.sampled_from([*sorted(WORDS), "orders", "clicked", "=", "==", "<", "(", ")", ",", "3", "39,9", "days", "'a", '"b"', "«", "EUR", "2027-01-01", "count(", ".", "#", "&&", "é", "\t"])  # fmt: skip


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(pieces=st.lists(PIECES, max_size=12), text=st.text(max_size=30))
def test_any_text_is_read_or_refused_at_a_column_of_its_own(pieces: list[str], text: str) -> None:
    for written in (" ".join(pieces), text):
        problem = refused(written)
        if problem is not None:
            assert problem.code == "A001"
            assert problem.message
            assert 1 <= problem.column <= problem.column + problem.width <= len(written) + 1


def refused(text: str) -> Problem | None:
    try:
        parse(text)
    except ConditionError as error:
        return error.problem
    return None


def test_a_text_of_nothing_but_parentheses_is_refused_at_once() -> None:
    with pytest.raises(ConditionError, match="levels"):
        parse("(" * 1999)
