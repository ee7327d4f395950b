"""Builds the arguments of one message: what is said, to whom, by which sender, until when, and where its fate is told.

Arguments that do not apply are left out, never None (docs/delivery 18). Free words go inside the window of WhatsApp and
Messenger only; outside it WhatsApp takes an approved template, Messenger nothing (rules.md WA-01, WA-07, ME-01).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from omnicli import guards
from omnicli.channels.sms import count_sms
from omnicli.model.touch import Handed, Outcome
from omnicli.providers.twilio.account import Account
from omnicli.texts import t

#: Characters of a Body, seconds of a ValidityPeriod (docs/providers 3).
BODY, VALID = 1600, 36_000
#: How addresses of a channel begin at Twilio.
PREFIX = {"whatsapp": "whatsapp:", "messenger": "messenger:"}

Arguments = dict[str, Any]


def addressed(channel: str, address: str) -> str:
    """An address as Twilio writes it: `+…`, `whatsapp:+…`, `messenger:…`."""
    prefix = PREFIX.get(channel, "")
    return address if address.startswith(prefix) else prefix + address


def open_window(one: Handed, now: datetime) -> bool:
    """Whether free words may go to this person now."""
    if one.channel not in PREFIX or not guards.on("whatsapp_window"):
        return True
    return one.window_until is not None and now < one.window_until


def frame(one: Handed, account: Account, *, now: datetime) -> Arguments | Outcome:
    """Everything but the words; an Outcome when there is no sender, no person, or no time left."""
    if not one.address:
        why = t("nobody to write to", "personne à qui écrire")
        return Outcome("rejected", code="21201", detail=why, bad_address=True)
    found: Arguments = {"to": addressed(one.channel, one.address)}
    if one.sender:
        found["from_"] = addressed(one.channel, one.sender)
    if account.service and one.channel != "messenger":
        found["messaging_service_sid"] = account.service
    if len(found) == 1:
        why = t("channels.{channel}.from or providers.twilio.messaging_service is missing",
                "il manque channels.{channel}.from ou providers.twilio.messaging_service", channel=one.channel)  # fmt: skip
        return Outcome("not_sent", code="21603", detail=why, halt=True, halts="channel")
    if one.expires_at is not None:
        left = int((one.expires_at - now).total_seconds())
        if left < 1:
            return Outcome("rejected", code="expired", detail=t("its time is over", "son délai est passé"))
        if left < VALID:
            found["validity_period"] = left
    if (url := account.status_url(one.mark)) is not None and one.mark:
        found["status_callback"] = url
    if account.smart_encoded:
        found["smart_encoded"] = True
    if account.shorten_urls and account.service:
        found["shorten_urls"] = True
    return found


def free_words(one: Handed, *, max_parts: int) -> Arguments | Outcome:
    """The message in words of its own; an Outcome when there are none, or too many."""
    text = one.rendered.parts.get("body", "") if one.rendered else ""
    if not text.strip():
        return Outcome("rejected", code="21602", detail=t("the message is empty", "le message est vide"))
    if len(text) > BODY:
        why = t("{n} characters, at most {most}", "{n} caractères, au plus {most}", n=len(text), most=BODY)
        return Outcome("rejected", code="21617", detail=why)
    if one.channel == "sms" and (parts := count_sms(text).parts) > max_parts:
        why = t("{n} parts, at most {most} (channels.sms.max_parts)", "{n} segments, au plus {most} (channels.sms.max_parts)",
                n=parts, most=max_parts)  # fmt: skip
        return Outcome("rejected", code="max_parts", detail=why)
    return {"body": text}


def template_words(sid: str, values: Sequence[str]) -> Arguments:
    """The approved template with this person's values: a JSON text, numbered from 1."""
    if not values:
        return {"content_sid": sid}
    return {"content_sid": sid, "content_variables": json.dumps({str(n): v for n, v in enumerate(values, 1)}, ensure_ascii=False)}


def variables(one: Handed) -> tuple[str, ...]:
    """The values of the rendering in order of first appearance (docs/language 5.3): a value that stands twice counts once.

    Where the press said which they are (`extra['variables']`, a JSON list), that holds: it knows where values come from.
    """
    told = one.extra.get("variables")
    if told is not None:
        return tuple(str(value) for value in json.loads(told))
    pieces: Mapping[str, Sequence[str | int]] = one.pieces or {}
    order = dict.fromkeys(piece for piece in pieces.get("body", ()) if isinstance(piece, int))
    return tuple(one.fills[n] for n in order if n < len(one.fills))
