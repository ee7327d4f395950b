"""What tells a mutant from the message: the texts that a person gets, where their addresses lead, and what other facts would make."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from omnicli.render.facts import ResolvedFacts
from omnicli.render.renderer import Renderer, RenderJob
from omnicli.render.views import CannotRender

#: The typical person, told other facts.
ANOTHER = "another"


def said(renderer: Renderer, job: RenderJob) -> object:
    """The texts before style sheets are in-lined, white space squeezed as mail programs do, and where the addresses lead; None for
    a message that cannot be made for this person."""
    try:
        draft = renderer.draft(job)
    except CannotRender:
        return None
    return tuple((part, " ".join(draft.text(part).split())) for part in draft.parts), tuple(
        (one.address, one.purpose) for one in draft.links
    )


def changed(facts: ResolvedFacts) -> ResolvedFacts:
    """Every fact with another value of its type: what is typed shows itself when the message changes."""
    return ResolvedFacts.of(
        {name: (kind, _another(kind, value) if value else None) for name, (kind, value) in facts.facts.items()}
    )


def _another(kind: str, value: str) -> str:
    head, space, tail = value.partition(" ")
    match kind:
        case "percent" | "number":
            return str(Decimal(value) + 7)
        case "money":
            return f"{Decimal(head) + Decimal('11.13')}{space}{tail}"
        case "date":
            return (date.fromisoformat(value) + timedelta(days=40)).isoformat()
        case "url":
            return value + "/z"
        case "place" | "phone":
            return value
    return value + "Z"
