"""Claimed touches → rendering → archive → accepted by the sandbox, against the plain loop."""

from __future__ import annotations

from typing import Any

from benchmarks.e2e import run


def measure(contacts: int) -> dict[str, Any]:
    """The sending half of `e2e`, by the same floor."""
    return run(contacts, whole=False)
