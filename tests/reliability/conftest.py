"""The rig of the reliability tests, one a test process; and stores on PostgreSQL for those that ask, whatever OMNI_TEST_STORE says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from trials import Rig

for _folder in (Path(__file__).parents[1], Path(__file__).parents[2]):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))

import stores  # noqa: E402
from cuts import missing_server  # noqa: E402
from houses_shared import SharedRig  # noqa: E402


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("rig")) as found:
        yield found


def _needs_a_server(request: pytest.FixtureRequest) -> None:
    if (why := missing_server()) is None:
        return
    if request.config.getoption("--require-rig"):
        pytest.fail(f"--require-rig: {why}")
    pytest.skip(why)


@pytest.fixture(scope="session")
def _databases(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whoever opens a store on PostgreSQL is known, and what was made is dropped at the end of the session."""
    _needs_a_server(request)
    with pytest.MonkeyPatch.context() as patch:
        if not stores.POSTGRESQL:
            stores.watch()
        yield
        patch.setattr(stores, "POSTGRESQL", True)
        stores.end()


@pytest.fixture
def on_postgresql(_databases: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every store that this test makes by `stores` is a database of its own, dropped when the test ends."""
    monkeypatch.setattr(stores, "POSTGRESQL", True)
    monkeypatch.delenv("OMNI_DATABASE", raising=False)
    yield
    stores.sweep()


@pytest.fixture
def own_server(request: pytest.FixtureRequest) -> None:
    """The test makes servers of its own, to stop them as a power cut would: there must be the programs for it."""
    from benchmarks.cluster import programs

    if programs() is None:
        why = "no PostgreSQL to start here: the system's programs (initdb, pg_ctl) are missing"
        if request.config.getoption("--require-rig"):
            pytest.fail(f"--require-rig: {why}")
        pytest.skip(why)


@pytest.fixture(scope="session")
def _shared_rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedRig]:
    _needs_a_server(request)
    with SharedRig(tmp_path_factory.mktemp("shared")) as found:
        yield found


@pytest.fixture
def shared_rig(_shared_rig: SharedRig) -> Iterator[SharedRig]:
    """The rig whose houses stand on PostgreSQL; the databases of a test go when it ends."""
    yield _shared_rig
    _shared_rig.sweep()
