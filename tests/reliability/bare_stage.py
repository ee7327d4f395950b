"""The stage of tests/campaigns, for reliability tests that need no process: a store, a renderer, a provider that does as told."""

from __future__ import annotations

import sys
from pathlib import Path

_BESIDE = str(Path(__file__).parents[1] / "campaigns")
if _BESIDE not in sys.path:
    sys.path.append(_BESIDE)

from delivering import OMNI, Delivery, Recorder, a_campaign, accepted, paris  # noqa: E402

__all__ = ["OMNI", "Delivery", "Recorder", "a_campaign", "accepted", "paris"]
