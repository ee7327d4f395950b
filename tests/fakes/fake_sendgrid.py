"""SendGrid on loopback: takes mail, works out what each person received, keeps lists, and posts signed events.

`POST /v3/mail/send` is checked as loosely as the real one and answered in its shapes; per person the substitutions are applied as
SendGrid does (the same tag in subject, text and HTML, nothing escaped), so `fake.messages` is what people read. Events are signed
with the fake's own ECDSA P-256 key over timestamp + raw body; `fake.public_key` is what a project configures.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fake_http import Answer, HttpFake, Request, as_process, post
from fake_log import touch_of

SIGNATURE, TIMESTAMP = "X-Twilio-Email-Event-Webhook-Signature", "X-Twilio-Email-Event-Webhook-Timestamp"


@dataclass(frozen=True)
class Message:
    """What one person received."""

    to: str
    subject: str
    html: str
    text: str
    sender: str
    headers: Mapping[str, str]
    args: Mapping[str, str]
    categories: Sequence[str]
    asm: Mapping[str, Any] | None
    request: int
    id: str  # X-Message-Id of the request
    number: int = 0

    @property
    def mark(self) -> str:
        return self.args.get("omni", "")


class FakeSendGrid(HttpFake):
    """See the module. `lists` maps a path to its rows (`fake.lists["/v3/suppression/bounces"] = [{"email": …}]`), `settings` to what
    a GET answers. `clock` gives the seconds that events and headers speak of."""

    name = "sendgrid"

    def __init__(self, *, log: Path | str | None = None, port: int = 0, key: str | None = None) -> None:
        super().__init__(log=log, port=port)
        self.api_key = key  # None: any bearer will do
        self.thorough = True  # False: count only, for benchmarks
        self.messages: list[Message] = []
        self.lists: dict[str, list[Any]] = {
            f"/v3/suppression/{name}": [] for name in ("bounces", "blocks", "invalid_emails", "spam_reports", "unsubscribes")
        } | {"/v3/asm/suppressions/global": [], "/v3/asm/groups": [], "/v3/templates": [], "/v3/messages": []}
        self.settings: dict[str, Any] = {
            "/v3/scopes": {"scopes": ["mail.send", "user.webhooks.event.settings.read", "suppression.read"]},
            "/v3/user/webhooks/event/settings/all": {"webhooks": []},
            "/v3/user/webhooks/parse/settings": {"result": []},
            "/v3/whitelabel/domains": [],
        }
        self.clock: Callable[[], float] = time.time
        self.doing = {"post_events": None}
        self._private: Any = None
        self._events = itertools.count(1)
        self._sent = itertools.count(1)

    # --- the service -------------------------------------------------------------------------------------------------
    def is_send(self, request: Request) -> bool:
        return request.method == "POST" and request.path == "/v3/mail/send"

    def refusal(self, status: int, code: Any) -> Any:
        said = {401: "The provided authorization grant is invalid, expired, or revoked", 429: "too many requests",
                413: "The JSON payload you have included in your request is too large."}  # fmt: skip
        return {"errors": [{"message": said.get(status, "something went wrong"), "field": code, "help": None}]}

    def answer(self, request: Request) -> Answer:
        bearer = request.headers.get("authorization", "")
        if not bearer.startswith("Bearer ") or (self.api_key is not None and bearer != f"Bearer {self.api_key}"):
            return Answer(401, self.refusal(401, None))
        if self.is_send(request):
            return self._send(request)
        if request.method == "GET" and (request.path in self.settings or request.path in self.lists):
            return self._list(request)
        if request.path.startswith("/v3/asm/groups/") and request.path.endswith("/suppressions"):
            return Answer(200, self.lists.get(request.path, []))
        if request.path in self.lists or request.path in self.settings:
            return Answer(200 if request.method != "DELETE" else 204, {} if request.method != "DELETE" else None)
        return Answer(404, self.refusal(404, None))

    def _list(self, request: Request) -> Answer:
        if request.path in self.settings:
            return Answer(200, self.settings[request.path])
        rows = self.lists[request.path]
        first = {name: int(values[0]) for name, values in request.query.items() if values[0].isdigit()}
        rows = [
            r
            for r in rows
            if not isinstance(r, dict) or first.get("start_time", 0) <= r.get("created", 0) <= first.get("end_time", 1 << 40)
        ]
        rows = rows[first.get("offset", 0) :][: first.get("limit", 500)]
        return Answer(200, {"messages": rows} if request.path == "/v3/messages" else rows)

    def _send(self, request: Request) -> Answer:
        try:
            mail = request.json
        except ValueError:
            return Answer(400, {"errors": [{"message": "Bad Request", "field": None, "help": None}]})
        wrong = _wrong(mail)
        if wrong is not None:
            return Answer(400, {"errors": [{"message": wrong[0], "field": wrong[1], "help": None}]})
        if mail.get("mail_settings", {}).get("sandbox_mode", {}).get("enable"):
            return Answer(200, None)
        id_ = (
            base64.urlsafe_b64encode(hashlib.sha256(f"{self.port} {request.number}".encode()).digest()[:16]).decode().rstrip("=")
        )
        people = _people(mail, request.number, id_, self._sent) if self.thorough else []
        lines = (
            [_line(message) for message in people]
            if self.thorough
            else [dict(zip(("touch", "attempt"), touch_of(p.get("custom_args", {}).get("omni")), strict=True), to=p["to"][0]["email"])
                  for p in mail["personalizations"]]
        )  # fmt: skip
        return Answer(202, None, {"X-Message-Id": id_, "Content-Type": "text/plain"}, lines, lambda: self.messages.extend(people))

    # --- events ------------------------------------------------------------------------------------------------------
    @property
    def private(self) -> Any:
        if self._private is None:
            from cryptography.hazmat.primitives.asymmetric import ec

            self._private = ec.generate_private_key(ec.SECP256R1())
        return self._private

    @property
    def public_key(self) -> str:
        """Base64 of the DER of the public key, as SendGrid shows it."""
        from cryptography.hazmat.primitives import serialization as s

        der = self.private.public_key().public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(der).decode()

    def event(self, message: Message, kind: str, **more: Any) -> dict[str, Any]:
        """One event about one message, as SendGrid writes it: our arguments are top-level keys."""
        number = next(self._events)
        found = {
            "email": message.to, "timestamp": int(self.clock()), "smtp-id": f"<{message.id}@geopod>", "event": kind,
            "category": list(message.categories), "sg_event_id": base64.b64encode(f"event-{self.port}-{number}".encode()).decode(),
            "sg_message_id": f"{message.id}.recvd-canary-{message.number}-0", **message.args,
        }  # fmt: skip
        match kind:
            case "delivered":
                found["response"] = "250 OK"
            case "bounce":
                found |= {"reason": "550 5.1.1 no such user", "status": "5.1.1", "type": "bounce"}
            case "dropped":
                found |= {"reason": "Bounced Address", "status": "5.0.0"}
            case "deferred":
                found |= {"response": "421 try again", "attempt": "1"}
            case "click":
                found |= {"url": "https://example.com/", "useragent": "Mozilla/5.0", "ip": "192.0.2.1"}
            case "open":
                found |= {"useragent": "Mozilla/5.0", "ip": "192.0.2.1", "sg_machine_open": False}
            case "group_unsubscribe" | "group_resubscribe":
                found |= {"asm_group_id": (message.asm or {}).get("group_id", 1), "useragent": "Mozilla/5.0", "ip": "192.0.2.1"}
        return found | more

    def signed(self, body: bytes, *, at: str | None = None) -> dict[str, str]:
        """The headers that sign this body."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        stamp = at or str(int(self.clock()))
        signature = self.private.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return {SIGNATURE: base64.b64encode(signature).decode(), TIMESTAMP: stamp, "Content-Type": "application/json",
                "User-Agent": "SendGrid Event API"}  # fmt: skip

    def post_events(
        self, url: str, *, kinds: Sequence[str] = ("processed", "delivered"), order: str = "asc", repeats: int = 1, fresh_ids: bool = False,
        lose: Iterable[str] = (), only: Iterable[str] | None = None, chunk: int = 500, seed: int = 1,
    ) -> list[int]:  # fmt: skip
        """Events of every message so far, posted as SendGrid would; the statuses of the posts. `order`: asc, desc, shuffled;
        `repeats` posts each body so often, `fresh_ids` with another `sg_event_id` each time; `lose` names recipients whose events
        never come, `only` those whose do."""
        lost, wanted = set(lose), set(only) if only is not None else None
        about = [m for m in self.messages if m.to not in lost and (wanted is None or m.to in wanted)]
        events = [self.event(message, kind) for message in about for kind in kinds]
        if order == "desc":
            events.reverse()
        elif order == "shuffled":
            random.Random(seed).shuffle(events)
        statuses: list[int] = []
        for first in range(0, len(events), chunk):
            for again in range(repeats):
                part = events[first : first + chunk]
                if again and fresh_ids:
                    part = [e | {"sg_event_id": f"{e['sg_event_id']}{again}"} for e in part]
                statuses.append(self.post_body(url, json.dumps(part, separators=(",", ":")).encode()))
        return statuses

    def post_body(self, url: str, body: bytes, *, at: str | None = None) -> int:
        """POST these bytes, signed; the status."""
        return post(url, body, self.signed(body, at=at))


