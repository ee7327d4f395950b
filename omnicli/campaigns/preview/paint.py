"""Paints what stands at a mark: a fact in its colour, what is personal underlined, each text shown to whom it belongs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from omnicli.campaigns.preview.weave import Value, Weave, by_reader, painted
from omnicli.render.skeleton import Origin, unescape

#: One colour a fact, far enough from each other for most eyes; a fact has the same one in every message of a page.
COLOURS = (
    "#d9480f",
    "#1971c2",
    "#2f9e44",
    "#9c36b5",
    "#e0a100",
    "#0c8599",
    "#e64980",
    "#6741d9",
    "#74832a",
    "#a2582d",
    "#3b5bdb",
    "#c2255c",
)
_PERSONAL = ("contact", "touch", "today", "plural")


@dataclass(frozen=True, slots=True)
class Painter:
    """The facts of a page in their order, and all its readers."""

    facts: Sequence[str]
    everybody: Iterable[int]

    def class_of(self, origin: Origin) -> str:
        """`f2` for a fact, `cut` for a fact that is not whole, `me` for what is personal, `own` for a touch's own address."""
        if not origin:
            return ""
        if origin[0] == "derived":
            return "cut"
        if origin[0] == "fact" and origin[1] in self.facts:
            return f"f{self.facts.index(origin[1])}"
        return "me" if origin[0] in _PERSONAL else "own"

    def text(self, html: str, one: Weave, *, escaped: bool = False) -> str:
        """HTML with marks, painted; `escaped`: the values are HTML already."""
        return painted(html, one, lambda value: self._span(value, one, escaped=escaped))

    def _span(self, value: Value, one: Weave, *, escaped: bool) -> str:
        name = self.class_of(value.origin)
        if value.origin and value.origin[-1] == "qr":
            return f'<span class="qr {name}">{value.first}</span>'
        shown = {reader: text if escaped else escape(text) for reader, text in value.texts.items()}
        inside = by_reader(shown, everybody=one.readers)
        return f'<span class="{name}">{inside}</span>' if inside else ""

    def plain(self, one: Weave, n: int) -> str:
        """A value as an attribute holds it: the first reader's, without HTML's escapes."""
        return unescape(one.values[n].first)
