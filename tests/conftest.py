"""Every test begins in English, whatever the one before it spoke."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from omnicli import texts


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    texts.use("en")
    yield
    texts.use("en")
