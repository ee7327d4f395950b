"""A response as the inbox keeps it: JSON bytes, written by hand, since a webhook writes thousands a second, and read back the same."""

from __future__ import annotations

import json
from datetime import datetime

from omnicli import clock
from omnicli.model.response import Receipt, Response

quoted = json.encoder.encode_basestring
_AS_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode


def write_raw(response: Response) -> bytes:
    """The response as JSON bytes; defaults are left out."""
    r = response
    text = f'{{"id":{quoted(r.id)},"contact":{quoted(r.contact)},"name":{quoted(r.name)},"at":"{clock.iso(r.at)}"'
    if r.source != "omni":
        text += f',"source":{quoted(r.source)}'
    for key, value in (
        ("channel", r.channel),
        ("campaign", r.campaign),
        ("message", r.message),
        ("step", r.step),
        ("touch", r.touch),
    ):
        if value is not None:
            text += f',"{key}":{quoted(value)}'
    if r.attempt is not None:
        text += f',"attempt":{r.attempt}'
    if r.address is not None:
        text += f',"address":{quoted(r.address)}'
    if r.machine:
        text += ',"machine":true'
    if r.payload:
        text += f',"payload":{_AS_JSON(dict(r.payload))}'
    return (text + "}").encode()


def read_raw(raw: bytes) -> Response:
    """The response again. Numbers of the payload come back as int and float, others as texts."""
    found = json.loads(raw)
    at = datetime.fromisoformat(found.pop("at"))
    return Response(at=at, payload=found.pop("payload", {}), **found)


class Kept(Receipt):
    """A receipt of what is common and bars nobody: `text` is its response as `write_raw` writes it, and is read again only when
    somebody asks for the response. `at` is the response's instant."""

    __slots__ = ("at", "text")
    __setattr__ = object.__setattr__
    may_bar = False
    note = None

    def __init__(self, provider: str, key: bytes, raw: bytes, event_id: str | None, at: datetime, text: bytes) -> None:
        self.provider = provider  # type: ignore[misc]
        self.key = key  # type: ignore[misc]
        self.raw = raw  # type: ignore[misc]
        self.event_id = event_id  # type: ignore[misc]
        self.at = at  # type: ignore[misc]
        self.text = text

    @property
    def response(self) -> Response:
        return read_raw(self.text)
