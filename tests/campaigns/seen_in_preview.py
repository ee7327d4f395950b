"""Reads a preview as one of its readers does: the text of each frame, with what is meant for others left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"])
_MASK = re.compile(r"m(\d+)$")


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()

    def all(self, wanted: Callable[[Element], bool]) -> list[Element]:
        found = [self] if wanted(self) else []
        for child in self.children:
            if isinstance(child, Element):
                found += child.all(wanted)
        return found

    def by_class(self, *names: str) -> list[Element]:
        return self.all(lambda e: set(names) <= set(e.classes))

    def text(self, reader: int | None = None, without: tuple[str, ...] = ()) -> str:
        """What stands here for a reader; style, script and elements of these classes are not read."""
        if self.tag in ("style", "script", "head", "title") or set(without) & set(self.classes):
            return ""
        if re.search(r"display\s*:\s*none", self.attributes.get("style", "")):
            return ""
        for name in self.classes:
            mask = _MASK.match(name)
            if mask and reader is not None and not int(mask[1]) >> reader & 1:
                return ""
        return "".join(c if isinstance(c, str) else c.text(reader, without) for c in self.children)


class Reader(HTMLParser):
    """The tree of a page; an end that closes nothing, or the wrong element, is an AssertionError."""

    def __init__(self, *, strict: bool = True) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]
        self.strict = strict

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = Element(tag, {k: v or "" for k, v in attrs})
        self.open[-1].children.append(found)
        if tag not in VOID:
            self.open.append(found)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {k: v or "" for k, v in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert not self.strict or self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        while len(self.open) > 1 and self.open.pop().tag != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def read(html: str, *, strict: bool = True) -> Element:
    reader = Reader(strict=strict)
    reader.feed(html)
    reader.close()
    return reader.root


def words(text: str) -> str:
    return " ".join(text.split())
