"""The floor of `dispatch` and `e2e`: a plain loop that reads a row, renders by the stock sandbox, inserts the body, commits.

The mail is omni's own, turned back into a template whose every fact, name, link and address is a variable of a dict, so both
sides write the same bytes. The loop asks nobody's consent, keeps no archive apart from the bodies and remembers no attempt.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from benchmarks.ground import Watch

#: Texts of the example (the person called Zzfirstzz) → variables, longest first.
SENTINELS = {
    "https://www.maisonlune.example/bienvenue": "{{ link }}",
    "31 janvier 2027": "{{ deadline }}",
    "28 janvier 2027": "{{ deadline }}",
    "Zzfirstzz": "{{ first_name }}",
    "BIENVENUE20": "{{ code }}",
    "49,90 €": "{{ was }}",
    "39,92 €": "{{ price }}",
    "20 %": "{{ offer }}",
}
FACTS = {"offer": "20 %", "code": "BIENVENUE20", "was": "49,90 €", "price": "39,92 €", "deadline": "28 janvier 2027",
         "link": "https://www.maisonlune.example/bienvenue"}  # fmt: skip


def as_template(text: str) -> str:
    """A rendered e-mail of the person called Zzfirstzz as a stock Jinja template with the same variables."""
    safe = text.replace("{{", "{ {").replace("{%", "{ %").replace("{#", "{ #")
    for sentinel, variable in SENTINELS.items():
        for space in ("\u202f", "\u00a0", " "):
            safe = safe.replace(sentinel.replace(" ", space), variable)
    return safe


def loop(database: Path, html: str, text: str, subject: str, count: int) -> tuple[Watch, int, int]:
    """(time, characters of the last mail, variables in it) for `count` people of the store's own contact table."""
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(autoescape=True)
    plain = SandboxedEnvironment(autoescape=False)
    sources = [as_template(part) for part in (html, text, subject)]
    page, letter, head = environment.from_string(sources[0]), plain.from_string(sources[1]), plain.from_string(sources[2])
    source = sqlite3.connect(database)
    target = sqlite3.connect(database.with_name("floor.db"))
    target.execute("PRAGMA journal_mode=WAL")
    target.execute("PRAGMA synchronous=FULL")
    target.execute("CREATE TABLE sent (id INTEGER PRIMARY KEY, address TEXT, subject TEXT, html TEXT, text TEXT)")
    facts: dict[str, Any] = dict(FACTS)
    size = 0
    with Watch() as watch:
        rows = source.execute(
            "SELECT c.id, c.a_first_name, a.value FROM contact c JOIN address a ON a.contact_id = c.id ORDER BY c.id LIMIT ?",
            (count,),
        )
        for n, (key, first_name, address) in enumerate(rows, 1):
            values = {"first_name": first_name or "Bonjour", **facts}
            body, words = page.render(values), letter.render(values)
            target.execute("INSERT INTO sent VALUES (?,?,?,?,?)", (key, address, head.render(values), body, words))
            size = len(body) + len(words)
            if n % 1000 == 0:
                target.commit()
        target.commit()
    source.close()
    target.close()
    return watch, size, sum(part.count("{{ ") for part in sources)
