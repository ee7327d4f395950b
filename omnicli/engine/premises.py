"""What a decision was taken on, as bytes: read again, it gives the same decision (docs/scenarios 6).

Everything that the engine was given about one enrollment but who it is, in compact JSON without what is as usual: instants in
milliseconds UTC, the reach as the store writes it. It is deflated with a dictionary of what such texts are made of (RFC 1951), which
makes some 90 bytes of 500.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from functools import lru_cache
from typing import Any

from omnicli import clock
from omnicli.engine.house import House
from omnicli.model.contact import Reach, read_reach, write_reach
from omnicli.model.decision import Settled, Standing, Tally

#: What says who it is: known from the enrollment, never written here.
IDENTITY = ("id", "key", "contact_id", "contact_uid", "number")
#: The format of what is kept; another dictionary is another format.
_FORMAT = b"\x01"
#: What such texts are made of, the most frequent last.
_USUAL = (
    b'"complaint_until":"preferred_channel":"email","last_human_channel":"email","last_human_at":179"touch_open":true,"erased":true,"place":"'
    b'"converted":true,"spread":true,"halted":1,"ruled_by":"run":[0,0],"given":[[7399,"email",1799]],"event":{"value":"amount":{},"hours":{"10":1},'
    b'"told":{"offre":{"offer":["percent","20"],"price":["money","39.92 EUR"],"deadline":["date","2027-01-30"]}},"attributes":{"orders":0},'
    b'"tried":["email","whatsapp","sms"],"settled":["accepted",179,"email",null],"wait_from":179905860000,"held_by":"quiet_hours","held_from":179,'
    b'"slots":[[7399,"sms"],[739986,"email"]],"last_counted_at":1799139600000,"truths":{"orders > 0":0},"firsts":[["wait","clicked",null],'
    b'["wait","replied",null],["enter","purchase",null]],"spent":0,"country":"FR","region":"IDF","time_zone":"Europe/Paris","language":"fr","persona":"'
    b'","held_out":false,"step":"","since":1799058600000,"due_at":1799139600000,"wait_until":1799139600000,"reach":"{\\"email\\":[1,1,null,null,null,null],'
    b'\\"letter\\":[1,null,null,null,null,null],\\"messenger\\":[0,null,null,null,null,null],\\"push\\":[0,null,null,null,null,null],'
    b'\\"sms\\":[1,1,null,null,null,null],\\"voice\\":[1,0,null,null,null,null],\\"whatsapp\\":[1,1,null,null,null,null]}","entered_at":1798'
)
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_ms = lru_cache(maxsize=65536)(clock.to_ms)


@dataclass(frozen=True, slots=True)
class Given:
    """The premises of one decision: what stood in the store, what this turn gave away before, whether the house held people still
    (`halted`) or bound its ceiling (`binding`), and whose guardrails held (`ruled_by`, a version's id; None: its own)."""

    standing: Standing
    tally: Tally
    halted: bool
    binding: bool
    ruled_by: int | None


def write(standing: Standing, tally: Tally, house: House) -> bytes:
    """The premises of a decision, taken down before the decision changes the tally."""
    found: dict[str, Any] = {}
    for name, usual, spell in _FIELDS:
        value = getattr(standing, name)
        if value != usual:
            found[name] = spell(value)
    found.update(_turn(standing, tally, house))
    return _pack(_compact(found).encode("utf-8", "surrogatepass"))


def _turn(standing: Standing, tally: Tally, house: House) -> dict[str, Any]:
    """What the turn had given away where this decision looks at it, and the state of the house."""
    found: dict[str, Any] = {}
    if given := tally.given.get(standing.contact_id):
        found["given"] = [[day, channel, _ms(at)] for day, channel, at in given]
    if house.guarding.budget is not None:
        found["spent"] = tally.spent.get(house.name, 0)
    if house.ceiling is not None:
        found["run"] = [tally.sends.get(house.name, 0), tally.money.get(house.name, 0)]
    if house.halted:
        found["halted"] = 1
    if house.ruled_by is not None:
        found["ruled_by"] = house.ruled_by
    return found


def _pack(text: bytes) -> bytes:
    packing = zlib.compressobj(6, zlib.DEFLATED, -13, 4, zlib.Z_DEFAULT_STRATEGY, _USUAL)
    return _FORMAT + packing.compress(text) + packing.flush()


def _unpack(kept: bytes) -> bytes:
    if kept[:1] != _FORMAT:
        raise ValueError(f"premises of another format: {kept[:1]!r}")
    unpacking = zlib.decompressobj(-13, _USUAL)
    return unpacking.decompress(kept[1:]) + unpacking.flush()


def spelled(kept: bytes) -> dict[str, Any]:
    """The premises as they are spelled, for who copies them elsewhere; `packed` makes bytes of them again."""
    found = json.loads(_unpack(kept).decode("utf-8", "surrogatepass"))
    assert isinstance(found, dict)
    return found


def packed(found: Mapping[str, Any]) -> bytes:
    """The bytes of premises that were `spelled`."""
    return _pack(_compact(found).encode("utf-8", "surrogatepass"))


def read(text: bytes, *, campaign: str, identity: Mapping[str, Any]) -> Given:
    """The premises again. `identity` has `id key contact_id contact_uid number` of the enrollment."""
    kept = json.loads(_unpack(text).decode("utf-8", "surrogatepass"))
    values = {name: _READ[name](kept[name]) for name in _READ if name in kept}
    standing = Standing(**identity, **values)
    sends, money = kept.get("run", (0, 0))
    tally = Tally(
        given={standing.contact_id: [(day, channel, clock.from_ms(at)) for day, channel, at in kept["given"]]} if "given" in kept else {},
        spent={campaign: kept.get("spent", 0)}, sends={campaign: sends}, money={campaign: money},
    )  # fmt: skip
    return Given(standing, tally, "halted" in kept, "run" in kept, kept.get("ruled_by"))


# --- how each field is spelled ----------------------------------------------------------------------------------------
def _plain(value: Any) -> Any:
    return value


def _settled(end: Settled) -> list[Any]:
    return [end.state, _ms(end.at), end.channel, end.reason]


def _reach(reach: Reach) -> str:
    return _reach_text(id(reach), reach)


class _ById(dict[int, tuple[Any, str]]):
    """Texts of reaches by the object: `read_reach` gives many people the same one."""

    def __call__(self, key: int, reach: Reach) -> str:
        found = self.get(key)
        if found is None or found[0] is not reach:
            if len(self) > 4096:
                self.clear()
            found = self[key] = reach, write_reach(reach)
        return found[1]


_reach_text = _ById()


def _firsts(firsts: Mapping[tuple[str, str], datetime | None]) -> list[list[Any]]:
    return [[since, term, None if at is None else _ms(at)] for (since, term), at in firsts.items()]


def _read_firsts(rows: list[list[Any]]) -> dict[Any, datetime | None]:
    return {(since, term): None if at is None else clock.from_ms(at) for since, term, at in rows}


def _truths(truths: Mapping[str, bool]) -> dict[str, int]:
    return {text: int(truth) for text, truth in truths.items()}


def _read_truths(truths: Mapping[str, int]) -> dict[str, bool]:
    return {text: bool(truth) for text, truth in truths.items()}


def _slots(slots: tuple[tuple[int, str], ...]) -> list[list[Any]]:
    return [[day, channel] for day, channel in slots]


def _read_slots(rows: list[list[Any]]) -> tuple[tuple[int, str], ...]:
    return tuple((day, channel) for day, channel in rows)


def _read_hours(hours: Mapping[str, int]) -> dict[int, int]:
    return {int(hour): count for hour, count in hours.items()}


def _read_settled(row: list[Any]) -> Settled:
    state, at, channel, reason = row
    return Settled(state, clock.from_ms(at), channel, reason)


_INSTANTS = (
    "entered_at",
    "since",
    "due_at",
    "wait_from",
    "wait_until",
    "held_from",
    "last_human_at",
    "complaint_until",
    "last_counted_at",
)
_SPELLED: Mapping[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    **dict.fromkeys(_INSTANTS, (_ms, clock.from_ms)),
    "settled": (_settled, _read_settled), "reach": (_reach, read_reach), "firsts": (_firsts, _read_firsts),
    "truths": (_truths, _read_truths), "slots": (_slots, _read_slots), "hours": (_plain, _read_hours), "tried": (list, tuple),
    "attributes": (dict, dict),
}  # fmt: skip


def _fields() -> tuple[tuple[str, Any, Callable[[Any], Any]], ...]:
    """(name, its usual value, how it is spelled) of every field but the identity."""
    found = []
    for field in fields(Standing):
        if field.name in IDENTITY:
            continue
        usual = field.default_factory() if field.default_factory is not MISSING else field.default
        found.append((field.name, usual, _SPELLED.get(field.name, (_plain, _plain))[0]))
    return tuple(found)


_FIELDS = _fields()
_READ: Mapping[str, Callable[[Any], Any]] = {name: _SPELLED.get(name, (_plain, _plain))[1] for name, *_ in _FIELDS}
