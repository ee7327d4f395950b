"""The bars that SendGrid keeps for the account, pulled page by page as receipts: they only ever add to ours.

Groups are never deleted or emptied by this: that would free their addresses (docs/providers 2.2).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from omnicli import clock
from omnicli.model.response import Receipt, Response
from omnicli.providers.sendgrid.asking import Unanswered, ask, refusal
from omnicli.providers.sendgrid.events import CHANNEL, NAME

if TYPE_CHECKING:
    from omnicli.providers.sendgrid.provider import SendGrid

PAGE = 500
#: Path → (name of the response, payload). Blocks bar nobody: they are about the sender (rules.md SU-04).
LISTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "suppression/bounces": ("bounced", {"kind": "hard"}),
    "suppression/invalid_emails": ("bounced", {"kind": "hard", "code": "invalid"}),
    "suppression/blocks": ("bounced", {"kind": "block"}),
    "suppression/spam_reports": ("complained", {}),
    "suppression/unsubscribes": ("unsubscribed", {"scope": "everything"}),
}


def pull(provider: SendGrid, since: datetime | None) -> Iterator[Receipt]:
    """Every entry of every list made at `since` or later (None: all), groups of our topics included. OmniError when one cannot be
    asked; what was yielded before stands."""
    for path, (name, payload) in LISTS.items():
        yield from _list(provider, path, name, payload, since)
    for topic, group in sorted(provider.wishes.asm_groups.items()):
        path = f"asm/groups/{quote(str(group))}/suppressions"
        for email in _rows(provider, path, {}):
            if isinstance(email, str):
                yield _receipt(path, "unsubscribed", {"topic": topic}, {"email": email})


def _list(provider: SendGrid, path: str, name: str, payload: Mapping[str, Any], since: datetime | None) -> Iterator[Receipt]:
    start = {"start_time": clock.to_ms(since) // 1000} if since is not None else {}
    offset = 0
    while True:
        rows = _rows(provider, path, {"limit": PAGE, "offset": offset, **start})
        for row in rows:
            if isinstance(row, dict) and isinstance(row.get("email"), str):
                yield _receipt(path, name, payload, row)
        if len(rows) < PAGE:
            return
        offset += len(rows)


def _rows(provider: SendGrid, path: str, query: Mapping[str, Any]) -> list[Any]:
    try:
        found = ask(provider.api(), path, query)
    except Unanswered as why:
        raise refusal(path, why) from None
    return found if isinstance(found, list) else []


def _receipt(path: str, name: str, payload: Mapping[str, Any], row: Mapping[str, Any]) -> Receipt:
    """One entry. Its key is (list, address, when), so that pulling again adds nothing."""
    created = row.get("created")
    seconds = created if isinstance(created, int) and not isinstance(created, bool) and 0 < created < 10**11 else None
    key = hashlib.blake2b(f"{path}\x1f{row['email'].casefold()}\x1f{seconds}".encode("utf-8", "replace"), digest_size=16).digest()
    more = {k: str(row[f])[:300] for k, f in (("code", "status"), ("reason", "reason")) if row.get(f)}
    at = clock.from_ms(seconds * 1000) if seconds is not None else clock.now()
    response = Response(f"list:{key.hex()}", "", name, at, NAME, CHANNEL, payload={**more, **payload}, address=row["email"])
    return Receipt(NAME, key, json.dumps({"list": path, **row}).encode(), response)
