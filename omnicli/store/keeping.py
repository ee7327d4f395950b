"""The upkeep of a store: is it whole, and beginning again.

What `check` asks are the invariants that docs/delivery promises; a healthy store answers none of them with a row.
"""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from omnicli.errors import Exit, OmniError
from omnicli.model.project import Project
from omnicli.model.touch import TOUCH_MOVES
from omnicli.store import holding, keys, serial, tables, whole
from omnicli.store.whole import Check
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.store.connection import Store
    from omnicli.store.postgres import PostgresStore

#: Seconds that taking a sandbox away waits for those who work in it.
PATIENCE = 10.0


#: name → (English, French, rows that must not be).
INVARIANTS: dict[str, tuple[str, str, str]] = {
    "one_open_attempt": (
        "one open attempt a touch at most", "une tentative ouverte par envoi au plus",
        "SELECT touch_id FROM attempt WHERE outcome IN ('intent','unknown','accepted') GROUP BY touch_id HAVING count(*) > 1",
    ),
    "sending_has_intent": (
        "whatever is being sent has its intent", "tout envoi en cours a son intention",
        "SELECT id FROM touch WHERE send_state = 'sending' AND NOT EXISTS "
        "(SELECT 1 FROM attempt WHERE attempt.touch_id = touch.id AND attempt.outcome = 'intent')",
    ),
    "accepted_has_attempt": (
        "whatever was accepted has its attempt", "tout envoi accepté a sa tentative",
        "SELECT id FROM touch WHERE send_state = 'accepted' AND NOT EXISTS "
        "(SELECT 1 FROM attempt WHERE attempt.touch_id = touch.id AND attempt.outcome = 'accepted')",
    ),
    "unknown_has_attempt": (
        "whatever nobody knows has the attempt that nobody knows", "tout envoi au sort inconnu a sa tentative inconnue",
        "SELECT id FROM touch WHERE send_state IN ('unknown','parked') AND NOT EXISTS "
        "(SELECT 1 FROM attempt WHERE attempt.touch_id = touch.id AND attempt.outcome = 'unknown')",
    ),
    "waiting_is_free": (
        "whatever waits has no open attempt", "ce qui attend n'a aucune tentative ouverte",
        "SELECT touch.id FROM touch JOIN attempt ON attempt.touch_id = touch.id AND attempt.outcome IN ('intent','unknown','accepted') "
        "WHERE touch.send_state IN ('planned','claimed','retry','held_out')",
    ),
    "not_sent_was_not": (
        "nothing that was accepted is called unsent", "rien d'accepté n'est dit non envoyé",
        "SELECT touch.id FROM touch JOIN attempt ON attempt.touch_id = touch.id AND attempt.outcome = 'accepted' "
        "WHERE touch.send_state IN ('skipped','rejected')",
    ),
    "intent_in_hand": (
        "an intent is open only while it is being sent", "une intention n'est ouverte que pendant l'envoi",
        "SELECT touch_id FROM attempt JOIN touch ON touch.id = attempt.touch_id WHERE attempt.outcome = 'intent' AND touch.send_state <> 'sending'",
    ),
    "ended_when": (
        "whatever was accepted or refused says when", "tout envoi accepté ou refusé dit quand",
        "SELECT id FROM touch WHERE send_state IN ('accepted','rejected') AND settled_at IS NULL",
    ),
    "one_instance": (
        "the store is one", "la base est une", "SELECT 1 FROM (SELECT count(*) AS n FROM instance) AS found WHERE found.n <> 1",
    ),
    "end_has_reason": (
        "whatever was not sent has its reason", "tout ce qui n'est pas parti a son motif",
        "SELECT id FROM touch WHERE send_state IN ('skipped','rejected') AND reason IS NULL",
    ),
    "lease": (
        "leases only where somebody works", "des baux seulement là où l'on travaille",
        "SELECT id FROM touch WHERE (send_state IN ('claimed','sending')) <> (lease_by IS NOT NULL)",
    ),
    "one_open_pass": (
        "one open pass a person and campaign", "un seul parcours ouvert par personne et campagne",
        "SELECT contact_id FROM enrollment WHERE state = 'open' GROUP BY contact_id, campaign_id HAVING count(*) > 1",
    ),
    "ended_is_still": (
        "an ended pass waits for nothing", "un parcours fini n'attend rien",
        "SELECT id FROM enrollment WHERE state = 'ended' AND due_at IS NOT NULL",
    ),
    "held_out_silent": (
        "held-out people were sent nothing", "le groupe témoin n'a rien reçu",
        "SELECT touch.id FROM touch JOIN enrollment ON enrollment.id = touch.enrollment_id "
        "WHERE enrollment.held_out = 1 AND touch.send_state NOT IN ('held_out','skipped')",
    ),
    "slots_of_counted": (
        "caps count what was sent only", "les plafonds ne comptent que ce qui est parti",
        "SELECT cap_slot.touch_id FROM cap_slot JOIN touch ON touch.id = cap_slot.touch_id "
        "WHERE touch.send_state IN ('skipped','rejected','held_out','planned') AND (touch.reason IS NULL OR touch.reason <> 'dropped')",  # it may have arrived
    ),
    "consent_logged": (
        "every permission stands in the log", "toute permission figure au journal",
        "SELECT contact_id FROM consent WHERE NOT EXISTS (SELECT 1 FROM consent_log g WHERE g.contact_id = consent.contact_id "
        "AND g.channel = consent.channel AND g.purpose = consent.purpose AND g.at = consent.at)",
    ),
    "version_of_campaign": (
        "every pass has its campaign's version", "tout parcours a une version de sa campagne",
        "SELECT enrollment.id FROM enrollment JOIN campaign_version v ON v.id = enrollment.version_id WHERE v.campaign_id <> enrollment.campaign_id",
    ),
}  # fmt: skip


