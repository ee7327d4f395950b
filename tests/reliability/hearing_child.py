"""In a process of its own: hear what a provider posted, as `omni serve` does, without the web server."""

from __future__ import annotations

import json
from pathlib import Path


def hear_posted(folder: str, file: str) -> int:
    """Take the request of `file` (path, headers, body) into the live store of `folder`; 0 when all of it was taken."""
    from omnicli import clock
    from omnicli.app import open_project, open_store
    from omnicli.campaigns.hear import hear
    from omnicli.model.response import Incoming
    from omnicli.providers import hearings
    from omnicli.store import keys

    posted = json.loads(Path(file).read_text())
    loaded = open_project(Path(folder))
    store = open_store(loaded, live=True)
    assert loaded.project is not None
    found = hearings(loaded, keys.of_store(store, loaded.project.project).signing, live=True)
    headers = {name.lower(): value for name, value in posted["headers"].items()}
    heard = found[posted["path"]].hear(
        posted["path"],
        Incoming("POST", "https://omni.example.org" + posted["path"], headers, posted["body"].encode()),
        now=clock.now(),
    )
    if heard.status != 200:
        print(heard.status, heard.why)
        return 1
    print(hear(store, loaded, heard.receipts, now=clock.now()))
    return 0


def make_old_store(path: str) -> int:
    """A store with the tables of the first release and three people in it."""
    from omnicli.store import migrations, triggers
    from omnicli.store.connection import Store

    store = Store.sqlite(Path(path), live=True)
    with store.rebuild() as connection:
        migrations.upgrade(connection, "0001")
        for n in range(3):
            connection.exec_driver_sql(
                "INSERT INTO contact (uid, source_id, created_at, changed_at, reach) VALUES (?, ?, 0, 0, '{}')",
                (bytes([n]) * 16, f"old-{n}"),
            )
    store.close()
    return 0 if triggers else 1
