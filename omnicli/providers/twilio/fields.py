"""Reads a form of Twilio's strictly, so that no other request can be made of the same signed text (docs/delivery 19, S13).

Twilio signs names and values run together, without a mark between them. What is signed is read only one way here: names once
each, known ones with values of their shape, the needed ones there, and no value that hides another field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

#: Fields beyond this many are no message of Twilio's.
MOST = 200
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_ADDED = re.compile(r"(?:[A-Z][a-z]+)+[0-9]*")

_MESSAGE, _CALL = r"(?:SM|MM)[0-9a-fA-F]{32}", r"CA[0-9a-fA-F]{32}"
_PARTY = r"(?:\+[0-9]{6,15}|[0-9]{3,8}|[A-Za-z0-9 &_\-.]{1,11}|(?:whatsapp|rcs|sip|client):[^\s]{1,120}|messenger:[0-9A-Za-z_.\-]{1,64})"
_COUNT = r"[0-9]{1,6}"
#: Fields whose values have a shape: name → the shape of a value that is not empty.
SHAPES: Mapping[str, str] = {
    "AccountSid": r"AC[0-9a-fA-F]{32}", "MessageSid": _MESSAGE, "SmsSid": _MESSAGE, "SmsMessageSid": _MESSAGE, "CallSid": _CALL,
    "OriginalRepliedMessageSid": _MESSAGE, "MessagingServiceSid": r"MG[0-9a-fA-F]{32}", "ParentCallSid": _CALL,
    "From": _PARTY, "To": _PARTY, "OriginalRepliedMessageSender": _PARTY, "MessageStatus": r"[a-z_]{2,24}", "SmsStatus": r"[a-z_]{2,24}",
    "CallStatus": r"[a-z\-]{2,24}", "AnsweredBy": r"[a-z_]{2,24}", "ErrorCode": r"[0-9]{1,8}", "OptOutType": r"(?:STOP|START|HELP)",
    "NumMedia": _COUNT, "NumSegments": _COUNT, "ReferralNumMedia": _COUNT, "ApiVersion": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "Direction": r"(?:inbound|outbound(?:-[a-z]{2,10})?|trunking-[a-z]{2,16})", "Digits": r"[0-9*#]{1,32}", "SequenceNumber": _COUNT, "CallDuration": _COUNT, "Duration": _COUNT,
    "MachineDetectionDuration": _COUNT, "SipResponseCode": r"[0-9]{3}", "CallbackSource": r"[a-z\-]{4,40}", "MessageType": r"[a-z_]{2,24}",
    "WaId": r"[0-9]{5,20}", "Latitude": r"-?[0-9.]{1,24}", "Longitude": r"-?[0-9.]{1,24}", "RawDlrDoneDate": r"[0-9]{6,14}",
    "SmsSegments": _COUNT, "FinishedOnKey": r"[0-9*#]", "msg": r"[A-Za-z]{1,20}",
}  # fmt: skip
#: Fields that may say anything.
FREE = frozenset({
    "Body", "ProfileName", "ButtonText", "ButtonPayload", "FromCity", "FromState", "FromZip", "FromCountry", "ToCity", "ToState", "ToZip",
    "ToCountry", "Caller", "Called", "CallerName", "CallerCity", "CallerState", "CallerZip", "CallerCountry", "CalledCity", "CalledState",
    "CalledZip", "CalledCountry", "Timestamp", "ErrorMessage", "ChannelToAddress", "ChannelPrefix", "ChannelInstallSid",
    "ChannelStatusMessage", "EventType", "Address", "Label",
    "ForwardedFrom", "StirVerstat", "CallToken", "StirPassportToken", "ListId", "ListTitle", "ReferralBody",
    "ReferralHeadline", "ReferralSourceId", "ReferralSourceType", "ReferralSourceUrl", "ReferralMediaUrl", "ReferralCtwaClid",
    "RawDlrStatus", "CallSessionId", "Price", "PriceUnit", "StirStatus", "Forwarded", "FrequentlyForwarded", "ApiKeySid", "MediaSid",
    "ExternalUserId", "LinkSid", "BrandedChannelSid", "RecipientTrackingTag", "SpeechResult", "Confidence", "Language",
})  # fmt: skip

#: Fields that are JSON, which may name others inside: a border moved into one breaks it.
AS_JSON = frozenset({"ChannelMetadata", "StructuredMessage", "AddOns", "InteractiveData", "FlowData"})

_NAMES = (*SHAPES, *FREE, *AS_JSON)
_NUMBERED = re.compile(r"(?:Referral)?Media(?:Url|ContentType|Sid)[0-9]{1,2}")
_WHOLE = {name: re.compile(shape) for name, shape in SHAPES.items()}
#: Who is written to or from, where no sentence of somebody's reads like it.
_SURELY = r"(?:\+[0-9]{6,15}|[0-9]{5,8}|(?:whatsapp|messenger):)"
_COMPOUND = re.compile(r"[a-z][A-Z]")
#: A field inside a value: its name and a value of its shape, or a name of two words that nobody writes by hand.
_HIDDEN = re.compile("|".join(
    [f"{name}(?:{_SURELY if shape is _PARTY else shape})" for name, shape in SHAPES.items() if not _COMPOUND.search(name) and name != "msg"]
    + [name for name in _NAMES if _COMPOUND.search(name)]
))  # fmt: skip


def read_form(body: bytes) -> dict[str, str] | None:
    """The fields of a form; None when it is none, or when a name comes twice."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=MOST,
        )
    except ValueError:
        return None
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else None


def odd(fields: Mapping[str, str], *, account: str, needed: tuple[str, ...]) -> str | None:
    """Why these fields cannot be read the one way in which Twilio meant them, or None. Values are not quoted: they are personal."""
    if fields.get("AccountSid") != account:
        return "another account"
    if missing := [name for name in needed if name not in fields]:
        return f"without {missing[0]}"
    for name, value in fields.items():
        if (why := _odd_field(name, value)) is not None:
            return f"{why}: {name[:40]!r}"
    return None


def _odd_field(name: str, value: str) -> str | None:
    shape = _WHOLE.get(name)
    if shape is not None:
        return None if not value or shape.fullmatch(value) else "not of its shape"
    if name in AS_JSON:
        return None if not value or _is_json(value) else "not JSON"
    if name not in FREE and _NUMBERED.fullmatch(name) is None and (why := _odd_name(name, value)) is not None:
        return why
    return "another field inside" if _HIDDEN.search(value) else None


def _is_json(value: str) -> bool:
    try:
        return isinstance(json.loads(value), dict | list)
    except (ValueError, RecursionError):
        return False


def _odd_name(name: str, value: str) -> str | None:
    """A field that omni does not know: Twilio adds some over time, but none that is a known one torn, or run into its value."""
    if _NAME.fullmatch(name) is None:
        return "no name of a field"
    run = name + value
    if any(known.startswith(name) and run.startswith(known) for known in _NAMES) or _NUMBERED.match(run):
        return "a known field torn"
    begun = max((known for known in _NAMES if name.startswith(known)), key=len, default="")
    if begun in FREE or begun in AS_JSON or (begun and (not value or _ADDED.fullmatch(name[len(begun) :]) is None)):
        return "a known field run into its value"
    return None
