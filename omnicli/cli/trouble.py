"""What the machine refuses, told as what it is: a full disk, a damaged or foreign store, a file that cannot be written.

None of these is a defect of omni, and the words of SQLAlchemy (statement and values: people's data) are never shown.
"""

from __future__ import annotations

import errno
import shutil
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path

from omnicli.cli import frame
from omnicli.errors import Exit, OmniError
from omnicli.text import system_said
from omnicli.texts import t

_FULL = ("disk is full", "disk full")
_DAMAGED = ("malformed", "not a database")
_FOREIGN = ("no such table", "already exists")
#: Below so many free bytes an I/O error of the store is a full disk: SQLite says `disk I/O error` when its log cannot grow.
_LITTLE = 1024 * 1024
_UNWRITABLE = ("readonly database", "unable to open", "attempt to write")


def of_machine(error: BaseException) -> OmniError | None:
    """The OmniError for a refusal of the operating system or of the store's file; None for everything else."""
    if isinstance(error, OSError):
        return _of_files(error)
    said = getattr(error, "orig", error)
    store = frame.current().store_path or t("the store", "les données")
    if not isinstance(said, sqlite3.Error):
        return _of_server(error, store)
    words = str(said).lower()
    if any(word in words for word in _FULL):
        return _full(str(store))
    if "disk i/o error" in words:
        return _of_disk(str(store))
    if any(word in words for word in _DAMAGED):
        return OmniError(
            t("{store} is damaged or no store ({why})", "{store} est abîmé ou n'est pas une base d'omni ({why})", store=store, why=said),
            hint=_again(), code="store", exit=Exit.USAGE,
        )  # fmt: skip
    if any(word in words for word in _FOREIGN):
        return OmniError(
            t("{store} is not whole, or is another program's ({why})", "{store} est incomplet, ou à un autre programme ({why})", store=store, why=said),
            hint=_again(), code="store", exit=Exit.USAGE,
        )  # fmt: skip
    if any(word in words for word in _UNWRITABLE):
        return OmniError(t("{store} cannot be written ({why})", "{store} ne peut être écrit ({why})", store=store, why=said),
                         hint=t("whose is the folder?", "à qui est le dossier ?"), code="store", exit=Exit.USAGE)  # fmt: skip
    if "locked" in words or "busy" in words:
        return OmniError(t("another program holds {store}", "un autre programme tient {store}", store=store),
                         hint=t("close it and try again", "fermez-le et recommencez"), code="busy", exit=Exit.LOCKED)  # fmt: skip
    return None


def _of_server(error: BaseException, store: str) -> OmniError | None:
    if "sqlalchemy" not in sys.modules:  # no store was opened
        return None
    from omnicli.store.refusals import of_server

    return of_server(error, store)


def _of_disk(store: str) -> OmniError:
    with suppress(OSError):
        if shutil.disk_usage(Path(store).parent).free < _LITTLE:
            return _full(store)
    return OmniError(t("{store}: the disk answers with errors", "{store} : le disque répond par des erreurs", store=store),
                     hint=t("look at the disk, then omni db check", "examinez le disque, puis omni db check"), code="disk", exit=Exit.SOME_FAILED)  # fmt: skip


def _of_files(error: OSError) -> OmniError | None:
    if error.filename is None and error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.EIO):
        return None
    where = str(error.filename if error.filename is not None else frame.current().options.project or Path.cwd())
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full(where)
    return OmniError(t("{where}: {why}", "{where} : {why}", where=where, why=system_said(error)), hint=t("running again is safe", "recommencer est sans risque"),
                     code="file", exit=Exit.USAGE)  # fmt: skip


def _full(where: str) -> OmniError:
    return OmniError(t("the disk is full ({where})", "le disque est plein ({where})", where=where),
                     hint=t("make room and run it again: what was committed stands, nothing is done twice",
                            "faites de la place et recommencez : ce qui est enregistré tient, rien n'est fait deux fois"),
                     code="disk", exit=Exit.SOME_FAILED)  # fmt: skip


def _again() -> str:
    if frame.current().live:
        return t(
            "put back the last `omni db backup`, then omni db recover --live",
            "remettez la dernière sauvegarde (`omni db backup`), puis omni db recover --live",
        )
    return t("omni db reset begins the sandbox again", "omni db reset recommence le bac à sable")
