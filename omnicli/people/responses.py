"""What came back, from a file or typed: checked against the declared events, stored once by id, folded by the caller.

A line is `id`, `at`, `contact`, the event (`kind`, `event` or `name`), perhaps `channel campaign message step touch`, and
the event's payload. Money may come as `value` and `currency`. Repeats are harmless; without an id a line's id is the hash
of what it says, numbered where a file says the same thing twice.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnicli import clock
from omnicli.channels.clean import Refused, clean
from omnicli.errors import OmniError
from omnicli.model.literals import MINOR_DIGITS
from omnicli.model.project import BUILT_IN_EVENTS, Project
from omnicli.model.response import Response
from omnicli.people.consent import the_topic
from omnicli.people.sheet import Chunk, Sheet, open_sheet
from omnicli.store import inbox
from omnicli.store.columns import ValueRefused, fields_of, payload_columns
from omnicli.text import nearest
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store

#: What a column may be called, for each part of a response.
NAMES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "event_id", "response_id", "order_id"),
    "at": ("at", "date", "timestamp", "time", "occurred_at", "created_at", "datetime"),
    "contact": ("contact", "contact_id", "customer_id", "client_id", "user_id", "customer"),
    "name": ("kind", "event", "name", "event_name", "type"),
    "channel": ("channel",), "campaign": ("campaign",), "message": ("message",), "step": ("step",), "touch": ("touch",),
    "machine": ("machine",),
}  # fmt: skip
NEEDED = ("at", "contact", "name")
#: Events that only omni itself may write.
OWN = frozenset({"entered", "converted", "exited"})
SHOWN = 10_000


@dataclass(frozen=True, slots=True)
class Turned:
    """A line that was refused: where it stands, which part, why."""

    row: int
    line: int
    contact: str | None
    column: str
    value: str = field(repr=False)
    reason: str = ""


@dataclass
class KindCount:
    """Of one event: lines read, how many were new, and the sums of its new money fields in minor units by currency."""

    lines: int = 0
    new: int = 0
    sums: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass
class ResponseReport:
    """What an import of responses did. `lines` = new + repeated + refused."""

    file: str
    lines: int = 0
    new: int = 0
    repeated: int = 0
    refused: int = 0
    kinds: dict[str, KindCount] = field(default_factory=dict)
    turned: list[Turned] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def import_responses(
    store: Store, loaded: Loaded, file: Path, *, now: datetime, kinds: Mapping[str, str] | None = None, dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
) -> ResponseReport:  # fmt: skip
    """Store the responses of a csv or jsonl file in the inbox. `kinds` renames events (`{"click": "clicked"}`).

    The caller folds afterwards. A kill in between is harmless: the same command goes on.
    """
    assert loaded.project is not None
    sheet = open_sheet(file)
    reader = _Reader(loaded.project, sheet, kinds or {})
    report = ResponseReport(str(file), warnings=list(sheet.notes))
    done = 0
    for chunk in sheet.chunks():
        responses = reader.read(chunk, report)
        _count(store, loaded.project, responses, report, now=now, dry_run=dry_run)
        if progress is not None:
            progress(chunk.last_row - done)
        done = chunk.last_row
    return report


def _count(
    store: Store, project: Project, responses: Sequence[Response], report: ResponseReport, *, now: datetime, dry_run: bool
) -> None:
    with store.read() if dry_run else store.write() as connection:
        before = inbox.known(connection, "omni", [r.id for r in responses])
        if not dry_run:
            inbox.receive(connection, responses, now=now)
    for response in responses:
        kind = report.kinds.setdefault(response.name, KindCount())
        kind.lines += 1
        report.lines += 1
        if response.id in before:
            report.repeated += 1
            continue
        before.add(response.id)
        report.new += 1
        kind.new += 1
        for name, declared in fields_of(project, response.name).items():
            if declared.name == "money" and name in response.payload:
                currency = declared.currency or project.currency
                amounts = kind.sums.setdefault(name, {})
                minor = payload_columns(project, response.name, {name: response.payload[name]})
                amounts[currency] = amounts.get(currency, 0) + int(next(iter(minor.values()), 0))


def amount(minor: int, currency: str) -> dict[str, str]:
    """Minor units as the JSON contract writes money."""
    return {"amount": str(Decimal(minor).scaleb(-MINOR_DIGITS.get(currency, 2))), "currency": currency}


# --- reading --------------------------------------------------------------------------------------------------------
class _Wrong(ValueError):
    def __init__(self, part: str, reason: str) -> None:
        super().__init__(reason)
        self.part = part


class _Reader:
    """Rows of a sheet as responses."""

    def __init__(self, project: Project, sheet: Sheet, kinds: Mapping[str, str]) -> None:
        self.project, self.sheet, self.kinds = project, sheet, kinds
        self.events = {*project.events, *BUILT_IN_EVENTS, *project.sla} - OWN
        self.said: Counter[str] = Counter()
        self._head(sheet.header)
        for part in NEEDED:
            if part not in self.places:
                raise OmniError(
                    t("{file} has no '{part}' column", "{file} n'a pas de colonne « {part} »", file=sheet.path.name, part=NAMES[part][0]),
                    hint=t("a response is id, at, contact, kind, and the event's fields", "une réponse : id, at, contact, kind, et les champs de l'événement"),
                    code="responses",
                )  # fmt: skip

    def _head(self, header: Sequence[str]) -> None:
        """Which column is what; called again when a jsonl file shows new keys."""
        self.header = header
        self.places: dict[str, int] = {}
        for part, names in NAMES.items():
            found = next((name for name in names if name in header), None)
            if found is not None:
                self.places[part] = header.index(found)
        taken = set(self.places.values())
        self.rest = [(name, place) for place, name in enumerate(header) if place not in taken]

    def read(self, chunk: Chunk, report: ResponseReport) -> list[Response]:
        if chunk.header != self.header:
            self._head(chunk.header)
        for broken in chunk.broken:
            self._turn(report, Turned(broken.row, broken.line, None, "", broken.text, broken.reason))
        out: list[Response] = []
        for cells, row, line in zip(chunk.cells, chunk.rows, chunk.lines, strict=True):
            try:
                out.append(self._response(cells))
            except _Wrong as wrong:
                place = self.places.get(wrong.part, next((i for name, i in self.rest if name == wrong.part), None))
                value = cells[place] if place is not None else ""
                column = self.header[place] if place is not None else wrong.part
                self._turn(report, Turned(row, line, self._cell(cells, "contact") or None, column, value, str(wrong)))
        return out

    def _turn(self, report: ResponseReport, turned: Turned) -> None:
        report.refused += 1
        report.lines += 1
        if len(report.turned) < SHOWN:
            report.turned.append(turned)

    def _cell(self, cells: Sequence[str], part: str) -> str:
        place = self.places.get(part)
        return "" if place is None else cells[place].strip()

    def _response(self, cells: Sequence[str]) -> Response:
        name = self._name(self._cell(cells, "name"))
        contact = self._text("contact", self._cell(cells, "contact"))
        if not contact:
            raise _Wrong("contact", t("no contact", "pas de contact"))
        payload = {field: self._text(field, cells[place]) for field, place in self.rest if cells[place]}
        payload = self._checked(name, payload, {p: self._cell(cells, p) for p in ("channel", "campaign", "message", "step")})
        return Response(
            id=self._id(cells), contact=contact, name=name, at=read_at(self._cell(cells, "at"), self.project.time_zone),
            channel=self._cell(cells, "channel") or None, campaign=self._cell(cells, "campaign") or None,
            message=self._cell(cells, "message") or None, step=self._cell(cells, "step") or None, touch=self._cell(cells, "touch") or None,
            machine=self._cell(cells, "machine") in ("yes", "true", "1"), payload=payload,
        )  # fmt: skip

    def _text(self, part: str, text: str) -> str:
        try:
            return clean(text, lines=True)[0]
        except Refused as refused:
            raise _Wrong(part, refused.problem.reason) from None

    def _name(self, word: str) -> str:
        try:
            return event_name(self.kinds.get(word, word), self.project)
        except OmniError as error:
            raise _Wrong("name", f"{error.message}. {error.hint}".strip(". ")) from None

    def _checked(self, name: str, payload: dict[str, str], own: Mapping[str, str]) -> dict[str, str]:
        payload = with_currency(self.project, name, payload)
        declared = fields_of(self.project, name)
        payload.update({part: value for part, value in own.items() if value and part in declared and name in self.project.events})
        check_payload(self.project, name, payload)
        return payload

    def _id(self, cells: Sequence[str]) -> str:
        given = self._cell(cells, "id")
        if given:
            return given
        words = hashlib.sha256("\x1f".join(cells).encode("utf-8", "backslashreplace")).hexdigest()[:32]
        self.said[words] += 1
        return words if self.said[words] == 1 else f"{words}-{self.said[words]}"


def event_name(word: str, project: Project) -> str:
    """The event called so; OmniError with the nearest one. omni's own events cannot be told from outside."""
    known = {*project.events, *BUILT_IN_EVENTS, *project.sla} - OWN
    if word in known:
        return word
    meant = nearest(word, known)
    raise OmniError(t("no event called '{word}'", "pas d'événement nommé « {word} »", word=word),
                    hint=t("did you mean '{meant}'?", "vouliez-vous dire « {meant} » ?", meant=meant) if meant else
                    t("declare it under events in omni.yaml", "déclarez-le sous events dans omni.yaml"), code="no-event")  # fmt: skip


