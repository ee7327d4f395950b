"""How the sender is judged by those who get its messages, and what providers knew before we did (rules.md DL-03, SU-11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from omnicli.campaigns import quality
from omnicli.campaigns.respond.optout import MIRROR
from omnicli.service.doctor.sign import NOTE, WRONG, Patient, Sign, Signs
from omnicli.store import tables as tb
from omnicli.texts import several

if TYPE_CHECKING:
    from omnicli.store.connection import Store


def reputation(patient: Patient, store: Store) -> Signs:
    """A line for each channel that is judged badly, for bars that we had missed, and for second copies that are certain."""
    with store.read() as connection:
        judged = [q for q in quality.standings(connection, patient.loaded, now=patient.now) if q.level != "fine"]
        s, e = tb.suppression.c, tb.evidence.c
        missed = connection.scalar(sa.select(sa.func.count()).select_from(tb.suppression).where(s.source.like(f"{MIRROR}%"))) or 0
        twice = connection.scalar(sa.select(sa.func.count()).select_from(tb.evidence).where(e.kind == "confirmed_duplicate")) or 0
    yield from (Sign("quality", WRONG if q.level == "pause" else NOTE, q.said, "omni status" + patient.flag) for q in judged)
    if missed:
        said = several(
            missed,
            ("{n} bar that a provider held and we did not know", "{n} bars that a provider held and we did not know"),
            ("{n} exclusion qu'un prestataire avait et pas nous", "{n} exclusions qu'un prestataire avait et pas nous"),
        )
        yield Sign("sync", NOTE, said, "omni response sync" + patient.flag)
    if twice:
        said = several(
            twice,
            ("{n} message arrived twice, as somebody had risked", "{n} messages arrived twice, as somebody had risked"),
            (
                "{n} message arrivé deux fois, risque accepté par quelqu'un",
                "{n} messages arrivés deux fois, risque accepté par quelqu'un",
            ),
        )
        yield Sign("duplicates", NOTE, said)
