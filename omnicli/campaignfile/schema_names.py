"""The names of one project as completions in its schemas: offered, never demanded, since lint says what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from omnicli.campaignfile.load import Loaded
from omnicli.model.project import BUILT_IN_ATTRIBUTES
from omnicli.model.written import unknown


def offer_names(schema: dict[str, Any], kind: str, loaded: Loaded) -> None:
    """Write the project's channels, personas, teams, attributes, messages … into a schema, in place."""
    project = loaded.project
    if project is None:
        return
    channels = [name for name in project.channels if name != "webhook"]
    personas, teams = list(project.personas), list(project.teams)
    attributes = list(project.contacts.attributes)
    defs, top = schema["$defs"], schema["properties"]
    for model in ("Persona",):
        _values(defs, (model, "channels"), channels)
    for model in ("CampaignGuardrails", "Guardrails"):
        for key in ("cap", "quiet_hours"):
            _keys(defs, (model, key), ["all", *channels])
    if kind == "project":
        for model in ("Channel", "ChannelOverride", "Place", "Sla"):
            _values(defs, (model, "team"), teams)
        return
    messages = sorted(
        {name for campaign in loaded.campaigns.values() if not unknown(campaign.messages) for name in campaign.messages}
    )
    _values(defs, ("Send", "send"), messages)
    _values(defs, ("Send", "by"), ["preferred", *channels])
    _values(defs, ("Send", "else"), channels)
    _values(defs, ("Send", "team"), teams)
    _values(defs, ("Send", "place"), ["nearest", *project.places])
    _values(defs, ("Call", "call"), list(project.webhooks))
    _values(defs, ("Message", "channels"), channels)
    _values(defs, ("Message", "replaces"), messages)
    _keys(defs, ("Message", "omit"), channels)
    _keys(defs, ("Message", "say"), _registers(loaded))
    _keys(defs, ("Message", "approved"), _registers(loaded))
    _keys(defs, ("Fact", "by_persona"), personas)
    _keys(defs, ("Fact", "by_language"), list(project.languages))
    _values(defs, ("Fact", "from"), [*(f"contact.{name}" for name in (*attributes, *BUILT_IN_ATTRIBUTES)), "nearest"])
    _keys(defs, ("Set", "set"), attributes)
    for key, names in (("personas", personas), ("languages", list(project.languages)), ("topic", list(project.topics))):
        _offer(top.get(key), names)


def _registers(loaded: Loaded) -> list[str]:
    """Languages, and each with the registers that the project's personas are addressed in."""
    project = loaded.project
    if project is None:
        return []
    spoken = dict.fromkeys(p.tone.address for p in project.personas.values() if not unknown(p) and p.tone.address)
    return [key for language in project.languages for key in (*(f"{language}/{register}" for register in spoken), language)]


def _property(defs: dict[str, Any], where: tuple[str, str]) -> Any:
    made = defs.get(where[0], {})
    for one in (made, *made.get("anyOf", [])):
        if where[1] in one.get("properties", {}):
            return one["properties"][where[1]]
    return None


def _values(defs: dict[str, Any], where: tuple[str, str], names: Iterable[str]) -> None:
    _offer(_property(defs, where), list(names))


def _offer(schema: Any, names: list[str]) -> None:
    """Let the names be completed wherever a string may stand, in place."""
    if not isinstance(schema, dict) or not names:
        return
    if "anyOf" in schema:
        for one in list(schema["anyOf"]):
            if one.get("type") == "array":
                _offer(one.get("items"), names)
        schema["anyOf"].insert(0, {"enum": names})
        return
    spoken = {key: schema.pop(key) for key in ("title", "description", "default") if key in schema}
    rest = dict(schema)
    schema.clear()
    schema.update({**spoken, "anyOf": [{"enum": names}, rest]})


def _keys(defs: dict[str, Any], where: tuple[str, str], names: Iterable[str]) -> None:
    """Let the names be completed as keys, in place."""
    found = _property(defs, where)
    for one in (found, *(found or {}).get("anyOf", [])):
        if isinstance(one, dict) and "additionalProperties" in one:
            one["properties"] = dict.fromkeys(names, one["additionalProperties"])
            return