def with_currency(project: Project, name: str, payload: Mapping[str, str]) -> dict[str, str]:
    """The payload with `currency` put behind the amounts of declared money fields that lack one."""
    found = dict(payload)
    money = [f for f, kind in fields_of(project, name).items() if kind.name == "money" and f in found]
    shared = found.get("currency") if "currency" not in fields_of(project, name) else None
    for field_name in money:
        currency = found.get(f"{field_name}_currency") or shared
        if currency and re.fullmatch(r"-?\d+(\.\d+)?", found[field_name].strip()):
            found[field_name] = f"{found[field_name].strip()} {currency}"
    if money and shared:
        del found["currency"]
    return found


def check_payload(project: Project, name: str, payload: Mapping[str, str]) -> None:
    for field_name, value in payload.items():
        try:
            payload_columns(project, name, {field_name: value})
        except ValueRefused as refused:
            raise _Wrong(field_name, str(refused).removeprefix(f"{field_name}: ")) from None


def read_at(text: str, zone: str) -> datetime:
    """An instant: ISO with an offset, wall time in the project's zone, or seconds or milliseconds since 1970."""
    if re.fullmatch(r"\d{10}|\d{13}", text):
        return clock.from_ms(int(text) * (1 if len(text) == 13 else 1000))
    try:
        return clock.read_instant(text, zone)
    except ValueError:
        raise _Wrong(
            "at", t("not a date and time such as 2027-01-04T10:30:00Z", "pas une date et heure telle que 2027-01-04T10:30:00Z")
        ) from None


