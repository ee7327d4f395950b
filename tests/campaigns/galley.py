"""Builds claimed touches of messages of the sample project, by every channel, in every language, with and without a persona."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from omnicli import clock
from omnicli.campaignfile import Loaded, load_project
from omnicli.campaigns import versions
from omnicli.campaigns.press import Prepared, Presses, Unfit
from omnicli.channels import MEDIA
from omnicli.model.campaign import Campaign
from omnicli.render import samples
from omnicli.render.renderer import Renderer
from omnicli.store.connection import Store
from omnicli.store.outbox import BUILT_IN, Claimed, Entering
from omnicli.store.preparing import prepare

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2027, 1, 5, 9, tzinfo=UTC)
ZONES = (None, "Europe/Paris", "Pacific/Auckland")


@dataclass
class Galley:
    """The sample project with its campaigns applied, and touches of the first `messages` of two of them. `readers`: people a message,
    channel, language and persona."""

    loaded: Loaded
    store: Store
    versions: dict[str, int]
    touches: list[Claimed]

    @classmethod
    def of(
        cls, folder: Path, *, readers: int, more: str = "", channels: tuple[str, ...] = tuple(MEDIA), messages: int = 1
    ) -> Galley:
        for name in ("campaigns", "templates"):
            shutil.copytree(ROOT / name, folder / name)
        (folder / "omni.yaml").write_text(_settings(more), "utf-8")
        loaded = load_project(folder)
        assert loaded.project is not None
        assert not loaded.errors()
        store = Store.memory()
        prepare(store, loaded.project)
        with store.write() as connection:
            known = {name: versions.apply(connection, one, loaded.project, NOW).id for name, one in loaded.campaigns.items()}
        galley = cls(loaded, store, known, [])
        for n, (campaign, message, channel, language, persona, reader) in enumerate(galley._grid(readers, channels, messages), 1):
            galley.touches.append(galley._touch(n, campaign, message, channel, language, persona, reader))
        return galley

    def _grid(
        self, readers: int, channels: tuple[str, ...], messages: int
    ) -> Iterator[tuple[Campaign, str, str, str, str | None, int]]:
        project = self.loaded.project
        assert project is not None
        for campaign in (self.loaded.campaigns["bienvenue"], self.loaded.campaigns["panier-abandonne"]):
            for message in list(campaign.messages)[:messages]:
                for channel in channels:
                    for language in samples.languages(project, campaign):
                        for persona in (*list(samples.personas(project, campaign))[:1], None):
                            for reader in range(readers):
                                yield campaign, message, channel, language, persona, reader

    def _touch(
        self, n: int, campaign: Campaign, message: str, channel: str, language: str, persona: str | None, reader: int
    ) -> Claimed:
        project = self.loaded.project
        assert project is not None
        who = samples.sample(project, samples.SAMPLES[reader % 4], now=NOW)
        contact: dict[str, Any] = {
            **who.contact, "id": f"P{n}", "language": language, "country": ("FR", "BE")[reader % 2], "time_zone": ZONES[reader % 3],
            "place": next(iter(project.places), None) if reader % 2 else None,
        }  # fmt: skip
        if reader % 5 == 0 and contact.get("first_name"):
            contact["first_name"] = f"Zoé {n}"
        values = tuple(_column(contact.get(name)) for name in (*project.contacts.attributes, *BUILT_IN))
        digest, ms = hashlib.sha256(str(n).encode()).digest(), clock.to_ms(NOW)
        work = {"team": "conseil", "task_due": ms, "task_kind": "call"} if reader % 2 else {}
        return Claimed(**{
            **dict.fromkeys(Claimed._fields), "id": n, "key": digest[:16], "fence": 1, "attempts": 0, "contact_id": n, "enrollment_id": n,
            "version_id": self.versions[campaign.campaign], "step": samples.step_of(campaign, message, channel), "message": message,
            "channel": channel, "purpose": campaign.messages[message].purpose or campaign.purpose, "priority": 5, "due_at": ms,
            "expires_at": ms + 10**8, "created_at": ms, "cost": 0, "number": 1, "entered_at": ms - reader % 7 * 20 * 3_600_000,
            "entered_event": self.versions[campaign.campaign], "language": language, "persona": persona, "enrollment_state": "open",
            "waits_for": n, "source_id": f"P{n}", "uid": digest[16:], "country": contact["country"], "time_zone": contact["time_zone"],
            "changed_at": ms - 1000, "attributes_at": ms - 1000, "reach": "{}", "address": f"p{n}@example.com", "address_hmac": digest[8:24],
            "attributes": values, **work,
        })  # fmt: skip

    def presses(self, *, processes: int = 1) -> Presses:
        """Presses with a renderer of their own, that know what `bring` would tell them."""
        project = self.loaded.project
        assert project is not None
        found = Presses(self.store, self.loaded, Renderer(self.loaded.root, project), now=NOW, live=False, processes=processes)
        found.events = {
            self.versions[name]: Entering(clock.to_ms(NOW) - 7_200_000, dict(samples._event(project, campaign)))
            for name, campaign in self.loaded.campaigns.items()
        }
        found.watched = set(range(0, len(self.touches), 2))
        found.phones = {n: f"+3363998{n % 10000:04d}" for n in range(0, len(self.touches), 3)}
        with self.store.read() as connection:
            found.learn(connection)
            for version in self.versions.values():
                assert found.press(version).house
        return found


def _settings(more: str) -> str:
    """The sample's `omni.yaml`, with this in the place of what it says of tracking."""
    text = (ROOT / "omni.yaml").read_text("utf-8")
    return re.sub(r"^tracking:.*\n(?:[ ].*\n)*", "", text, flags=re.MULTILINE) + more if more else text


def _column(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list) else value


def told(made: list[Prepared | Unfit]) -> list[Claimed]:
    """The touches again, of passes that were told of this message before, or of another."""
    found: list[Claimed] = []
    for n, one in enumerate(made):
        if isinstance(one, Prepared) and one.facts:
            before = {one.touch.message: json.loads(one.facts)} if n % 2 else {"another": {"deadline": ["date", "2027-02-01"]}}
            found.append(one.touch._replace(told=json.dumps(before)))
    return found


def archived(made: list[Prepared | Unfit]) -> list[Any]:
    """What the archive and the gate get of each."""
    return [tuple(one[:1] + one[2:]) if isinstance(one, Prepared) else tuple(one) for one in made]
