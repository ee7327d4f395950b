"""The doctor: everything that must be in order before campaigns can be left alone, and what mends what is not.

It changes nothing (but for `tighten`, and a mended provider that is taken up again) and never creates a store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from omnicli.service.doctor.mending import tighten
from omnicli.service.doctor.sign import NOTE, WELL, WRONG, Patient, Sign, Signs

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.errors import OmniError
    from omnicli.store.connection import Store

__all__ = ["NOTE", "WELL", "WRONG", "Patient", "Sign", "bare", "examine", "tighten"]


def bare() -> Signs:
    """What can be said without a project."""
    from omnicli.service.doctor.installation import installation

    yield from installation()


def examine(
    loaded: Loaded, *, now: datetime, live: bool, online: bool = False, domains: Sequence[str] = (), provider: str | None = None,
    resolver: Any = None, progress: Callable[[int], None] = lambda _n: None,
) -> list[Sign]:  # fmt: skip
    """Look at everything, in the order in which it would be mended. `provider` looks at that one alone, over the network."""
    patient = _patient(loaded, now=now, live=live)
    store = patient.store
    found: list[Sign] = []
    try:
        for part in _parts(patient, online=online, domains=domains, provider=provider, resolver=resolver):
            found += part
            progress(1)
    finally:
        if store is not None:
            store.close()
    return found


def _patient(loaded: Loaded, *, now: datetime, live: bool) -> Patient:
    """The store as it stands, opened; what refuses it is a thing that is wrong, not the end of looking."""
    from omnicli.app import place
    from omnicli.errors import OmniError
    from omnicli.service.doctor import shelf

    beside = loaded.root / ".omni" / ("live.db" if live else "sandbox.db")
    try:
        where = place(loaded, live=live)
    except OmniError as error:
        return Patient(loaded, beside, None, now, live, refused=error)
    try:
        store = shelf.opened(where.path, live=live) if where.url is None else where.open()
        server = where.said if where.url is not None else None
    except OmniError as error:
        return Patient(loaded, where.path, None, now, live, refused=error)
    if store is not None and (strange := _strange(store, loaded)) is not None:
        store.close()
        return Patient(loaded, where.path, None, now, live, server=server, refused=strange)
    return Patient(loaded, where.path, store, now, live, server=server)


def _strange(store: Store, loaded: Loaded) -> OmniError | None:
    """Why the store is not this project's; what cannot be read is told by whoever looks at the store itself."""
    import sqlalchemy as sa

    from omnicli.store.preparing import of_another

    assert loaded.project is not None
    try:
        return of_another(store, loaded.project)
    except sa.exc.DatabaseError:
        return None


def _parts(
    patient: Patient, *, online: bool, domains: Sequence[str], provider: str | None, resolver: Any
) -> Iterator[Sequence[Sign]]:
    from omnicli.service.doctor import calls, carriers, files, names, reputation, shelf
    from omnicli.store import migrations
    from omnicli.store.preparing import version_of

    usable = patient.store is not None and version_of(patient.store) == migrations.HEAD
    seen = patient if usable else replace(patient, store=None)
    if provider is not None:
        yield list(carriers.carriers(seen, online=True, only=provider))
        return
    yield list(bare())
    yield list(files.files(patient))
    yield list(shelf.shelf(patient))
    yield list(carriers.carriers(seen, online=online, only=None))
    if usable and patient.store is not None:
        yield list(calls.calls(patient, patient.store))
        yield list(reputation.reputation(patient, patient.store))
    yield list(names.names(patient, online=online, given=domains, resolver=resolver))
