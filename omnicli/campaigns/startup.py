"""What must be in order before anything leaves: a live run, tick or start that lacks one of these is refused (docs/delivery 19).

Each question is a function of its own that answers with the refusal; `doctor` asks the same ones and shows them all.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from omnicli.errors import Exit, OmniError
from omnicli.store import holding, keys, mounted, preparing
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store

#: The first Jinja whose sandbox has no known hole (docs/delivery S01).
JINJA = (3, 1, 6)


def refuse(store: Store, loaded: Loaded) -> None:
    """Raise the first refusal (exit 4) of a live store that is not fit to send."""
    if not store.live or store.rehearsed:
        return
    for ask in (_tables, _foreign_keys, _server, _place, _jinja_refusal, _header_refusal):
        if (why := ask(store)) is not None:
            raise why
    assert loaded.project is not None
    keys.of_store(store, loaded.project.project)
    with store.read() as connection:
        held = holding.held(connection)
    if held is not None:
        raise holding.refusal(held, live=True)


def _tables(store: Store) -> OmniError | None:
    """A daemon keeps the store open for weeks; somebody may migrate it under its hands."""
    with store.read() as connection:
        return preparing.overtaken(connection)


def _foreign_keys(store: Store) -> OmniError | None:
    """They are set on each connection; a library built without them ignores that silently."""
    if store.dialect != "sqlite":
        return None
    with store.read() as connection:
        on = connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    said = t("this SQLite has no foreign keys", "ce SQLite n'a pas de clés étrangères")
    return None if on else OmniError(said, code="store", exit=Exit.REFUSED)


def _server(store: Store) -> OmniError | None:
    """A commit that returned must be on the server's disk (docs/delivery 8)."""
    if store.dialect != "postgresql":
        return None
    from omnicli.store import meeting

    with store.read() as connection:
        return meeting.careless(meeting.ask(connection, "public"))


def _place(store: Store) -> OmniError | None:
    kind = mounted.network(store.path) if store.path is not None else None
    if kind is None:
        return None
    return OmniError(
        t("the store lies on a network file system ({kind}): its locks and syncs cannot be trusted",
          "la base est sur un système de fichiers réseau ({kind}) : ni verrous ni écritures n'y sont sûrs", kind=kind),
        hint=t("put it on a disk of this machine: OMNI_DATABASE=sqlite:////path/live.db",
               "mettez-la sur un disque de cette machine : OMNI_DATABASE=sqlite:////chemin/live.db"), code="network_fs", exit=Exit.REFUSED,
    )  # fmt: skip


def jinja_too_old() -> str | None:
    """The version of Jinja when its sandbox has known holes, else None."""
    from importlib.metadata import version

    found = version("jinja2")
    parts = tuple(int(word) for word in found.split(".")[:3] if word.isdigit())
    return found if parts < JINJA else None


def _jinja_refusal(_store: Store) -> OmniError | None:
    if (found := jinja_too_old()) is None:
        return None
    said = t(
        "Jinja {found} is too old: its sandbox has holes", "Jinja {found} est trop ancien : son bac à sable fuit", found=found
    )
    return OmniError(said, hint="pip install 'jinja2>=3.1.6'", code="jinja", exit=Exit.REFUSED)


@lru_cache(maxsize=1)
def header_fault() -> str | None:
    """What is wrong with messages built here, or None: a filled frame must read as the same message built whole."""
    from omnicli.providers import mime

    try:
        mime.self_test()
    except RuntimeError as error:
        return str(error)
    return None


def _header_refusal(_store: Store) -> OmniError | None:
    if (why := header_fault()) is None:
        return None
    return OmniError(why, hint="omni doctor", code="self_test", exit=Exit.REFUSED)
