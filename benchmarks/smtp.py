"""The same e-mails through Postfix's smtp-sink: `mailmerge`, which remembers nothing, against decide → outbox → SMTP, durably.

Both sides read one list of people, fill one template with the same facts, and hand over to the same server on loopback, one after
the other in one process each way. omni writes every intent before its call and every outcome after it, synced (docs/delivery 3).
"""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import io
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import plain
from benchmarks.base import NOW, stand
from benchmarks.ground import FIRST, Watch, peak_mb, person, project

GOAL = "omni sends at least 5 times as many a second as mailmerge (ratio ≤ 0.2)"
MOST = 5000


def measure(contacts: int) -> dict[str, Any]:
    """`ratio` is omni's time by mailmerge's for the same mails; at most 5,000 people take part. What is missing here is named."""
    missing = [
        name for name, there in (("smtp-sink (Postfix)", _sink()), ("mailmerge (pip install mailmerge)", _peer())) if not there
    ]
    if missing:
        return {"goal": GOAL, "skipped": "missing: " + ", ".join(missing)}
    count = min(contacts, MOST)
    with project() as root, sink() as port:
        ours, sending, accepted, parts = omni(root, port, count)
        theirs, size = mailmerge(root, port, accepted, parts)
        again = bare(port, accepted, size)
    return {
        "goal": GOAL, "contacts": count, "mails": accepted, "ratio": round(ours.seconds / theirs.seconds, 3), "times_faster": round(theirs.seconds / ours.seconds, 2),
        "cpu_ratio": round(ours.cpu / theirs.cpu, 3), "omni_s": round(ours.seconds, 2), "omni_dispatch_s": round(sending.seconds, 2),
        "mailmerge_s": round(theirs.seconds, 2), "omni_a_second": round(accepted / ours.seconds), "mailmerge_a_second": round(accepted / theirs.seconds),
        "omni_cpu_s": round(ours.cpu, 2), "mailmerge_cpu_s": round(theirs.cpu, 2), "smtplib_one_connection_s": round(again.seconds, 2),
        "us_a_mail": round(ours.seconds / accepted * 1e6), "mailmerge_us": round(theirs.seconds / accepted * 1e6), "bytes_a_mail": size, "peak_mb": peak_mb(),
    }  # fmt: skip


# --- omni -----------------------------------------------------------------------------------------------------------
def omni(root: Path, port: int, count: int) -> tuple[Watch, Watch, int, dict[str, str]]:
    """(all, dispatching alone, mails accepted, the parts of one of them) of a live run over a store on disk."""
    from omnicli.app import open_project, open_store
    from omnicli.campaigns.dispatch import dispatch
    from omnicli.campaigns.run import build_renderer
    from omnicli.campaigns.turn import turn
    from omnicli.providers import build, close

    (root / "omni.yaml").write_text((root / "omni.yaml").read_text() + f"providers: {{smtp: {{host: 127.0.0.1, port: {port}}}}}\n"
                                    "public_url: https://omni.example.org\n")  # fmt: skip
    loaded = open_project(root)
    store = open_store(loaded, live=True)
    stand(store, loaded, count, due=10, step="j0")
    with Watch() as whole:
        renderer = build_renderer(loaded, store, live=True)
        turn(store, loaded, now=NOW, usable=renderer.usable, live=True)
        with Watch() as sending:
            providers = build(loaded, live=True)
            accepted = 0
            while got := dispatch(store, loaded, renderer, providers, now=NOW, live=True).accepted:
                accepted += got
            close(providers)
    parts = _example(store)
    store.close()
    return whole, sending, accepted, parts


def _example(store: Any) -> dict[str, str]:
    """An archived e-mail whose reader's name is made recognisable."""
    from omnicli.render.skeleton import restore

    query = (
        'SELECT s.parts, r."values", c.a_first_name FROM rendering r JOIN skeleton s ON s.id = r.skeleton_id JOIN touch t ON t.id = r.touch_id '
        "JOIN contact c ON c.id = t.contact_id WHERE c.language = 'fr' AND c.a_first_name IS NOT NULL LIMIT 1"
    )
    with store.read() as connection:
        blob, values, name = connection.exec_driver_sql(query).one()
    return {part: text.replace(name, "Zzfirstzz") for part, text in restore(blob, values).items()}


# --- the peer -------------------------------------------------------------------------------------------------------
TEMPLATE = """\
TO: {{{{email}}}}
FROM: Maison Lune <bonjour@maisonlune.example>
SUBJECT: {subject}
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="boundary"

--boundary
Content-Type: text/plain; charset="utf-8"

{text}

--boundary
Content-Type: text/html; charset="utf-8"

{html}

--boundary--
"""


def mailmerge(root: Path, port: int, count: int, parts: dict[str, str]) -> tuple[Watch, int]:
    """mailmerge's own command over the same people; (time, bytes of its template). What it prints goes nowhere."""
    main = importlib.import_module("mailmerge.__main__").main
    said = {name: plain.as_template(parts.get(name, "")) for name in ("subject", "text", "html")}
    (root / "template.txt").write_text(TEMPLATE.format(**said), "utf-8")
    (root / "server.conf").write_text(f"[smtp_server]\nhost = 127.0.0.1\nport = {port}\n")
    with (root / "people.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["email", "first_name", *plain.FACTS])
        writer.writerows([person(n)[3], FIRST[n % 10], *plain.FACTS.values()] for n in range(1, count + 1))
    arguments = ["--no-dry-run", "--no-limit", "--output-format", "raw", "--template", str(root / "template.txt"), "--database",
                 str(root / "people.csv"), "--config", str(root / "server.conf")]  # fmt: skip
    with Watch() as watch, contextlib.redirect_stdout(io.StringIO()):
        main(arguments, standalone_mode=False)
    return watch, len((root / "template.txt").read_bytes())


def bare(port: int, count: int, size: int) -> Watch:
    """One connection of the standard library and one constant message: what the wire and the sink take at least."""
    import smtplib

    message = "Subject: x\r\n\r\n" + ("x" * 76 + "\r\n") * (size // 78)
    with Watch() as watch, smtplib.SMTP("127.0.0.1", port) as smtp:
        for n in range(count):
            smtp.sendmail("a@maisonlune.example", [f"p{n}@example.com"], message)
    return watch


def _peer() -> bool:
    return importlib.util.find_spec("mailmerge") is not None


# --- the server -----------------------------------------------------------------------------------------------------
def _sink() -> str | None:
    return shutil.which("smtp-sink") or shutil.which("smtp-sink", path="/usr/sbin:/usr/lib/postfix/sbin")


@contextlib.contextmanager
def sink() -> Iterator[int]:
    """Postfix's smtp-sink on a free port; it takes everything and keeps nothing."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = _sink()
    assert program is not None
    who = ["-u", "nobody"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as folder:
        running = subprocess.Popen(
            [program, *who, "-h", "sink.example", f"127.0.0.1:{port}", "256"], cwd=folder, stderr=subprocess.DEVNULL
        )
        try:
            _wait_for(port)
            yield port
        finally:
            running.terminate()
            running.wait(10)


def _wait_for(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError("smtp-sink did not start")
