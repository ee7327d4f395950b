"""From claimed touches to messages that may be handed over: facts resolved, words rendered, values packed, hashes taken.

A touch whose message cannot be made for this person is `Unfit`, by reason and field; its neighbours are not touched by it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from omnicli import clock, guards
from omnicli.campaigns.turn import houses
from omnicli.campaigns.windows import approved_for, open_until, variables
from omnicli.engine.house import House
from omnicli.model.campaign import Fact, Message
from omnicli.model.signed import mark
from omnicli.model.touch import Handed, Rendered
from omnicli.providers import channels_of
from omnicli.providers.mime import domain_of
from omnicli.store import columns, consents, keys, outbox, readers
from omnicli.store.outbox import Claimed, merge_told
from omnicli.text import printable
from omnicli.texts import t

if TYPE_CHECKING:
    import sqlalchemy as sa

    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.turn import Houses
    from omnicli.render.facts import ResolvedFacts
    from omnicli.render.renderer import Renderer, RenderJob
    from omnicli.store.connection import Store

#: Channels that people work: their touches become rows of work (docs/delivery 9).
WORK = ("task",)
_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class Unfit:
    """A touch that ends unsent: `render_failed`, `no_words` or `stale`, and what to look at."""

    touch: Claimed
    reason: str
    detail: str


class Prepared(NamedTuple):
    """A touch with its message. `facts` is what it would tell (JSON) when the pass was not told before, `told` the whole of
    what the pass has been told once this is accepted; `cost` in millionths."""

    touch: Claimed
    press: Press
    rendered: Rendered
    skeleton: str
    values: bytes
    address_hash: bytes
    body_hash: bytes
    cost: int
    facts: str | None = None
    fresh_until: int | None = None  # from then on its live data is too old, in milliseconds

    @property
    def told(self) -> str | None:
        return None if self.facts is None else merge_told(self.touch.told, self.touch.message, self.facts)

    def __repr__(self) -> str:
        return f"Prepared({self.touch!r})"

    @property
    def is_work(self) -> bool:
        return self.touch.channel in WORK or (self.touch.channel == "voice" and self.touch.team is not None)

    def handed(self) -> Handed:
        return self.press.hand(self)


class Press:
    """Everything about one version that its touches share."""

    def __init__(self, presses: Presses, house: House) -> None:
        self.presses = presses
        self.house = house
        self.project = house.project
        self._facts: dict[Any, tuple[ResolvedFacts, str | None]] = {}
        self._zones: dict[tuple[str | None, str | None, str | None], str] = {}
        self._constant = {name: _is_constant(message) for name, message in house.campaign.messages.items()}
        self._live = {name: _live_facts(message) for name, message in house.campaign.messages.items()}

    @cached_property
    def needs_event(self) -> bool:
        return any(
            f.from_ and f.from_.startswith("event.") for m in self.house.campaign.messages.values() for f in m.facts.values()
        )

    def zone(self, touch: Claimed) -> str:
        """The name of the contact's working zone."""
        key = (touch.country, touch.time_zone, touch.region)
        found = self._zones.get(key)
        if found is None:
            found = self._zones[key] = self.zone_of(touch).key
        return found

    def zone_of(self, touch: Claimed) -> ZoneInfo:
        return self.house.calendar.zone(touch.country, touch.time_zone, touch.region)

    def facts(self, touch: Claimed, contact: Mapping[str, Any]) -> tuple[ResolvedFacts, str | None]:
        """The facts of this message for this person, and their JSON when the pass was not told them yet."""
        if touch.told or not self._constant[touch.message]:
            return self._resolved(touch, contact)
        key = (touch.message, touch.persona, touch.language, touch.country, touch.time_zone, touch.region, touch.entered_at)
        found = self._facts.get(key)
        if found is None:
            if len(self._facts) > 20_000:
                self._facts.clear()
            found = self._facts[key] = self._resolved(touch, contact)
        return found

    def _resolved(self, touch: Claimed, contact: Mapping[str, Any]) -> tuple[ResolvedFacts, str | None]:
        from omnicli.render.facts import resolve_facts

        message = self.house.campaign.messages[touch.message]
        told: Mapping[str, Any] = json.loads(touch.told) if touch.told else {}
        event = self.presses.events.get(touch.entered_event or 0)
        anchors = {
            f"{m}.{name}": value for m, facts in told.items() for name, (kind, value) in facts.items() if kind == "date" and value
        }
        resolved = resolve_facts(
            message, persona=touch.persona, language=touch.language, entered_at=clock.from_ms(touch.entered_at), zone=self.zone(touch),
            attributes=contact, event=event.payload if event else {}, told=told.get(touch.message), places=self.project.places,
            project=self.project, anchors=anchors,
        )  # fmt: skip
        return resolved, resolved.as_json() if touch.message not in told else None

    def stale(self, touch: Claimed) -> str | None:
        """The live fact that is older than it may be, or None: the newest change of an attribute, or the event, dates it."""
        for name, fact in self._live[touch.message]:
            event = self.presses.events.get(touch.entered_event or 0) if (fact.from_ or "").startswith("event.") else None
            read_at = event.at if event else touch.attributes_at
            assert fact.max_age is not None
            if guards.on("stale_data") and self.presses.now - clock.from_ms(read_at) > fact.max_age.about:
                return name
        return None

    def fresh_until(self, touch: Claimed) -> int | None:
        """When the first live fact of this message grows too old, in milliseconds; None without live facts."""
        ends: list[int] = []
        for _, fact in self._live[touch.message]:
            event = self.presses.events.get(touch.entered_event or 0) if (fact.from_ or "").startswith("event.") else None
            assert fact.max_age is not None
            ends.append((event.at if event else touch.attributes_at) + fact.max_age.about // timedelta(milliseconds=1))
        return min(ends, default=None)

    def hand(self, p: Prepared) -> Handed:
        """The touch as its provider gets it."""
        touch, declared = p.touch, self.presses.channels.get(p.touch.channel)
        skeleton = self.presses.skeleton(p.skeleton)
        return Handed(
            touch.key.hex(), touch.attempts + 1, touch.channel, self.house.name, touch.step, touch.message, touch.source_id,
            _name_of(self.presses.contact(touch)) or touch.source_id, touch.language, touch.address, p.rendered, self.presses.now, touch.purpose,
            sender=declared.from_ if declared else None, reply_to=declared.reply_to if declared else None, pieces=skeleton.parts,
            fills=p.rendered.values, extra=self._extra(touch, declared) | self._variables(p, skeleton),
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

    def _variables(self, p: Prepared, skeleton: Any) -> dict[str, str]:
        """What an approved template is filled with, as a JSON list."""
        approved = self.approved(p.touch)
        return {"variables": json.dumps(variables(skeleton, p.rendered.values), ensure_ascii=False)} if approved else {}

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


class Presses:
    """The presses of all versions in hand, and the renderer that they share."""

    def __init__(self, store: Store, loaded: Loaded, renderer: Renderer, *, now: datetime, live: bool,
                 houses: Houses | None = None, processes: int = 1) -> None:  # fmt: skip
        assert loaded.project is not None
        self.processes = processes
        self.loaded, self.renderer, self.now = loaded, renderer, now
        self.project = loaded.project
        self.live = live
        self.channels = channels_of(self.project, live=live)
        self.keys = keys.of_store(store, self.project.project)
        self.pepper = self.keys.pepper
        self.columns = tuple(columns.attribute_column(name) for name in self.project.contacts.attributes)
        self._names = (*self.project.contacts.attributes, *outbox.BUILT_IN)
        self._given = houses
        self.houses: Houses
        self.events: dict[int, outbox.Entering] = {}
        self.phones: dict[int, str] = {}
        self.windows: dict[tuple[int, str], datetime] = {}
        self.watched: set[int] = set()  # who agreed that openings are noted
        self._presses: dict[int, Press] = {}
        self._archived: dict[str, int] = {}
        self._fresh: dict[str, int] = {}
        self._calls: dict[str, _CallSkeleton] = {}
        self._said: dict[str, _Said] = {}

    def learn(self, connection: sa.Connection) -> None:
        """The houses of this round, built as they are asked for, over the connection at hand."""
        known: Houses | None = getattr(self, "houses", self._given)
        self.houses = known.on(connection) if known is not None else houses(connection, self.loaded, now=self.now, live=self.live)

    def press(self, version: int) -> Press:
        found = self._presses.get(version)
        if found is None:
            found = self._presses[version] = Press(self, self.houses[version])
        return found

    def bring(self, connection: sa.Connection, claimed: Sequence[Claimed]) -> None:
        """Build the presses of these touches, and bring the entering events whose payload a fact quotes."""
        wanted = {c.entered_event for c in claimed if self.press(c.version_id).needs_event and c.entered_event is not None}
        self.events = outbox.entering(connection, wanted)
        self.phones = outbox.phones(connection, {c.contact_id for c in claimed if c.channel == "task"})
        self.windows |= open_until(connection, claimed, now=self.now)  # those of the batch before are still to be handed over
        if self.project.tracking.opens == "consented":
            self.watched = readers.agreed(connection, {c.contact_id for c in claimed if c.channel == "email"})

    def contact(self, touch: Claimed) -> dict[str, Any]:
        """The person as templates see one: columns by attribute name."""
        return dict(zip(self._names, touch.attributes, strict=True))

    # --- rendering --------------------------------------------------------------------------------------------------
    def staff(self, expected: int) -> None:
        """So many touches are about to be ordered."""

    def dismiss(self) -> None:
        """Nobody orders any more."""

    @property
    def busy(self) -> int:
        """Orders that are being rendered elsewhere."""
        return 0

    def order(self, touches: Sequence[Claimed]) -> Order:
        """Begin to prepare these touches; `Order.take` gives them."""
        return Order(self, touches)

    def prepare(self, touches: Sequence[Claimed]) -> list[Prepared | Unfit]:
        """Each touch with its message, or why there is none; in order."""
        from omnicli.render.renderer import RenderFailure, RenderJob

        found: list[Prepared | Unfit | None] = [None] * len(touches)
        jobs: list[RenderJob] = []
        whose: list[tuple[int, Press, str | None]] = []
        for n, touch in enumerate(touches):
            press = self.press(touch.version_id)
            if touch.channel == "webhook":
                found[n] = self._call(press, touch)
                continue
            if touch.message not in press.house.campaign.messages:
                found[n] = Unfit(
                    touch,
                    "render_failed",
                    t(
                        "message '{name}' is not in this version",
                        "le message « {name} » n'est pas dans cette version",
                        name=touch.message,
                    ),
                )
                continue
            if press._live[touch.message] and (old := press.stale(touch)):
                found[n] = Unfit(touch, "stale", old)
                continue
            contact = self.contact(touch)
            facts, new = press.facts(touch, contact)
            jobs.append(
                RenderJob(
                    campaign=press.house.campaign, message=touch.message, channel=touch.channel, language=touch.language,
                    touch=touch.key.hex(), at=self.now, zone=press.zone(touch), contact=contact, facts=facts, persona=touch.persona,
                    step=touch.step, purpose=touch.purpose, country=touch.country, entered_at=_instant(touch.entered_at),
                    extra=_words(touch, contact, self.phones.get(touch.contact_id)) if touch.channel in WORDED else _NO_WORDS,
                    opens=touch.contact_id in self.watched,
                )
            )  # fmt: skip
            whose.append((n, press, new))
        for (n, press, new), rendered in zip(whose, self.renderer.batch(jobs), strict=True):
            if isinstance(rendered, RenderFailure):
                found[n] = Unfit(touches[n], rendered.reason, printable(rendered.detail))
            else:
                found[n] = self._prepared(press, touches[n], rendered, new)
        return [p for p in found if p is not None]

    def _prepared(self, press: Press, touch: Claimed, rendered: Rendered, facts: str | None) -> Prepared:
        said = self._said.get(rendered.skeleton)
        if said is None:
            said = self._said[rendered.skeleton] = _Said.of(self.renderer.skeleton(rendered.skeleton))
        return Prepared(
            touch, press, rendered, rendered.skeleton, said.pack(rendered.values), touch.address_hmac or self._address_hash(touch),
            said.hash(rendered.values),
            press.house.prices.get(touch.channel, 0) * max(rendered.sms_parts, 1), facts,
            press.fresh_until(touch) if press._live[touch.message] else None,
        )  # fmt: skip

    def _address_hash(self, touch: Claimed) -> bytes:
        return touch.address_hmac or consents.fingerprint(self.pepper, touch.channel, touch.address or touch.uid.hex())

    def _call(self, press: Press, touch: Claimed) -> Prepared | Unfit:
        """The body of a `call` step: its names with their values, as JSON."""
        node = press.house.flow.nodes.get(touch.step)
        wanted: Mapping[str, str] = getattr(node.step, "with_", {}) if node else {}
        contact, told = self.contact(touch), json.loads(touch.told) if touch.told else {}
        values = {key: _value_of(name, contact, told) for key, name in wanted.items()}
        body = json.dumps(
            {"campaign": press.house.name, "step": touch.step, "contact": touch.source_id, **values},
            ensure_ascii=False,
            default=str,
        )
        skeleton = self._calls.setdefault("webhook", _CallSkeleton())
        rendered = Rendered("webhook", {"body": body}, skeleton.hash, (body,))
        return Prepared(
            touch, press, rendered, skeleton.hash, skeleton.pack((body,)), self._address_hash(touch),
            hashlib.sha256(body.encode()).digest()[:16], press.house.prices.get("webhook", 0), None,
        )  # fmt: skip

    # --- the archive ------------------------------------------------------------------------------------------------
    def skeleton(self, name: str) -> Any:
        call = self._calls.get("webhook")
        return call if call is not None and call.hash == name else self.renderer.skeleton(name)

    def archive(self, connection: sa.Connection, prepared: Sequence[Prepared]) -> Mapping[str, int]:
        """Row ids of the skeletons of these messages; new ones are archived first, with the transaction that uses them."""
        missing = {p.skeleton for p in prepared} - self._archived.keys()
        if not missing:
            return self._archived
        wanted = {name: (s.channel, s.blob, s.template) for name in sorted(missing) for s in (self.skeleton(name),)}
        self._fresh = outbox.keep_skeletons(connection, wanted, now=clock.to_ms(self.now))
        return {**self._archived, **self._fresh}

    def keep(self) -> None:
        """The transaction that archived the newest skeletons was committed."""
        self._archived.update(self._fresh)
        self._fresh = {}

    def unsubscribe(self, touch: Claimed) -> str:
        """The https address at which one click unsubscribes, when a public address exists; else nothing."""
        from omnicli.render import links

        own = self.renderer.own
        if not own or not own.startswith("https://"):
            return ""
        return f"{own}/{links.PATHS['unsubscribe']}/{links.token(self.renderer.signing, 'unsubscribe', touch.key)}"


@dataclass(slots=True)
class Order:
    """Touches that are being prepared."""

    presses: Presses
    touches: Sequence[Claimed]

    @property
    def ready(self) -> bool:
        """Whether `take` would not wait for another process."""
        return True

    def take(self) -> list[Prepared | Unfit]:
        """Each touch with its message, or why there is none; in order."""
        return self.presses.prepare(self.touches)


@dataclass(frozen=True, slots=True)
class _Said:
    """What a skeleton says: a hash of its constant text, whatever campaign it belongs to, and which values are words."""

    digest: str
    words: Callable[[Sequence[str]], Sequence[str]]
    pack: Callable[[Sequence[str]], bytes]

    @classmethod
    def of(cls, skeleton: Any) -> _Said:
        tokens = frozenset(skeleton.tokens)
        text = json.dumps({name: list(pieces) for name, pieces in sorted(skeleton.parts.items())}).encode(
            "utf-8", "surrogatepass"
        )
        chosen = [n for n in range(skeleton.size) if n not in tokens]
        words: Callable[[Sequence[str]], Sequence[str]] = (
            itemgetter(*chosen) if len(chosen) > 1 else lambda values: [values[n] for n in chosen]
        )
        return cls(hashlib.sha256(text).hexdigest(), words, skeleton.pack)

    def hash(self, values: Sequence[str]) -> bytes:
        """16 bytes that two bodies share when they differ in nothing but the tokens of their links."""
        text = self.digest + _SEPARATOR + _SEPARATOR.join(self.words(values))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


class _CallSkeleton:
    """A call's body is one value: nothing of it is shared."""

    channel, template = "webhook", ""
    parts: Mapping[str, tuple[str | int, ...]] = {"body": (0,)}

    def __init__(self) -> None:
        from omnicli.render.skeleton import build

        made = build("webhook", "", {"body": "\ue0000\ue001"}, origins=(None,), html=(False,), made={}, usual={}, links=())
        self.hash, self.blob, self.pack, self.tokens = made.hash, made.blob, made.pack, made.tokens


def _value_of(name: str, contact: Mapping[str, Any], told: Mapping[str, Any]) -> Any:
    message, _, fact = name.rpartition(".")
    if message and message in told and fact in told[message]:
        return told[message][fact][1]
    for facts in told.values():
        if name in facts:
            return facts[name][1]
    return contact.get(name.removeprefix("contact."))


#: Channels whose templates see `touch.*`: who it is for, where, until when.
WORDED = frozenset({"task", "voice", "letter", "qr"})
_NO_WORDS: Mapping[str, str] = {}
_instant = lru_cache(maxsize=65536)(clock.from_ms)


def _words(touch: Claimed, contact: Mapping[str, Any], phone: str | None) -> dict[str, str]:
    """What templates of work and print see as `touch.*`; what there is not is left out."""
    address = {"voice": "phone", "letter": "address"}.get(touch.channel)
    words = {
        "phone": phone,
        "contact": _name_of(contact) or touch.source_id,
        "team": touch.team,
        "kind": touch.task_kind,
        "place": touch.place,
    }
    if address is not None:
        words[address] = touch.address
    if touch.task_due is not None:
        words["due"] = clock.from_ms(touch.task_due).date().isoformat()
    return {name: word for name, word in words.items() if word}


def _name_of(contact: Mapping[str, Any]) -> str:
    return " ".join(str(contact[key]) for key in ("first_name", "last_name") if contact.get(key))


def _is_constant(message: Message) -> bool:
    """True when persona, language, zone and the instant of entry decide every fact."""
    return all(
        fact.from_ is None and fact.max_age is None and getattr(fact.value, "anchor", None) in (None, "enter", *message.facts)
        for fact in message.facts.values()
    )


def _live_facts(message: Message) -> tuple[tuple[str, Fact], ...]:
    return tuple((name, fact) for name, fact in message.facts.items() if fact.max_age is not None)
