"""Asks Twilio's own lists what became of an attempt whose fate nobody knows (docs/delivery 11).

Exactly one message to that person, from that sender, with those words, made within ten minutes of the call, is proof.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from omnicli.model.touch import Doubtful, Evidence
from omnicli.providers.twilio.messages import addressed

if TYPE_CHECKING:
    from twilio.rest import Client

NEAR = timedelta(minutes=10)
#: Records that are looked at for one person and day at most.
LOOK = 1000


def evidence(client: Client, one: Doubtful) -> Evidence | None:
    """What the list says; None when it could not be asked, or when nobody knows any more to whom it went."""
    if not one.address:
        return None
    try:
        found = _calls(client, one) if one.channel == "voice" else _messages(client, one)
    except Exception:  # whatever the SDK raises for an answer that is no list: not asked
        return None
    ref = found[0] if len(found) == 1 else None
    return Evidence(len(found), ref, f"{len(found)} in Twilio's list")


def _messages(client: Client, one: Doubtful) -> list[str]:
    """SIDs of the messages that fit: asked without a sender, for a messaging service picks one of its own."""
    to = addressed(one.channel, one.address or "")
    words = one.parts.get("body")
    asked: dict[str, Any] = {"to": to}
    if one.sender and one.sender.startswith("+"):
        asked["from_"] = addressed(one.channel, one.sender)
    listed = [
        message
        for query in _days(one.started_at)
        for message in client.messages.list(**asked, **query, limit=LOOK)
        if str(message.direction or "").startswith("outbound") and _near(message.date_created, one.started_at)
    ]
    return _sids(message for message in listed if _same_words(message.body, words))


def _calls(client: Client, one: Doubtful) -> list[str]:
    asked: dict[str, Any] = {"to": one.address}
    if one.sender:
        asked["from_"] = one.sender
    since, until = one.started_at - timedelta(days=1), one.started_at + timedelta(days=1)
    listed = client.calls.list(**asked, start_time_after=since, start_time_before=until, limit=LOOK)
    return _sids(call for call in listed if _near(call.date_created, one.started_at))


def _days(at: datetime) -> list[dict[str, Any]]:
    """The days (GMT) whose lists may hold it, as filters: the list filters by date only. A message just taken may not have the
    date yet by which the list filters, so the newest ones are looked at without it as well."""
    around = {(at - NEAR).astimezone(UTC).date(), (at + NEAR).astimezone(UTC).date()}
    return [{"date_sent": datetime(d.year, d.month, d.day, tzinfo=UTC)} for d in sorted(around)]


def _near(made: datetime | None, at: datetime) -> bool:
    if made is None:
        return True
    return abs((made if made.tzinfo else made.replace(tzinfo=UTC)) - at) <= NEAR


def _same_words(listed: str | None, sent: str | None) -> bool:
    """Bodies are compared as words: Twilio may put white space in order. A template's text is not ours, so it is not compared."""
    if sent is None or not listed:
        return True
    return " ".join(listed.split()) == " ".join(sent.split())


def _sids(found: Iterable[Any]) -> list[str]:
    return sorted({str(one.sid) for one in found})