def check(store: Store, project: Project, *, now: datetime) -> list[Check]:
    """Integrity, orphans, triggers, every invariant, and the folded reach of everybody; nothing is changed."""
    found: list[Check] = []
    with store.read() as connection:
        found += whole.whole(connection)
        found.append(_moves(connection))
        for name, (english, french, query) in INVARIANTS.items():
            rows = connection.execute(sa.text(f"SELECT count(*) FROM ({query}) AS broken")).scalar_one()
            found.append(Check(name, t(english, french), int(rows)))
        stale = _stale_reach(connection, now)
        found.append(Check("reach", t("everybody's reach is folded", "la joignabilité de chacun est à jour"), stale))
    return found + _beside(store, project)


def _moves(connection: sa.Connection) -> Check:
    """The moves that the trigger allows are those of the program."""
    stand = {(row.old, row.new) for row in connection.execute(sa.select(tables.touch_move))}
    odd = sorted(f"{old} → {new}" for old, new in stand ^ set(TOUCH_MOVES))
    return Check(
        "moves",
        t("the allowed moves are those of this omni", "les passages permis sont ceux de cet omni"),
        len(odd),
        ", ".join(odd[:3]),
    )


def _beside(store: Store, project: Project) -> list[Check]:
    """What a live store's neighbours say of it: the mark of how far it came, and its keys."""
    if not store.live:
        return []
    why, gone = serial.behind(store), keys.lost(store, project.project)
    return [
        Check("serial", t("it knows of everything that was sent", "elle sait tout ce qui est parti"), int(why is not None),
              holding.said(why) if why else ""),
        Check("keys", t("its keys are there", "ses clés sont là"), int(gone is not None), gone or ""),
    ]  # fmt: skip


def _stale_reach(connection: sa.Connection, now: datetime) -> int:
    """People whose folded reach is not what their addresses, consents and bars say."""
    from omnicli.store import consents

    ids = list(connection.execute(sa.select(tables.contact.c.id).where(tables.contact.c.erased_at.is_(None))).scalars())
    return sum(
        len(consents.stale(connection, ids[start : start + consents.ROWS], now=now))
        for start in range(0, len(ids), consents.ROWS)
    )


# --- beginning again ------------------------------------------------------------------------------------------------
def drop(store: PostgresStore) -> list[str]:
    """Take away a sandbox's schema, with everything in it; what was there. The next command that writes makes it anew."""
    if store.live or store.schema == "omni_live":
        raise _never()
    with store.write(wait=PATIENCE) as connection:
        there = connection.exec_driver_sql(f"SELECT to_regnamespace('{store.schema}') IS NOT NULL").scalar_one()
        connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {store.schema} CASCADE")
    return [store.where] if there else []


def _never() -> OmniError:
    return OmniError(
        t("the live store is never reset", "les données réelles ne se remettent pas à zéro"), code="refused", exit=Exit.REFUSED
    )


def reset(path: Path, outbox: Path) -> list[Path]:
    """Take away a sandbox's store and outbox; what was there."""
    if path.stem == "live":
        raise _never()
    gone = []
    for name in (path, *(Path(f"{path}{end}") for end in ("-wal", "-shm", ".writer"))):
        if name.exists():
            name.unlink()
            gone.append(name)
    if outbox.is_dir():
        shutil.rmtree(outbox)
        gone.append(outbox)
    return gone
