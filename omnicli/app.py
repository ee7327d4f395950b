"""The parts put together once: where the project is, its files, its store, its clock."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from omnicli import clock, settings
from omnicli.errors import Exit, OmniError
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store


#: How an address of PostgreSQL begins.
POSTGRESQL = ("postgresql://", "postgresql+psycopg://", "postgres://")


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


@dataclass(frozen=True, slots=True)
class Place:
    """Where the store of an environment is: a SQLite file, or a schema of the PostgreSQL database at `url`; `path` then names its side files."""

    path: Path
    live: bool
    url: str | None = field(default=None, repr=False)  # it may hold a password

    @property
    def schema(self) -> str:
        return "omni_live" if self.live else "omni_sandbox"

    @property
    def said(self) -> str:
        """Where that is, for people: a path, or host, database and schema; never a password."""
        if self.url is None:
            return str(self.path)
        from omnicli.store.postgres import said_of

        return said_of(self.url, self.schema)

    def open(self) -> Store:
        """The store there; a file is made where there is none. OmniError when the server cannot be reached, or is not fit."""
        from omnicli.store.connection import Store

        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.url is not None:
            from omnicli.store.meeting import meet
            from omnicli.store.postgres import PostgresStore

            store = PostgresStore(self.url, schema=self.schema, live=self.live, beside=self.path)
            try:
                meet(store)
            except BaseException:
                store.close()
                raise
            return store
        return Store.sqlite(self.path, live=self.live)


def place(loaded: Loaded, *, live: bool) -> Place:
    """Where the store of the environment is: `OMNI_DATABASE`, else `environments.live.database` or `database` of the project, else
    `.omni/<env>.db`. A SQLite address in `OMNI_DATABASE` is for the live store only; PostgreSQL holds both, a schema each."""
    beside = loaded.root / ".omni" / ("live.db" if live else "sandbox.db")
    url = _address(loaded, live=live)
    if url is None or (url.startswith("sqlite:///") and not live):
        return Place(beside, live)
    return place_at(url, live=live, beside=beside)


def place_at(url: str, *, live: bool, beside: Path) -> Place:
    """The place that an address names; OmniError when it is neither of SQLite nor of PostgreSQL. A relative path is the project's,
    from whatever folder omni is called: another store in its place would not know what was sent."""
    if url.startswith("sqlite:///"):
        return Place(beside.parents[1] / url.removeprefix("sqlite:///"), live)
    if url.startswith(POSTGRESQL):
        return Place(beside, live, "postgresql" + url[url.index("://") :])
    raise OmniError(
        _nowhere(url), hint="sqlite:////path/to/live.db · postgresql://user@host/database", code="store", exit=Exit.REFUSED
    )


def _nowhere(url: str) -> str:
    """What is wrong with this address. Of one without `://` nothing is repeated: it may be a password."""
    scheme, found, _ = url.partition("://")
    if not found or not scheme.replace("+", "").isalnum():
        return t("this is no address of a database", "ce n'est pas une adresse de base de données")
    return t("a store is kept in SQLite or PostgreSQL, not in '{scheme}'", "une base est tenue dans SQLite ou PostgreSQL, pas dans « {scheme} »",
             scheme=scheme)  # fmt: skip


def _address(loaded: Loaded, *, live: bool) -> str | None:
    """The address that is given for the environment's store, or None; OmniError (S008) when it stands in a variable that is not set:
    another store in its place would not know what was sent."""
    assert loaded.project is not None
    if given := os.environ.get("OMNI_DATABASE", "").strip():
        return given
    declared = loaded.project.environments.get("live")
    text = (declared.database if live and declared is not None else None) or loaded.project.database
    return settings.text(settings.resolve(text)) if text else None


def database(loaded: Loaded, *, live: bool) -> Path:
    """The file of the environment's store; on PostgreSQL what its side files are named after."""
    return place(loaded, live=live).path


def open_store(loaded: Loaded, *, live: bool, create: bool = True) -> Store:
    """Open (and in the sandbox create and upgrade) the store of the environment; OmniError (exit 4) when it is half a copy."""
    from omnicli.store.carrying.progress import unfinished
    from omnicli.store.preparing import prepare, version_of

    where = place(loaded, live=live)
    if where.url is None and not where.path.exists() and not create:
        raise _no_store()
    store = where.open()
    if where.url is not None and not create and version_of(store) is None:
        store.close()
        raise _no_store()
    assert loaded.project is not None
    try:
        prepare(store, loaded.project, upgrade=not live)
        if (half := unfinished(store)) is not None:
            raise half
        if live:
            _greet(store, loaded.project.project)
    except BaseException:
        store.close()
        raise
    return store


#: Seconds that a server may take to let in somebody who can do without it.
GLANCE = 2


def standing(loaded: Loaded) -> Store | None:
    """The sandbox's store as it stands, neither made nor brought up to date, for whoever can do without; None when it cannot be had, is
    half a copy, or another project's."""
    try:
        where = place(loaded, live=False)
        if where.url is not None:
            from omnicli.store.postgres import read_address

            hurried = read_address(where.url).update_query_dict({"connect_timeout": str(GLANCE)})
            where = replace(where, url=hurried.render_as_string(hide_password=False))
        elif not where.path.is_file():
            return None
        store = where.open()
    except OmniError:
        return None
    if _whole_and_ours(store, loaded):
        return store
    store.close()
    return None


def _whole_and_ours(store: Store, loaded: Loaded) -> bool:
    """Whether what can be counted there is this project's, and all of it."""
    import sqlalchemy as sa

    from omnicli.store import setting

    assert loaded.project is not None
    try:
        with store.read() as connection:
            owner, begun = setting.get(connection, "project"), setting.get(connection, setting.COPYING)
    except sa.exc.DatabaseError:
        return False
    return owner == loaded.project.project and begun is None


def _no_store() -> OmniError:
    return OmniError(t("there is no store yet", "il n'y a pas encore de données"), hint="omni contact import FILE", code="no-store",
                     exit=Exit.REFUSED)  # fmt: skip


def _greet(store: Store, project: str) -> None:
    """A live store that may not know of everything that was sent goes on HOLD; one that does remembers its keys."""
    from omnicli.store import holding, keys, serial, whereabouts

    why = serial.behind(store)
    with store.read() as connection:
        held, own = holding.held(connection), serial.here(connection)
    if why is not None and held is None:
        with store.write() as connection:
            holding.hold(connection, why)
    if why is None and own is not None:
        serial.mark(store, own.serial)
        whereabouts.note(store)
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
