"""Asks Twilio what became of messages and calls whose last word we may have missed: its callbacks are not repeated for ever.

A callback that was lost while nobody listened is told again here, under the same key as the callback would have had, so that whoever
comes second changes nothing (docs/delivery 6, F13).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from omnicli.model.response import Receipt, Response
from omnicli.model.touch import Doubtful
from omnicli.providers.exchange import WireError
from omnicli.providers.twilio import callbacks
from omnicli.providers.twilio.wire import Wire

if TYPE_CHECKING:
    from twilio.rest import Client

#: Up to so many are asked for one by one, more by the lists of their days.
FEW = 50


def fates(client: Client, wire: Wire, known: Sequence[Doubtful], *, now: datetime) -> Iterator[Receipt]:
    """A receipt for each of these (they carry `ref`) that Twilio says something of; ends early when it cannot be asked."""
    by_ref = {one.ref: one for one in known if one.ref}
    try:
        for row in _each(client, wire, by_ref) if len(by_ref) <= FEW else _listed(client, by_ref):
            if (found := _receipt(row, by_ref[row["sid"]], now)) is not None:
                yield found
    except Exception:  # whatever the SDK raises for an answer that is none: the rest is asked another time
        return


def _each(client: Client, wire: Wire, by_ref: Mapping[str, Doubtful]) -> Iterator[dict[str, Any]]:
    for ref in by_ref:
        wire.forget()
        try:
            found = client.calls(ref).fetch() if ref.startswith("CA") else client.messages(ref).fetch()
        except WireError:
            raise
        except Exception:  # one that Twilio does not know any more says nothing of the others
            if wire.answer is None or wire.answer.status != 404:
                raise
            continue
        yield _row(found)


def _listed(client: Client, by_ref: Mapping[str, Doubtful]) -> Iterator[dict[str, Any]]:
    """The lists of all the days between the first and the last of them."""
    since = min(one.started_at for one in by_ref.values()) - timedelta(days=1)
    until = max(one.started_at for one in by_ref.values()) + timedelta(days=1)
    kinds = {ref[:2] for ref in by_ref}
    if kinds - {"CA"}:
        yield from _wanted(client.messages.stream(date_sent_after=since, date_sent_before=until, page_size=1000), by_ref)
    if "CA" in kinds:
        yield from _wanted(client.calls.stream(start_time_after=since, start_time_before=until, page_size=1000), by_ref)


def _wanted(listed: Any, by_ref: Mapping[str, Doubtful]) -> Iterator[dict[str, Any]]:
    return (_row(found) for found in listed if str(found.sid) in by_ref)


def _row(found: Any) -> dict[str, Any]:
    row = {"sid": str(found.sid), "status": str(found.status or ""), "to": str(found.to or "")}
    return row | {"code": str(getattr(found, "error_code", None) or ""), "by": str(getattr(found, "answered_by", None) or "")}


def _receipt(row: Mapping[str, Any], one: Doubtful, now: datetime) -> Receipt | None:
    """As the callback would have said it."""
    spoken = row["sid"].startswith("CA")
    fields = {"To": row["to"], "ErrorCode": row["code"]}
    if spoken:
        said = callbacks.of_call(fields | {"CallSid": row["sid"], "CallStatus": row["status"], "AnsweredBy": row["by"]}, now=now)
    else:
        said = callbacks.of_message(fields | {"MessageSid": row["sid"], "MessageStatus": row["status"]})
    if said is None:
        return None
    response = Response(said.event_id or said.key.hex(), "", said.name, now, "twilio", one.channel, touch=one.touch, attempt=one.attempt,
                        address=one.address, payload=said.payload)  # fmt: skip
    return Receipt("twilio", said.key, json.dumps(dict(row)).encode(), response, said.event_id)
