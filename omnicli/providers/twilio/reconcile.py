"""Asks Twilio's own lists what became of an attempt whose fate nobody knows (docs/delivery 11).

Exactly one message to that person, from that sender, with those words, made within ten minutes of the call, is proof.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from omnicli.model.touch import Doubtful, Evidence
from omnicli.providers.twilio.messages import addressed

if TYPE_CHECKING:
    from twilio.rest import Client

NEAR = timedelta(minutes=10)
#: Records that are looked at for one person and day at most, and without a day.
LOOK, NEWEST = 1000, 50


def evidence(client: Client, one: Doubtful) -> Evidence | None:
    """What the list says; None when it could not be asked, or when nobody knows any more to whom it went."""
    if not one.address:
        return None
    try:
        found = _calls(client, one) if one.channel == "voice" else _messages(client, one)
    except Exception:  # whatever the SDK raises for an answer that is no list: not asked
        return None
    return found if isinstance(found, Evidence) else Evidence(len(found), found[0] if len(found) == 1 else None, "Twilio's list")


def _messages(client: Client, one: Doubtful) -> list[str] | Evidence:
    """SIDs of the messages that fit. A WhatsApp message in other words may be ours by its template, whose text is not known
    here: then a person must look, so it counts as several."""
    asked: dict[str, Any] = {"to": addressed(one.channel, one.address or "")}
    if one.sender and one.sender.lstrip("+").isdigit():  # a service may have picked another sender than a name
        asked["from_"] = addressed(one.channel, one.sender)
    near: dict[str, Any] = {}
    for query in (*_days(one.started_at), {"limit": NEWEST}):
        listed = client.messages.list(**asked, **{"limit": LOOK, **query})
        near |= {
            str(m.sid): m
            for m in listed
            if str(m.direction or "").startswith("outbound") and _near(m.date_created, one.started_at)
        }
        if found := sorted(sid for sid, m in near.items() if _same_words(m.body, one.parts.get("body"))):
            return found
    if near and one.channel == "whatsapp":
        return Evidence(max(2, len(near)), None, "in Twilio's list in other words, perhaps by a template")
    return []


def _calls(client: Client, one: Doubtful) -> list[str]:
    asked: dict[str, Any] = {"to": one.address}
    if one.sender:
        asked["from_"] = one.sender
    since, until = one.started_at - timedelta(days=1), one.started_at + timedelta(days=1)
    listed = client.calls.list(**asked, start_time_after=since, start_time_before=until, limit=LOOK)
    return sorted({str(call.sid) for call in listed if _near(call.date_created, one.started_at)})


def _days(at: datetime) -> list[dict[str, Any]]:
    """The days (GMT) whose lists may hold it, as filters: the list filters by date only. A message that waits in a queue may have
    no date yet, so the newest ones are looked at without it as well."""
    around = {(at - NEAR).astimezone(UTC).date(), (at + NEAR).astimezone(UTC).date()}
    return [{"date_sent": datetime(d.year, d.month, d.day, tzinfo=UTC)} for d in sorted(around)]


def _near(made: datetime | None, at: datetime) -> bool:
    if made is None:
        return True
    return abs((made if made.tzinfo else made.replace(tzinfo=UTC)) - at) <= NEAR


def _same_words(listed: str | None, sent: str | None) -> bool:
    """Bodies are compared as words: Twilio may put white space in order. One that is not told (it was redacted) is not compared."""
    if sent is None or not listed:
        return True
    return " ".join(listed.split()) == " ".join(sent.split())
