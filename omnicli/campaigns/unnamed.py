"""People under way as a file that names nobody: their decisions can be taken again without the store (docs/scenarios 6).

JSON lines: a head, then the rows of five tables that a replay reads. No name, address or text of a person is in it, and no id: who it
is stands as a keyed hash, by which only the owner of the store's keys finds them again. Of attributes, events and what was told,
numbers, days and yes or no are kept, for the engine reckons with them; texts are not. Arms were drawn from the id: they are taken
from the ledger, not drawn again. Decisions of a halted house are left out, since their delay hangs on the id too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
import yaml

from omnicli.campaignfile import revive
from omnicli.campaigns.bound import seal
from omnicli.engine import premises
from omnicli.errors import OmniError
from omnicli.render.facts import fixed_facts
from omnicli.store import preparing
from omnicli.store import tables as tb
from omnicli.store.connection import Store
from omnicli.text import system_said
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.model.campaign import Campaign

FORMAT = 1
#: What the engine asks of a pass, and nothing that says whose it is.
_PASS = ("id", "campaign_id", "version_id", "pass", "entered_at", "language", "persona", "held_out", "step", "since", "wait_from", "wait_until",
         "due_at", "held_by", "held_from", "state", "touch_id", "told")  # fmt: skip
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}([T ][\d:.+Z-]*)?")
_REASON = re.compile(r"[a-z_]+(:[a-z_]+)?")
Told = Mapping[str, Mapping[str, Sequence[str | None]]]


@dataclass(frozen=True, slots=True)
class Kept:
    """How many people and decisions a file holds, and how many decisions it leaves out."""

    people: int
    decisions: int
    left_out: int


# --- writing --------------------------------------------------------------------------------------------------------
def keep(store: Store, names: Sequence[str], *, project: str, pepper: bytes) -> tuple[str, Kept]:
    """The text of the file about everybody in flight in these campaigns, and what it holds."""
    with store.read() as connection:
        rows = _Rows(connection, names, pepper)
        lines = [{"format": FORMAT, "project": project}, *rows.all()]
    text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
    return text, Kept(len(rows.passes), rows.decisions, rows.left_out)


class _Rows:
    """The rows of a file, table by table; a line is `{table: {column: value}}`."""

    def __init__(self, connection: sa.Connection, names: Sequence[str], pepper: bytes) -> None:
        self.connection = connection
        self.names = names
        self.pepper = pepper
        self.passes: dict[int, Campaign] = {}
        self.decisions = self.left_out = 0

    def all(self) -> Iterator[dict[str, Any]]:
        c, v = tb.campaign.c, tb.campaign_version.c
        chosen = [
            row._asdict()
            for row in self.connection.execute(sa.select(c.id, c.name, c.state, c.version_id).where(c.name.in_(self.names)))
        ]
        yield from ({"campaign": row} for row in chosen)
        wanted = sa.select(tb.campaign_version).where(v.campaign_id.in_([row["id"] for row in chosen])).order_by(v.id)
        versions = [row._asdict() for row in self.connection.execute(wanted)]
        yield from ({"campaign_version": row} for row in versions)
        yield from self._passes({row["id"]: revive(row["tree"]) for row in versions})
        yield from self._decisions()

    def _passes(self, trees: Mapping[int, Campaign]) -> Iterator[dict[str, Any]]:
        e = tb.enrollment.c
        query = sa.select(*(e[name] for name in _PASS), tb.contact.c.source_id).join(tb.contact, tb.contact.c.id == e.contact_id)
        open_ = query.where(e.state == "open", e.campaign_id.in_(self._campaigns())).order_by(e.id)
        for number, found in enumerate(self.connection.execute(open_), start=1):
            row = found._asdict()
            self.passes[row["id"]] = campaign = trees[row["version_id"]]
            told = json.loads(row["told"]) if row["told"] else {}
            row["told"] = json.dumps(_public(told, campaign, row["persona"], row["language"])) if told else None
            row["touch_id"] = 1 if row["touch_id"] is not None else None
            who = seal(self.pepper, b"unnamed", row.pop("source_id").encode()).hex()
            yield {"enrollment": {**row, "contact_id": number}, "who": who}

    def _campaigns(self) -> list[int]:
        return list(self.connection.scalars(sa.select(tb.campaign.c.id).where(tb.campaign.c.name.in_(self.names))))

    def _decisions(self) -> Iterator[dict[str, Any]]:
        d = tb.decision.c
        grounds: set[int] = set()
        for found in self.connection.execute(sa.select(tb.decision).order_by(d.enrollment_id, d.id)):
            row = found._asdict()
            if row["enrollment_id"] not in self.passes or (row["premises"] is None and row["kind"] != "migrate"):
                continue
            if row["premises"] is not None:
                given = premises.spelled(row["premises"])
                if "halted" in given:
                    self.left_out += 1
                    continue
                self.decisions += 1
                row["premises"] = _unnamed(given, self.passes[row["enrollment_id"]])
            if row["ground_id"] is not None and row["ground_id"] not in grounds:
                grounds.add(row["ground_id"])
                yield self._ground(row["ground_id"])
            yield {"decision": row}

    def _ground(self, id: int) -> dict[str, Any]:
        """`omni.yaml` of then, its team members as m1, m2 …"""
        row = self.connection.execute(sa.select(tb.ground).where(tb.ground.c.id == id)).one()._asdict()
        text = _without_members(row["text"])
        return {"ground": {**row, "text": text, "hash": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()}}


def _without_members(text: str) -> str:
    """The same `omni.yaml` with its team members, who are people, as m1, m2 …"""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    teams = [value for key, value in getattr(root, "value", ()) if key.value == "teams"]
    members = [
        (member.start_mark.index, member.end_mark.index)
        for team in teams
        for _, written in team.value
        for key, listed in getattr(written, "value", ())
        if key.value == "members"
        for member in listed.value
    ]
    for number, (begin, end) in reversed(list(enumerate(members, start=1))):
        text = f"{text[:begin]}m{number}{text[end:]}"
    return text


# --- what may be said of a person -----------------------------------------------------------------------------------
def _unnamed(given: dict[str, Any], campaign: Campaign) -> dict[str, Any]:
    """The premises without anything that is a person's own text."""
    found = {**given}
    found.pop("place", None)
    for name in ("attributes", "event"):
        if name in found:
            found[name] = {key: value if _reckoned(value) else None for key, value in found[name].items()}
    if "told" in found:
        found["told"] = _public(found["told"], campaign, found.get("persona"), str(found["language"]))
    if "reach" in found:
        found["reach"] = json.dumps(_reasons(json.loads(found["reach"])), separators=(",", ":"))
    return found


