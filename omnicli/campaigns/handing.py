"""A touch with its message, as its gate and archive need it, and as its provider is handed it."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from omnicli import clock, guards
from omnicli.campaigns.printing import Row, name_of
from omnicli.campaigns.windows import approved_for, variables
from omnicli.engine.house import House
from omnicli.model.campaign import Fact, Message
from omnicli.model.signed import mark
from omnicli.model.touch import Handed, Rendered
from omnicli.providers.mime import domain_of
from omnicli.store.outbox import Claimed, merge_told

if TYPE_CHECKING:
    from omnicli.campaigns.press import Presses
    from omnicli.render.skeleton import Skeleton

#: Many who are told the same by the same message were told the same before.
_merged = lru_cache(maxsize=1024)(merge_told)
#: Channels that people work: their touches become rows of work (docs/delivery 9).
WORK = ("task",)


class Unfit(NamedTuple):
    """A touch that ends unsent: `render_failed`, `no_words` or `stale`, and what to look at."""

    touch: Claimed
    reason: str
    detail: str

    def __repr__(self) -> str:
        return f"Unfit({self.touch!r}, {self.reason})"


class Prepared(NamedTuple):
    """A touch with its message: the hash of its skeleton and its packed `values`. `facts` is what it would tell (JSON) when the pass
    was not told before, `told` the whole of what the pass has been told once this is accepted; `cost` in millionths."""

    touch: Claimed
    press: Press
    skeleton: str
    values: bytes
    address_hash: bytes
    body_hash: bytes
    cost: int
    facts: str | None = None
    fresh_until: int | None = None  # from then on its live data is too old, in milliseconds

    @property
    def told(self) -> str | None:
        return None if self.facts is None else _merged(self.touch.told, self.touch.message, self.facts)

    def __repr__(self) -> str:
        return f"Prepared({self.touch!r})"

    @property
    def is_work(self) -> bool:
        return self.touch.channel in WORK or (self.touch.channel == "voice" and self.touch.team is not None)

    @property
    def rendered(self) -> Rendered:
        """The message itself, made of what its archive keeps: so the two cannot differ."""
        from omnicli.render.renderer import rendered

        skeleton = self.press.presses.skeleton(self.skeleton)
        return rendered(skeleton, skeleton.unpack(self.values))

    def handed(self) -> Handed:
        return self.press.hand(self)


class Press:
    """Everything about one version that its touches share."""

    def __init__(self, presses: Presses, house: House) -> None:
        self.presses = presses
        self.house = house
        self.project = house.project
        self._zones: dict[tuple[str | None, str | None, str | None], str] = {}
        self._live = {name: _live_facts(message) for name, message in house.campaign.messages.items()}

    @cached_property
    def needs_event(self) -> bool:
        return any(
            f.from_ and f.from_.startswith("event.") for m in self.house.campaign.messages.values() for f in m.facts.values()
        )

    def zone(self, country: str | None, time_zone: str | None, region: str | None) -> str:
        """The name of a contact's working zone."""
        key = (country, time_zone, region)
        found = self._zones.get(key)
        if found is None:
            found = self._zones[key] = self.house.calendar.zone(country, time_zone, region).key
        return found

    def zone_of(self, touch: Claimed) -> ZoneInfo:
        return self.house.calendar.zone(touch.country, touch.time_zone, touch.region)

    # --- live data --------------------------------------------------------------------------------------------------
    def is_live(self, message: str) -> bool:
        """Whether data of this message can grow too old."""
        return bool(self._live.get(message))

    def stale(self, touch: Claimed) -> str | None:
        """The live fact that is older than it may be, or None: the newest change of an attribute, or the event, dates it."""
        for name, fact in self._live[touch.message]:
            assert fact.max_age is not None
            if guards.on("stale_data") and self.presses.now - clock.from_ms(self._read_at(fact, touch)) > fact.max_age.about:
                return name
        return None

    def fresh_until(self, touch: Claimed) -> int | None:
        """When the first live fact of this message grows too old, in milliseconds; None without live facts."""
        ends = [self._read_at(fact, touch) + fact.max_age.about // timedelta(milliseconds=1)
                for _, fact in self._live[touch.message] if fact.max_age is not None]  # fmt: skip
        return min(ends, default=None)

    def _read_at(self, fact: Fact, touch: Claimed) -> int:
        event = self.presses.events.get(touch.entered_event or 0) if (fact.from_ or "").startswith("event.") else None
        return event.at if event else touch.attributes_at

    # --- handing over -----------------------------------------------------------------------------------------------
    def hand(self, p: Prepared) -> Handed:
        """The touch as its provider gets it."""
        touch, declared = p.touch, self.presses.channels.get(p.touch.channel)
        skeleton, rendered = self.presses.skeleton(p.skeleton), p.rendered
        contact = Row(self.presses.printer.places, touch.attributes)
        return Handed(
            touch.key.hex(), touch.attempts + 1, touch.channel, self.house.name, touch.step, touch.message, touch.source_id,
            name_of(contact) or touch.source_id, touch.language, touch.address, rendered, self.presses.now, touch.purpose,
            sender=declared.from_ if declared else None, reply_to=declared.reply_to if declared else None, pieces=skeleton.parts,
            fills=rendered.values, extra=self._extra(touch, declared) | self._variables(touch, skeleton, rendered),
            mark=mark(self.presses.keys.key, touch.key.hex(), touch.attempts + 1), topic=self.house.topic,
            expires_at=clock.from_ms(touch.expires_at), window_until=self.presses.windows.get((touch.contact_id, touch.channel)),
            approved=self.approved(touch),
        )  # fmt: skip

    def approved(self, touch: Claimed) -> str | None:
        """The WhatsApp template that says this outside the window."""
        if touch.channel != "whatsapp":
            return None
        persona = self.house.personas.get(touch.persona or "")
        message = self.house.campaign.messages.get(touch.message)
        return approved_for(message, touch.language, persona.tone.address if persona else None) if message else None

    def _variables(self, touch: Claimed, skeleton: Skeleton, rendered: Rendered) -> dict[str, str]:
        """What an approved template is filled with, as a JSON list."""
        approved = self.approved(touch)
        return {"variables": json.dumps(variables(skeleton, rendered.values), ensure_ascii=False)} if approved else {}

    def _extra(self, touch: Claimed, declared: Any) -> dict[str, str]:
        extra = {
            "persona": touch.persona or "",
            "team": touch.team or "",
            "place": touch.place or "",
            "kind": touch.task_kind or "",
        }
        if touch.task_due is not None:
            extra["due"] = clock.iso(clock.from_ms(touch.task_due))
        if touch.channel == "webhook":
            extra["webhook"] = touch.message
            declared_call = self.project.webhooks.get(touch.message)
            if declared_call is not None and declared_call.idempotent:
                extra["idempotency_key"] = f"{touch.key.hex()}.1"  # whoever knows keys again gets one key a touch
        if touch.channel == "email" and touch.purpose == "marketing":
            extra["unsubscribe"] = self.presses.unsubscribe(touch)
            domain = domain_of(declared.from_ or "") or "localhost"
            listed = self.house.campaign.topic or self.house.name
            extra["list_id"] = declared.list_id or f"<{listed}.{self.project.project}.{domain}>"
        return extra


def _live_facts(message: Message) -> tuple[tuple[str, Fact], ...]:
    return tuple((name, fact) for name, fact in message.facts.items() if fact.max_age is not None)
