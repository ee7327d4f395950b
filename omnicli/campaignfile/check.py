"""What a file's own keys must agree on, beyond the kind of each (family S): told at the key that is at fault."""

from __future__ import annotations

from omnicli.campaignfile.source import Source
from omnicli.model.campaign import Campaign
from omnicli.model.finding import Finding
from omnicli.model.project import Project


def check_project(project: Project, source: Source) -> list[Finding]:
    return []


def check_campaign(campaign: Campaign, source: Source, project: Project | None) -> list[Finding]:
    return []
