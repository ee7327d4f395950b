"""Hears what Twilio posts: verified before anything reads it, one receipt a request, the answer in TwiML (docs/delivery 15).

Without a token to verify by nothing is accepted (503). A mark in the address that is not ours is an honest request with a foreign
id: kept, and acted on by nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from omnicli import guards
from omnicli.model.ids import digest
from omnicli.model.response import Heard, Incoming, Receipt, Response
from omnicli.model.signed import Marked, read_mark
from omnicli.providers.twilio import callbacks, fields, signature, voice
from omnicli.providers.twilio.account import INBOUND, STATUS, Account
from omnicli.providers.twilio.answers import EMPTY, Answers
from omnicli.providers.twilio.callbacks import Said
from omnicli.settings import text as plain

XML = "text/xml"


class TwilioHearing:
    """The way back of Twilio, for several threads. `keys`: all signing keys of marks."""

    name = "twilio"
    paths: tuple[str, ...] = (STATUS, INBOUND)

    def __init__(
        self, account: Account, keys: Mapping[int, bytes], *, brand: str, language: str = "en", voice: str | None = None
    ) -> None:  # fmt: skip
        self.account, self.keys, self.voice, self.language = account, keys, voice, language
        self.tokens = tuple(plain(token) for token in account.tokens)
        self.answers = Answers(brand=brand, language=language, who=account.answers)

    def hear(self, path: str, incoming: Incoming, *, now: datetime) -> Heard:
        """What this request says; never raises for what may come."""
        if not self.tokens:
            return Heard(503, why="no auth token to verify by")
        if incoming.method != "POST" or path not in self.paths:
            return Heard(400, why="not a POST of Twilio's")
        if incoming.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
            return self._json(incoming)
        form = fields.read_form(incoming.body)
        if form is None:
            return Heard(403, why="not a form, or a name twice")
        if guards.on("twilio_signature") and not signature.signed(incoming, form, self.tokens):
            return Heard(403, why="bad signature")
        try:
            return self._form(path, incoming, form, now)
        except Exception as defect:  # what was honestly signed is kept: to ask for it again would not mend it
            return _heard(_kept(incoming, f"not readable: {type(defect).__name__}"))

    def _json(self, incoming: Incoming) -> Heard:
        """Signed JSON is kept as it came: nothing that omni asks for is told so."""
        try:
            text = incoming.body.decode("utf-8")
        except UnicodeDecodeError:
            return Heard(403, why="not UTF-8")
        if not signature.signed(incoming, text, self.tokens):
            return Heard(403, why="bad signature")
        return _heard(_kept(incoming, "JSON that nobody asked for"))

    def _form(self, path: str, incoming: Incoming, form: Mapping[str, str], now: datetime) -> Heard:
        called = "CallSid" in form
        needed = ("CallSid",) if called else ("MessageSid", "From", "To", "Body" if path == INBOUND else "MessageStatus")
        why = fields.odd(form, account=self.account.sid, needed=needed) if guards.on("twilio_fields") else None
        if why is not None:
            return _heard(_kept(incoming, why))
        asked = parse_qs(urlsplit(incoming.url).query)
        given = asked.get("o", [])
        marked = read_mark(self.keys, given[0]) if len(given) == 1 else None
        if given and marked is None and guards.on("twilio_mark"):
            return _heard(_kept(incoming, "a mark that is not ours"))
        if path == STATUS:
            said = callbacks.of_call(form, now=now) if called else callbacks.of_message(form)
            return _heard(self._receipt(incoming, form, said, marked, now, outward=True))
        if called:
            return self._pressed(incoming, form, marked, (asked.get("l") or [self.language])[0], now)
        receipt = self._receipt(incoming, form, callbacks.of_inbound(form), marked, now, outward=False)
        return Heard(200, (receipt,), self.answers.answer(form, now=now), XML)

    def _pressed(self, incoming: Incoming, form: Mapping[str, str], marked: Marked | None, language: str, now: datetime) -> Heard:
        """Keys of a call: thanked, and the call ends. Only calls of ours are answered."""
        if marked is None:
            return _heard(_kept(incoming, "a call that is not ours"))
        said = callbacks.of_keys(form, opt_out=self.account.opt_out_key)
        receipt = self._receipt(incoming, form, said, marked, now, outward=True)
        objected = said is not None and said.name == "refused"
        return Heard(200, (receipt,), voice.goodbye(language, objected=objected, voice=self.voice), XML)

    def _receipt(
        self, incoming: Incoming, form: Mapping[str, str], said: Said | None, marked: Marked | None, now: datetime, *, outward: bool
    ) -> Receipt:  # fmt: skip
        """`outward`: it is about something of ours, so the person is its `To`."""
        if said is None:
            return _kept(incoming, "nothing that omni knows")
        channel, address = callbacks.party(form.get("To" if outward else "From", ""))
        response = Response(
            said.event_id or said.key.hex(), "", said.name, said.at or now, "twilio", "voice" if "CallSid" in form else channel,
            touch=marked.touch if marked else None, attempt=marked.attempt if marked else None, address=address or None, payload=said.payload,
        )  # fmt: skip
        return Receipt("twilio", said.key, incoming.body, response, said.event_id)


def _kept(incoming: Incoming, note: str) -> Receipt:
    """Honest, but nothing to act on: stored as it came."""
    return Receipt("twilio", digest("twilio", "raw", incoming.url, incoming.body.hex())[:16], incoming.body, None, None, note)


def _heard(receipt: Receipt) -> Heard:
    return Heard(200, (receipt,), EMPTY, XML, why=receipt.note or "")
