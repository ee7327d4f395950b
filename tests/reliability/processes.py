"""The test's end of the fork server: start a real `omni`, wait for it, kill it, freeze it and let it go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HERE = Path(__file__).parent
KILLED, FROZEN = -signal.SIGKILL, 1000 + signal.SIGSTOP


@dataclass(frozen=True)
class Ended:
    """How a process ended: `code` negative for a signal, FROZEN when it stands still, None when it still runs."""

    code: int | None
    said: str
    pid: int


@dataclass
class Processes:
    """`with Processes() as omni: omni.run([...])`. One server serves one thread of tests."""

    base: Mapping[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("OMNI_")}
        path = os.pathsep.join((str(HERE), str(HERE.parent / "fakes"), str(HERE.parents[1])))
        self._server = subprocess.Popen(
            [sys.executable, "-u", str(HERE / "fork_server.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=kept | {"PYTHONPATH": path, "OMNI_TEST": "1"} | dict(self.base),
        )  # fmt: skip
        assert self._server.stdout is not None
        assert self._server.stdout.readline().strip() == "ready"
        self._running: set[int] = set()
        self.started = 0
        return self

    def __exit__(self, *_error: type[BaseException] | BaseException | TracebackType | None) -> None:
        for pid in list(self._running):
            self.signal(pid, signal.SIGKILL)
            self.wait(pid, Path(os.devnull), seconds=5)
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(10)
        assert self._server.stdout is not None
        self._server.stdout.close()

    def _ask(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        return dict(json.loads(self._server.stdout.readline()))

    def start(self, argv: Sequence[str], out: Path, **asked: Any) -> int:
        """Start one; its pid. What it says goes to `out`."""
        pid = int(self._ask({"start": {"argv": list(argv), "out": str(out), **asked}})["pid"])
        self._running.add(pid)
        self.started += 1
        return pid

    def wait(self, pid: int, out: Path, *, seconds: float = 60) -> Ended:
        code = self._ask({"wait": pid, "seconds": seconds})["code"]
        if code is not None and code < 1000:
            self._running.discard(pid)
        return Ended(code, out.read_text(encoding="utf-8", errors="replace") if out.is_file() else "", pid)

    def run(self, argv: Sequence[str], out: Path, *, seconds: float = 60, **asked: Any) -> Ended:
        """Start one and see it end."""
        ended = self.wait(self.start(argv, out, **asked), out, seconds=seconds)
        assert ended.code is not None, f"still running after {seconds} s: {argv}\n{ended.said}"
        return ended

    def signal(self, pid: int, number: int) -> None:
        """Send it a signal; one that is gone already is no error."""
        if pid in self._running:
            os.kill(pid, number)
