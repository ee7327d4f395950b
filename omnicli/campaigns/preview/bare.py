"""A message's HTML as a fragment that stands inside a page and can do nothing: no script, no form, no address that is followed or fetched.

Its style reaches nothing but itself, for it stands in a shadow tree; what asked for the width of the window asks for the width of
its frame, and what asked for a dark screen asks for the frame's own night (`--night`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from html.parser import HTMLParser

from omnicli.render.skeleton import MARK

_DROPPED = frozenset(
    ("script", "iframe", "object", "embed", "template", "noscript", "title", "audio", "video", "canvas", "dialog")
)
_BARE = frozenset(("head", "meta", "link", "base", "form", "input", "button", "select", "textarea", "frame", "frameset"))
_VOID = frozenset(("area", "br", "col", "hr", "img", "source", "track", "wbr"))
_WRAPPED = {"html": "page", "body": "body"}
_ATTRIBUTES = frozenset((
    "class", "style", "align", "valign", "width", "height", "bgcolor", "border", "cellpadding", "cellspacing", "colspan", "rowspan", "dir", "lang",
    "role", "alt", "id", "start", "type", "scope", "aria-label", "aria-hidden", "color", "face", "size", "nowrap",
    "viewbox", "d", "fill", "stroke", "stroke-width", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "ry", "points", "transform", "shape-rendering",
))  # fmt: skip
_HIDDEN = re.compile(r"display\s*:\s*none", re.I)
_FETCHED = re.compile(r"url\(\s*(?!['\"]?data:)[^)]*\)|@import[^;]*;|expression\([^)]*\)", re.I)
_WIDTH = re.compile(r"@media\s+(?:only\s+)?(?:screen\s+and\s+)?\((max|min)-width:\s*([0-9.]+\w+)\)", re.I)
_NIGHT = re.compile(r"@media\s*\(prefers-color-scheme:\s*dark\)", re.I)
_SHEET = re.compile(r"@page[^{]*\{[^}]*\}|/\*.*?\*/", re.I | re.S)
_TOP = re.compile(r"(?<![\w.#-])(html|body|:root)(?=[\s,{:.])")


def bare(html: str, *, filled: Callable[[int], str], class_of: Callable[[int], str]) -> tuple[str, str]:
    """The fragment and its style. Marks in the text stay; those in an attribute are `filled` (plain text); what an address holds
    gives its element a class (`class_of`)."""
    reader = _Bare(filled, class_of)
    reader.feed(html)
    reader.close()
    return re.sub(r"\s*\n\s*", "\n", "".join(reader.out)).strip(), style_of(" ".join(reader.styles))


def style_of(css: str) -> str:
    """A style sheet that asks its frame what it would have asked the window."""
    css = _FETCHED.sub("none", _SHEET.sub("", css)).replace("<", "")
    css = _NIGHT.sub("@container style(--night: 1)", _WIDTH.sub(r"@container (\1-width: \2)", css))
    css = _TOP.sub(lambda found: ".page" if found[1] in (":root", "html") else ".body", css)
    return re.sub(r"\s*([{};,])\s*", r"\1", re.sub(r"\s+", " ", css)).strip()


class _Bare(HTMLParser):
    def __init__(self, filled: Callable[[int], str], class_of: Callable[[int], str]) -> None:
        super().__init__(convert_charrefs=False)
        self.filled, self.class_of = filled, class_of
        self.out: list[str] = []
        self.styles: list[str] = []
        self.inside: list[str] = []  # open elements that are left out with all they hold

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.inside:
            if tag == self.inside[-1]:
                self.inside.append(tag)
        elif tag == "style" or tag in _DROPPED or (tag not in _VOID and _HIDDEN.search(dict(attrs).get("style") or "")):
            self.inside.append(tag)
        elif tag == "img":
            self.out.append(self._picture(dict(attrs)))
        elif tag not in _BARE:
            self.out.append(f"<{self._name(tag)}{self._attributes(tag, attrs)}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.inside:
            if tag == self.inside[-1]:
                self.inside.pop()
        elif tag not in _BARE and tag not in _VOID and tag != "img":
            self.out.append(f"</{self._name(tag)}>")

    def handle_data(self, data: str) -> None:
        if self.inside == ["style"]:
            self.styles.append(self._value(data))
        elif not self.inside:
            self.out.append(data.replace("<", "&lt;"))

    def handle_entityref(self, name: str) -> None:
        self._reference(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._reference(f"&#{name};")

    def _reference(self, written: str) -> None:
        if not self.inside:
            self.out.append(written)

    def _name(self, tag: str) -> str:
        return "div" if tag in _WRAPPED else tag

    def _attributes(self, tag: str, attrs: list[tuple[str, str | None]]) -> str:
        given = {name: self._value(value or "") for name, value in attrs if name in _ATTRIBUTES}
        if tag in _WRAPPED:
            given["class"] = " ".join(filter(None, (_WRAPPED[tag], given.get("class", ""))))
        if "style" in given:
            given["style"] = re.sub(r"\s*([:;])\s*", r"\1", _FETCHED.sub("none", given["style"])).rstrip(";")
        if tag == "a":
            leads = {
                self.class_of(int(mark[1])) for name, value in attrs if name == "href" for mark in MARK.finditer(value or "")
            }
            given["class"] = " ".join(filter(None, (given.get("class", ""), "lnk", *sorted(leads))))
        return "".join(
            f' {name}="{escape(value, quote=True)}"' for name, value in given.items() if value or name in ("alt", "class")
        )

    def _value(self, written: str) -> str:
        return MARK.sub(lambda mark: self.filled(int(mark[1])), written)

    def _picture(self, given: dict[str, str | None]) -> str:
        """A picture that stands in the file itself, or a box that says what a reader's program would fetch."""
        source, said = self._value(given.get("src") or ""), self._value(given.get("alt") or "")
        if (given.get("width"), given.get("height")) == ("1", "1"):
            return ""
        alt = f'<span class="alt">{escape(said)}</span>'
        if source.startswith("data:image/"):
            kept = "".join(
                f' {name}="{escape(self._value(value), quote=True)}"'
                for name, value in given.items()
                if value and name in _ATTRIBUTES
            )
            return f'<img src="{escape(source, quote=True)}"{kept}>{alt}'
        size = f"{given.get('width') or ''} × {given.get('height') or ''}".strip(" ×")
        return f'<span class="img" title="{escape(source.removeprefix("https://"), quote=True)}">{escape(said or "▧")}<small>{escape(size)}</small></span>{alt}'
