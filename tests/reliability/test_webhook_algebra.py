"""R8: whatever the order and the repeats in which webhooks arrive, one set of them leaves one state (docs/delivery 15)."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from algebra import ORDERS, PEOPLE, STORIES, Crowd, Story

#: What the story leaves, where the order could have mattered most.
LEAVES = {
    0: lambda k: k["touch"] == [("accepted", "delivered", "clicked opened")] and "bars" not in k,
    1: lambda k: k["touch"] == [("accepted", "bounced", "clicked opened")] and {e[0] for e in k["events"]} >= {"delivered", "bounced"}
    and reasons(k) == {("email", "all", "bounced")},
    2: lambda k: k["touch"] == [("accepted", "dropped", "clicked")] and reasons(k) == {("email", "all", "bounced")},
    3: lambda k: reasons(k) == {("email", "marketing", "complained"), ("email", "marketing", "unsubscribed")} and bar(k, "email") == "complained",
    4: lambda k: reasons(k) == {("sms", "marketing", "stop")} and len(k["consents"]) == 1,
    5: lambda k: reasons(k) == {("sms", "marketing", "complained"), ("sms", "marketing", "doubt")} and len(k["cases"]) == 2,
    6: lambda k: k["touch"] == [("accepted", "delivered", "clicked opened replied")] and k["attempts"] == [(1, "accepted")],
    7: lambda k: k["attempts"] == [(1, "waived"), (2, "accepted")] and (1, "confirmed_duplicate") in k["evidence"],
    8: lambda k: k["touch"][0][0] == "accepted" and k["attempts"] == [(1, "accepted")] and reasons(k) == {("email", "topic:soldes", "unsubscribed")},
    9: lambda k: "bars" not in k,
    10: lambda k: reasons(k) == {("sms", "all", "bounced"), ("sms", "marketing", "stop")},
    11: lambda k: k["touch"][0][0] == "accepted" and k["attempts"] == [(1, "accepted")] and (1, "contradiction") in k["evidence"],
}  # fmt: skip


def reasons(known: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {row[:3] for row in known.get("bars", ())}


def bar(known: dict[str, Any], channel: str) -> str | None:
    return json.loads(known["person"][0][0])[channel][4]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Crowd:
    return Crowd(tmp_path_factory.mktemp("crowd"))


@pytest.mark.parametrize("number", range(len(STORIES)), ids=[story.title for story in STORIES])
def test_every_order_of_a_story_leaves_one_state(crowd: Crowd, number: int) -> None:
    story: Story = STORIES[number]
    assert len(story.said) == 6
    crowd.begin(story)
    crowd.tell(story, ORDERS, fold_each=True)
    known = crowd.known()
    states = Counter(json.dumps(state, sort_keys=True, default=str) for state in known.values())
    first = known[crowd.names[0]]
    odd = next((name for name, state in known.items() if state != first), None)
    assert len(states) == 1, (
        f"{len(states)} states; {ORDERS[0]} leaves {first}, {odd and ORDERS[crowd.names.index(odd)]} leaves {odd and known[odd]}"
    )
    assert LEAVES[number](first), first


@pytest.mark.parametrize("number", [1, 4, 7, 10])
def test_a_story_folded_at_once_leaves_what_it_leaves_piece_by_piece(crowd: Crowd, number: int) -> None:
    story = STORIES[number]
    states = []
    for fold_each in (False, True):
        crowd.begin(story)
        crowd.tell(story, [ORDERS[0]] * 3, fold_each=fold_each)
        states.append(crowd.known()[crowd.names[0]])
    assert states[0] == states[1]


def test_all_orders_of_all_stories_are_told() -> None:
    assert len(STORIES) == 12
    assert PEOPLE < 720 or len(STORIES) * len(set(ORDERS)) == 8640
