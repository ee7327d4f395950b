"""In a process of its own: which tests claim which guards, and whether they notice that one is off."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Plain pytest: in order, in one process, and no more said than needed.
PLAIN = ("-q", "-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider", "--no-header", "--assert=plain")


class Claims:
    """Collects the guards that each test names by its marker."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for marker in item.iter_markers("guards"):
                for name in marker.args:
                    self.found.setdefault(name, []).append(item.nodeid)


def index(out: str) -> int:
    """Write guard → tests to `out`; only files that speak of the marker are read."""
    os.chdir(ROOT)
    files = [str(path) for path in sorted(ROOT.glob("tests/**/test_*.py")) if "mark.guards" in path.read_text(encoding="utf-8")]
    claims = Claims()
    code = pytest.main([*PLAIN, "--collect-only", *files], plugins=[claims]) if files else 0
    Path(out).write_text(json.dumps(claims.found))
    return int(code)


def run_claims(*tests: str) -> int:
    """pytest's exit code for these tests: 0 all passed, 1 some failed."""
    os.chdir(ROOT)
    return int(pytest.main([*PLAIN, "-x", "--tb=line", *tests]))
