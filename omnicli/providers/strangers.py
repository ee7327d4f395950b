"""Opens a stranger's mail: whatever is in it, reading takes milliseconds and ends.

The standard library's reader takes quadratic time for some headers, follows any depth of parts, and decodes charsets that nobody
writes in; a single mail could stop a service or a tick (docs/delivery 19, S24).
"""

from __future__ import annotations

import codecs
import html as entities
import re
from collections.abc import Iterator, Sequence
from email.message import Message
from email.parser import BytesParser, HeaderParser
from email.policy import Compat32
from email.utils import parseaddr
from typing import Any

#: Bytes of one mail that are read (what stands behind them is attachments), its lines, and the characters of a header.
MOST, LINES, HEADER = 256 * 1024, 10_000, 10_000
#: Characters of a header that are read as an address.
ADDRESS = 1000
#: Containers that a mail may name: parts, and mails within it.
CONTAINERS = 60

_CONTAINER = re.compile(rb"(?i)\b(?:multipart|message)/")
#: Charsets whose decoding takes quadratic time; no mail is written in them.
_SLOW = ("punycode", "idna")
_TAG = re.compile(r"/?([a-z][a-z0-9]*)")
_SKIPPED, _BREAKS = frozenset({"style", "script", "head", "title", "blockquote"}), frozenset({"p", "div", "br", "tr", "li"})


class _Short(Compat32):
    """Headers as they come, each as long as anybody writes one."""

    def header_source_parse(self, sourcelines: Sequence[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(list(sourcelines))
        return name, value[:HEADER]


_POLICY = _Short()


def open_mail(raw: bytes) -> Message:
    """The mail in its parts, as far as it is read; ValueError when it is nested as no mail is."""
    lines = raw[:MOST].replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n", LINES)[:LINES]
    read = b"\n".join(lines)
    if sum(1 for _ in _CONTAINER.finditer(read)) > CONTAINERS:
        raise ValueError("too many parts within parts")
    return BytesParser(policy=_POLICY).parsebytes(read)


def open_headers(text: str) -> Message:
    """Headers alone; what follows them is not taken apart."""
    return HeaderParser(policy=_POLICY).parsestr(text[:MOST])


def address(text: str) -> str:
    """The address in `Ann <ann@example.com>`, or nothing."""
    try:
        return parseaddr(text[:ADDRESS])[1]
    except (RecursionError, ValueError, IndexError):  # ((((( is a comment in a comment in …
        return ""


def decode(value: bytes, charset: Any = None) -> str:
    """Text in the charset that was named; UTF-8 where none, an unknown or an absurd one was, and what fits nothing is replaced."""
    for name in (charset, "utf-8"):
        if isinstance(name, str) and 0 < len(name) < 40:
            try:
                if codecs.lookup(name).name not in _SLOW:
                    return value.decode(name).encode("utf-8", "replace").decode("utf-8")  # no halves of letters
            except (LookupError, ValueError):  # UnicodeError is one
                continue
    return value.decode("utf-8", "replace")


def words_of(html: str) -> str:
    """The text of an HTML mail, quotes left out: in one pass, whatever is left open in it."""
    found: list[str] = []
    skipping = 0
    for text, tag in _pieces(html):
        if not skipping:
            found.append(entities.unescape(text))
        name = tag.removeprefix("/")
        if name in _SKIPPED:
            skipping = max(0, skipping - 1) if tag.startswith("/") else skipping + 1
        elif tag in _BREAKS and not skipping:
            found.append("\n")
    return re.sub(r"[ \t]+", " ", "".join(found)).strip()


def _pieces(html: str) -> Iterator[tuple[str, str]]:
    """(text, the tag behind it: `p`, `/p`, or "" for anything else), to the end."""
    at = 0
    while (begun := html.find("<", at)) >= 0:
        text, after = html[at:begun], html[begun + 1 : begun + 2]
        if not (after.isalpha() or after in ("/", "!", "?")):
            yield text + "<", ""
            at = begun + 1
            continue
        close = "-->" if html.startswith("<!--", begun) else ">"
        end = html.find(close, begun + 1)
        named = _TAG.match(html[begun + 1 : begun + 40].lower())
        yield text, named[0] if named else ""
        if end < 0:
            return  # a tag that never ends
        at = end + len(close)
    yield html[at:], ""
