"""Named fault points (delivery.md 6); inert unless `OMNI_TEST=1` and `OMNI_CRASH_AT=Fnn` stand in the environment."""

from __future__ import annotations

import os
import signal

_ARMED = os.environ.get("OMNI_CRASH_AT", "") if os.environ.get("OMNI_TEST") == "1" else ""


def point(name: str) -> None:
    """Die here by SIGKILL when a test armed this point; otherwise nothing at all."""
    if name == _ARMED:
        os.kill(os.getpid(), signal.SIGKILL)
