"""The short way of common events gives what the long way gives, byte for byte, or stands aside."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sendgrid_values import KEY, KEYS, NOW

from omnicli import clock
from omnicli.campaigns.respond.optout import carries
from omnicli.model.kept import Kept, read_raw, write_raw
from omnicli.model.signed import Reader, mark, read_mark
from omnicli.providers.sendgrid import events
from omnicli.providers.sendgrid.hearing import elements, objects
from omnicli.providers.sendgrid.usual import usual

BEFORE = clock.to_ms(NOW) // 1000
MARKS = Reader({0: b"o" * 32, **KEYS})
TOUCH = "00000000000000000000000000000abc"
odd = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8), st.lists(st.integers(), max_size=1)
)
words = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["a", "é", '"', "\\", "a\nb", "\u200b", "\ud800", "x" * 199, "x" * 201, "x" * 301, "x" * 2001]),
)


def usually(likely: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(likely, likely, likely, likely, odd)


ELEMENT = st.fixed_dictionaries(
    {
        "event": usually(st.sampled_from(["delivered", "processed", "open", "click", "deferred", "bounce", "dropped", "unsubscribe"])),
        "timestamp": usually(st.sampled_from([BEFORE, BEFORE - 60, 1, 0, BEFORE + 60, 10**11])),
        "sg_event_id": usually(words), "sg_message_id": usually(st.one_of(words, st.just("abc.def"), st.just(".x"))), "email": usually(words),
        "omni": usually(st.one_of(st.integers(1, 99).map(lambda n: mark(KEY, TOUCH, n)), st.sampled_from([mark(KEY, TOUCH, 1).upper(), mark(b"f" * 32, TOUCH, 1), mark(b"o" * 32, TOUCH, 2), ""]))),
    },
    optional={"url": usually(words), "reason": usually(words), "useragent": usually(words), "sg_machine_open": odd, "type": odd, "category": odd},
)  # fmt: skip


def plain(**changes: Any) -> dict[str, Any]:
    return {"event": "delivered", "timestamp": BEFORE - 60, "sg_event_id": "e1", "sg_message_id": "abc.x", "email": "p1@example.com",
            "omni": mark(KEY, TOUCH, 2), **changes}  # fmt: skip


def both(element: dict[str, Any]) -> tuple[Kept | None, Any]:
    raw = json.dumps(element).encode()
    short = usual(element, raw, marks=MARKS, before=BEFORE)
    return short, events.receipt(element, raw, keys={0: b"o" * 32, **KEYS}, topics={}, now=NOW)


@settings(max_examples=150, deadline=None)
@given(ELEMENT)
@example(plain(event="click", url="https://example.com/?a=1&b=é", useragent="x" * 1000))
@example(plain(event="open", sg_machine_open=True))
@example(plain(event="processed", sg_message_id=".x"))
@example(plain(event="click", url="", sg_message_id=".x"))
def test_both_ways_keep_the_same(element: dict[str, Any]) -> None:
    short, long = both(element)
    if short is not None:
        assert long.response is not None
        assert (short.provider, short.key, short.raw, short.event_id, short.note) == (
            long.provider,
            long.key,
            long.raw,
            long.event_id,
            None,
        )
        assert (short.text, short.at) == (write_raw(long.response), long.at)
        assert short.response == read_raw(write_raw(long.response))
        assert not carries(long.response.name, long.response.payload)


def test_the_usual_ones_go_the_short_way_and_whatever_may_bar_goes_the_long_way() -> None:
    for kind in ("delivered", "processed", "open", "click"):
        assert both(plain(event=kind, url="https://example.com/x"))[0] is not None
    for kind in ("deferred", "bounce", "dropped", "spamreport", "unsubscribe", "group_unsubscribe", "group_resubscribe", "other"):
        assert both(plain(event=kind))[0] is None
    assert both(plain(omni=mark(b"f" * 32, TOUCH, 2)))[0] is None
    assert both({**plain(), "omni": None})[0] is None


SPACE = st.sampled_from(["", " ", "\r\n", "\t\n "])
VALUES = st.recursive(
    st.one_of(st.integers(), st.text(max_size=6), st.sampled_from(["},{", "} , {", "{", '"}', "]", "é},\n{"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "},{"]), inner, max_size=2)), max_leaves=5,
)  # fmt: skip
ITEMS = st.lists(st.one_of(st.dictionaries(st.text(max_size=3), VALUES, max_size=3), st.just({}), st.just(1)), max_size=5)


@settings(max_examples=120, deadline=None)
@given(ITEMS, SPACE, SPACE, st.sampled_from(["", ",", "x", "]", "\ufeff"]))
def test_objects_parsed_at_one_go_are_the_elements_with_their_own_bytes(
    items: list[Any], before: str, after: str, end: str
) -> None:
    text = (
        before
        + "["
        + after
        + f"{after},{before}".join(json.dumps(item, ensure_ascii=False) for item in items)
        + before
        + "]"
        + end
    )
    body = text.encode("utf-8", "surrogatepass")
    found = objects(text, body)
    if found is not None:
        assert found == [(element, raw.encode("utf-8", "surrogatepass")) for element, raw in elements(text)]


def test_objects_are_found_where_nothing_looks_like_a_border_and_nowhere_else() -> None:
    assert objects('[{"a":1},\r\n{"b":"é"}]', '[{"a":1},\r\n{"b":"é"}]'.encode()) == [
        ({"a": 1}, b'{"a":1}'),
        ({"b": "é"}, '{"b":"é"}'.encode()),
    ]
    for text in ('[{"a":"},{"}]', '[{"a":[{},{}]}]', "[]", "{}", "[1]", "[{}", "[{},1]", "[NaN]", "[" * 100_000):
        assert objects(text, text.encode()) is None


@given(st.one_of(words, st.integers(1, 120).map(lambda n: mark(KEY, TOUCH, n)), st.just(mark(KEY, TOUCH, 1) + "\n"), odd))
def test_marks_are_read_as_they_are_one_by_one(text: Any) -> None:
    found = read_mark(KEYS, text) if isinstance(text, str) else None
    assert Reader(KEYS)(text) == (None if found is None or text != text.lower() else (found.touch, str(found.attempt)))
