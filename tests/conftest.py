"""Every test begins in English, finds the fakes (`from fake_sendgrid import FakeSendGrid`), and has the stores that OMNI_TEST_STORE says."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from omnicli import texts

FAKES = str(Path(__file__).parent / "fakes")
if FAKES not in sys.path:
    sys.path.insert(0, FAKES)

POSTGRESQL = os.environ.get("OMNI_TEST_STORE") == "postgresql"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-rig", action="store_true", help="a missing part of the test rig (Prism, descriptions …) is a failure"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "sqlite_only(reason): is about SQLite itself, and skipped where OMNI_TEST_STORE=postgresql"
    )
    if POSTGRESQL:
        import stores

        stores.watch()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not POSTGRESQL:
        return
    import postgres_server

    if (why := postgres_server.missing()) is not None:
        if config.getoption("--require-rig"):
            raise pytest.UsageError(why)
        for item in items:
            item.add_marker(pytest.mark.skip(reason=why))
    for item in items:
        for mark in item.iter_markers("sqlite_only"):
            item.add_marker(pytest.mark.skip(reason=f"SQLite only: {mark.kwargs.get('reason') or mark.args[0]}"))


def pytest_sessionfinish() -> None:
    if POSTGRESQL:
        import stores

        stores.end()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
    """What a fixture of more than one test makes on PostgreSQL outlives the test that asked first."""
    if not POSTGRESQL or fixturedef.scope == "function":
        return (yield)
    import stores

    stores.lasting(1)
    try:
        return (yield)
    finally:
        stores.lasting(-1)


@pytest.fixture(autouse=True)
def _stores() -> Iterator[None]:
    """On PostgreSQL a test's databases go when it ends."""
    yield
    if POSTGRESQL:
        import stores

        stores.sweep()


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    texts.use("en")
    yield
    texts.use("en")
