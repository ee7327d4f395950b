"""What lint says about the messages of a preview: which message it is about, which cells it touches, which facts it misses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from omnicli.campaignfile import Loaded
from omnicli.campaigns.preview.readings import Cell, Shown
from omnicli.model.finding import Finding

#: Families of rules that speak about messages.
FAMILIES = ("M", "P", "I", "C", "R", "J", "S")
_MISSING = "M001"


def about(findings: Iterable[Finding], shown: Shown, loaded: Loaded) -> list[Finding]:
    """The findings that name this message, or stand in it."""
    return [one for one in findings if _is_about(one, shown, loaded.file_of(shown.campaign.campaign))]


def _is_about(finding: Finding, shown: Shown, file: str) -> bool:
    named, place = _named(finding, "message"), finding.place.file
    if named:
        return shown.name in named and (place == file or not place.startswith("campaigns/"))
    return place == file and f"{finding.path}.".startswith(f"messages.{shown.name}.")


def touches(finding: Finding, cell: Cell) -> bool:
    """True for a finding that was seen in this cell, as far as it says where."""
    told = (("channel", cell.channel), ("language", cell.language), ("persona", cell.persona))
    return bool(_named(finding, "channel")) and all(
        value in named for column, value in told if (named := _named(finding, column))
    )


def _named(finding: Finding, column: str) -> Sequence[str]:
    """`"sms, email"` → both."""
    said = finding.where.get(column) or ()
    return said.split(", ") if isinstance(said, str) else list(said)


def judged(shown: Shown, findings: Iterable[Finding], loaded: Loaded) -> Shown:
    """The message with what lint says about it, also where a fact is printed and nobody reads it (`display:none`)."""
    mine = tuple(about(findings, shown, loaded))
    known = {name for cell in shown.cells for name in cell.lacks}
    more = [one for one in mine if one.code == _MISSING and one.where.get("fact") in set(shown.facts) - known]
    return replace(
        shown, findings=mine, cells=tuple(replace(cell, lacks=(*cell.lacks, *_facts(more, cell))) for cell in shown.cells)
    )


def _facts(findings: Sequence[Finding], cell: Cell) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(one.where["fact"]) for one in findings if touches(one, cell)))
