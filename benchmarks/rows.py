"""Every benchmark: its name on the command line, what it measures, and how many contacts it takes small (a look whether it goes) and in full (the table)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """`module` has `measure(contacts) -> dict`; `small` ends within seconds, `full` is what the goals are stated for."""

    name: str
    says: str
    small: int
    full: int
    module: str = ""

    @property
    def where(self) -> str:
        return f"benchmarks.{self.module or self.name}"


ROWS = (
    Row("startup", "omni --help and omni lint on one file, over python -c pass", 1_000, 100_000),
    Row("lint", "200 campaigns, and one of 3,000 lines, beside yaml.compose", 1_000, 100_000),
    Row("import", "contact import of a CSV, validated, against csv.reader + executemany", 2_000, 1_000_000, "importing"),
    Row("segment", "eight conditions over contacts and five events each, against SQL by hand", 5_000, 1_000_000),
    Row("tick", "a tick with nothing due, and one with a tenth due, against a plain UPDATE", 3_000, 1_000_000),
    Row("render", "one e-mail and one SMS, against sandboxed Jinja", 500, 20_000),
    Row("dispatch", "claimed touches to the sandbox's acceptance, against a plain loop", 2_000, 100_000),
    Row("e2e", "from due enrollments on, decisions included, against the same plain loop", 2_000, 100_000),
    Row("deliver", "SendGrid over HTTP to a local sink, against one call a person", 10_000, 1_000_000),
    Row("smtp", "e-mails to Postfix's smtp-sink, against mailmerge", 300, 5_000),
    Row("webhook", "signed event batches to omni serve, against a bare Starlette route", 5_000, 100_000),
    Row("simulate", "a base lives 90 virtual days through 12 steps", 500, 100_000),
    Row("lives", "generated lives and scenarios: what campaign test costs", 10_000, 100_000),
    Row("scale", "PostgreSQL: 1, 2, 4 workers against a sink with 50 ms latency", 100, 4_000),
    Row("growth", "10k, 100k, 1M contacts: µs a touch, memory, bytes, commits a second, on both stores", 500, 1_000_000),
)
NAMES = tuple(row.name for row in ROWS)


def row(name: str) -> Row:
    return next(one for one in ROWS if one.name == name)