def _reckoned(value: object) -> bool:
    """Whether the engine can reckon with it: a number, a day, yes or no."""
    return not isinstance(value, str | list | dict) or (isinstance(value, str) and bool(_DAY.fullmatch(value)))


def _reasons(reach: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """The reach with words of omni for why an address is barred, never a person's."""
    return {channel: ["manual" if isinstance(item, str) and not _REASON.fullmatch(item) else item for item in items]
            for channel, items in reach.items()}  # fmt: skip


def _public(told: Told, campaign: Campaign, persona: str | None, language: str) -> dict[str, dict[str, list[str | None]]]:
    """What was told, the value only where the file fixes it or where it is a day."""
    found: dict[str, dict[str, list[str | None]]] = {}
    for message, facts in told.items():
        fixed = fixed_facts(campaign.messages[message], persona, language) if message in campaign.messages else {}
        found[message] = {
            name: [value[0], value[1] if name in fixed or value[0] == "date" else None] for name, value in facts.items()
        }
    return found


# --- reading --------------------------------------------------------------------------------------------------------
def read(file: Path) -> Store:
    """A store in memory that holds what the file says: enough for a replay and for nothing else. OmniError (exit 2) when it is no such
    file."""
    try:
        lines = [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]
        if not lines or lines[0].get("format") != FORMAT:
            raise ValueError(t("another format", "un autre format"))
        store = Store.memory()
        with store.write() as connection:
            preparing.create_fresh(connection)
            _fill(connection, lines[1:])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, sa.exc.SQLAlchemyError) as error:
        why = (
            system_said(error)
            if isinstance(error, OSError)
            else t("it holds no people under way", "il ne contient pas de personnes en cours")
        )
        raise OmniError(t("cannot read {file}: {why}", "impossible de lire {file} : {why}", file=file, why=why),
                        hint="omni campaign test --replay --keep F", code="journal") from None  # fmt: skip
    return store


def _fill(connection: sa.Connection, lines: Iterable[Mapping[str, Any]]) -> None:
    for line in lines:
        name, row = next(iter(line.items()))
        if name == "enrollment":
            who = str(line["who"])
            uid = bytes.fromhex(who).ljust(16, b"\0")
            connection.execute(sa.insert(tb.contact).values(
                id=row["contact_id"], uid=uid[:8] + int(row["contact_id"]).to_bytes(8, "big"), source_id=f"{who}-{row['contact_id']}", created_at=0, changed_at=0))  # fmt: skip
            row = {**row, "key": uid[:8] + int(row["id"]).to_bytes(8, "big"), "touch_id": None}
        if name == "decision" and row["premises"] is not None:
            row = {**row, "premises": premises.packed(row["premises"])}
        connection.execute(sa.insert({"campaign": tb.campaign, "campaign_version": tb.campaign_version, "enrollment": tb.enrollment,
                                      "ground": tb.ground, "decision": tb.decision}[name]).values(**row))  # fmt: skip
