"""Fixtures of the contract tests: `prism(file) -> its url` and `twin(file) -> official.Twin`, each started once a session.

What is missing skips with its name, or fails under `--require-rig`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
for folder in (str(HERE), str(HERE.parent / "providers")):  # what they share with the tests of the providers
    if folder not in sys.path:
        sys.path.insert(0, folder)

from official import SPECS, Prism, Twin, find_prism  # noqa: E402


def missing(request: pytest.FixtureRequest, what: str) -> None:
    """Skip, or fail where the rig is required."""
    if request.config.getoption("--require-rig"):
        pytest.fail(f"--require-rig: {what}")
    pytest.skip(what)


@pytest.fixture(scope="session")
def specs(request: pytest.FixtureRequest) -> Path:
    """The folder of the merged descriptions (`../shared/specs/merged`)."""
    if not SPECS.is_dir():
        missing(request, "no ../shared/specs beside the repository")
    return SPECS


@pytest.fixture(scope="session")
def prism(request: pytest.FixtureRequest, specs: Path) -> Iterator[Callable[[str], str]]:
    """`prism("sendgrid_v3.strict.json")` → base URL of a Prism that speaks it."""
    program = find_prism()
    if program is None:
        missing(request, "no prism: .ci/rig installs it, or set OMNI_PRISM")
    running: dict[str, Prism] = {}

    def start(name: str) -> str:
        if name not in running:
            running[name] = Prism(str(program), specs / name)
            if not running[name].wait():
                missing(request, f"prism did not start on {name}")
        return running[name].url

    yield start
    for one in running.values():
        one.close()


@pytest.fixture(scope="session")
def twin(specs: Path) -> Callable[[str], Twin]:
    """`twin("sendgrid_v3.strict.json")` → the same description by openapi-core, in this process."""
    read: dict[str, Twin] = {}

    def of(name: str) -> Twin:
        if name not in read:
            read[name] = Twin(specs / name)
        return read[name]

    return of