def _wrong(mail: Any) -> tuple[str, str | None] | None:
    """The first thing that the real one would refuse: (message, field)."""
    if not isinstance(mail, dict):
        return "Bad Request", None
    people = mail.get("personalizations")
    if not isinstance(people, list) or not 1 <= len(people) <= 1000:
        return "The personalizations field is required and must have at least one personalization.", "personalizations"
    if not _email(mail.get("from")):
        return "The from object must be provided for every email send.", "from.email"
    if not mail.get("content") and not mail.get("template_id"):
        return "Unless a valid template_id is provided, the content parameter is required.", "content"
    for number, part in enumerate(mail.get("content") or ()):
        if not isinstance(part.get("value"), str) or not part["value"]:
            return "The content value must be a string at least one character in length.", f"content.{number}.value"
    seen: set[str] = set()
    for number, one in enumerate(people):
        where = f"personalizations.{number}"
        if not one.get("to"):
            return "The to array is required for all personalization objects.", f"{where}.to"
        for place, to in enumerate((*one["to"], *one.get("cc", ()), *one.get("bcc", ()))):
            if not _email(to):
                return "Does not contain a valid address.", f"{where}.to.{place}.email"
            if (key := to["email"].lower()) in seen:
                return (
                    "Each email address in the personalization block should be unique between to, cc, and bcc.",
                    f"{where}.to.{place}",
                )
            seen.add(key)
        for name in ("substitutions", "custom_args", "headers"):
            if any(not isinstance(v, str) for v in one.get(name, {}).values()):
                return f"The {name} values must be strings.", f"{where}.{name}"
        if sum(len(k) + len(v.encode()) for k, v in one.get("substitutions", {}).items()) > 10_000:
            return "The substitutions must not exceed 10000 bytes.", f"{where}.substitutions"
        if not (one.get("subject") or mail.get("subject") or mail.get("template_id")):
            return "The subject is required. You can get around this requirement if you use a template.", f"{where}.subject"
    if len(seen) > 1000:
        return "Recipients must not exceed 1000.", "personalizations"
    return None


