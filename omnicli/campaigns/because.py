"""What a line of the ledger rests on, in values: read from the premises of the decision, never asked of the store as it is now.

Each rule has its own: the hash behind an arm, the touches that fill a cap, the window that a quiet hour is, the permission behind a
channel. `rests_on` gives them as data, `said` in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from omnicli.engine import chance, timing
from omnicli.model import spoken
from omnicli.model.campaign import Choose, Send, Split
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.engine.house import House
    from omnicli.engine.premises import Given

Values = Mapping[str, Any]


def rests_on(line: Mapping[str, Any], given: Given, house: House, at: datetime) -> dict[str, Any]:
    """The values behind `{step, rule, answer, values}` of a decision at `at`; empty where the line says everything itself."""
    step, rule, answer = str(line.get("step") or ""), str(line["rule"]), str(line["answer"])
    node = house.flow.nodes.get(step)
    match rule:
        case "split" if node is not None and isinstance(node.step, Split):
            return _arm(node.id, node.step, given, house)
        case "choose" if node is not None and isinstance(node.step, Choose):
            return {"asked": _asked([option.if_ for option in node.step.choose if option.if_], given)}
        case "send" if node is not None and isinstance(node.step, Send):
            return _way(answer, given, house, at)
        case "skip" if answer == "condition" and node is not None and isinstance(node.step, Send) and node.step.if_:
            return {"asked": _asked([node.step.if_], given)}
        case "cap" | "min_gap":
            return _pressure(line, node.step if node else None, given, house, at)
        case "quiet_hours" | "pack":
            return _hours(rule, given, house, at)
        case "budget":
            return {"spent": given.tally.spent.get(house.name, 0), "budget": str(house.guarding.budget or "")}
        case "approval":
            return {"ceiling": str(house.ceiling or ""), "sends": given.tally.sends.get(house.name, 0)}
        case "holdout":
            return {"hash": chance.place_of_people(house.project.project, house.name, given.standing.contact_uid), "of": chance.PEOPLE,
                    "share": str(house.campaign.holdout or "")}  # fmt: skip
    return {}


def _arm(split: str, step: Split, given: Given, house: House) -> dict[str, Any]:
    """The place on the scale, and where each arm ends on it."""
    s, edge, edges = given.standing, Decimal(0), {}
    for arm, written in step.split.items():
        edge += written.share.share * chance.ARMS
        edges[arm] = int(edge)
    names = (house.project.project, house.name, split)
    return {"hash": chance.place(names, s.contact_uid, s.number), "of": chance.ARMS, "arms": edges}


def _asked(conditions: list[str], given: Given) -> dict[str, bool]:
    """The conditions in the order in which they were asked, up to the first that was true."""
    found: dict[str, bool] = {}
    for condition in conditions:
        if condition not in given.standing.truths:
            break
        found[condition] = given.standing.truths[condition]
        if found[condition]:
            break
    return found


def _way(channel: str, given: Given, house: House, at: datetime) -> dict[str, Any]:
    """What let the channel through: address, permission, and how full its caps were."""
    here = given.standing.reach.get(channel)
    found: dict[str, Any] = {}
    if here is not None:
        found = {"address": here.address, "consent": here.consents(at)}
    caps = _caps(channel, given, house, at)
    return {**found, "caps": caps} if caps else found


def _pressure(line: Mapping[str, Any], step: Any, given: Given, house: House, at: datetime) -> dict[str, Any]:
    """The caps that are full, with the dates that fill them; or the gap and the touch that it counts from."""
    s = given.standing
    if line["rule"] == "min_gap":
        last = max((when for *_, when in given.tally.given.get(s.contact_id, ())), default=s.last_counted_at)
        return {"min_gap": str(house.guarding.min_gap or ""), "last": last}
    channels = [step.by, *step.else_] if isinstance(step, Send) else list(house.project.channels)
    full = {}
    for channel in channels:
        for rate, taken in _rates(channel, given, house, at):
            if len(taken) >= rate.count:
                full[f"{channel}: {rate}"] = taken
    return {"full": full}


def _caps(channel: str, given: Given, house: House, at: datetime) -> dict[str, list[date]]:
    return {str(rate): taken for rate, taken in _rates(channel, given, house, at)}


def _rates(channel: str, given: Given, house: House, at: datetime) -> Iterator[tuple[Any, list[date]]]:
    """Each cap over this channel with the local dates that count towards it on that day."""
    s = given.standing
    zone = house.calendar.zone(s.country, s.time_zone, s.region)
    today = timing.local_day(at, zone)
    slots = (*s.slots, *((day, by) for day, by, _ in given.tally.given.get(s.contact_id, ())))
    caps = house.guarding.caps_for(s.country)
    for key in ("all", channel):
        for rate in caps.get(key, ()):
            taken = sorted(day for day, by in slots if (key == "all" or by == channel) and today - rate.days < day <= today)
            yield rate, [date.fromordinal(day) for day in taken]


def _hours(rule: str, given: Given, house: House, at: datetime) -> dict[str, Any]:
    """The person's own wall clock, and the windows that the files or the country's pack close."""
    s = given.standing
    zone = house.calendar.zone(s.country, s.time_zone, s.region)
    windows = (
        sorted({str(window) for windows in house.guarding.quiet.values() for window in windows}) if rule == "quiet_hours" else []
    )
    return {
        "local": at.astimezone(zone).strftime("%A %H:%M").lower(),
        "zone": str(zone),
        "country": s.country,
        "windows": windows,
    }


# --- in words ---------------------------------------------------------------------------------------------------------
def said(rule: str, values: Values) -> str:
    """The values in a few words, to stand behind the line; empty when there are none."""
    match rule:
        case "split" if values:
            arms = " · ".join(f"{arm} {spoken.number(edge)}" for arm, edge in values["arms"].items())
            return t("hash {n} of {of}; arms up to {arms}", "empreinte {n} sur {of} ; bras jusqu'à {arms}", n=spoken.number(values["hash"]),
                     of=spoken.number(values["of"]), arms=arms)  # fmt: skip
        case "choose" | "skip" if values.get("asked"):
            return " · ".join(
                spoken.both(condition, t("yes", "oui") if truth else t("no", "non"))
                for condition, truth in values["asked"].items()
            )
        case "send" if values:
            return " · ".join(_way_said(values))
        case "cap":
            return " · ".join(_filled(rule_, taken) for rule_, taken in values.get("full", {}).items())
        case "min_gap" if values.get("last"):
            return t(
                "{gap} after {last}",
                "{gap} après le {last}",
                gap=spoken.time(values["min_gap"]),
                last=f"{values['last']:%Y-%m-%d %H:%M}",
            )
        case "quiet_hours" | "pack" if values:
            windows = ", ".join(spoken.time(window) for window in values["windows"])
            here = t("{local} in {zone}", "{local} à {zone}", local=spoken.time(values["local"]), zone=values["zone"])
            return f"{here}: {windows}" if windows else here
        case "budget" if values:
            return t(
                "spent {n} of {budget}",
                "{n} dépensés sur {budget}",
                n=spoken.number(Decimal(values["spent"]).scaleb(-6), 2),
                budget=values["budget"],
            )
        case "approval" if values:
            return t("{n} in this run, ceiling {ceiling}", "{n} dans cette exécution, plafond {ceiling}", n=spoken.number(values["sends"]),
                     ceiling=spoken.time(values["ceiling"]))  # fmt: skip
        case "holdout" if values:
            return t("hash {n} of {of}, share {share}", "empreinte {n} sur {of}, part {share}", n=spoken.number(values["hash"]),
                     of=spoken.number(values["of"]), share=values["share"])  # fmt: skip
    return ""


def _way_said(values: Values) -> Iterator[str]:
    if "address" in values:
        yield t("address yes", "adresse oui") if values["address"] else t("address no", "adresse non")
        yield t("consent yes", "accord oui") if values["consent"] else t("consent no", "accord non")
    for rate, taken in values.get("caps", {}).items():
        yield _filled(rate, taken)


def _filled(rate: str, taken: list[date]) -> str:
    """`cap 2 per month: 2 used (12 and 20 December)`, dates as ISO."""
    days = f" ({', '.join(day.isoformat() for day in taken)})" if taken else ""
    return t("cap {rate}: {n} used{days}", "plafond {rate} : {n} pris{days}", rate=spoken.time(rate), n=len(taken), days=days)
