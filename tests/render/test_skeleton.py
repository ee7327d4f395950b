"""Skeleton and values are the message again, byte for byte."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from omnicli.render.skeleton import Parts, Skeleton, build, cut, escape, read, restore, targets, unescape

anything = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)


def a_skeleton(text: str, count: int, **changes: object) -> Skeleton:
    values: dict[str, object] = {"origins": [None] * count, "html": [False] * count, "made": {}, "usual": {}, "links": ()}
    return build("sms", "sms.txt.j2", {"body": text}, **{**values, **changes})  # type: ignore[arg-type]


def test_marks_are_cut_out() -> None:
    assert cut("a\ue0000\ue001b\ue00112\ue001") == ("a", 0, "b\ue00112\ue001")
    assert cut("\ue0003\ue001\ue0000\ue001") == (3, 0)


@settings(max_examples=150, deadline=None)
@given(st.lists(anything, max_size=6))
def test_any_values_come_back(values: list[str]) -> None:
    text = "".join(f"|\ue000{n}\ue001" for n in range(len(values))) + "fin"
    skeleton = a_skeleton(text, len(values))
    assert restore(skeleton.blob, skeleton.pack(values)) == {"body": "".join(f"|{value}" for value in values) + "fin"}


@settings(max_examples=80, deadline=None)
@given(anything, anything)
def test_values_that_stand_twice_are_kept_once(name: str, price: str) -> None:
    origins = [
        ("contact", "first_name", "", None),
        ("fact", "price", ""),
        ("contact", "first_name", "", None),
        ("fact", "price", ""),
    ]
    html = [False, False, True, True]
    skeleton = build(
        "email", "email", {"subject": "\ue0000\ue001 \ue0001\ue001", "html": "<p>\ue0002\ue001 \ue0003\ue001</p>", "text": "\ue0004\ue001"},
        origins=origins, html=html, made={4: 2}, usual={(("fact", "price", ""), False): "39,92 €"}, links=(),
    )  # fmt: skip
    values = skeleton.complete([name, price, escape(name), escape(price)])
    assert skeleton.kept == (0, 1)
    assert restore(skeleton.blob, skeleton.pack(values)) == {
        "subject": f"{name} {price}", "html": f"<p>{escape(name)} {escape(price)}</p>", "text": name,
    }  # fmt: skip


def test_what_everybody_is_told_costs_nothing() -> None:
    skeleton = a_skeleton(
        "\ue0000\ue001\ue0001\ue001", 2, origins=[("fact", "price", ""), None], usual={(("fact", "price", ""), False): "39,92 €"}
    )
    assert skeleton.pack(["39,92 €", "Léa"]) == "5\x1fLéa".encode()


def test_a_skeleton_is_known_by_its_content_alone() -> None:
    one, other = a_skeleton("a\ue0000\ue001", 1), a_skeleton("a\ue0000\ue001", 1)
    assert one.hash == other.hash
    assert one.blob == other.blob
    assert a_skeleton("b\ue0000\ue001", 1).hash != one.hash
    assert read(one.blob).hash == one.hash


def test_targets_of_tracked_links_are_kept_even_when_they_are_personal() -> None:
    skeleton = a_skeleton("\ue0000\ue001", 2, links=("https://a.example/", "\ue0001\ue001"))
    assert targets(skeleton.blob, skeleton.pack(["token", "https://b.example/léa"])) == (
        "https://a.example/",
        "https://b.example/léa",
    )


def test_parts_are_joined_only_when_read() -> None:
    skeleton = a_skeleton("a\ue0000\ue001", 1)
    parts = Parts(skeleton, ("x",))
    assert list(parts) == ["body"]
    assert parts["body"] == "ax"
    assert "x" not in repr(parts)


@given(anything)
def test_escapes_are_undone(text: str) -> None:
    assert unescape(escape(text)) == text
    assert not set("<>\"'") & set(escape(text))
