"""The folded reach: equal reach is equal text, old texts stay readable, a topic that was left costs the others nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from omnicli.model.contact import ChannelReach, read_reach, write_reach

NOW = datetime(2027, 1, 4, 10, 30, tzinfo=UTC)


def test_a_reach_without_topics_is_the_text_that_it_was() -> None:
    text = '{"email":[1,1,null,null,null,null],"sms":[1,null,null,"bounced",null,null]}'
    reach = read_reach(text)
    assert reach == {"email": ChannelReach(True, True), "sms": ChannelReach(True, None, None, "bounced")}
    assert write_reach(reach) == text


def test_topics_are_a_seventh_item_in_the_order_of_their_names() -> None:
    left = ("soldes", None), ("nouveautes", NOW)
    text = write_reach({"email": ChannelReach(True, True, left=left)})
    assert text == '{"email":[1,1,null,null,null,null,{"nouveautes":1799058600000,"soldes":null}]}'
    assert text == write_reach({"email": ChannelReach(True, True, left=left[::-1])})
    assert read_reach(text)["email"].left == (("nouveautes", NOW), ("soldes", None))
    assert write_reach(read_reach(text)) == text


@pytest.mark.parametrize(
    ("topic", "later", "gone"),
    [
        ("soldes", 0, True),
        ("nouveautes", 0, True),
        ("nouveautes", 60, False),  # until then, not at it
        ("atelier", 0, False),
        (None, 0, False),
    ],
)
def test_a_topic_is_left_for_good_or_until_its_end(topic: str | None, later: int, gone: bool) -> None:
    here = ChannelReach(True, True, left=(("nouveautes", NOW + timedelta(seconds=60)), ("soldes", None)))
    assert here.without(topic, NOW + timedelta(seconds=later)) is gone
    assert here.barred(NOW) is None
