"""Twilio on loopback: messages, calls, content templates, lists, and signed callbacks and inbound messages.

One fake stands for all of Twilio's hosts (api, messaging, content, voice). It answers in the official shapes, refuses recipients
with the codes it was told (`fake.codes["+33639980001"] = 21610`), keeps what it took, and may be slow to list it
(`fake.hidden_lists = 1`: the next list does not show what was created). Callbacks are signed as Twilio signs them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import re
import time
from collections.abc import Callable, Mapping, Sequence
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from fake_http import Answer, HttpFake, Request, as_process, post
from fake_log import touch_of

ACCOUNT, TOKEN = "AC" + "0" * 32, "a-secret-of-tests"
_MARK = re.compile(r"[0-9a-f]{32}\.[0-9]{1,2}\.[0-9a-f]{8,}")
_SAYS = {
    20003: (401, "Authenticate"), 20404: (404, "The requested resource was not found"), 20429: (429, "Too Many Requests"),
    21201: (400, "No 'To' number is specified"), 21211: (400, "Invalid 'To' Phone Number"), 21408: (400, "Permission to send an SMS has not been enabled"),
    21602: (400, "Message body is required"), 21603: (400, "A 'From' phone number is required"), 21604: (400, "A 'To' phone number is required"),
    21606: (400, "The From phone number is not a valid message-capable Twilio phone number"), 21610: (400, "Attempt to send to unsubscribed recipient"),
    21611: (400, "This 'From' number has exceeded the maximum number of queued messages"), 21612: (400, "The 'To' phone number is not currently reachable"),
    21614: (400, "'To' number is not a valid mobile number"), 21617: (400, "The concatenated message body exceeds the 1600 character limit"),
    21712: (400, "The Messaging Service does not have a phone number"), 63016: (400, "Failed to send freeform message outside the allowed window"),
    63021: (400, "Channel invalid content error"), 21205: (400, "Url is not a valid URL"), 21215: (400, "Account not authorized to call"),
}  # fmt: skip


class FakeTwilio(HttpFake):
    """See the module. `messages` and `calls` are what was taken, by sid, in order; `clock` gives the seconds its dates speak of."""

    name = "twilio"

    def __init__(
        self, *, log: Path | str | None = None, port: int = 0, account: str = ACCOUNT, token: str | None = TOKEN
    ) -> None:
        super().__init__(log=log, port=port)
        self.account, self.token = account, token
        self.codes: dict[str, int] = {}
        self.messages: dict[str, dict[str, Any]] = {}
        self.calls: dict[str, dict[str, Any]] = {}
        self.contents: dict[str, dict[str, Any]] = {}
        self.approvals: dict[str, dict[str, Any]] = {}
        self.services: dict[str, dict[str, Any]] = {}
        self.numbers: list[dict[str, Any]] = []
        self.hidden_lists = 0
        self.clock: Callable[[], float] = time.time
        self.doing = {"post_status": None, "post_inbound": None, "post_statuses": None}
        self._sids = itertools.count(1)

    def is_send(self, request: Request) -> bool:
        return request.method == "POST" and request.path.endswith(("/Messages.json", "/Calls.json"))

    def refusal(self, status: int, code: Any) -> Any:
        code = code or {401: 20003, 404: 20404, 429: 20429}.get(status, 20500)
        text = _SAYS.get(code, (status, "An internal server error has occurred"))[1]
        return {"code": code, "message": text, "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": status}

    def _no(self, code: int, status: int | None = None) -> Answer:
        status = status or _SAYS.get(code, (400, ""))[0]
        return Answer(status, self.refusal(status, code))

    # --- the service -------------------------------------------------------------------------------------------------
    def answer(self, request: Request) -> Answer:
        if not self._known(request):
            return self._no(20003)
        path = request.path
        account = f"/2010-04-01/Accounts/{self.account}"
        if request.method == "POST" and path == f"{account}/Messages.json":
            return self._message(request)
        if request.method == "POST" and path == f"{account}/Calls.json":
            return self._call(request)
        if path.startswith("/v1/Content"):
            return self._content(request)
        if path.startswith("/v1/Services"):
            found = self.services.get(path.removeprefix("/v1/Services/"))
            if path == "/v1/Services":
                return Answer(200, {"services": list(self.services.values()), "meta": _meta("services", path)})
            return Answer(200, found) if found is not None else self._no(20404)
        if request.method == "GET" and path.startswith(account):
            return self._look(request, path.removeprefix(account))
        return self._no(20404)

    def _known(self, request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme != "Basic":
            return False
        user, _, password = base64.b64decode(given).decode().partition(":")
        return user.startswith("SK") or (user == self.account and (self.token is None or password == self.token))

    def _message(self, request: Request) -> Answer:
        form = {name: values[0] for name, values in request.form.items()}
        wrong = self._wrong(form)
        if wrong is not None:
            return self._no(wrong)
        if not any(form.get(name) for name in ("Body", "MediaUrl", "ContentSid")):
            return self._no(21602)
        if len(form.get("Body", "")) > 1600:
            return self._no(21617)
        sid = self._sid("SM")
        row = {
            "account_sid": self.account, "api_version": "2010-04-01", "body": form.get("Body", ""), "date_created": self._date(),
            "date_sent": None, "date_updated": self._date(), "direction": "outbound-api", "error_code": None, "error_message": None,
            "from": form.get("From"), "messaging_service_sid": form.get("MessagingServiceSid"), "num_media": str(len(request.form.get("MediaUrl", []))),
            "num_segments": "1", "price": None, "price_unit": "USD", "sid": sid, "status": "accepted" if form.get("MessagingServiceSid") else "queued",
            "subresource_uris": {"media": f"/2010-04-01/Accounts/{self.account}/Messages/{sid}/Media.json"}, "to": form["To"],
            "uri": f"/2010-04-01/Accounts/{self.account}/Messages/{sid}.json",
        }  # fmt: skip
        return Answer(
            201,
            row,
            {},
            [self._line(form, sid)],
            lambda: self.messages.__setitem__(sid, {**row, "_form": form, "_at": self.clock()}),
        )

    def _call(self, request: Request) -> Answer:
        form = {name: values[0] for name, values in request.form.items()}
        wrong = self._wrong(form)
        if wrong is not None:
            return self._no(wrong)
        if not any(form.get(name) for name in ("Url", "Twiml", "ApplicationSid")):
            return self._no(21205)
        sid = self._sid("CA")
        row = {
            "account_sid": self.account, "annotation": None, "answered_by": None, "api_version": "2010-04-01", "caller_name": "",
            "date_created": self._date(), "date_updated": self._date(), "direction": "outbound-api", "duration": None, "end_time": None,
            "forwarded_from": "", "from": form["From"], "from_formatted": form["From"], "group_sid": None, "parent_call_sid": None,
            "phone_number_sid": None, "price": None, "price_unit": "USD", "queue_time": "0", "sid": sid, "start_time": None, "status": "queued",
            "subresource_uris": {}, "to": form["To"], "to_formatted": form["To"], "trunk_sid": None,
            "uri": f"/2010-04-01/Accounts/{self.account}/Calls/{sid}.json",
        }  # fmt: skip
        return Answer(
            201,
            row,
            {},
            [self._line(form, sid)],
            lambda: self.calls.__setitem__(sid, {**row, "_form": form, "_at": self.clock()}),
        )

    def _wrong(self, form: Mapping[str, str]) -> int | None:
        to = form.get("To", "")
        if not to:
            return 21604
        bare = to.partition(":")[2] or to
        if code := self.codes.get(to) or self.codes.get(bare):
            return code
        if not to.startswith("messenger:") and not re.fullmatch(r"\+[1-9][0-9]{6,14}", bare):
            return 21211
        return None if form.get("From") or form.get("MessagingServiceSid") else 21603

    def _line(self, form: Mapping[str, str], sid: str) -> dict[str, Any]:
        said = form.get("Body") or form.get("Twiml") or f"{form.get('ContentSid')} {form.get('ContentVariables', '')}"
        found = _MARK.search(form.get("StatusCallback", ""))
        touch, attempt = touch_of(found[0]) if found else (None, None)
        return {
            "touch": touch,
            "attempt": attempt,
            "to": form["To"],
            "sid": sid,
            "hash": hashlib.sha256(said.encode()).hexdigest(),
            "body": said,
        }

    def _look(self, request: Request, path: str) -> Answer:
        if path in ("", ".json"):
            return Answer(200, {"sid": self.account, "status": "active", "type": "Full", "friendly_name": "omni tests"})
        for name, rows in (("messages", self.messages), ("calls", self.calls)):
            if path == f"/{name.title()}.json":
                return self._list(name, list(rows.values()), request)
            if path.startswith(f"/{name.title()}/"):
                row = rows.get(path.split("/")[2].removesuffix(".json"))
                return Answer(200, _public(row)) if row is not None else self._no(20404)
        if path == "/IncomingPhoneNumbers.json":
            return Answer(
                200, {"incoming_phone_numbers": self.numbers, "page": 0, "page_size": 50, "next_page_uri": None, "uri": path}
            )
        if path == "/Balance.json":
            return Answer(200, {"account_sid": self.account, "balance": "12.00", "currency": "USD"})
        return self._no(20404)

    def _list(self, name: str, rows: Sequence[dict[str, Any]], request: Request) -> Answer:
        if self.hidden_lists > 0:
            self.hidden_lists -= 1
            rows = []
        asked = {key: values[0] for key, values in request.query.items()}
        day = asked.get("DateSent") or asked.get("StartTime")
        kept = [
            row for row in rows
            if row["to"] == asked.get("To", row["to"]) and row["from"] == asked.get("From", row["from"])
            and (day is None or time.strftime("%Y-%m-%d", time.gmtime(row["_at"])) == day[:10])
            and _within(row["_at"], asked, "DateSent") and _within(row["_at"], asked, "StartTime")
        ]  # fmt: skip
        size, page = int(asked.get("PageSize", 50)), int(asked.get("Page", 0))
        shown = [_public(row) for row in reversed(kept)][page * size : (page + 1) * size]
        more = len(kept) > (page + 1) * size
        next_ = f"{request.path}?{urlencode({**asked, 'Page': page + 1, 'PageToken': 'PT'})}" if more else None
        return Answer(200, {name: shown, "page": page, "page_size": size, "next_page_uri": next_, "previous_page_uri": None,
                            "first_page_uri": request.path, "uri": request.path, "start": page * size, "end": page * size + len(shown) - 1})  # fmt: skip

    def _content(self, request: Request) -> Answer:
        parts = request.path.strip("/").split("/")[2:]
        if not parts and request.method == "POST":
            sid = self._sid("HX")
            row = {**request.json, "sid": sid, "account_sid": self.account, "date_created": _iso(self.clock()), "date_updated": _iso(self.clock()),
                   "url": f"https://content.twilio.com/v1/Content/{sid}", "links": {}}  # fmt: skip
            return Answer(201, row, {}, (), lambda: self.contents.__setitem__(sid, row))
        if not parts:
            name = "contents"
            rows = [
                row | ({"approval_requests": self.approvals.get(sid, {})} if "Approvals" in request.path else {})
                for sid, row in self.contents.items()
            ]
            return Answer(200, {name: rows, "meta": _meta(name, request.path)})
        row = self.contents.get(parts[0])
        if row is None:
            return self._no(20404)
        if len(parts) > 1 and request.method == "POST":
            state = {"name": request.json.get("name"), "category": request.json.get("category"), "status": "received", "rejection_reason": "",
                     "content_type": next(iter(row.get("types", {})), ""), "allow_category_change": True}  # fmt: skip
            return Answer(201, state, {}, (), lambda: self.approvals.__setitem__(parts[0], state))
        if len(parts) > 1:
            return Answer(
                200, {"sid": parts[0], "account_sid": self.account, "whatsapp": self.approvals.get(parts[0]), "url": request.path}
            )
        return Answer(200, row)

    # --- what it posts -----------------------------------------------------------------------------------------------
    def signed(self, url: str, form: Mapping[str, str]) -> dict[str, str]:
        """The headers that sign this form at this public URL."""
        text = url + "".join(f"{name}{form[name]}" for name in sorted(form))
        mac = hmac.new((self.token or "").encode(), text.encode(), hashlib.sha1).digest()
        return {"X-Twilio-Signature": base64.b64encode(mac).decode(), "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
                "User-Agent": "TwilioProxy/1.1", "I-Twilio-Idempotency-Token": hashlib.sha1(text.encode()).hexdigest()}  # fmt: skip

    def post_form(self, url: str, form: Mapping[str, str], *, via: str | None = None) -> int:
        """POST a form signed for `url`; `via` is where that public address really listens (`http://127.0.0.1:8080`)."""
        url = url.partition("#")[0]
        there = url
        if via is not None:
            real, parts = urlsplit(via), urlsplit(url)
            there = urlunsplit((real.scheme, real.netloc, parts.path, parts.query, ""))
        return post(there, urlencode(form).encode(), self.signed(url, form))

    def status_form(self, sid: str, status: str, *, code: int | None = None, **more: str) -> dict[str, str]:
        """A status callback's fields, of a message or a call."""
        if sid in self.calls:
            row = self.calls[sid]
            return {"CallSid": sid, "CallStatus": status, "AccountSid": self.account, "From": str(row["from"]), "To": str(row["to"]),
                    "ApiVersion": "2010-04-01", "Direction": "outbound-api", **more}  # fmt: skip
        row = self.messages[sid]
        form = {"MessageSid": sid, "SmsSid": sid, "MessageStatus": status, "SmsStatus": status, "AccountSid": self.account,
                "From": str(row["from"] or ""), "To": str(row["to"]), "ApiVersion": "2010-04-01", **more}  # fmt: skip
        if row["messaging_service_sid"]:
            form["MessagingServiceSid"] = str(row["messaging_service_sid"])
        return form | ({"ErrorCode": str(code)} if code is not None else {})

    def post_status(
        self, sid: str, status: str, *, code: int | None = None, via: str | None = None, times: int = 1, **more: str
    ) -> list[int]:
        """Tell the message's StatusCallback; the statuses of the posts."""
        row = self.messages.get(sid) or self.calls[sid]
        row["status"], row["error_code"] = status, code
        form = self.status_form(sid, status, code=code, **more)
        return [self.post_form(row["_form"]["StatusCallback"], form, via=via) for _ in range(times)]

    def post_statuses(
        self, statuses: Sequence[str] = ("sent", "delivered"), *, via: str | None = None, lose: Sequence[str] = ()
    ) -> list[int]:
        """These statuses for every message so far, but for recipients in `lose`."""
        rows = [row for row in self.messages.values() if row["to"] not in lose and row["_form"].get("StatusCallback")]
        return [answer for row in rows for status in statuses for answer in self.post_status(row["sid"], status, via=via)]

    def post_inbound(
        self, url: str, *, sender: str, to: str, body: str, via: str | None = None, sid: str | None = None, **more: str
    ) -> int:
        """Somebody wrote to us."""
        sid = sid or self._sid("SM")
        form = {"MessageSid": sid, "SmsSid": sid, "SmsMessageSid": sid, "AccountSid": self.account, "From": sender, "To": to, "Body": body,
                "NumMedia": "0", "NumSegments": "1", "SmsStatus": "received", "ApiVersion": "2010-04-01", **more}  # fmt: skip
        return self.post_form(url, form, via=via)

    def _sid(self, kind: str) -> str:
        return kind + hashlib.md5(f"{self.port} {kind} {next(self._sids)}".encode(), usedforsecurity=False).hexdigest()

    def _date(self) -> str:
        return formatdate(self.clock(), usegmt=False).replace("-0000", "+0000")


def _public(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.startswith("_")} | {
        "date_sent" if "body" in row else "start_time": formatdate(row["_at"]).replace("-0000", "+0000")
    }


def _within(at: float, asked: Mapping[str, str], name: str) -> bool:
    day = time.strftime("%Y-%m-%d", time.gmtime(at))
    return asked.get(f"{name}>", day)[:10] <= day <= asked.get(f"{name}<", day)[:10]


def _meta(key: str, path: str) -> dict[str, Any]:
    return {
        "key": key,
        "page": 0,
        "page_size": 50,
        "url": path,
        "first_page_url": path,
        "next_page_url": None,
        "previous_page_url": None,
    }


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


if __name__ == "__main__":
    as_process(FakeTwilio)
