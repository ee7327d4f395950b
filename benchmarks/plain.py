"""The floor of `dispatch` and `e2e`: a plain loop that reads a row, renders by the stock sandbox, inserts the body, commits."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from typing import Any

from benchmarks.ground import Watch

SENTINELS = {
    "Zzfirstzz": "{{ first_name }}",
    "20 %": "{{ offer }}",
    "BIENVENUE20": "{{ code }}",
    "49,90 €": "{{ was }}",
    "39,92 €": "{{ price }}",
}


def as_template(text: str) -> str:
    """A rendered e-mail of the person called Zzfirstzz as a stock Jinja template with the same variables."""
    safe = text.replace("{{", "{ {").replace("{%", "{ %")
    for sentinel, variable in SENTINELS.items():
        safe = (
            safe.replace(sentinel.replace(" ", "\u202f"), variable)
            .replace(sentinel.replace(" ", "\u00a0"), variable)
            .replace(sentinel, variable)
        )
    return safe


def loop(database: Path, html: str, text: str, subject: str, count: int) -> tuple[float, int]:
    """(seconds, characters of the last body) for `count` people of the store's own contact table."""
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(autoescape=True)
    plain = SandboxedEnvironment(autoescape=False)
    page, letter, head = (
        environment.from_string(as_template(html)),
        plain.from_string(as_template(text)),
        plain.from_string(as_template(subject)),
    )
    source = sqlite3.connect(database)
    target = sqlite3.connect(database.with_name("floor.db"))
    target.execute("PRAGMA journal_mode=WAL")
    target.execute("PRAGMA synchronous=FULL")
    target.execute("CREATE TABLE sent (id INTEGER PRIMARY KEY, address TEXT, subject TEXT, html TEXT, text TEXT, hash BLOB)")
    facts: dict[str, Any] = {"offer": "20 %", "code": "BIENVENUE20", "was": "49,90 €", "price": "39,92 €"}
    size = 0
    with Watch() as watch:
        rows = source.execute(
            "SELECT c.id, c.a_first_name, a.value FROM contact c JOIN address a ON a.contact_id = c.id ORDER BY c.id LIMIT ?",
            (count,),
        )
        for n, (key, first_name, address) in enumerate(rows, 1):
            values = {"first_name": first_name or "Bonjour", **facts}
            body, words = page.render(values), letter.render(values)
            target.execute(
                "INSERT INTO sent VALUES (?,?,?,?,?,?)",
                (key, address, head.render(values), body, words, hashlib.sha256(body.encode()).digest()),
            )
            size = len(body) + len(words)
            if n % 1000 == 0:
                target.commit()
        target.commit()
    source.close()
    target.close()
    return watch.seconds, size
