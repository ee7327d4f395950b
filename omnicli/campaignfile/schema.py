"""JSON Schema 2020-12 of the authored files, made from the model and tidied for editors.

It accepts whatever lint accepts. An editor sees YAML's own types, so a text may be a number or a boolean there, an
optional key may have nothing behind it, and one scalar may stand for a list. A step is an object whose verb picks its
keys: an editor then says which key it did not expect, instead of eight times that nothing fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from omnicli.errors import Exit, OmniError
from omnicli.model import literals as lit
from omnicli.model import written
from omnicli.model.campaign import VERB_OF, Campaign, Fact, Step
from omnicli.model.project import Attribute, Project, Segment, Topic, _for_all
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile.load import Loaded

DIALECT = "https://json-schema.org/draft/2020-12/schema"
KINDS = ("campaign", "test", "project", "json-output")

_TEXT: JsonSchemaValue = {"type": ["string", "number", "boolean"]}
_SHORT: Mapping[type[BaseModel], JsonSchemaValue] = {
    Segment: {"type": ["string", "boolean"], "description": "A condition.", "examples": ["orders = 0"]},
    Topic: {**_TEXT, "description": "The title."},
    Fact: {
        **_TEXT,
        "description": "The fact; its shape says its type.",
        "examples": ["20 %", "39.92 EUR", "26 days after enter", "BIENVENUE20"],
    },
}
_REFERENCE = {"type": "string", "pattern": r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"}
_LITERALS = (
    lit.Percent, lit.Money, lit.Duration, lit.Distance, lit.TimeOfDay, lit.Rate, lit.Moment, lit.Window, lit.AtCap, lit.Every, lit.Again, lit.Wait,
)  # fmt: skip


def json_schema(kind: str, *, loaded: Loaded | None = None) -> dict[str, Any]:
    """The schema of `campaign`, `test`, `project` or `json-output`; with `loaded`, its names are offered as completions."""
    match kind:
        case "campaign":
            schema = _of(Campaign, "omni campaign")
        case "project":
            schema = _with_references(_of(Project, "omni.yaml"))
        case "test":
            from omnicli.campaignfile.schema_story import story_schema

            schema = story_schema()
        case "json-output":
            schema = output_schema()
        case _:
            known = ", ".join(KINDS)
            raise OmniError(t("no schema called '{k}'", "pas de schéma « {k} »", k=kind), hint=t("one of {x}", "possible : {x}", x=known),
                            code="unknown-schema", exit=Exit.USAGE)  # fmt: skip
    if loaded is not None and kind in ("campaign", "project"):
        from omnicli.campaignfile.schema_names import offer_names

        offer_names(schema, kind, loaded)
    return schema


def _of(model: type[BaseModel], title: str) -> dict[str, Any]:
    made = model.model_json_schema(by_alias=True, schema_generator=_Tidy)
    made.pop("title", None)
    return {"$schema": DIALECT, "title": title, **made}


class _Tidy(GenerateJsonSchema):
    """pydantic's generator with the language's short forms, and without what only Python needs."""

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, bool):
            return "yes" if dft else "no"
        if isinstance(dft, tuple):
            return [self.encode_default(one) for one in dft]
        return str(dft) if isinstance(dft, _LITERALS) else super().encode_default(dft)

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if made.get("default", "") is None or made.get("default") in ([], {}):
            made.pop("default")
        return made

    def nullable_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])  # None is only Python's word for 'not written'

    def function_wrap_schema(self, schema: Any) -> JsonSchemaValue:
        function = schema["function"]["function"]
        inner = self.generate_inner(schema["schema"])
        if function is written._listing:
            item = inner.get("items", {})
            alone = [] if "$ref" in item else [item]
            return _any_of(inner, *alone, {"type": "null"})
        if function is written._mapping:
            return {**_mapping(inner), "type": ["object", "null"]}
        if getattr(function, "__name__", "") in ("_steps", "_branches"):
            return {**inner, "type": ["array", "null"]}
        return inner

    def function_before_schema(self, schema: Any) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        if schema["function"]["function"] is _for_all:
            return _any_of(inner["additionalProperties"], inner)
        return inner

    def tagged_union_schema(self, schema: Any) -> JsonSchemaValue:
        if "<send>" not in schema["choices"]:
            choices = [self.generate_inner(choice) for choice in schema["choices"].values()]
            return _any_of(*choices)
        return self._step(
            {verb.strip("<>"): self.generate_inner(choice) for verb, choice in schema["choices"].items() if verb != "<odd>"}
        )

    def _step(self, verbs: Mapping[str, JsonSchemaValue]) -> JsonSchemaValue:
        """A step offers every key, and its verb decides which of them may stand."""
        offered: dict[str, JsonSchemaValue] = {}
        for model, verb in VERB_OF.items():
            assert issubclass(model, BaseModel)
            for name, field in model.model_fields.items():
                key = field.alias or name
                text = field.description or ""
                offered.setdefault(
                    key,
                    {"title": key, "description": text if key != verb else f"{(model.__doc__ or '').strip().splitlines()[0]}"},
                )
        return {
            "type": "object",
            "description": "A step: exactly one of " + ", ".join(verbs) + ".",
            "properties": offered,
            "allOf": [{"if": {"required": [verb]}, "then": inner} for verb, inner in verbs.items()],
            "oneOf": [{"required": [verb]} for verb in verbs],
        }

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        made = super().model_schema(schema)
        cls: type[BaseModel] = schema["cls"]
        made["description"] = (cls.__doc__ or "").strip().splitlines()[0]
        if issubclass(cls, Step):
            made["title"] = VERB_OF[cls]
        for key, one in made.get("properties", {}).items():
            one["title"] = key
        if cls is Fact:
            made["required"] = [key for key in made.get("required", []) if key != "type"]
            made["properties"]["value"].update(_TEXT)
            for key in ("by_persona", "by_language"):
                made["properties"][key].update({"type": "object", "additionalProperties": _TEXT, "minProperties": 1})
        if cls is Attribute:
            long, short = dict(made), dict(made["properties"]["type"])
            return _any_of(short, long, description=made["description"])
        if cls in _SHORT:
            return _any_of(_SHORT[cls], made, description=made["description"])
        if not made.get("required") and cls not in (Campaign, Project):
            made["type"] = ["object", "null"]
        return made


def _mapping(inner: JsonSchemaValue) -> JsonSchemaValue:
    """pydantic's `patternProperties` let every other name pass: say the pattern of names instead."""
    patterns = inner.get("patternProperties")
    if not patterns:
        return dict(inner)
    [(pattern, value)] = patterns.items()
    rest = {key: one for key, one in inner.items() if key != "patternProperties"}
    return {**rest, "propertyNames": {"pattern": pattern}, "additionalProperties": value}


