"""R20: a guard that is switched off must make a test fail; otherwise it is a line that nobody would miss."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from guard_child import PLAIN, ROOT
from processes import Processes

from omnicli.guards import GUARDS

pytestmark = pytest.mark.slow


class Claimed:
    """Who claims which guard, found once, and a server that runs them."""

    def __init__(self, folder: Path, omni: Processes) -> None:
        self.folder, self.omni = folder, omni
        out = folder / "index.json"
        ended = omni.run([str(out)], folder / "index.txt", call="guard_child:index", seconds=120)
        assert ended.code == 0, ended.said
        self.tests: dict[str, list[str]] = json.loads(out.read_text())

    def notice(self, name: str) -> tuple[int | None, str]:
        """pytest's exit code for the claiming tests without that guard. One that is asked while a module is imported needs a
        process that imports it without."""
        tests = self.tests[name]
        ended = self.omni.run(tests, self.folder / f"{name}.txt", call="guard_child:run_claims", guards_off=[name],
                              env={"OMNI_GUARDS_OFF": name}, seconds=120)  # fmt: skip
        if ended.code == 1:
            return ended.code, ended.said
        environment = {**os.environ, "OMNI_TEST": "1", "OMNI_GUARDS_OFF": name}
        fresh = subprocess.run([sys.executable, "-m", "pytest", *PLAIN, "-x", "--tb=line", *tests], cwd=ROOT, env=environment,
                               capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
        return fresh.returncode, ended.said + fresh.stdout + fresh.stderr


@pytest.fixture(scope="module")
def claimed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Claimed]:
    with Processes({"OMNI_PRELOAD": "tests"}) as omni:
        yield Claimed(tmp_path_factory.mktemp("guards"), omni)


@pytest.mark.parametrize("name", sorted(GUARDS))
def test_without_the_guard_a_test_that_claims_it_fails(claimed: Claimed, name: str) -> None:
    assert claimed.tests.get(name), f"no test claims the guard {name!r}: mark one with @pytest.mark.guards({name!r})"
    code, said = claimed.notice(name)
    assert code == 1, f"without {name!r} these still pass (or cannot run): {claimed.tests[name]}\n{said[-2000:]}"


def test_only_known_guards_are_claimed(claimed: Claimed) -> None:
    assert set(claimed.tests) <= GUARDS, sorted(set(claimed.tests) - GUARDS)
