"""Edits of project files as pure functions from text to text: a scalar rewritten in place, a print of a template replaced."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from omnicli.campaignfile import KeyPath, Map, Source

#: A placeholder of `say` that names no substitute: `{price}`, `{deadline:short}`.
PLACEHOLDER = re.compile(r"\{([a-z][\w-]*)(?::(\w+))?\}")
#: What a template prints, and the comments and tags that it does not.
_CODE = re.compile(r"\{#.*?#\}|\{%.*?%\}|(\{\{.*?\}\})", re.DOTALL)
_FACT = re.compile(r"\bfacts\.([a-z]\w*)")


class Print(NamedTuple):
    """One `{{ … }}` of a template: its span, its line and column (from 1), the expression, the facts and slots that it names."""

    start: int
    end: int
    line: int
    column: int
    expression: str
    facts: tuple[str, ...]
    slots: tuple[str, ...]


@lru_cache(maxsize=512)
def prints(template: str) -> tuple[Print, ...]:
    """What a template prints where a reader sees it: in its body, outside attributes."""
    return tuple(_prints(template))


def _prints(template: str) -> Iterator[Print]:
    begins = max(0, template.find("<body"))
    bare = _CODE.sub(lambda code: " " * len(code[0]), template)  # conditions may hold `<` and `>`
    for found in _CODE.finditer(template):
        if found[1] is None or found.start() < begins or _in_tag(bare, found.start()):
            continue
        expression = found[1].strip("{}-").strip()
        yield Print(
            found.start(), found.end(), *_position(template, found.start()), expression,
            tuple(dict.fromkeys(_FACT.findall(expression))), tuple(dict.fromkeys(re.findall(r"\bsay\.(\w+)", expression))),
        )  # fmt: skip


def addresses(template: str) -> Iterator[Print]:
    """Where a template prints `link(…)` or `qr(…)` of a fact, in attributes too."""
    for found in re.finditer(r"\{\{\s*(?:link|qr)\(facts\.(\w+)\)\s*\}\}", template):
        yield Print(
            found.start(), found.end(), *_position(template, found.start()), found[0].strip("{}").strip(), (found[1],), ()
        )


def _position(template: str, at: int) -> tuple[int, int]:
    return template.count("\n", 0, at) + 1, at - template.rfind("\n", 0, at)


def _in_tag(bare: str, at: int) -> bool:
    """True inside `<…>`: an attribute's value."""
    return bare.rfind("<", 0, at) > bare.rfind(">", 0, at)


def put(text: str, start: int, end: int, instead: str) -> str:
    return text[:start] + instead + text[end:]


def rewrite(source: Source, values: Mapping[KeyPath, str]) -> str:
    """The file with other texts for some scalars, each in double quotes on the line where it began."""
    text = source.text
    spans = {path: source.span(path) for path in values}
    for path, span in sorted(spans.items(), key=lambda item: item[1][:2], reverse=True):
        start, end = source.offset(span.line + 1, span.column + 1), source.offset(span.end_line + 1, span.end_column + 1)
        text = put(text, start, end, json.dumps(values[path], ensure_ascii=False))
    return text


def without_key(source: Source, path: KeyPath) -> str:
    """The file without the lines of one key of a block mapping and all below it."""
    first = source.span(path, key=True).line
    lines = source.text.split("\n")
    indent = len(lines[first]) - len(lines[first].lstrip())
    end = first + 1
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent):
        end += 1
    return "\n".join(lines[:first] + lines[end:])


def with_line(source: Source, path: KeyPath, line: str) -> str | None:
    """The file with a line more above the first key of the block mapping at `path`; None where no such mapping stands."""
    here = source.find(path)
    first = next(iter(here.keys_at.values()), None) if isinstance(here, Map) else None
    if first is None or first.line == source.span(path, key=True).line:
        return None
    lines = source.text.split("\n")
    return "\n".join([*lines[: first.line], " " * first.column + line, *lines[first.line :]])