def _any_of(*choices: JsonSchemaValue, **more: Any) -> JsonSchemaValue:
    flat: list[JsonSchemaValue] = []
    for choice in choices:
        for one in choice["anyOf"] if set(choice) == {"anyOf"} else [choice]:
            if one not in flat:
                flat.append(one)
    return {"anyOf": flat, **more}


def _with_references(schema: Any) -> Any:
    """In `omni.yaml`, `${NAME}` may stand wherever a scalar is wanted: patterns and closed lists let it pass."""
    if isinstance(schema, list):
        return [_with_references(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: value if key in ("examples", "default", "enum", "propertyNames") else _with_references(value)
        for key, value in schema.items()
    }
    typed = made.get("type")
    scalar = typed not in ("object", "array") and (isinstance(made.get("pattern"), str) or isinstance(made.get("enum"), list))
    if not scalar:
        return made
    spoken = {key: made.pop(key) for key in ("title", "description", "default", "examples") if key in made}
    return {"anyOf": [made, _REFERENCE], **spoken}


def output_schema() -> dict[str, Any]:
    """What every command prints with `--json` (docs/cli 1): one object, keys only ever added within 1.x."""
    text = {"type": "string"}
    return {
        "$schema": DIALECT,
        "title": "omni --json",
        "type": "object",
        "required": ["format_version", "command", "exit"],
        "properties": {
            "format_version": {
                **text,
                "pattern": r"^1\.\d+$",
                "description": "Keys are added within 1.x, never renamed or removed.",
            },
            "command": {**text, "description": "Noun and verb.", "examples": ["campaign plan"]},
            "environment": {"enum": ["sandbox", "live", None], "description": "Whose state was read."},
            "as_of": {
                "type": ["string", "null"],
                "description": "The clock of the command, UTC.",
                "pattern": r"^\d{4}-\d\d-\d\dT.*Z$",
            },
            "result": {"description": "What the command found; its own keys."},
            "warnings": {"type": "array", "items": {"type": ["string", "object"]}},
            "exit": {"enum": [0, 1, 2, 3, 4, 5, 10, 130], "description": "The exit code."},
            "error": {
                "type": "object",
                "description": "Why the command could not go on.",
                "required": ["code", "message"],
                "properties": {"code": text, "message": text, "hint": {"type": ["string", "null"]}},
            },
        },
    }
