"""Permissions and bars by hand: `contact consent` and `contact suppress`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from omnicli import clock
from omnicli.channels import addresses
from omnicli.channels.clean import Refused
from omnicli.errors import OmniError
from omnicli.model.project import EVERYTHING, Project
from omnicli.people.mapping import Target
from omnicli.people.reading import parser
from omnicli.people.sheet import open_sheet
from omnicli.store import audience, consents
from omnicli.store import tables as tb
from omnicli.store.consents import refold_reach, suppress
from omnicli.text import did_you_mean, system_said
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store

__all__ = [
    "change_consent",
    "import_consents",
    "refold_reach",
    "standing",
    "suppress",
    "suppress_address",
    "the_contact",
    "the_topic",
]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person permits on one channel now."""

    channel: str
    purpose: str
    granted: bool
    at: datetime
    until: datetime | None
    source: str | None


def the_contact(connection: sa.Connection, id: str) -> int:
    """The number of the contact; OmniError with the nearest id when there is none."""
    found = audience.find(connection, id)
    if found is None:
        near = did_you_mean(id, audience.near(connection, id))
        raise OmniError(
            t("no contact '{id}'.", "pas de contact « {id} ».", id=id) + near, hint="omni contact list", code="no-contact"
        )
    return found


def the_channel(loaded: Loaded, channel: str | None) -> str:
    assert loaded.project is not None
    if channel is None:
        raise OmniError(t("which channel?", "quel canal ?"), hint=", ".join(loaded.project.channels), code="usage")
    if channel not in loaded.project.channels:
        raise OmniError(t("channel '{channel}' is not set up in omni.yaml.", "le canal « {channel} » n'est pas déclaré dans omni.yaml.", channel=channel)
                        + did_you_mean(channel, loaded.project.channels), code="no-channel")  # fmt: skip
    return channel


def the_topic(project: Project, topic: str) -> str:
    """This topic of omni.yaml, or `everything`; OmniError with the nearest one."""
    if topic == EVERYTHING or topic in project.topics:
        return topic
    known = (*project.topics, EVERYTHING)
    raise OmniError(t("no topic called '{name}'.", "pas de sujet nommé « {name} ».", name=topic) + did_you_mean(topic, known),
                    hint=", ".join(known), code="no-topic")  # fmt: skip


def standing(connection: sa.Connection, number: int) -> list[Standing]:
    c = tb.consent.c
    query = (
        sa.select(c.channel, c.purpose, c.granted, c.at, c.until, c.source)
        .where(c.contact_id == number)
        .order_by(c.channel, c.purpose)
    )
    return [
        Standing(r[0], r[1], bool(r[2]), clock.from_ms(r[3]), clock.from_ms(r[4]) if r[4] else None, r[5])
        for r in connection.execute(query)
    ]


def change_consent(
    store: Store, loaded: Loaded, id: str, channel: str, *, granted: bool, now: datetime, at: datetime | None = None, until: datetime | None = None,
    source: str | None = None, proof: Path | None = None,
) -> bool:  # fmt: skip
    """Append a permission or its withdrawal to the log; True when what stands changed. The proof is kept as name and SHA-256."""
    kept = None
    if proof is not None:
        try:
            kept = f"{proof.name} sha256:{hashlib.sha256(proof.read_bytes()).hexdigest()}"
        except OSError as error:
            raise OmniError(
                t("cannot read {path}: {why}", "impossible de lire {path} : {why}", path=proof, why=system_said(error)),
                code="file",
            ) from None
    wanted = the_channel(loaded, channel)
    with store.write() as connection:
        number = the_contact(connection, id)
        state = "granted" if granted else "withdrawn"
        permission = consents.Permission(
            number, wanted, granted, at or now, until, source or "omni contact consent", kept, state=state
        )
        changed = consents.record_permissions(connection, [permission], now=now)
        if granted:  # a person has looked: a doubt about what was written is settled, a refusal is not
            consents.lift(
                connection, consents.bars_of(connection, number, wanted, "doubt", at=at or now, source=permission.source), now=now
            )
        refold_reach(connection, [number], now=now)
        return bool(changed)


