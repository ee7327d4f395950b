"""One worker process of `growth` on PostgreSQL: decides and dispatches until nothing is due; `python -m benchmarks.growth_worker ROOT`."""

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
        while True:
            with deciding:
                turn(store, loaded, now=NOW, usable=renderer.usable)
            got = dispatch(store, loaded, renderer, providers, now=NOW).accepted
            if not got:
                break
            accepted += got
        close(providers)
    store.close()
    print(json.dumps({"accepted": accepted, "seconds": watch.seconds, "deciding": deciding.seconds, "cpu": watch.cpu, "mb": peak_mb()}))  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
