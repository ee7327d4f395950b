"""HOLD: a live store from which nothing may leave until a person has looked (docs/delivery 14); webhooks are still taken."""

from __future__ import annotations

import sqlalchemy as sa

from omnicli.errors import Exit, OmniError
from omnicli.store.tables import instance
from omnicli.texts import t


def hold(connection: sa.Connection, why: str) -> None:
    """Put the store on HOLD; the first reason stays."""
    connection.execute(sa.update(instance).where(instance.c.hold.is_(None)).values(hold=why))


def release(connection: sa.Connection) -> None:
    """Take it off HOLD."""
    connection.execute(sa.update(instance).values(hold=None))


def held(connection: sa.Connection) -> str | None:
    """Why the store is on HOLD, or None."""
    found: str | None = connection.scalar(sa.select(instance.c.hold).where(instance.c.hold.is_not(None)).limit(1))
    return found


def refusal(why: str, *, live: bool) -> OmniError:
    """What whoever wants to send is told: exit 4."""
    return OmniError(
        t("the store is on hold: {why}", "la base est retenue : {why}", why=why), hint="omni db recover" + (" --live" if live else ""),
        code="hold", exit=Exit.REFUSED,
    )  # fmt: skip
