"""One worker process of `growth` on PostgreSQL: decides what is due, then dispatches until nothing is; `python -m benchmarks.growth_worker ROOT`.

The same work as the cells on SQLite do: whoever got a mail is not decided for again within the measure.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.base import NOW
from benchmarks.ground import Watch, fresh_peak, peak_mb


def main(root: Path) -> None:
    from omnicli.app import open_project, open_store
    from omnicli.campaigns.dispatch import dispatch
    from omnicli.campaigns.run import build_renderer
    from omnicli.campaigns.turn import turn
    from omnicli.providers import build, close

    loaded = open_project(root)
    store = open_store(loaded, live=False)
    renderer = build_renderer(loaded, store, live=False)
    print("ready", flush=True)
    sys.stdin.readline()
    fresh_peak()
    accepted, deciding = 0, Watch()
    with Watch() as watch:
        providers = build(loaded, live=False)
        with deciding:
            turn(store, loaded, now=NOW, usable=renderer.usable)
        while got := dispatch(store, loaded, renderer, providers, now=NOW).accepted:
            accepted += got
        close(providers)
    store.close()
    print(json.dumps({"accepted": accepted, "seconds": watch.seconds, "deciding": deciding.seconds, "cpu": watch.cpu, "mb": peak_mb()}))  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
