"""What a message says, as HTML that shows it and runs nothing: addresses underlined, WhatsApp's own marks, the little Markdown of task cards."""

from __future__ import annotations

import re
from html import escape
from itertools import groupby

_LINK = re.compile(r"(?:https?://|www\.)[^\s<>\"]+[^\s<>\".,;:!?)\]]|\b[\w-]+(?:\.[\w-]+)+/[^\s<>\"]+[^\s<>\".,;:!?)\]]")


def linked(text: str) -> str:
    """Escaped text with its addresses underlined; they lead nowhere."""
    found, end = [], 0
    for link in _LINK.finditer(text):
        found += [escape(text[end : link.start()]), f"<u>{escape(link[0])}</u>"]
        end = link.end()
    return "".join((*found, escape(text[end:])))


def chatted(text: str) -> str:
    """WhatsApp's own marks: *bold*, _italic_, ~struck~."""
    found = linked(text)
    for mark, tag in (("*", "b"), ("_", "i"), ("~", "s")):
        m = re.escape(mark)
        found = re.sub(rf"(?<![\w/{m}]){m}(?=\S)([^{m}\n]+?)(?<=\S){m}(?![\w/{m}])", rf"<{tag}>\1</{tag}>", found)
    return found


def prose(markdown: str) -> str:
    """The little Markdown of task cards as HTML: headings, lists, tables, bold, code; everything else as it stands."""
    found: list[str] = []
    for kind, group in groupby((line.rstrip() for line in markdown.splitlines()), key=_kind_of_line):
        lines = [line.strip() for line in group]
        match kind:
            case "#":
                found += [
                    f"<h{2 if line.startswith('# ') else 3}>{_inline(line.lstrip('# '))}</h{2 if line.startswith('# ') else 3}>"
                    for line in lines
                ]
            case "-":
                found.append(f"<ul>{''.join(f'<li>{_inline(line[2:])}</li>' for line in lines)}</ul>")
            case "|":
                rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
                rows = [row for row in rows if any(row) and not all(set(cell) <= {"-", ":"} for cell in row)]
                found.append(
                    f"<table>{''.join('<tr>' + ''.join(f'<td>{_inline(cell)}</td>' for cell in row) + '</tr>' for row in rows)}</table>"
                )
            case "p":
                found.append(f"<p>{'<br>'.join(_inline(line) for line in lines)}</p>")
    return "".join(found)


def _kind_of_line(line: str) -> str:
    text = line.strip()
    return (
        ""
        if not text
        else "#"
        if re.match(r"#{1,4} ", text)
        else "-"
        if re.match(r"[-*] ", text)
        else "|"
        if text.startswith("|")
        else "p"
    )


def _inline(text: str) -> str:
    safe = escape(text)
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    return re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", safe)
