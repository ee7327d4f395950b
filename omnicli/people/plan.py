"""What is read into what: everything about one import that does not change from chunk to chunk."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from omnicli import clock
from omnicli.model.project import Project
from omnicli.people.mapping import ImportMap, Target
from omnicli.people.reading import PHONES, Memory, memory
from omnicli.people.sheet import Sheet
from omnicli.store.columns import ValueRefused, kind_of, to_column


@dataclass(frozen=True, slots=True)
class Fill:
    """One column of the file read for one target."""

    place: int
    column: str
    target: Target
    memory: Memory


class Plan:
    """Everything about an import that does not change from chunk to chunk."""

    def __init__(
        self, project: Project, mapping: ImportMap, sheet: Sheet, now: datetime, key: str, on_conflict: str, pepper: bytes
    ) -> None:
        self.given = (project, mapping, sheet, now, key, on_conflict, pepper)  # what another process needs to make the same
        self.project, self.mapping, self.sheet, self.now, self.key = project, mapping, sheet, now, key
        self.on_conflict, self.pepper, self.ms = on_conflict, pepper, clock.to_ms(now)
        places = {column: place for place, column in enumerate(sheet.header)}
        self.fills = []
        for column, targets in mapping.columns.items():
            shared = memory(Target("address", "sms"), project, now)  # one number may reach by sms, WhatsApp and voice
            for target in targets:
                if target.kind != "ignore":
                    read = shared if target.kind == "address" and target.name in PHONES else memory(target, project, now)
                    self.fills.append(Fill(places[column], column, target, read))
        self.fills.sort(key=lambda fill: not (fill.target.kind == "built_in" and fill.target.name == "country"))  # phones need it
        self.attributes = tuple(project.contacts.attributes)
        self.kinds = {name: kind_of(attribute) for name, attribute in project.contacts.attributes.items()}
        self.defaults = {name: self._default(name) for name in self.attributes}

    def _default(self, name: str) -> Any:
        given = self.project.contacts.attributes[name].default
        try:
            return None if given is None else to_column(self.kinds[name], given, zone=self.project.time_zone)[0]
        except ValueRefused:
            return None

    @property
    def fingerprint(self) -> str:
        """The same for the same bytes read in the same way."""
        parts = (self.sheet.fingerprint, self.mapping.signature(), self.key, self.on_conflict)
        return hashlib.sha256("\x1e".join(parts).encode()).hexdigest()

    @cached_property
    def country(self) -> str | None:
        """The country of a national telephone number when a row says none: the project's, if it has just one."""
        return self.project.countries[0] if len(self.project.countries) == 1 else None

    @cached_property
    def read_attributes(self) -> tuple[str, ...]:
        """Attributes that the map fills, or that have a default, in the order of their declaration."""
        filled = {target.name for target in self.mapping.targets("attribute")}
        return tuple(name for name in self.attributes if name in filled or self.defaults[name] is not None)

    @cached_property
    def channels(self) -> tuple[str, ...]:
        named = {target.name for kind in ("address", "consent") for target in self.mapping.targets(kind)}
        return tuple(sorted(named))
