"""Values for the tests about SendGrid: a letter to a person, a provider that speaks to a stand-in, signed requests back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from omnicli.model.signed import mark
from omnicli.model.touch import Handed, Rendered
from omnicli.providers.base_url import Base
from omnicli.providers.sendgrid.provider import SendGrid
from omnicli.providers.sendgrid.wishes import Wishes, read
from omnicli.settings import Secret

NOW = datetime(2027, 1, 5, 9, 0, tzinfo=UTC)
KEY = b"k" * 32
KEYS = {1: KEY}
API_KEY = "SG.canary-of-a-secret.key"

PIECES: Mapping[str, Sequence[str | int]] = {
    "subject": ("For ", 0),
    "text": ("Hello ", 1, ",\nread ", 2, "\n", 3),
    "html": ("<p>Hello ", 4, "</p><a href='", 5, "'>", 6, "</a> – déjà vu"),
}


def a_letter(n: int, *, subject: Sequence[str | int] = ("For ", 0), values: Sequence[str] | None = None, parts: Sequence[str] = ("text", "html"),
             pieces: Mapping[str, Sequence[str | int]] | None = None, **changes: Any) -> Handed:  # fmt: skip
    """A marketing letter to p<n>@example.com in one skeleton with 7 values."""
    link = f"https://omni.example/c/{n:08x}"
    fills = tuple(values or (f"Zoé {n}", f"Zoé & {n}", link, "bye", f"Zoé &amp; {n}", link, "read"))
    given = pieces or {"subject": tuple(subject), **{part: PIECES[part] for part in parts}}
    whole = {name: "".join(fills[p] if isinstance(p, int) else p for p in piece) for name, piece in given.items()}
    touch = f"{n + 1:032x}"
    attempt = int(changes.pop("attempt", 1))
    usual: dict[str, Any] = {
        "contact_name": f"Person {n}", "address": f"p{n}@example.com", "rendered": Rendered("email", whole, "skeleton", fills),
        "sender": "Maison Lune <hello@example.com>", "pieces": given, "fills": fills, "mark": mark(KEY, touch, attempt),
        "extra": {"unsubscribe": f"https://omni.example/u/{n:08x}", "list_id": "<news.example.com>"}, "at": NOW,
    }  # fmt: skip
    return Handed(touch, attempt, "email", "spring", "j0", "offer", f"c{n}", **{**usual, **changes})


def wishes(**settings: Any) -> Wishes:
    return read({"api_key": Secret(API_KEY), "allow_blind_batches": "yes", **settings})


def a_provider(url: str, *, project: Any = None, **settings: Any) -> SendGrid:
    """A provider that speaks to `url`; times are short."""
    from dataclasses import replace

    given = {"connect_timeout": "2 seconds", "read_timeout": "5 seconds", **settings}
    return SendGrid(replace(wishes(**given), base=Base(url, overridden=True)), project=project)
