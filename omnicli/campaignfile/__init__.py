"""YAML text to frozen values with positions: `load_project`, `read_again`, `read_source`, `resolve`, `revive`, `json_schema`."""

from __future__ import annotations

from typing import Any

from omnicli.campaignfile.load import PROJECT_FILE, Loaded, load_project, read_again, read_project
from omnicli.campaignfile.reader import read_source
from omnicli.campaignfile.resolved import Resolved, merged, personas_of, resolve, revive
from omnicli.campaignfile.source import KeyPath, Map, Seq, Source, Span

__all__ = [
    "KeyPath", "Loaded", "Map", "PROJECT_FILE", "Resolved", "Seq", "Source", "Span", "json_schema", "load_project", "merged",
    "personas_of", "read_again", "read_project", "read_source", "resolve", "revive",
]  # fmt: skip


def json_schema(kind: str, *, loaded: Loaded | None = None) -> dict[str, Any]:
    """The JSON Schema of `campaign`, `test`, `project` or `json-output` (imported when asked for: few commands need it)."""
    from omnicli.campaignfile import schema

    return schema.json_schema(kind, loaded=loaded)
