"""Every test begins in English, whatever the one before it spoke, and finds the fakes (`from fake_sendgrid import FakeSendGrid`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from omnicli import texts

FAKES = str(Path(__file__).parent / "fakes")
if FAKES not in sys.path:
    sys.path.insert(0, FAKES)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-rig", action="store_true", help="a missing part of the test rig (Prism, descriptions …) is a failure"
    )


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    texts.use("en")
    yield
    texts.use("en")
