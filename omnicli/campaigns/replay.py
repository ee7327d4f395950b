"""Past decisions taken again, from the store alone: the same engine on the same premises, under the `omni.yaml` of then.

Under the version that the person lived, every answer must be the same to the letter: a difference is a defect of omni. Under
another version (the file's), a difference is what an edit would have done to people under way (docs/scenarios 6). Nothing is
written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaigns.turn import personas_of, revived
from omnicli.engine import premises
from omnicli.engine.calendar import Calendar
from omnicli.engine.decide import WORDLESS, decide
from omnicli.engine.guard import merge_guardrails
from omnicli.engine.house import House
from omnicli.engine.pricing import cost
from omnicli.model.campaign import Campaign, WaitStep
from omnicli.model.flow import Flow
from omnicli.packs import holidays_of, load
from omnicli.store import grounds, lived
from omnicli.store import tables as tb
from omnicli.store.turns import why_text

if TYPE_CHECKING:
    from omnicli.model.decision import Decision, Standing
    from omnicli.model.project import Project

_CHUNK = 1000
Lines = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """One decision as the ledger has it. `lines` are its explanation: `{step, rule, answer, values}` each."""

    id: int
    at: datetime
    campaign: str
    contact: str
    enrollment: int
    version: int
    step: str
    kind: str
    lines: Lines = field(repr=False)
    premises: bytes = field(repr=False)
    ground: int


@dataclass(frozen=True, slots=True)
class Again:
    """That decision taken again. `now` is its explanation now, None where it asks what was not asked then (`unknown` names it)."""

    then: Taken
    same: bool
    kind: str = ""
    step: str = ""
    now: Lines = ()
    unknown: str = ""


def repeat(
    connection: sa.Connection, *, contact: str | None = None, campaign: str | None = None, open_only: bool = False,
    version: Campaign | None = None,
) -> Iterator[Again]:  # fmt: skip
    """Every decision of this person or campaign (of passes under way with `open_only`), in the order in which it was taken, taken
    again under the version that the pass lives, or under `version`. What was decided before premises were kept is left out."""
    bench = Bench(connection)
    for then in taken(connection, contact=contact, campaign=campaign, open_only=open_only):
        yield bench.again(then, version)


def taken(
    connection: sa.Connection,
    *,
    contact: str | None = None,
    campaign: str | None = None,
    open_only: bool = False,
    enrollment: int | None = None,
) -> Iterator[Taken]:
    """The decisions that can be taken again, a chunk at a time, by pass and then in order."""
    d, e = tb.decision.c, tb.enrollment.c
    query = (
        sa.select(d.id, d.at, tb.campaign.c.name, tb.contact.c.source_id, d.enrollment_id, e.version_id, d.step, d.kind, d.why, d.premises,
                  d.ground_id)
        .join(tb.enrollment, e.id == d.enrollment_id)
        .join(tb.campaign, tb.campaign.c.id == e.campaign_id)
        .join(tb.contact, tb.contact.c.id == e.contact_id)
        .where(d.premises.is_not(None), d.ground_id.is_not(None))
        .order_by(d.enrollment_id, d.id)
        .limit(_CHUNK)
    )  # fmt: skip
    if contact is not None:
        query = query.where(tb.contact.c.source_id == contact)
    if campaign is not None:
        query = query.where(tb.campaign.c.name == campaign)
    if enrollment is not None:
        query = query.where(e.id == enrollment)
    if open_only:
        query = query.where(e.state == "open")
    after = (0, 0)
    while True:
        later = sa.or_(d.enrollment_id > after[0], sa.and_(d.enrollment_id == after[0], d.id > after[1]))
        rows = connection.execute(query.where(later)).all()
        moved = lived.moves(connection, {row.enrollment_id for row in rows})
        for row in rows:
            version = lived.version_at(moved, row.enrollment_id, row.id, row.version_id)
            yield Taken(row.id, clock.from_ms(row.at), row.name, row.source_id, row.enrollment_id, version, row.step, row.kind,
                        tuple(json.loads(row.why)) if row.why else (), row.premises, row.ground_id)  # fmt: skip
        if len(rows) < _CHUNK:
            return
        after = rows[-1].enrollment_id, rows[-1].id


class Bench:
    """What past decisions stand on, built once each: projects by ground, trees by version, houses by both and the day. `drawn`: arms
    are those that the ledger names, not drawn again (people of a file without ids, campaigns/unnamed)."""

    def __init__(self, connection: sa.Connection, *, drawn: bool = False) -> None:
        self.connection = connection
        self.drawn = drawn
        self._projects: dict[int, Project | None] = {}
        self._trees: dict[int, Campaign] = {}
        self._houses: dict[tuple[Any, ...], House] = {}
        self._who: dict[int, dict[str, Any]] = {}

    def again(self, then: Taken, version: Campaign | None = None) -> Again:
        """The decision taken again; under `version` when one is given."""
        given = premises.read(then.premises, campaign=then.campaign, identity=self._identity(then.enrollment))
        house = self.house(then, given, version)
        if version is not None and (unheard := _unheard(given.standing, house.flow)):
            return Again(then, False, unknown=unheard)
        try:
            decision = decide(given.standing, house, given.tally, then.at)
        except LookupError as missing:
            return Again(then, False, unknown=str(missing))
        lines = _lines(decision)
        step = decision.stand.step if decision.stand else given.standing.step or ""
        same = (decision.kind, step, lines) == (then.kind, then.step, then.lines)
        further = step if not same and decision.again and not decision.writes else ""  # it asks for more than was asked then
        return Again(then, same, decision.kind, step, lines, further)

    def given(self, then: Taken) -> tuple[premises.Given, House]:
        """What it was taken on, and the house in which it was taken."""
        given = premises.read(then.premises, campaign=then.campaign, identity=self._identity(then.enrollment))
        return given, self.house(then, given, None)

    def house(self, then: Taken, given: premises.Given, version: Campaign | None) -> House:
        """The house as it stood: messages and flow of the version, guardrails of the one that was applied, packs of the day."""
        wordless = tuple(sorted(_wordless(then.lines).items()))
        pins = tuple((line["step"], line["answer"]) for line in then.lines if line["rule"] == "split") if self.drawn else ()
        key = (
            then.version,
            then.ground,
            given.ruled_by,
            then.at.date(),
            given.halted,
            given.binding,
            wordless,
            pins,
            id(version),
        )
        if key not in self._houses:
            built = self._build(then, given, version, dict(wordless), then.at.date())
            self._houses[key] = replace(built, pins=dict(pins)) if pins else built
        return self._houses[key]

    def _build(
        self, then: Taken, given: premises.Given, version: Campaign | None, wordless: Mapping[str, str], day: date
    ) -> House:
        project = self._project(then.ground)
        assert project is not None
        campaign = version or self._tree(then.version)
        ruling = self._tree(given.ruled_by) if given.ruled_by is not None and version is None else campaign
        packs = load(project.countries, day)
        guarding = merge_guardrails(project, ruling, packs)
        calendar = Calendar.of(project.time_zone, project.countries, guarding.quiet, packs, holidays_of, own=guarding.quiet_own)
        return House(
            project, campaign, Flow.of(campaign), guarding, calendar, lambda _message, channel, _language, _register: wordless.get(channel),
            prices={name: cost(channel.price) for name, channel in project.channels.items()}, personas=personas_of(campaign, project),
            halted=given.halted, ceiling=guarding.approve_above if given.binding else None, ruled_by=given.ruled_by,
        )  # fmt: skip

    def _project(self, ground: int) -> Project | None:
        from omnicli.campaignfile import read_project

        if ground not in self._projects:
            self._projects[ground] = read_project(grounds.text(self.connection, ground))
        return self._projects[ground]

    def _tree(self, version: int) -> Campaign:
        if version not in self._trees:
            text = self.connection.scalar(sa.select(tb.campaign_version.c.tree).where(tb.campaign_version.c.id == version))
            self._trees[version] = revived(str(text))
        return self._trees[version]

    def _identity(self, enrollment: int) -> dict[str, Any]:
        """Who it is, as the engine is given it."""
        if enrollment not in self._who:
            self._who.clear()  # decisions come by pass
            e = tb.enrollment.c
            query = sa.select(e.id, e.key, e.contact_id, tb.contact.c.uid, e["pass"]).join(
                tb.contact, tb.contact.c.id == e.contact_id
            )
            row = self.connection.execute(query.where(e.id == enrollment)).one()
            self._who[enrollment] = dict(zip(premises.IDENTITY, row, strict=True))
        return self._who[enrollment]


def _unheard(standing: Standing, flow: Flow) -> str:
    """The answer that this wait listens for and that was not asked about then, or nothing."""
    node = flow.nodes.get(standing.step or "")
    if node is None or not isinstance(node.step, WaitStep) or standing.wait_until is None:
        return ""
    return next((term for term in node.step.for_ or {} if term != "nothing" and ("wait", term) not in standing.firsts), "")


def _wordless(lines: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Channels that had no words or no template then: templates are no part of the store, so this is taken from the answer."""
    return {
        channel: reason
        for line in lines
        if line["rule"] == "channels"
        for channel, reason in (line.get("values") or {}).items()
        if reason in WORDLESS
    }


def _lines(decision: Decision) -> Lines:
    """The explanation as the ledger spells it."""
    text = why_text(decision.why)
    return tuple(json.loads(text)) if text else ()
