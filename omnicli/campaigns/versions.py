"""Versions by content: the same tree is the same version, whoever writes the file, in whatever order and quoting.

A version is the SHA-256 of the resolved tree (campaign-language 4); the store also numbers those that it applied. A file on
the disk changes nothing until `apply` (9.1).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from omnicli import faults
from omnicli.store import campaigns
from omnicli.store.campaigns import Standing, Version

if TYPE_CHECKING:
    import sqlalchemy as sa

    from omnicli.campaignfile import Loaded
    from omnicli.model.campaign import Campaign
    from omnicli.model.project import Project


def fingerprint(campaign: Campaign, project: Project) -> str:
    """The hash that this file's content has as a version."""
    from omnicli.campaignfile import resolve

    return resolve(campaign, project).hash


def apply(connection: sa.Connection, campaign: Campaign, project: Project, now: datetime) -> Version:
    """Make the file's content the applied version: new people enter it, the others finish what they began.

    The campaign's row is made when it was only a file. A content seen before keeps its number.
    """
    from omnicli.campaignfile import resolve

    resolved = resolve(campaign, project)
    row = campaigns.find(connection, campaign.campaign) or campaigns.create(connection, campaign.campaign)
    version = campaigns.add_version(connection, row.id, hash=resolved.hash, tree=resolved.tree, applied_at=now)
    faults.point("F22")
    if row.version_id != version.id:
        campaigns.change(connection, row.id, version_id=version.id)
        campaigns.ask_approvals_again(connection, row.id)
    return version


def current(connection: sa.Connection, name: str) -> Version | None:
    """The applied version, or None while the campaign is only a file."""
    row = campaigns.find(connection, name)
    return campaigns.version(connection, row.version_id) if row is not None and row.version_id is not None else None


def changed(connection: sa.Connection, loaded: Loaded, row: Standing) -> bool:
    """True when the file says something else than the applied version (or nothing was applied yet)."""
    campaign = loaded.campaigns.get(row.name)
    if campaign is None or loaded.project is None:
        return False
    applied = campaigns.version(connection, row.version_id) if row.version_id is not None else None
    return applied is None or applied.hash != fingerprint(campaign, loaded.project)


def standing_tree(connection: sa.Connection, version_id: int) -> Campaign:
    """The campaign as it stood when that version was applied."""
    from omnicli.campaignfile import revive

    return revive(campaigns.tree(connection, version_id))
