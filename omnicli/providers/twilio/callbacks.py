"""Turns what Twilio says of a message or a call into a response: a receipt, an answer, a failure (docs/delivery 9, rules VO-02)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from omnicli.model.ids import digest
from omnicli.model.response import RECEIPT
from omnicli.providers.twilio.codes import called_back, read_date

#: States of a message on its way → `delivery_state` (providers 3).
ON_ITS_WAY = {"accepted": "queued", "scheduled": "queued", "queued": "queued", "sending": "queued", "sent": "sent",
              "partially_delivered": "sent", "read": "read"}  # fmt: skip
FAILED = frozenset({"failed", "undelivered", "canceled"})
CALLING = frozenset({"queued", "initiated", "ringing", "in-progress"})
MACHINES = frozenset({"machine_start", "machine_end_beep", "machine_end_silence", "machine_end_other", "fax"})
#: A sender's clock may run ahead by so much.
SKEW = timedelta(minutes=5)


class Said(NamedTuple):
    """One thing that Twilio said: the response's name and payload, what the repeat of it shares, when it happened."""

    name: str
    payload: Mapping[str, object]
    key: bytes
    event_id: str | None = None
    at: datetime | None = None


def of_message(fields: Mapping[str, str]) -> Said | None:
    """A message's status; None when it is none that omni knows."""
    sid, status = _first(fields, "MessageSid", "SmsSid"), _first(fields, "MessageStatus", "SmsStatus")
    code = fields.get("ErrorCode") or ""
    key = digest("twilio", "status", sid, status, code)[:16]
    told: dict[str, object] = {"ref": sid}
    if status in ON_ITS_WAY:
        return Said(RECEIPT, {**told, "state": ON_ITS_WAY[status], **({"code": code} if code else {})}, key)
    if status == "delivered":
        return Said("delivered", told, key)
    return _failed(status, code, told, key) if status in FAILED else None


def _failed(status: str, code: str, told: dict[str, object], key: bytes) -> Said:
    means = called_back(code)
    told |= {"code": code or status, "reason": status}
    if means is None:
        return Said("failed", told, key)
    if means.kind:
        told["kind"] = means.kind
    if means.suppress:
        told["suppress"] = means.suppress
    return Said(means.event, told, key)


def of_call(fields: Mapping[str, str], *, now: datetime) -> Said | None:
    """A call's status, or what machine detection found; None when it is nothing that omni knows."""
    sid, status, by = fields.get("CallSid", ""), fields.get("CallStatus", ""), fields.get("AnsweredBy", "")
    told: dict[str, object] = {"ref": sid}
    at = _when(fields, now)
    if by in MACHINES and status in ("", "in-progress", "completed"):  # told twice, by detection and by the end: one event
        return Said("voicemail", {**told, "by": by}, digest("twilio", "voicemail", sid)[:16], f"{sid}:voicemail", at)
    key = digest("twilio", "call", sid, status or by, fields.get("ErrorCode") or "")[:16]
    if status in CALLING or (not status and by):
        return Said(RECEIPT, {**told, "state": "sent"}, key, at=at)
    if status == "completed":
        return Said("answered", told, key, at=at)
    if status in ("busy", "no-answer"):
        return Said("no_answer", {**told, "reason": status}, key, at=at)
    if status in ("failed", "canceled"):
        said = _failed(status, fields.get("ErrorCode") or "", told, key)
        return said._replace(at=at)
    return None


def of_keys(fields: Mapping[str, str], *, opt_out: str) -> Said | None:
    """Keys that were pressed in a call; the key that objects is a refusal (rules SU-10, FR-10)."""
    sid, digits = fields.get("CallSid", ""), fields.get("Digits", "")
    if not digits:
        return None
    key = digest("twilio", "digits", sid, digits)[:16]
    return Said("refused" if digits == opt_out else "answered", {"ref": sid, "digits": digits}, key)


def of_inbound(fields: Mapping[str, str]) -> Said:
    """A message that a person wrote."""
    sid = _first(fields, "MessageSid", "SmsSid")
    told: dict[str, object] = {"text": fields.get("Body") or fields.get("ButtonText", ""), "ref": sid}
    if fields.get("ButtonPayload"):
        told["button"] = fields["ButtonPayload"]
    if (media := fields.get("NumMedia", "0")) not in ("", "0"):
        told["media"] = int(media)
    if fields.get("OptOutType"):
        told["opt_out"] = fields["OptOutType"].lower()
    if fields.get("OriginalRepliedMessageSid"):
        told["in_reply_to"] = fields["OriginalRepliedMessageSid"]
    return Said("replied", told, digest("twilio", "inbound", sid)[:16], sid)


def party(text: str) -> tuple[str, str]:
    """(channel, address) of somebody as Twilio writes him."""
    for channel in ("whatsapp", "messenger"):
        if text.startswith(f"{channel}:"):
            return channel, text.partition(":")[2]
    return "sms", text.removeprefix("rcs:")


def _when(fields: Mapping[str, str], now: datetime) -> datetime | None:
    """When it happened, where Twilio says so and it can be true."""
    at = read_date(fields.get("Timestamp"))
    return at if at is not None and at <= now + SKEW else None


def _first(fields: Mapping[str, str], *names: str) -> str:
    return next((fields[name] for name in names if fields.get(name)), "")
