"""What the Email Activity of an account (a paid add-on) says of touches whose fate nobody knows.

A message is ours when its arguments carry the touch and attempt; nothing weaker counts as found (docs/delivery 11).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from omnicli import clock
from omnicli.model.touch import Doubtful, Evidence
from omnicli.providers.sendgrid.asking import Unanswered, ask
from omnicli.providers.sendgrid.events import ARGUMENT

if TYPE_CHECKING:
    from omnicli.providers.sendgrid.provider import SendGrid

AROUND, MOST = timedelta(hours=1), 20


def reconcile(provider: SendGrid, doubtful: Sequence[Doubtful]) -> list[Evidence | None]:
    """Evidence for each, None where it cannot be asked (no address any more, no answer)."""
    return [_evidence(provider, one) for one in doubtful]


def _evidence(provider: SendGrid, one: Doubtful) -> Evidence | None:
    if not one.address or any(c in one.address for c in "\"'\\"):
        return None
    try:
        found = ask(provider.api(), "messages", {"limit": MOST, "query": _query(one)})
        listed = found.get("messages") if isinstance(found, dict) else None
        if not isinstance(listed, list):
            return None
        ids = [m["msg_id"] for m in listed if isinstance(m, dict) and isinstance(m.get("msg_id"), str)]
        ours = [msg_id for msg_id in ids if _carries(ask(provider.api(), f"messages/{quote(msg_id, safe='')}"), one)]
    except Unanswered:
        return None
    return Evidence(
        len(ours), ours[0].partition(".")[0] if len(ours) == 1 else None, f"email activity: {len(ours)} of {len(ids)}"
    )


def _query(one: Doubtful) -> str:
    first, last = (
        clock.iso(clock.from_ms(clock.to_ms(at) // 1000 * 1000)) for at in (one.started_at - AROUND, one.started_at + 24 * AROUND)
    )
    return f'to_email="{one.address}" AND last_event_time BETWEEN TIMESTAMP "{first}" AND TIMESTAMP "{last}"'


def _carries(message: Any, one: Doubtful) -> bool:
    if not isinstance(message, dict):
        return False
    arguments = message.get("unique_args") or message.get("custom_args")
    written = arguments.get(ARGUMENT) if isinstance(arguments, dict) else None
    return isinstance(written, str) and written.startswith(f"{one.touch}.{one.attempt}.")
