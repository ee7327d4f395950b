"""Reads the mailbox that bounces come back to: what it tells is stored first, and marked as read after.

Each tick and `omni response sync --provider smtp` call it. A crash at any point shows mails again, never loses one; repeats are
dropped by their keys (docs/delivery 15, docs/providers 5). Only a live store listens: a sandbox must not use up real mails.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from omnicli import guards
from omnicli.model.response import Receipt
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.providers.bounces import Told
    from omnicli.providers.bounces.mailboxes import Mail, Mailbox
    from omnicli.store.connection import Store
    from omnicli.store.keys import Keys

#: Mails under one T4.
BATCH = 100
#: Where the store keeps how far it has read.
STATE = "bounces"


@dataclass(frozen=True, slots=True)
class Listened:
    """What was in the box: mails `read`; of what they tell `new`, `repeated`, people `opted_out`, `unclear` ones (kept as they came)
    and mails that are `nothing`. `problem` is a line for a person."""

    read: int = 0
    new: int = 0
    repeated: int = 0
    opted_out: int = 0
    unclear: int = 0
    nothing: int = 0
    problem: str | None = None


def listen(store: Store, loaded: Loaded, *, now: datetime) -> Listened:
    """Read what is new in `providers.smtp.bounces`. Raises OmniError `busy` when the store's writer is; what was not stored stays
    unread."""
    path = mailbox_of(loaded) if store.live and not store.rehearsed else None
    if path is None:
        return Listened()
    from omnicli.providers.bounces import open_mailbox
    from omnicli.store import setting

    with store.read() as connection:
        kept = setting.get(connection, STATE)
    box = open_mailbox(path, kept)
    if box is None:
        said = t("no mailbox at {path} (providers.smtp.bounces)", "pas de boîte à {path} (providers.smtp.bounces)", path=path)
        return Listened(problem=said)
    found = _read_all(store, loaded, box, now)
    return replace(found, problem=box.problem)


def mailbox_of(loaded: Loaded) -> Path | None:
    """Where `omni.yaml` says that bounces lie; None when it says nothing."""
    assert loaded.project is not None
    written = loaded.project.providers.get("smtp", {}).get("bounces")
    if not isinstance(written, str):
        return None
    from omnicli.providers.bounces.mailboxes import box_at
    from omnicli.settings import resolve, text

    return box_at(text(resolve(written)), loaded.root)


def _read_all(store: Store, loaded: Loaded, box: Mailbox, now: datetime) -> Listened:
    from omnicli.campaigns.hear import hear
    from omnicli.store import keys

    assert loaded.project is not None
    held = keys.of_store(store, loaded.project.project)
    total = Listened()
    state = box.state
    while mails := box.take(BATCH):
        receipts = [r for mail in mails if (r := _receipt(store, mail, held, now)) is not None]
        if not guards.on("bounce_stored_first"):
            box.done(mails)
        taken = hear(store, loaded, receipts, now=now)
        box.done(mails)
        state = _remember(store, box, state)
        total = _added(
            total, Listened(len(mails), taken.new, taken.repeated, taken.opted_out, taken.unreadable, len(mails) - len(receipts))
        )
    _remember(store, box, state)
    return total


def _added(one: Listened, other: Listened) -> Listened:
    counts = ("read", "new", "repeated", "opted_out", "unclear", "nothing")
    return Listened(*(getattr(one, name) + getattr(other, name) for name in counts))


def _remember(store: Store, box: Mailbox, before: str | None) -> str | None:
    """Keep how far the box is read, where that changed."""
    from omnicli.store import setting

    if box.state is not None and box.state != before:
        with store.write() as connection:
            setting.put(connection, STATE, box.state)
    return box.state


def _receipt(store: Store, mail: Mail, held: Keys, now: datetime) -> Receipt | None:
    from omnicli.providers.bounces import believed, read, receipt

    told = read(mail.raw, held.signing)
    if told.marked is None and told.quoted is not None and (_vouched(store, told, held) or not guards.on("bounce_vouched")):
        told = believed(told, told.quoted)
    return receipt(told, mail.raw, now=now)


def _vouched(store: Store, told: Told, held: Keys) -> bool:
    """Whether the attempt that an unsigned Message-ID names went to the very address that the notice names."""
    from omnicli.channels.addresses import normalise
    from omnicli.channels.clean import Refused
    from omnicli.store.consents import fingerprint
    from omnicli.store.tables import attempt, touch

    assert told.quoted is not None
    try:
        _, norm = normalise("email", told.address or "")
    except Refused:
        return False
    joined = sa.join(attempt, touch, touch.c.id == attempt.c.touch_id)
    query = sa.select(attempt.c.address_hash).select_from(joined).where(
        touch.c.touch_key == bytes.fromhex(told.quoted.touch), attempt.c.n == told.quoted.attempt
    )  # fmt: skip
    with store.read() as connection:
        sent_to = connection.scalar(query)
    return sent_to is not None and hmac.compare_digest(bytes(sent_to), fingerprint(held.pepper, "email", norm))
