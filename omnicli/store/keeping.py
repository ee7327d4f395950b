"""The upkeep of a store: is it whole, a copy of it while it runs, beginning again.

What `check` asks are the invariants that docs/delivery promises; a healthy store answers none of them with a row.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from omnicli import clock
from omnicli.errors import Exit, OmniError
from omnicli.model.project import Project
from omnicli.store import migrations, tables, triggers
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.store.connection import Store


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `wrong` counts what is not as it must be."""

    name: str
    title: str
    wrong: int
    detail: str = ""


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
        "WHERE touch.send_state IN ('skipped','rejected','held_out','planned')",
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
        if store.dialect == "sqlite":
            said = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(20)")]
            wrong = [line for line in said if line != "ok"]
            found.append(Check("integrity", t("the file is whole", "le fichier est intact"), len(wrong), "; ".join(wrong[:3])))
            orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            found.append(
                Check(
                    "orphans",
                    t("no orphans", "pas d'orphelins"),
                    len(orphans),
                    ", ".join(sorted({str(row[0]) for row in orphans})),
                )
            )
            stand = set(connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars())
            missing = sorted(set(triggers.triggers()) - stand)
            found.append(
                Check("triggers", t("every trigger stands", "tous les déclencheurs sont là"), len(missing), ", ".join(missing))
            )
        for name, (english, french, query) in INVARIANTS.items():
            rows = connection.execute(sa.text(f"SELECT count(*) FROM ({query}) AS broken")).scalar_one()
            found.append(Check(name, t(english, french), int(rows)))
        stale = _stale_reach(connection, now)
        found.append(Check("reach", t("everybody's reach is folded", "la joignabilité de chacun est à jour"), stale))
    return found


def _stale_reach(connection: sa.Connection, now: datetime) -> int:
    """People whose folded reach is not what their addresses, consents and bars say."""
    from omnicli.store import consents

    ids = list(connection.execute(sa.select(tables.contact.c.id).where(tables.contact.c.erased_at.is_(None))).scalars())
    return sum(
        len(consents.stale(connection, ids[start : start + consents.ROWS], now=now))
        for start in range(0, len(ids), consents.ROWS)
    )


# --- backup ---------------------------------------------------------------------------------------------------------
def _free(folder: Path, stem: str) -> Path:
    """A name that nothing has yet: the sandbox's clock may stand still between two backups."""
    names = (folder / f"{stem}{f'-{n}' if n else ''}.db" for n in count())
    return next(path for path in names if not path.exists())


def backup(store: Store, *, now: datetime, to: Path | None = None) -> Path:
    """A consistent copy (SQLite's backup interface), looked through, then its manifest: a copy without one is no backup."""
    assert store.path is not None
    stamp = f"{now:%Y%m%dT%H%M%SZ}"
    target = to or _free(store.path.parent / "backups", f"{store.path.stem}-{stamp}")
    if target.exists():
        raise OmniError(t("{path} stands there already", "{path} existe déjà", path=target), code="file")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    source, copy = sqlite3.connect(f"file:{store.path}?mode=ro", uri=True), sqlite3.connect(part)
    try:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        rows = _look_through(copy, target)
    finally:
        source.close()
        copy.close()
    digest = hashlib.sha256(part.read_bytes()).hexdigest()
    os.replace(part, target)
    manifest = {"made_at": clock.iso(now), "of": str(store.path), "schema": migrations.HEAD, "sha256": digest, "rows": rows}
    side = Path(f"{target}.json")
    with os.fdopen(os.open(side, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(manifest, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    return target


def _look_through(copy: sqlite3.Connection, target: Path) -> dict[str, int]:
    if (
        copy.execute("PRAGMA integrity_check").fetchone() != ("ok",)
        or copy.execute("PRAGMA foreign_key_check").fetchone() is not None
    ):
        raise OmniError(t("the copy is not whole: {path}", "la copie n'est pas intacte : {path}", path=target), hint="omni db check", code="backup",
                        exit=Exit.REFUSED)  # fmt: skip
    return {name: int(copy.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]) for name in tables.metadata.tables}


# --- beginning again ------------------------------------------------------------------------------------------------
def reset(path: Path, outbox: Path) -> list[Path]:
    """Take away a sandbox's store and outbox; what was there."""
    if path.stem == "live":
        raise OmniError(
            t("the live store is never reset", "les données réelles ne se remettent pas à zéro"),
            code="refused",
            exit=Exit.REFUSED,
        )
    gone = []
    for name in (path, *(Path(f"{path}{end}") for end in ("-wal", "-shm", ".writer"))):
        if name.exists():
            name.unlink()
            gone.append(name)
    if outbox.is_dir():
        shutil.rmtree(outbox)
        gone.append(outbox)
    return gone
