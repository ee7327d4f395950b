"""A command that only refuses names the first finding in its place, and how many more there are."""

from __future__ import annotations

from omnicli.model.finding import Finding, Place, foremost


def _at(line: int) -> Finding:
    return Finding(
        "S003",
        "wrong-type",
        "error",
        Place.at("campaigns/a.yaml", line, 11),
        "'wait' wants a duration such as '3 days', got '5 dayz'",
    )


def test_the_only_one_is_told_in_its_place() -> None:
    assert (
        foremost([_at(48)]) == "campaigns/a.yaml:48:11: S003 'wait' wants a duration such as '3 days', got '5 dayz'   (omni lint)"
    )


def test_the_others_are_counted() -> None:
    assert foremost([_at(48), _at(50), _at(51)]).endswith("got '5 dayz'   (and 2 more: omni lint)")
