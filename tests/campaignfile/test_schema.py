"""The schemas accept whatever lint accepts, and name the key that is wrong."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest
import yaml
from worked_example import CAMPAIGN, PROJECT, loaded

from omnicli.campaignfile import json_schema


class Editor(yaml.SafeLoader):
    """YAML 1.2 core schema, as editors read it: numbers and true/false are typed, dates and yes/no are text."""


Editor.yaml_implicit_resolvers = {
    letter: [(tag, rule) for tag, rule in rules if tag.endswith((":null", ":merge"))]
    for letter, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Editor.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))
Editor.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
Editor.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+\.[0-9]+$"), list("-+0123456789"))


def problems(kind: str, text: str, *, names: bool = False) -> list[str]:
    schema = json_schema(kind, loaded=loaded() if names else None)
    jsonschema.Draft202012Validator.check_schema(schema)
    data: Any = yaml.load(text, Editor)
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(data)]


@pytest.mark.parametrize("names", [False, True])
def test_the_worked_example_is_valid(names):
    assert problems("project", PROJECT, names=names) == []
    assert problems("campaign", CAMPAIGN, names=names) == []


def test_a_wrong_key_of_a_step_is_named():
    [problem] = problems("campaign", CAMPAIGN.replace("    by: email\n    else", "    by: email\n    esle", 1))
    assert "'esle' was unexpected" in problem


def test_a_wrong_literal_is_named():
    [problem] = problems("campaign", CAMPAIGN.replace("within: 30 days", "within: 30d", 1))
    assert "'30d' does not match" in problem


def test_every_key_is_described():
    for kind in ("campaign", "project"):
        schema = json_schema(kind)
        for name, model in (("", schema), *schema["$defs"].items()):
            for shape in (model, *model.get("anyOf", ())):
                for key, one in shape.get("properties", {}).items():
                    assert one.get("description") or "$ref" in one, (kind, name, key)


def test_the_names_of_the_project_are_offered():
    schema = json_schema("campaign", loaded=loaded())
    offered = schema["$defs"]["Send"]["properties"]["by"]["anyOf"][0]["enum"]
    assert offered[:3] == ["preferred", "email", "sms"]
    assert "fr/tu" in str(schema["$defs"]["Message"]["properties"]["say"])


def test_scenarios_and_output_have_schemas():
    story = """
start: 2027-01-04 11:30
contacts:
  lea: {first_name: Léa, language: fr, source: instagram, orders: 0, store_distance: 3 km, consent: [email, sms]}
scenarios:
  - name: silence leads to one reminder
    given: lea
    take: {test-rappel: sms}
    story:
      - event: signup
      - expect: email offre-bienvenue at 2027-01-05 10:00
        says: [BIENVENUE20]
      - after: 3 days
      - expect: nothing
        for: 2 days
always: [nothing after unsubscribed]
"""
    assert problems("test", story) == []
    assert any("'sayz' was unexpected" in p for p in problems("test", story.replace("says:", "sayz:")))
    good = {
        "format_version": "1.0",
        "command": "status",
        "environment": "sandbox",
        "as_of": None,
        "result": {},
        "warnings": [],
        "exit": 0,
    }
    jsonschema.validate(good, json_schema("json-output"), jsonschema.Draft202012Validator)
