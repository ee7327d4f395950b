"""The text of `omni.yaml` as it stood when something was decided, kept once each: an old decision is taken again under its own rules."""

from __future__ import annotations

import hashlib
from datetime import datetime

import sqlalchemy as sa

from omnicli import clock
from omnicli.store.tables import ground


def keep(connection: sa.Connection, text: str, *, now: datetime) -> int:
    """The id of this text; it is kept when it was not known."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    found = connection.execute(_KNOWN, {"digest": digest}).scalar()
    if found is None:
        connection.execute(_KEEP, {"hash": digest, "text": text, "at": clock.to_ms(now)})
        found = connection.execute(_KNOWN, {"digest": digest}).scalar()
    assert isinstance(found, int)
    return found


_KEEP = sa.text("INSERT INTO ground (hash, text, at) VALUES (:hash, :text, :at) ON CONFLICT DO NOTHING")
_KNOWN = sa.select(ground.c.id).where(ground.c.hash == sa.bindparam("digest"))


def text(connection: sa.Connection, id: int) -> str:
    """What `omni.yaml` said."""
    return str(connection.scalars(sa.select(ground.c.text).where(ground.c.id == id)).one())
