"""The parts put together once: where the project is, its files, its store, its clock."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from omnicli import clock
from omnicli.errors import Exit, OmniError
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store


def find_root(given: Path | None) -> Path:
    """The folder that holds `omni.yaml`: the one given, else the nearest upwards; OmniError when there is none."""
    try:
        start = (given or Path.cwd()).resolve()
    except FileNotFoundError:
        raise OmniError(t("this folder was deleted", "ce dossier a été supprimé"), hint="cd", code="no-project") from None
    for folder in (start,) if given else (start, *start.parents):
        if (folder / "omni.yaml").is_file():
            return folder
    raise OmniError(
        t("no omni.yaml in {folder}", "pas d'omni.yaml dans {folder}", folder=start)
        + ("" if given else t(" or above it", " ni au-dessus")),
        hint=t("omni init makes a project; -C DIR names one", "omni init crée un projet ; -C DIR en désigne un"), code="no-project",
    )  # fmt: skip


def open_project(root: Path) -> Loaded:
    """Read the project's files; OmniError (exit 2) when `omni.yaml` cannot be used at all."""
    from omnicli.campaignfile import load_project

    loaded = load_project(root)
    if loaded.project is None:
        first = next((f for f in loaded.findings if f.severity == "error"), None)
        place = (
            f"{first.place.file}:{first.place.line}:{first.place.column}: {first.code} {first.message}" if first else "omni.yaml"
        )
        raise OmniError(place, hint=t("omni lint shows all", "omni lint montre tout"), code="project")
    return loaded


def database(loaded: Loaded, *, live: bool) -> Path:
    """The SQLite file of the environment: `OMNI_DATABASE`, `environments.live.database`, else `.omni/<env>.db`."""
    from omnicli import settings

    name = "live" if live else "sandbox"
    url = os.environ.get("OMNI_DATABASE") if live else None
    assert loaded.project is not None
    declared = loaded.project.environments.get("live")
    if live and not url and declared is not None and declared.database:
        url = (
            settings.text(settings.resolve(declared.database))
            if os.environ.get(settings.reference(declared.database) or "")
            else None
        )
    if not url:
        return loaded.root / ".omni" / f"{name}.db"
    if url.startswith("sqlite:///"):
        return Path(url.removeprefix("sqlite:///"))
    raise OmniError(
        t("this omni keeps its store in SQLite; '{scheme}' is not supported yet", "cet omni garde ses données dans SQLite ; « {scheme} » pas encore",
          scheme=url.partition(":")[0]),
        hint="sqlite:////path/to/live.db", code="store", exit=Exit.REFUSED,
    )  # fmt: skip


def open_store(loaded: Loaded, *, live: bool, create: bool = True) -> Store:
    """Open (and in the sandbox create and upgrade) the store of the environment."""
    from omnicli.store.connection import Store
    from omnicli.store.preparing import prepare

    path = database(loaded, live=live)
    if not path.exists() and not create:
        raise OmniError(t("there is no store yet", "il n'y a pas encore de données"),
                        hint="omni contact import FILE", code="no-store", exit=Exit.REFUSED)  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = Store.sqlite(path, live=live)
    assert loaded.project is not None
    prepare(store, loaded.project, upgrade=not live)
    if live:
        _greet(store, loaded.project.project)
    return store


def _greet(store: Store, project: str) -> None:
    """A live store that may not know of everything that was sent goes on HOLD; one that does remembers its keys."""
    from omnicli.store import holding, keys, serial

    why = serial.behind(store)
    with store.read() as connection:
        held, own = holding.held(connection), serial.here(connection)
    if why is not None and held is None:
        with store.write() as connection:
            holding.hold(connection, why)
    if why is None and own is not None:
        serial.mark(store, own.serial)
    keys.witness(store, project)


def _local(instant: datetime, loaded: Loaded) -> str:
    """The instant on the project's wall clock, as `--as-of` reads it."""
    from zoneinfo import ZoneInfo

    assert loaded.project is not None
    return instant.astimezone(ZoneInfo(loaded.project.time_zone)).strftime("%Y-%m-%d %H:%M")


def instant(loaded: Loaded, store: Store | None, *, live: bool, as_of: str | None, changes: bool) -> tuple[datetime, str]:
    """The instant of a command and what to say about it (cli 1, Time).

    The sandbox's clock never runs backwards: without `--as-of` it goes on from its latest instant or from now, whichever
    is later; a command that changes something refuses an earlier T (exit 2).
    """
    assert loaded.project is not None
    lived: datetime | None = None
    if store is not None and not live:
        from omnicli.store.setting import clock_of

        with store.read() as connection:
            lived = clock_of(connection)
    if as_of is None:
        present = clock.now()
        if lived is None or lived <= present:
            return present, ""
        return lived, t(
            "The sandbox's clock stands at {lived}.", "L'horloge du bac à sable est au {lived}.", lived=_local(lived, loaded)
        )
    if live and changes:
        raise OmniError(
            t("--as-of moves the clock of the sandbox only", "--as-of ne règle que l'horloge du bac à sable"), code="usage"
        )
    try:
        wanted = clock.read_instant(as_of, loaded.project.time_zone)
    except ValueError as error:
        raise OmniError(str(error), code="usage") from None
    if changes and lived is not None and wanted < lived:
        raise OmniError(
            t("the sandbox has already lived until {lived}", "le bac à sable a déjà vécu jusqu'au {lived}", lived=_local(lived, loaded)),
            hint=t("omni db reset begins again", "omni db reset recommence"), code="usage",
        )  # fmt: skip
    return wanted, ""
