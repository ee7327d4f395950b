"""Facts that are there and cannot be seen: in an element that is not shown, in a comment, in a picture's alternative text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from omnicli.campaigns.mutate.field import Field
from omnicli.campaigns.mutate.kinds.drops import from_template
from omnicli.campaigns.mutate.seed import Candidate
from omnicli.campaigns.mutate.sowing import shown_by_template, title

STYLES = (
    '<span style="display:none">{}</span>',
    '<span style="visibility:hidden">{}</span>',
    '<div style="display: none;">{}</div>',
)
COMMENTS = ("<!-- {} -->", "<!-- hidden: {} -->")
PICTURES = ('<img src="https://pictures.example/offer.png" alt="{}" width="200">', '<img alt="{}" src="https://pictures.example/o.png">')  # fmt: skip


def hidden(around: tuple[str, ...], *codes: str) -> Callable[[Field], Iterator[Candidate]]:
    """The kind that puts every print of a fact into something no reader sees; the words no longer hold it."""

    def candidates(field: Field) -> Iterator[Candidate]:
        for reading in field.voices:
            for file, fact in shown_by_template(field, reading):
                if ".html" in file and field.resolved(reading, fact)[0] != "url":
                    for n, instead in enumerate(around):
                        name = f"{title(reading)} {file} {fact} {n + 1}"
                        yield Candidate(name, partial(from_template, field, reading, file, fact, instead, *codes))

    return candidates
