"""Every text of a YAML file with its key path, and every comment: what rules about keys, data and addresses read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from omnicli.lint.ground import walk
from omnicli.model.finding import Place

if TYPE_CHECKING:
    from omnicli.campaignfile.source import KeyPath, Source
    from omnicli.lint.ground import Ground


def scalars(source: Source) -> Iterator[tuple[KeyPath, str]]:
    """Key path and text of each scalar that is a value."""
    for path, value in walk(source.root):
        if isinstance(value, str) and path:
            yield path, str(value)


def template_lines(ground: Ground) -> Iterator[tuple[str, int, str]]:
    """File, line from 1 and text of each line of each template."""
    for file, text in ground.templates.items():
        for number, line in enumerate(text.splitlines(), 1):
            yield file, number, line


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column from 1 of an offset."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def span_of(file: str, text: str, start: int, end: int) -> Place:
    """The place of `text[start:end]`, which is the text of `file`; one that runs over several lines ends with its first."""
    line, column = position(text, start)
    stop = text.find("\n", start, end)
    return Place.at(file, line, column, (stop if stop >= 0 else end) - start)