def suppress_address(
    store: Store, loaded: Loaded, text: str, *, now: datetime, channel: str | None = None, reason: str | None = None, until: datetime | None = None,
    source: str = "omni contact suppress", topic: str | None = None,
) -> list[tuple[str, int]]:  # fmt: skip
    """Bar an address from marketing, or from one topic of it: on one channel, or on every channel that could reach it; (channel,
    people hit) each.

    The bar is a fingerprint: it holds for whoever has the address now or is imported with it later.
    """
    assert loaded.project is not None
    project = loaded.project
    if channel is not None:
        channels = [the_channel(loaded, channel)]
    else:
        family = {"email": ("email",), "sms": ("sms", "whatsapp", "voice")}.get(addresses.channel_of(text) or "", ())
        channels = [name for name in family if name in project.channels]
    if not channels:
        raise OmniError(t("which channel is this an address of?", "de quel canal est-ce une adresse ?"),
                        hint=t("--channel {all}", "--channel {all}", all=" | ".join(project.channels)), code="usage")  # fmt: skip
    country = project.countries[0] if project.countries else None
    key = consents.pepper(store, project.project)
    scope = "marketing" if topic is None or the_topic(project, topic) == EVERYTHING else consents.TOPIC + topic
    out = []
    with store.write() as connection:
        for name in channels:
            try:
                _, norm = addresses.normalise(name, text, country)
            except Refused as refused:
                raise OmniError(refused.problem.reason, code="address") from None
            bar = consents.Bar(name, consents.fingerprint(key, name, norm), reason or "asked", now, scope, until, source, norm)
            out.append((name, len(suppress(connection, [bar], now=now))))
    return out


# --- a file of consents ---------------------------------------------------------------------------------------------
#: What a column of such a file may be called.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "contact", "contact_id", "email"), "channel": ("channel",), "consent": ("consent", "state", "granted"),
    "on": ("on", "date", "at"), "until": ("until", "expires"), "from": ("from", "source"), "proof": ("proof",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unheard:
    """A line of a consent file that was refused."""

    line: int
    column: str
    value: str = field(repr=False)
    reason: str = ""


@dataclass
class ConsentReport:
    """What a file of consents did: statements taken, people whose permission changed, lines refused."""

    statements: int = 0
    changed: int = 0
    refused: list[Unheard] = field(default_factory=list)


def import_consents(store: Store, loaded: Loaded, file: Path, *, now: datetime) -> ConsentReport:
    """Statements from a csv or jsonl file (`id`, `channel`, `consent`, perhaps `on`, `until`, `from`, `proof`), appended to the
    log; a statement that stands there already is not repeated."""
    assert loaded.project is not None
    sheet, report = open_sheet(file), ConsentReport()
    places = {part: next((sheet.header.index(n) for n in names if n in sheet.header), None) for part, names in COLUMNS.items()}
    for part in ("id", "channel", "consent"):
        if places[part] is None:
            raise OmniError(
                t("{file} has no '{part}' column", "{file} n'a pas de colonne « {part} »", file=file.name, part=part), code="file"
            )
    for chunk in sheet.chunks():
        with store.write() as connection:
            permissions = []
            for cells, line in zip(chunk.cells, chunk.lines, strict=True):
                words = {part: cells[place].strip() if place is not None else "" for part, place in places.items()}
                found = _statement(connection, loaded.project, words, now)
                if isinstance(found, consents.Permission):
                    permissions.append(found)
                else:
                    report.refused.append(Unheard(line, found[0], words[found[0]], found[1]))
            changed = consents.record_permissions(connection, permissions, now=now)
            refold_reach(connection, changed, now=now)
        report.statements += len(permissions)
        report.changed += len(changed)
    return report


def _statement(
    connection: sa.Connection, project: Project, words: Mapping[str, str], now: datetime
) -> consents.Permission | tuple[str, str]:
    """The permission of one line, or (column, why not)."""
    if words["channel"] not in project.channels:
        return "channel", t("not set up in omni.yaml", "pas déclaré dans omni.yaml") + did_you_mean(
            words["channel"], project.channels
        )
    granted = parser(Target("consent", words["channel"], "state"), project, now)(words["consent"])
    if granted[0] is None:
        return "consent", granted[2].reason if granted[2] else t("wants yes or no", "veut yes ou no")
    instants: dict[str, datetime | None] = {}
    for part in ("on", "until"):
        try:
            instants[part] = clock.read_instant(words[part], project.time_zone) if words[part] else None
        except ValueError as error:
            return part, str(error)
    number = audience.find(connection, words["id"])
    if number is None:
        return "id", t("nobody of this id", "personne de cet identifiant")
    return consents.Permission(number, words["channel"], bool(granted[0]), instants["on"] or now, instants["until"], words["from"] or None,
                               words["proof"] or None)  # fmt: skip
