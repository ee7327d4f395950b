"""Real `omni` processes in a few milliseconds: a server that has everything imported forks one for each command line.

A forked child is a process of its own with its own connections; SIGKILL, SIGSTOP and exit codes are those of the real thing. One
JSON object a line comes in on standard input, one goes out:

`{"start": {"argv": […], "env": {…}, "ahead": 0.0, "crash_at": "F09" | null, "stop_at": "F07" | null, "short": {…}, "out": FILE}}` → `{"pid": n}`
`{"wait": pid, "seconds": 60}` → `{"code": n}` (negative: the signal; null: it still runs)

`ahead` moves the child's clock by so many seconds; `short` shortens what a test need not wait out (`{"lease": 2000}` milliseconds;
`{"abandoned": "2s"}`: how long PostgreSQL lets one stand still inside a transaction).
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import signal
import sys
import time
from datetime import timedelta
from typing import Any


def preload() -> None:
    """Import all of omni, and the client libraries that it imports late."""
    import omnicli
    from omnicli.cli import main

    for module in pkgutil.walk_packages(omnicli.__path__, "omnicli."):
        if module.name.endswith("__main__") or ".migrations" in module.name:
            continue
        try:
            importlib.import_module(module.name)
        except ImportError:  # an extra that is not installed
            continue
    for name in ("sendgrid", "twilio.rest", "typer", "rich.console", "starlette.applications", "uvicorn", "sqlalchemy.dialects.sqlite",
                 "smtplib", "http.client", "babel.dates", "pywebpush"):  # fmt: skip
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    if os.environ.get("OMNI_PRELOAD") == "tests":
        for name in ("pytest", "hypothesis", "aiosmtpd.controller"):
            importlib.import_module(name)
    assert main


def child(asked: dict[str, Any]) -> int:
    """Be that process; its exit code."""
    from omnicli import clock, faults, guards

    out = os.open(asked["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(0, closefd=False),
        os.fdopen(1, "w", closefd=False),
        os.fdopen(2, "w", closefd=False),
    )
    os.environ.update(asked.get("env", {}), OMNI_TEST="1")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faults._ARMED = asked.get("crash_at") or ""
    guards._OFF = frozenset(asked.get("guards_off", ()))
    if asked.get("stop_at"):
        _freeze_at(asked["stop_at"])
    if asked.get("ahead"):
        true_now, ahead = clock.now, timedelta(seconds=asked["ahead"])
        clock.now = lambda: true_now() + ahead
    if (short := asked.get("short", {})).get("lease"):
        from omnicli.store import outbox

        for module in [outbox, *(m for name, m in sys.modules.items() if name.startswith("omnicli.store.outbox"))]:
            if hasattr(module, "LEASE"):
                module.LEASE = short["lease"]
    if short.get("abandoned"):
        from omnicli.store import postgres

        postgres.ABANDONED = dict.fromkeys(postgres.ABANDONED, short["abandoned"])
    if "call" in asked:
        module_name, _, name = asked["call"].partition(":")
        return int(getattr(importlib.import_module(module_name), name)(*asked.get("argv", ())) or 0)
    from omnicli.cli.main import run

    return int(run(list(asked["argv"])))


def _freeze_at(name: str) -> None:
    """Stop this process by SIGSTOP at that point, once; somebody else goes on with it."""
    from omnicli import faults

    def point(reached: str) -> None:
        if reached == name:
            faults.point = lambda _name: None  # type: ignore[assignment]
            os.kill(os.getpid(), signal.SIGSTOP)

    faults.point = point  # type: ignore[assignment]


def start(asked: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        code = child(asked)
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def wait(pid: int, seconds: float) -> int | None:
    """The exit code (negative: by which signal), or None when it still runs after that long."""
    end = time.monotonic() + seconds
    pause = 0.001
    while True:
        found, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
        if found and os.WIFSTOPPED(status):
            return 1000 + os.WSTOPSIG(status)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            return None
        time.sleep(pause)
        pause = min(0.01, pause * 1.5)


def main() -> None:
    preload()
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        if "start" in asked:
            said: dict[str, Any] = {"pid": start(asked["start"])}
        else:
            said = {"code": wait(asked["wait"], asked.get("seconds", 60))}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
