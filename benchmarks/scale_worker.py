"""One worker process of `scale`: dispatches what is due until nothing is, in rounds that take what others leave.

`python -m benchmarks.scale_worker ROOT SINK BATCH IN_FLIGHT` says `ready`, waits for a line, then says as JSON what it did.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.base import NOW
from benchmarks.ground import Watch, peak_mb


def main(root: Path, url: str, batch: int, in_flight: int) -> None:
    from omnicli.app import open_project, open_store
    from omnicli.campaigns.dispatch import dispatch
    from omnicli.campaigns.run import build_renderer

    loaded = open_project(root)
    store = open_store(loaded, live=False)
    renderer = build_renderer(loaded, store, live=False)
    provider = _provider(url, batch, in_flight)
    with store.read() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM campaign").scalar()
    print("ready", flush=True)
    sys.stdin.readline()
    accepted = 0
    with Watch() as watch:
        while got := dispatch(store, loaded, renderer, {"email": provider}, now=NOW).accepted:
            accepted += got
    store.close()
    print(json.dumps({"accepted": accepted, "seconds": watch.seconds, "cpu": watch.cpu, "mb": peak_mb()}))


def _provider(url: str, batch: int, in_flight: int) -> Any:
    from omnicli.providers.base_url import Base
    from omnicli.providers.sendgrid.provider import SendGrid
    from omnicli.providers.sendgrid.wishes import Wishes
    from omnicli.settings import Secret

    return SendGrid(
        Wishes(api_key=Secret("SG.bench"), base=Base(url), batch=batch, in_flight=in_flight, allow_blind_batches=True)
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
