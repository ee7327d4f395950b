"""The unknown value absorbs every question, and names of Python are no keys of the language."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from omnicli.campaignfile import load_project
from omnicli.model.campaign import Campaign, Send
from omnicli.model.flow import Flow
from omnicli.model.vocabulary import vocabulary
from omnicli.model.written import UNKNOWN, Authored, unknown


def test_the_unknown_value_answers_everything_with_itself():
    assert not UNKNOWN
    assert UNKNOWN.anything.at["all"]() is UNKNOWN
    assert (list(UNKNOWN), len(UNKNOWN), "x" in UNKNOWN, str(UNKNOWN)) == ([], 0, False, "?")
    assert unknown(UNKNOWN)
    assert not unknown(None)


def test_a_campaign_of_unknown_places_has_a_flow_and_a_vocabulary():
    overlay = {
        "omni.yaml": b"project: x\nlanguages: [fr]\ntime_zone: Europe/Paris\nchannels: {email: smtp}\nsegments: {a: [b]}\npersonas: {p: [c]}\n",
        "campaigns/x.yaml": b"campaign: x\ntitle: X\nenter: 3\nmessages: [a]\nflow:\n  - 12\n  - wait: soon\n    for: x\n  - split: {a: 1}\n",
    }
    found = load_project(Path("/nowhere"), overlay=overlay)
    assert found.errors()
    campaign = found.campaigns["x"]
    assert len(Flow.of(campaign).nodes) == 3
    assert vocabulary(found.project, campaign, found.campaigns).segments == {"a": "everyone"}


def test_pythons_names_of_keys_are_not_read():
    Send(send="a", by="email", if_="orders = 0")
    with pytest.raises(ValidationError):
        Campaign.model_validate(
            {"campaign": "x", "title": "x", "enter": {"if_": "orders = 0"}, "messages": {}, "flow": []},
            by_alias=True,
            by_name=False,
        )


def test_an_old_key_is_a_warning_that_can_be_mended(monkeypatch):
    from omnicli.campaignfile.reader import read_source
    from omnicli.campaignfile.validate import validate

    class Shop(Authored):
        name: str

    monkeypatch.setattr(Shop, "old_keys", {"title": ("name", "1.2", "2.0")})
    source, _ = read_source("shop.yaml", b"title: Lune\n")
    shop, [found] = validate(Shop, source)
    assert shop.name == "Lune"
    assert (found.code, found.severity, found.message) == ("S006", "warning", "'title' is now 'name' (since 1.2, gone in 2.0)")
    assert found.fix.edits[0].text == "name"
