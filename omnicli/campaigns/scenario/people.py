"""People of a virtual world: rows as an import writes them, with invented addresses where a story names none.

Invented addresses are of the ranges kept for fiction: `…@example.com`, `+33639980000` to `+33639989999`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaignfile.story_people import reaching
from omnicli.channels import addresses
from omnicli.model.contact import ChannelReach, write_reach
from omnicli.model.ids import contact_uid
from omnicli.model.project import Project
from omnicli.store import consents, imports
from omnicli.store.columns import FOLDED, attribute_column, folded_column, kind_of, to_column

#: What a contact has besides its declared attributes.
BUILT_IN = ("language", "country", "time_zone", "preferred_channel", "place")
#: Channels by which a person is reached at an address of their own.
ADDRESSED = ("email", "sms", "whatsapp", "messenger", "voice", "push", "letter")


def invented(channel: str, number: int, name: str) -> str:
    """An address of nobody; `number` tells people of one world apart."""
    match channel:
        case "email":
            return f"contact-{number}@example.com"
        case "sms" | "whatsapp" | "voice":
            return f"+3363998{number % 10_000:04d}"
        case "letter":
            return f"{name}\n{number} rue des Exemples\n69000 Lyon"
        case "push":
            return f"{number:064x}"
        case _:
            return str(10_000_000 + number)


def bring(
    connection: sa.Connection, project: Project, pepper: bytes, people: Sequence[tuple[str, Mapping[str, Any]]], *, first: int,
    now: datetime,
) -> None:  # fmt: skip
    """Write people with their addresses and consents: (id, values as a scenario file writes them). `first` is the number of the
    first of them in this world. Raises `ValueRefused` or `Refused` for a value that its declaration does not allow."""
    new = imports.next_id(connection)
    rows = [_Row(project, pepper, name, values, first + n, now) for n, (name, values) in enumerate(people)]
    for columns, group in _alike(rows, new):
        imports.insert(connection, "contact", columns, group)
    places = [(new + n, *address) for n, row in enumerate(rows) for address in row.addresses]
    imports.insert(connection, "address", ("contact_id", "channel", "value", "norm", "hmac"), places)
    said = [(new + n, channel, "marketing", int(yes), clock.to_ms(now), "scenario") for n, row in enumerate(rows)
            for channel, yes in sorted(row.granted.items())]  # fmt: skip
    imports.insert(connection, "consent", ("contact_id", "channel", "purpose", "granted", "at", "source"), said)
    imports.log_new_consents(connection, new, new + len(rows) - 1, clock.to_ms(now))


class _Row:
    """One person as columns, addresses and permissions."""

    def __init__(self, project: Project, pepper: bytes, name: str, values: Mapping[str, Any], number: int, now: datetime) -> None:
        self.project, self.values, self.number, ms = project, values, number, clock.to_ms(now)
        self.granted = granted(values.get("consent"))
        self.addresses = [
            (channel, value, norm, consents.fingerprint(pepper, channel, norm)) for channel, value, norm in self._addresses()
        ]
        reach = {channel: ChannelReach(True, self.granted.get(channel)) for channel, *_ in self.addresses}
        reach |= {channel: ChannelReach(False, yes) for channel, yes in self.granted.items() if channel not in reach}
        created = values.get("created")
        self.columns: dict[str, Any] = {
            "uid": contact_uid(project.project, name), "source_id": name, "changed_at": ms, "attributes_at": ms, "reach": write_reach(reach),
            "created_at": ms if created is None else clock.to_ms(clock.read_instant(str(created), project.time_zone)),
            **{key: values.get(key) for key in BUILT_IN},
        }  # fmt: skip
        self.columns |= attributes(project, {**_defaults(project), **values})

    def _addresses(self) -> list[tuple[str, str, str]]:
        """(channel, value, normalised): those written, and one invented for each channel consented without."""
        found: list[tuple[str, str, str]] = []
        for channel in ADDRESSED:
            if channel not in reaching(self.project):
                continue
            written = self.values.get(channel) if channel not in self.project.contacts.attributes else None
            if written is None and not self.granted.get(channel):
                continue
            text = str(written) if written is not None else invented(channel, self.number, self._called())
            value, norm = addresses.normalise(channel, text, self.values.get("country") or None)
            found.append((channel, value, norm))
        return found

    def _called(self) -> str:
        return " ".join(str(self.values[key]) for key in ("first_name", "last_name") if self.values.get(key)) or "—"


def granted(said: Any) -> dict[str, bool]:
    """`[email, sms]`, or channel → yes or no, as permissions."""
    if isinstance(said, Mapping):
        return {str(channel): yes in (True, "yes", 1) for channel, yes in said.items()}
    return dict.fromkeys([said] if isinstance(said, str) else said or (), True)


def attributes(project: Project, values: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of declared attributes; None and `clear` empty one."""
    found: dict[str, Any] = {}
    for name, declared in project.contacts.attributes.items():
        if name not in values:
            continue
        kind, value = kind_of(declared), values[name]
        empty = value is None or value == "clear"
        stored, copy = (None, None) if empty else to_column(kind, value, zone=project.time_zone)
        found[attribute_column(name)] = stored
        if kind.name in FOLDED:
            found[folded_column(name)] = copy
    return found


def _defaults(project: Project) -> dict[str, Any]:
    return {name: one.default for name, one in project.contacts.attributes.items() if one.default is not None}


def _alike(rows: Sequence[_Row], first: int) -> list[tuple[tuple[str, ...], list[tuple[Any, ...]]]]:
    """Rows with the same columns together: one statement each."""
    groups: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for n, row in enumerate(rows):
        groups.setdefault(("id", *row.columns), []).append((first + n, *row.columns.values()))
    return list(groups.items())
