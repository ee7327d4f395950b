"""Generated lives of 60 days, many in one world, and the scenarios of one file: what `omni campaign test` and its `--fuzz` cost beyond start-up."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.ground import Watch, peak_mb

#: The project of this repository; lives of each of its campaigns, and the file whose scenarios are played.
ROOT = Path(__file__).parent.parent
FILE = "campaigns/bienvenue.pression.test.yaml"
REPEATS = 5


def _instants() -> Any:
    """Counts the instants that worlds live."""
    from omnicli.campaigns.run import RunReport
    from omnicli.campaigns.scenario.world import World

    live, count = World.live, mock.Mock()

    def counted(self: World, instant: datetime) -> RunReport:
        count()
        return live(self, instant)

    return mock.patch.object(World, "live", counted), count


def measure(contacts: int) -> dict[str, Any]:
    """`contacts` // 500 lives a campaign (200 by default, 20 at least). Times are processor time, the first one of each apart from the rest."""
    from omnicli.app import open_project
    from omnicli.campaignfile.stories import load_stories
    from omnicli.campaigns.scenario.fuzz import fuzz
    from omnicli.campaigns.scenario.suite import suite

    loaded, lives = open_project(ROOT), max(20, contacts // 500)
    file = next(one for one in load_stories(loaded).files if one.file == FILE)
    patch, count = _instants()
    found: dict[str, Any] = {"goal": "1,000 lives in < 2 s (2,000 us a life); the example file in < 100 ms", "lives": lives}
    with patch:
        for name in sorted(loaded.campaigns):
            count.reset_mock()
            with Watch() as watch:
                fuzz(loaded, name, lives=lives, seed=7, small=False)
            found[f"{name}_us_a_life"] = round(watch.cpu / lives * 1e6)
            found[f"{name}_us_an_instant"] = round(watch.cpu / count.call_count * 1e6)
            found[f"{name}_instants"] = count.call_count
        times = []
        for _ in range(REPEATS):
            count.reset_mock()
            with Watch() as watch:
                suite(loaded, [file])
            times.append(watch.cpu)
    best = min(times[1:])
    return found | {
        "file_scenarios": len(file.scenarios), "file_instants": count.call_count, "file_cold_ms": round(times[0] * 1000), "file_ms": round(best * 1000),
        "file_us_an_instant": round(best / count.call_count * 1e6), "ratio": round(best / 0.1, 2), "peak_mb": peak_mb(),
    }  # fmt: skip