def typed_response(
    project: Project, contact: str, name: str, *, at: datetime, id: str | None = None, message: str | None = None, value: str | None = None,
    channel: str | None = None, campaign: str | None = None, fields: Mapping[str, str] | None = None, topic: str | None = None,
) -> Response:  # fmt: skip
    """A response typed on the command line; OmniError when a value is not what the event declares. Without an id the same
    words at the same instant are the same response. `topic` is what an `unsubscribed` leaves."""
    event = event_name(name, project)
    payload = dict(fields or {})
    if value is not None:
        payload["value"] = value
    payload = with_currency(project, event, payload)
    try:
        check_payload(project, event, payload)
    except _Wrong as wrong:
        raise OmniError(f"{event}.{wrong.part}: {wrong}", code="payload") from None
    known = fields_of(project, event)
    for given in payload:
        if given not in known:
            meant = nearest(given, known)
            raise OmniError(t("the event '{event}' has no field '{field}'", "l'événement « {event} » n'a pas de champ « {field} »", event=event, field=given),
                            hint=t("did you mean '{meant}'?", "vouliez-vous dire « {meant} » ?", meant=meant) if meant else
                            t("it has {all}", "il a {all}", all=", ".join(known) or t("none", "aucun")), code="payload")  # fmt: skip
    if topic is not None:
        if event != "unsubscribed":
            raise OmniError(
                t("--topic says what 'unsubscribed' leaves", "--topic dit ce que « unsubscribed » quitte"), code="usage"
            )
        payload["topic"] = the_topic(project, topic)
    where, _, bare = message.rpartition("/") if message else ("", "", None)
    words = (contact, event, clock.iso(at), message or "", channel or "", *(f"{k}={v}" for k, v in sorted(payload.items())))
    key = id or hashlib.sha256("\x1f".join(words).encode()).hexdigest()[:32]
    return Response(
        id=key,
        contact=contact,
        name=event,
        at=at,
        channel=channel,
        campaign=campaign or where or None,
        message=bare or None,
        payload=payload,
    )


def list_kinds(pairs: Sequence[str]) -> dict[str, str]:
    """`click=clicked` options as a mapping."""
    found: dict[str, Any] = {}
    for pair in pairs:
        old, equals, new = pair.partition("=")
        if not equals:
            raise OmniError(
                t("--kind wants THEIRS=OURS, such as click=clicked", "--kind veut LEUR=NÔTRE, tel que click=clicked"),
                code="usage",
            )
        found[old.strip()] = new.strip()
    return found
