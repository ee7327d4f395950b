"""Reads `packs/*.yaml`: a file that breaks its shape is refused by rule id, never half used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, TypeVar, cast

from omnicli.model.literals import LiteralError, Rate, Window, parse_date
from omnicli.model.pack import AUTHORITIES, KINDS, STRICT, Pack, PackRule, Severity

EVERYWHERE = "EVERYWHERE"
T = TypeVar("T")
_RULE_KEYS = frozenset({"id", "severity", "kind", "authority", "source", "from", "until", "checked_on", "text", "value"})
_FILE_KEYS = frozenset({"pack", "title", "adopts", "rules"})
_CONSENTS = ("opt_in", "soft_opt_in", "opt_out")


class PackError(ValueError):
    """A pack that cannot be used: names the pack and the rule."""


@dataclass(frozen=True, slots=True)
class PackFile:
    """One file: all its rules, of every date, in file order."""

    code: str
    title: str
    rules: tuple[PackRule, ...]
    adopts: tuple[str, ...] = ()


def load(countries: Iterable[str], on: date) -> Mapping[str, Pack]:
    """Every shipped pack as it stands on this day, by country code, always with `STRICT`.

    People of any country may be in the base, so all packs come, not only those of `countries`; a country without a
    pack has no key (`pack_of` gives STRICT for it, `missing` lists them).
    """
    del countries
    return _load(on)


def missing(countries: Iterable[str]) -> tuple[str, ...]:
    """The countries of the project for which STRICT is used, since omni has no pack for them."""
    return tuple(code for code in countries if code not in shipped() or code in (STRICT, EVERYWHERE))


@lru_cache(maxsize=64)
def _load(on: date) -> Mapping[str, Pack]:
    found = shipped()
    every = {rule.id: rule for file in found.values() for rule in file.rules if file.code == STRICT}
    packs = {}
    for code, file in found.items():
        if code != EVERYWHERE:
            adopted = tuple(every[id] for id in file.adopts)
            packs[code] = _lay(file, (*file.rules, *adopted, *found[EVERYWHERE].rules), on)
    return MappingProxyType(packs)


@lru_cache(maxsize=1)
def shipped() -> Mapping[str, PackFile]:
    """The files that come with omni, by code."""
    here = files(__package__)
    names = sorted(entry.name for entry in here.iterdir() if entry.name.endswith(".yaml"))
    found = [read(here.joinpath(name).read_text("utf-8"), name) for name in names]
    return MappingProxyType({file.code: file for file in found})


def read(text: str, name: str) -> PackFile:
    """One pack file; raises PackError naming the rule that is out of shape."""
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    tree = yaml.load(text, Loader=loader)
    if not isinstance(tree, dict) or not isinstance(tree.get("pack"), str) or not isinstance(tree.get("rules"), list):
        raise PackError(f"{name}: a pack needs 'pack' and 'rules'")
    if unknown := sorted(set(tree) - _FILE_KEYS):
        raise PackError(f"{name}: unknown key {unknown[0]}")
    rules = tuple(_rule(written, name) for written in tree["rules"])
    return PackFile(tree["pack"], tree.get("title", ""), rules, tuple(tree.get("adopts", ())))


def _rule(written: Any, name: str) -> PackRule:
    if not isinstance(written, dict) or not written.get("id"):
        raise PackError(f"{name}: a rule needs an id")
    where = f"{name} {written['id']}"
    if unknown := sorted(set(written) - _RULE_KEYS):
        raise PackError(f"{where}: unknown key {unknown[0]}")
    for key, allowed in (("severity", ("E", "W", "G")), ("kind", KINDS), ("authority", AUTHORITIES)):
        if written.get(key) not in allowed:
            raise PackError(f"{where}: {key} is one of {' '.join(allowed)}")
    text = written.get("text")
    if not written.get("source") or not isinstance(text, dict) or set(text) != {"en", "fr"}:
        raise PackError(f"{where}: a rule needs its source, and its text in en and fr")
    days = {key: _day(written.get(key), where, key) for key in ("from", "until", "checked_on")}
    return PackRule(
        id=written["id"], severity=cast(Severity, written["severity"]), kind=written["kind"], authority=written["authority"],
        source=written["source"], text=MappingProxyType(text), from_=days["from"], until=days["until"],
        checked_on=days["checked_on"], value=_value(written["kind"], written.get("value", {}), where),
    )  # fmt: skip


def _day(text: str | None, where: str, key: str) -> date | None:
    try:
        return parse_date(text) if text else None
    except LiteralError as error:
        raise PackError(f"{where}: {key} {error}") from None


def _value(kind: str, written: Any, where: str) -> Mapping[str, Any]:
    """The typed value of a rule: windows and rates parsed, the rest as texts."""
    if not isinstance(written, dict):
        raise PackError(f"{where}: value is a mapping")
    try:
        match kind:
            case "hours":
                _only(written, ("closed", "quiet", "regions"), where)
                regions = {region: _listed(part, Window.parse) for region, part in written.get("regions", {}).items()}
                flat = {key: _listed(written[key], Window.parse) for key in ("closed", "quiet") if key in written}
                return MappingProxyType({**flat, **({"regions": MappingProxyType(regions)} if regions else {})})
            case "caps":
                _only(written, ("caps", "limits"), where)
                return MappingProxyType({key: _listed(part, Rate.parse) for key, part in written.items()})
            case "consent":
                for channel, state in written.items():
                    if state not in _CONSENTS:
                        raise PackError(f"{where}: consent of {channel} is one of {' '.join(_CONSENTS)}")
            case "zones":
                return MappingProxyType({region: tuple(zones) for region, zones in written.items()})
    except LiteralError as error:
        raise PackError(f"{where}: {error}") from None
    return MappingProxyType(written)


def _only(written: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    if unknown := sorted(set(written) - set(keys)):
        raise PackError(f"{where}: unknown value {unknown[0]}")


def _listed(part: Mapping[str, Iterable[str]], parse: Callable[[str], T]) -> Mapping[str, tuple[T, ...]]:
    return MappingProxyType({channel: tuple(parse(text) for text in texts) for channel, texts in part.items()})


def _lay(file: PackFile, rules: tuple[PackRule, ...], on: date) -> Pack:
    """The pack of one day: the values of the rules in force, united by channel."""
    now = tuple(rule for rule in rules if rule.holds(on))
    pack = Pack(
        code=file.code, title=file.title, rules=now,
        closed=_united(now, "hours", "closed"), quiet=_united(now, "hours", "quiet"),
        caps=_united(now, "caps", "caps"), limits=_united(now, "caps", "limits"),
    )  # fmt: skip
    regions: dict[str, Mapping[str, tuple[Window, ...]]] = {}
    consent: dict[str, str] = {}
    zones: dict[str, tuple[str, ...]] = {}
    for rule in now:
        if rule.kind == "hours":
            regions.update(rule.value.get("regions", {}))
        elif rule.kind == "consent":
            consent.update({c: s for c, s in rule.value.items() if c not in consent})
        elif rule.kind == "zones":
            zones.update(rule.value)
    return replace(pack, regions=MappingProxyType(regions), consent=MappingProxyType(consent), zones=MappingProxyType(zones))


def _united(rules: tuple[PackRule, ...], kind: str, part: str) -> Mapping[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}
    for rule in rules:
        if rule.kind == kind:
            for channel, values in rule.value.get(part, {}).items():
                known = found.get(channel, ())
                found[channel] = known + tuple(value for value in values if value not in known)
    return MappingProxyType(found)
