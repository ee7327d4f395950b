"""On PostgreSQL the commands of each test find a database of their own."""

from __future__ import annotations

import pytest
import stores


@pytest.fixture(autouse=True)
def _database() -> None:
    if stores.POSTGRESQL:
        stores.for_commands()
