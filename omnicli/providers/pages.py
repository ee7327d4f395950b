"""The pages of the sandbox: one message in its frame, and the index of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from omnicli import clock
from omnicli.model.touch import Handed


@dataclass(frozen=True, slots=True)
class House:
    """Whose outbox it is."""

    name: str
    zone: str
    primary: str = "#2b2350"
    accent: str = "#e8b04a"

    @classmethod
    def of(cls, project: Any) -> House:
        brand = project.brand
        return cls(brand.name if brand else project.project, project.time_zone)


def entry(one: Handed, file: str, now: datetime, house: House) -> dict[str, Any]:
    """What the index keeps of a message."""
    parts = one.rendered.parts if one.rendered else {}
    return {"touch": one.touch, "file": file, "at": clock.to_ms(now), "channel": one.channel, "contact": one.contact,
            "name": one.contact_name, "campaign": one.campaign, "step": one.step, "message": one.message,
            "line": parts.get("subject") or next(iter(parts.values()), "")[:120]}  # fmt: skip


def message_page(one: Handed, now: datetime, house: House) -> str:
    parts = one.rendered.parts if one.rendered else {}
    body = "".join(f"<h2>{escape(name)}</h2>{text if name in ('html', 'card') else '<pre>' + escape(text) + '</pre>'}" for name, text in parts.items())
    return f"<!doctype html><meta charset=utf-8><title>{escape(one.contact)}</title>{body}"


def index_pages(entries: Sequence[Mapping[str, Any]], runs: Sequence[Mapping[str, Any]], house: House) -> dict[str, str]:
    zone = ZoneInfo(house.zone)
    rows = "".join(
        f"<li>{clock.from_ms(e['at']).astimezone(zone):%Y-%m-%d %H:%M} {escape(e['channel'])} <a href='{escape(e['file'])}'>{escape(e['name'])}: {escape(e['line'])}</a>"
        for e in {e["touch"]: e for e in entries}.values()
    )
    return {"index.html": f"<!doctype html><meta charset=utf-8><title>{escape(house.name)}</title><ul>{rows}</ul>"}
