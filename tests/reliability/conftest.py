"""The rig of the reliability tests, one a test process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from trials import Rig


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("rig")) as found:
        yield found
