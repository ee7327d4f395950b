"""Finishes a skeleton once for all who share it: checks where marks stand, in-lines the style sheets, makes the plain text.

Nothing is fetched: remote style sheets and files are off (docs/delivery S21).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser

from omnicli.render.skeleton import CAPTURED, MARK, OPEN
from omnicli.texts import t

_TAG = re.compile(r"<!--.*?-->|<!\[.*?\]>|<(/?)([a-zA-Z][^\s/>\ue000]*)((?:[^>\"']|\"[^\"]*\"|'[^']*')*)>", re.DOTALL)
_ATTRIBUTE = re.compile(r"([^\s=\"'>/]+)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s\"'>]+))?")
_ADDRESS = ("href", "src", "action", "background", "poster", "cite", "formaction", "xlink:href")
_SAFE_ADDRESS = re.compile(r"(?:https?://|mailto:|tel:|cid:|#|/(?!/)|\{\{)", re.IGNORECASE)


class UnsafePlace(ValueError):
    """A personal value stands where a reader's name could become mark-up or script."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where marks stand: `whole` when one decides mark-up (class, id, style sheet), `addresses` the marks that begin an
    address and so must be one."""

    whole: str | None = None
    addresses: tuple[int, ...] = ()


def places(html: str) -> Places:
    """Looks at every mark of an HTML skeleton; UnsafePlace where no value may stand."""
    whole: str | None = None
    addresses: list[int] = []
    end, inside = 0, ""
    for tag in _TAG.finditer(html):
        between = html[end : tag.start()]
        if OPEN in between:
            if inside == "script":
                raise UnsafePlace(t("a value inside <script>", "une valeur dans <script>"))
            if inside == "style":
                whole = "a value inside <style>"
            if "<" in between and OPEN in between[between.rindex("<") :]:
                raise UnsafePlace(t("a value inside a tag, outside quotes", "une valeur dans une balise, hors des guillemets"))
        end = tag.end()
        if tag[2] is None:
            continue
        name = tag[2].lower()
        inside = "" if tag[1] else name if name in ("style", "script") else inside
        if OPEN in (tag[3] or ""):
            found = _attributes(tag[3])
            whole = found.whole or whole
            addresses += found.addresses
    rest = html[end:]
    if "<" in rest and OPEN in rest[rest.rindex("<") :]:
        raise UnsafePlace(t("a value inside a tag, outside quotes", "une valeur dans une balise, hors des guillemets"))
    return Places(whole, tuple(addresses))


def _attributes(text: str) -> Places:
    whole: str | None = None
    addresses: list[int] = []
    rest = text
    for attribute in _ATTRIBUTE.finditer(text):
        name, value = attribute[1].lower(), attribute[2] or ""
        if OPEN in name:
            raise UnsafePlace(t("a value as the name of an attribute", "une valeur pour nom d'attribut"))
        if OPEN not in value:
            continue
        if value[:1] not in "\"'":
            raise UnsafePlace(t("a value in {name}= without quotes", "une valeur dans {name}= sans guillemets", name=name))
        if name.startswith("on") or name == "srcdoc":
            raise UnsafePlace(t("a value in {name}=", "une valeur dans {name}=", name=name))
        if name in ("class", "id"):
            whole = f"a value in {name}="
        if name in _ADDRESS and (mark := MARK.match(value, 1)):
            addresses.append(int(mark[1]))
        rest = rest.replace(attribute[0], "", 1)
    if OPEN in rest:
        raise UnsafePlace(t("a value inside a tag, outside quotes", "une valeur dans une balise, hors des guillemets"))
    return Places(whole, tuple(addresses))


def is_address(text: str) -> bool:
    """True for what may stand at the beginning of an address: never `javascript:` or `data:`."""
    return bool(_SAFE_ADDRESS.match(text))


_SELECTORS = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL | re.IGNORECASE)


def depends_on_values(html: str) -> str | None:
    """Why in-lining this skeleton could differ from in-lining each message: selectors that look at values."""
    for sheet in _SELECTORS.findall(html):
        if ":empty" in sheet or re.search(r"\[[\w-]+\s*[\^$*~|]?=", sheet):
            return "a style sheet that looks at attributes or emptiness"
    return None


_inline: Callable[[str], str] | None = None


def inline_css(html: str) -> str:
    """The style sheets of an e-mail written into its elements; `@media` rules stay where they are."""
    global _inline
    if "<style" not in html:
        return html
    if _inline is None:
        import css_inline

        _inline = css_inline.CSSInliner(keep_style_tags=False, keep_at_rules=True, load_remote_stylesheets=False).inline
    return _inline(html)


def tidy_text(text: str) -> str:
    """Plain text as it is sent: no spaces at line ends, at most one empty line, none at the ends."""
    lines = [re.sub(r"[ \t]+", " ", line).strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def tidy_markdown(text: str) -> str:
    """The same, leaving what begins a line (lists, code) as it is."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def one_line(text: str) -> str:
    """A header's text: one line."""
    return " ".join(text.split())


def strip_captured(chunks: list[str]) -> str:
    """The chunks as one text, without the sign that told captured text."""
    text = "".join(chunks)
    return text.replace(CAPTURED, "") if CAPTURED in text else text


class _Reader(HTMLParser):
    """Collects what a reader of the plain-text part should get: text, headings, list items, links with their address."""

    BLOCKS = frozenset((
        "p", "div", "tr", "table", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "section", "article", "header",
        "footer", "main", "br", "hr", "address", "li",
    ))  # fmt: skip
    SILENT = frozenset(("head", "style", "script", "title", "template", "svg"))

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self.silent: list[str] = []
        self.links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        hidden = re.search(r"display\s*:\s*none", given.get("style", ""), re.IGNORECASE) or "hidden" in given
        if self.silent:
            if tag == self.silent[-1]:
                self.silent.append(tag)
            return
        if (tag in self.SILENT or hidden) and tag not in ("br", "img", "hr", "meta", "link", "input"):
            self.silent.append(tag)
            return
        if tag in self.BLOCKS:
            self.out.append("\n" if tag in ("br", "tr", "li") else "\n\n")
        if tag == "li":
            self.out.append("- ")
        if tag == "img" and given.get("alt"):
            self.out.append(given["alt"])
        if tag == "a":
            self.links.append((given.get("href", ""), len(self.out)))

    def handle_endtag(self, tag: str) -> None:
        if self.silent:
            if tag == self.silent[-1]:
                self.silent.pop()
            return
        if tag == "a" and self.links:
            href, start = self.links.pop()
            said = "".join(self.out[start:]).strip()
            if href and not href.startswith("#") and said != href:
                self.out.append(f": {href} " if said else f"{href} ")
        if tag in ("td", "th"):
            self.out.append(" ")
        if tag in self.BLOCKS and tag not in ("br", "hr", "tr", "li"):
            self.out.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.out.append(re.sub(r"[ \t\r\n]+", " ", data))


def to_text(html: str) -> str:
    """The plain-text part of an HTML message: what a reader sees, with the addresses behind the links."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return tidy_text("".join(reader.out))


def renumber(text: str, start: int) -> tuple[str, dict[int, int]]:
    """The text with its marks numbered from `start`, and which value each new mark repeats."""
    made: dict[int, int] = {}
    numbers: Iterator[int] = iter(range(start, start + 10_000))

    def again(mark: re.Match[str]) -> str:
        n = next(numbers)
        made[n] = int(mark[1])
        return f"\ue000{n}\ue001"

    return MARK.sub(again, text), made