def _email(found: Any) -> bool:
    return (
        isinstance(found, dict)
        and isinstance(found.get("email"), str)
        and found["email"].isascii()
        and found["email"].count("@") == 1
    )


def _people(mail: Mapping[str, Any], request: int, id_: str, numbers: Iterator[int]) -> list[Message]:
    everybody = [(one, to) for one in mail["personalizations"] for to in (*one["to"], *one.get("cc", ()), *one.get("bcc", ()))]
    return [_person(mail, one, to, request, id_, next(numbers)) for one, to in everybody]


def _person(
    mail: Mapping[str, Any], one: Mapping[str, Any], to: Mapping[str, str], request: int, id_: str, number: int
) -> Message:
    parts = {part["type"]: part["value"] for part in mail.get("content", ())}

    def fill(text: str) -> str:
        for tag, value in one.get("substitutions", {}).items():
            text = text.replace(tag, value)
        return text

    return Message(
        to["email"], fill(one.get("subject") or mail.get("subject") or ""), fill(parts.get("text/html", "")), fill(parts.get("text/plain", "")),
        (one.get("from") or mail["from"])["email"], {**mail.get("headers", {}), **one.get("headers", {})},
        {**(mail.get("custom_args") or {}), **one.get("custom_args", {})}, mail.get("categories", ()), mail.get("asm"), request, id_, number,
    )  # fmt: skip


def _line(message: Message) -> dict[str, Any]:
    touch, attempt = touch_of(message.mark)
    said = hashlib.sha256(f"{message.subject}\n{message.text}\n{message.html}".encode()).hexdigest()
    return {"touch": touch, "attempt": attempt, "to": message.to, "subject": message.subject, "hash": said}


if __name__ == "__main__":
    as_process(FakeSendGrid)
