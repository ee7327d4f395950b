"""Trees are compared, never text; words side by side; a step keeps its name wherever it stands."""

from __future__ import annotations

import pytest

from omnicli.campaigns.diff.compare import compare
from omnicli.campaigns.diff.words import runs
from omnicli.model.campaign import Campaign

TWO = [{"send": "offre", "by": "email", "id": "j0"}, {"wait": "3 days", "id": "w"}, {"send": "offre", "by": "sms", "id": "j1"}]


def a_campaign(flow: list[dict[str, object]], **changes: object) -> Campaign:
    whole = {
        "campaign": "c", "title": "T", "enter": {"when": ["signup"]}, "flow": flow,
        "messages": {"offre": {"facts": {"offer": "20 %"}, "say": {"fr": {"body": "Ton code t'attend, Léa"}}}}, **changes,
    }  # fmt: skip
    return Campaign.model_validate(whole, by_alias=True, by_name=False)


def steps(before: list[dict[str, object]], after: list[dict[str, object]]) -> list[tuple[str, str]]:
    return [(c.step, c.kind) for c in compare(a_campaign(before), a_campaign(after)).flow]


def test_the_same_tree_differs_in_nothing() -> None:
    assert not compare(a_campaign(TWO), a_campaign(TWO, title="Another title"))


@pytest.mark.parametrize(("after", "expected"), [
    ([*TWO, {"wait": "1 day", "id": "x"}], [("x", "added")]),
    (TWO[:2], [("j1", "removed")]),
    ([TWO[0], {"wait": "2 days", "id": "w"}, TWO[2]], [("w", "changed")]),
    ([TWO[1], TWO[0], TWO[2]], [("j0", "moved")]),
])  # fmt: skip
def test_steps_are_added_removed_changed_and_moved(after: list[dict[str, object]], expected: list[tuple[str, str]]) -> None:
    found = steps(TWO, after)
    assert found == expected or (expected[0][1] == "moved" and len(found) == 1 and found[0][1] == "moved")


def test_facts_and_words_stand_with_their_message() -> None:
    after = {"offre": {"facts": {"offer": "25 %"}, "say": {"fr": {"body": "Ton code vous attend, Léa"}}}}
    [change] = compare(a_campaign(TWO), a_campaign(TWO, messages=after)).messages
    assert [(c.name, c.before, c.after) for c in change.facts] == [("offer", "20 %", "25 %")]
    assert [c.name for c in change.words] == ["fr.body"]


@pytest.mark.parametrize(
    ("before", "after"), [("a b c", "a x c"), ("", "new"), ("gone", ""), ("{x} now", "{y} now"), ("a  b", "b  a")]
)
def test_the_runs_of_a_text_are_both_texts(before: str, after: str) -> None:
    found = runs(before, after)
    assert "".join(r.text for r in found if r.sign in " -") == before
    assert "".join(r.text for r in found if r.sign in " +") == after
