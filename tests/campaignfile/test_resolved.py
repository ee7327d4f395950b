"""Versions: what is part of one and what is not (section 4), and the way back from the store's tree."""

from __future__ import annotations

import json

import pytest
from worked_example import CAMPAIGN, PROJECT, changed, loaded

from omnicli.campaignfile import merged, resolve, revive


def version(campaign: str = CAMPAIGN, project: str = PROJECT) -> str:
    found = loaded(campaign, project)
    assert not found.errors(), [f.message for f in found.errors()]
    return resolve(found.campaigns["bienvenue"], found.project).hash


def test_the_tree_gives_back_an_equal_campaign():
    found = loaded()
    campaign, project = found.campaigns["bienvenue"], found.project
    tree = resolve(campaign, project).tree
    nameless = {"title": "bienvenue", "owner": None, "why": None, "migrate": None}
    assert revive(tree) == merged(campaign, project).model_copy(update=nameless)
    assert resolve(revive(tree), project).tree == tree
    assert json.loads(tree)["campaign"] == "bienvenue"
    assert list(revive(tree).personas) == ["camille", "monsieur-h", "default"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# a tenth lives the flow in silence: the effect can be measured", "# another word"),
        ("owner: ines", "owner: paul"),
        ("title: Bienvenue chez Maison Lune", "title: Autre"),
        ("why: Turn a new sign-up into a first order within 30 days.\n", ""),
        ("target: 12 %", 'target: "12%"'),
        ("      offer: 20 %\n      code: BIENVENUE20\n", "      code: BIENVENUE20\n      offer: 20 %\n"),
        ("again: after 180 days", "again: 'after 180 days'"),
        ("goal: {when: purchase,", "goal: {when: [purchase],"),
        ("flow:\n", "migrate: {from: 3f9a1c7}\nflow:\n"),
    ],
)
def test_what_is_no_part_of_a_version(old, new):
    assert version(changed(CAMPAIGN, old, new)) == version()


def test_the_rest_of_omni_yaml_is_no_part_of_it():
    assert (
        version(
            project=changed(PROJECT, "price: 0.05 EUR", "price: 0.06 EUR").replace("languages: [fr, en] ", "languages: [en, fr] ")
        )
        == version()
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("offer: 20 %", "offer: 25 %"),
        ("wait: 1 day\n", "wait: 2 days\n"),
        ("else: [whatsapp, sms]", "else: [sms, whatsapp]"),
        ("holdout: 10 % ", "holdout: 11 % "),
        ("share: 45 %, do: [{send: offre-bienvenue, id: rappel-wa", "share: 45 %, do: [{send: offre-bienvenue, id: rappel-w"),
    ],
)
def test_what_is_part_of_a_version(old, new):
    assert version(changed(CAMPAIGN, old, new)) != version()


def test_the_shared_segments_and_personas_that_it_uses_are_part_of_it():
    assert (
        version(project=changed(PROJECT, "signup within 7 days and orders = 0", "signup within 8 days and orders = 0"))
        != version()
    )
    assert version(project=changed(PROJECT, "match: age >= 45", "match: age >= 50")) != version()
    unused = changed(PROJECT, "segments:\n", "segments:\n  autres: orders > 3\n")
    assert version(project=unused) == version()


def test_the_order_of_arms_and_answers_counts():
    replied, nothing = CAMPAIGN.index("      replied:\n"), CAMPAIGN.index("      nothing:   ")
    clicked = CAMPAIGN.index("      clicked:\n")
    swapped = CAMPAIGN[:clicked] + CAMPAIGN[replied:nothing] + CAMPAIGN[clicked:replied] + CAMPAIGN[nothing:]
    assert version(swapped) != version()
