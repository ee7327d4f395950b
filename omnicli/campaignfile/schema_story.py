"""The JSON Schema of a scenario file, `campaigns/<name>.test.yaml` (docs/tests of campaigns, sections 2 and 4)."""

from __future__ import annotations

from typing import Any

from omnicli.model.project import CHANNELS

_TEXT = {"type": ["string", "number", "boolean"]}
_WORD = {"type": "string"}
_DURATION = {"type": "string", "pattern": r"^[1-9]\d*\s+(second|minute|hour|day|week|month|year)s?$", "examples": ["3 days"]}
_INSTANT = {"type": "string", "examples": ["2027-01-04 11:30"]}
_NAME = {"type": ["string", "boolean"], "pattern": "^[a-z][a-z0-9_-]{0,63}$"}
_TEXTS = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}


def _said(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {**schema, "description": description}


def _object(properties: dict[str, Any], *required: str, **more: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": list(required), **more}


_CONTACT = {
    "type": "object",
    "description": "Attributes, language, country, time_zone, addresses, and consent: the channels granted.",
    "properties": {
        "like": _said(_WORD, "Another contact of this file, with changes."),
        "who": _said(_WORD, "Its name in the story's lines."),
        "consent": {"anyOf": [_WORD, {"type": "array", "items": {"enum": list(CHANNELS)}}], "description": "Channels with consent."},
        "language": {"type": ["string", "boolean"]}, "country": {"type": ["string", "boolean"]}, "time_zone": _WORD, "id": _TEXT,
    },
    "additionalProperties": True,
}  # fmt: skip

_LINES: dict[str, dict[str, Any]] = {
    "event": _object({
        "event": _said(_WORD, "This response or event happens now."), "with": {"type": "object", "description": "Its payload."},
        "of": _said(_WORD, "Step or message that it answers."), "who": _WORD,
        "happened": _said(_INSTANT, "When it was, where it is heard of only now."),
    }, "event"),
    "after": _object({"after": _said(_DURATION, "The clock moves on; what falls due on the way happens."), "who": _WORD}, "after"),
    "at": _object({"at": _said(_INSTANT, "The clock moves there."), "who": _WORD}, "at"),
    "change": _object({"change": {"type": "object", "description": "Attributes that change now."}, "who": _WORD}, "change"),
    "consent": _object({"consent": {"type": "object", "description": "Channel → yes or no.",
                                    "additionalProperties": {"enum": ["yes", "no", True, False]}}, "who": _WORD}, "consent"),
    "expect": _object({
        "expect": _said(_WORD, "The next touch, or the state now: '<channel> <message> [at <moment>]', nothing, held, skipped, exit, goal, step …"),
        "says": _said(_TEXTS, "Visible text that must be there."), "not_says": _said(_TEXTS, "Visible text that must not be there."),
        "parts": {"type": ["integer", "string"], "description": "Parts of the SMS."}, "step": _said(_WORD, "The step's id."),
        "language": _said({"type": ["string", "boolean"]}, "The language."), "link": _said(_WORD, "The address behind the link."),
        "for": _said(_DURATION, "With nothing: for how long."), "who": _WORD,
    }, "expect"),
    "note": _object({"note": _said(_TEXT, "Shown in the timeline.")}, "note"),
}  # fmt: skip


def story_schema() -> dict[str, Any]:
    """The schema: lines of a story are picked by their verb, as steps of a flow are."""
    given = {
        "anyOf": [_WORD, _CONTACT, {"type": "array", "items": {"anyOf": [_WORD, _CONTACT]}}],
        "description": "Who lives the story.",
    }
    offered: dict[str, Any] = {}
    for line in _LINES.values():
        for key, one in line["properties"].items():
            offered.setdefault(key, {"description": one.get("description", "")})
    environment = _object({
        "provider": {"type": "object", "additionalProperties": {"enum": ["refuse", "fail", "unknown", "slow"]}, "description": "Channel → how it behaves."},
        "budget_left": _said(_WORD, "Money left of the budget."), "paused": {"enum": ["yes", "no", True, False]},
    })  # fmt: skip
    scenario = _object({
        "name": _said(_TEXT, "What the story tells; unique in the file."), "given": given,
        "start": _said(_INSTANT, "Where the clock stands; default: the file's."), "patience": _said(_DURATION, "How far an expect may move the clock."),
        "take": {"type": "object", "description": "Split → arm, and holdout: yes.", "additionalProperties": _TEXT},
        "for_each_arm": {"enum": ["yes", "no", True, False], "description": "Run once for each arm."}, "environment": environment,
        "story": {"type": ["array", "null"], "items": {"$ref": "#/$defs/line"}, "description": "What happens, line by line."},
        "end": {"enum": ["open", "quiet"], "description": "quiet: nothing may follow."}, "skip": _said(_TEXT, "Not run, for this reason."),
    }, "name", "given", "story")  # fmt: skip
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "omni scenarios",
        **_object({
            "start": _said(_INSTANT, "Where the clock stands, in the project's zone."), "campaign": _said(_NAME, "Only when several files serve one campaign."),
            "contacts": {"type": "object", "additionalProperties": _CONTACT, "description": "Name → contact."},
            "with": _object({"campaigns": _TEXTS}, description="What stands beside the campaign."),
            "patience": _said(_DURATION, "How far an expect may move the clock; 1 day."),
            "scenarios": {"type": "array", "items": {"$ref": "#/$defs/scenario"}, "description": "The stories."},
            "always": {"type": "array", "items": _WORD, "description": "Properties that hold in every story.", "examples": [["nothing after unsubscribed"]]},
        }, "start", "scenarios"),
        "$defs": {
            "scenario": scenario,
            "line": {
                "type": "object", "properties": offered, "oneOf": [{"required": [verb]} for verb in _LINES],
                "allOf": [{"if": {"required": [verb]}, "then": line} for verb, line in _LINES.items()],
            },
        },
    }  # fmt: skip
