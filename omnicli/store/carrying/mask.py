"""People made unknown on their way from the live store to the sandbox: who is who can be followed within the copy, never out of it.

Every mask is a hash under the live store's pepper: the same address becomes the same address wherever it stands. A word of an attribute
or of an event stays only where `CROWD` people share it: then it tells nobody, and segments keep their sizes. What was written to people
and what they wrote, raw webhooks, papers of imports and the audit log stay behind.
"""

from __future__ import annotations

import hmac
import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from omnicli.model import ids
from omnicli.model.project import Project
from omnicli.store import consents
from omnicli.store.carrying.rows import Row
from omnicli.store.carrying.shape import Shape, shapes
from omnicli.store.columns import attribute_column, fields_of, folded, folded_column, kind_of, payload_column
from omnicli.text import fold

#: A word that fewer people share may tell who somebody is.
CROWD = 10
#: Tables that hold people's words, addresses or letters as they were, or what only the original's providers know.
BEHIND = frozenset({"inbox", "rendering", "skeleton", "import_row", "import_job", "audit", "account"})
#: Attributes that are names, however many share them.
NAMES = re.compile(r"name|nom$|^nom|prenom|surname|vorname|nachname", re.IGNORECASE)
ALIASES = ("Alix", "Ambre", "Andrea", "Camille", "Charlie", "Claude", "Dominique", "Eden", "Elia", "Gaby", "Jocelyn", "Lou", "Maxime",
           "Morgan", "Noa", "Robin", "Sacha", "Sam", "Swann", "Yaël")  # fmt: skip
#: Columns that are emptied: free words, and what decisions were taken on.
EMPTIED = {
    "consent_log": ("proof",), "enrollment": ("told",), "decision": ("premises",), "touch": ("facts",), "attempt": ("detail",), "evidence": ("detail",),
    "task": ("note",), "inbox_case": ("text",), "campaign": ("because",),
}  # fmt: skip
#: Why an address is barred, in omni's words; any other word was typed by somebody (`--reason`), or said by a provider.
REASONS = frozenset(
    {
        *consents.STRENGTH,
        "asked",
        "taken",
        "soft_bounces",
        "out_of_reach",
        "contradiction",
        "bad_address",
        "dead",
        "hard",
        "invalid",
    }
)
#: Why an attempt was given up without a person (campaigns/reconcile), and what evidence says in omni's words.
POLICIES = frozenset({"policy: on_unknown resend", "idempotent: same key"})
KINDS = frozenset({"receipt", "contradiction", "confirmed_duplicate", "accepted", "delivered", "bounced", "failed", "opened", "clicked", "complained", "unsubscribed",
                   "replied", "resolve:accepted", "resolve:not_sent", "resolve:resend", "resolve:drop"})  # fmt: skip
#: The name of a field, as omni.yaml could declare it.
FIELD = re.compile(r"[a-z][a-z0-9_]*")
#: Kinds of values that are counted and bounded, and so tell nobody by themselves.
OPEN = frozenset({"choice", "number", "percent", "distance", "money", "duration", "yes or no", "time"})
#: What people wrote: never kept, however many wrote the same.
LETTERS = frozenset({"p_text"})
_PHONES = frozenset({"sms", "whatsapp", "voice"})


class Masked:
    """The mask of one copy: `pepper` is the source's, `own` the target's (docs/delivery 16)."""

    def __init__(self, source: sa.Connection, project: Project, *, pepper: bytes, own: bytes) -> None:
        self.project, self.pepper, self.own = project, pepper, own
        self._crowds: dict[str, frozenset[str]] = {}
        self._kinds = {attribute_column(name): (name, attribute) for name, attribute in project.contacts.attributes.items()}
        for column, (_, attribute) in self._kinds.items():
            if kind_of(attribute).name not in OPEN:
                self._crowds[column] = _crowd(source, "contact", "id", column)
        self._events = {payload_column(f): kind.name for name in project.events for f, kind in fields_of(project, name).items()}
        for column in shapes(source)["event"].columns:
            if column.startswith("p_") and column not in LETTERS and self._events.get(column) not in OPEN:
                self._crowds[column] = _crowd(source, "event", "contact_id", column)
        for table, person in (
            ("consent", "contact_id"),
            ("consent_log", "contact_id"),
            ("suppression", "norm_hmac"),
            ("suppression_log", "norm_hmac"),
        ):
            self._crowds[f"{table}.source"] = _crowd(source, table, person, "source")
        for table, person, column in (("contact", "id", "region"), ("contact", "id", "place"), ("evidence", "touch_id", "source"),
                                      ("evidence", "touch_id", "kind")):  # fmt: skip
            self._crowds[f"{table}.{column}"] = _crowd(source, table, person, column)
        self._bars = self._known_bars(source)

    def leaves(self, table: str) -> bool:
        return table in BEHIND

    def mask(self, shape: Shape, rows: list[Row], source: sa.Connection) -> list[Row]:
        change = getattr(self, f"_of_{shape.name}", None)
        empty = EMPTIED.get(shape.name, ())
        if change is None and not empty:
            return rows
        found = [dict(zip(shape.columns, row, strict=True)) for row in rows]
        if change is not None:
            change(found, source)
        for row in found:
            row.update(dict.fromkeys(empty))
        return [tuple(row.values()) for row in found]

    # --- words ------------------------------------------------------------------------------------------------------
    def _word(self, *what: str) -> str:
        return hmac.digest(self.pepper, "\x1f".join(("mask", *what)).encode(), "sha256").hex()

    def contact(self, source_id: str) -> str:
        """The id under which the person stands in the copy."""
        return f"m-{self._word('contact', source_id)[:20]}"

    def uid(self, source_id: str) -> bytes:
        return ids.contact_uid(self.project.project, self.contact(source_id))

    def address(self, channel: str, norm: str) -> tuple[str, str]:
        """(value, norm) that reach nobody: example.com, a calling code that no country has, a token of no service."""
        if channel in _PHONES:
            number = f"+999{int(self._word('phone', norm)[:15], 16) % 10**12:012d}"
            return number, number
        word = self._word(channel, norm)[:20]
        if channel == "email":
            return f"m-{word}@example.com", f"m-{word}@example.com"
        if channel == "letter":
            text = f"M. {word[:6]}\n{1 + int(word[:4], 16) % 99} rue Masquée\n00000 Example"
            return text, fold(text)
        if channel == "push":
            endpoint = f"https://push.example/{word}"
            return json.dumps({"endpoint": endpoint, "keys": {"auth": word, "p256dh": word}}, separators=(",", ":")), endpoint
        return f"m-{word}", f"m-{word}"

    def fingerprint(self, channel: str, norm: str) -> bytes:
        """What the copy's own keys make of the masked address."""
        return consents.fingerprint(self.own, channel, self.address(channel, norm)[1])

    def _value(self, column: str, value: str) -> str:
        return value if value in self._crowds.get(column, ()) else f"m-{self._word(column, value)[:8]}"

    def _shared(self, table: str, column: str, word: str | None) -> str | None:
        """A word that enough people share (a form, a provider, a region); of what few share, nothing."""
        return word if word in self._crowds[f"{table}.{column}"] else None

    def _reason(self, reason: str) -> str:
        """Two that differ stay two."""
        return reason if reason in REASONS else f"m-{self._word('reason', reason)[:8]}"

    def _who(self, name: str | None) -> str | None:
        """Somebody of the house: the same person stays the same."""
        return name and f"m-{self._word('who', name)[:8]}"

    # --- tables -----------------------------------------------------------------------------------------------------
    def _of_contact(self, rows: list[dict[str, Any]], _source: sa.Connection) -> None:
        for row in rows:
            row["uid"], row["source_id"] = self.uid(row["source_id"]), self.contact(row["source_id"])
            row["reach"] = row["reach"] and self._reach(row["reach"])
            for column in ("region", "place"):
                row[column] = self._shared("contact", column, row[column])
            for column, (name, attribute) in self._kinds.items():
                if row.get(column) is not None:
                    kind = kind_of(attribute)
                    row[column] = self._attribute(name, column, kind.name, row[column], sensitive=attribute.sensitive)
                    if (copy := folded_column(name)) in row:
                        row[copy] = folded(kind, row[column])
            for column in row:
                if column.startswith(("a_", "f_")) and "a_" + column[2:] not in self._kinds:
                    row[column] = None  # of an attribute that is no longer declared: nobody can say what it was

    def _reach(self, text: str) -> str:
        """The reach with the reasons of its bars as the bars have them."""
        found = {
            channel: [self._reason(item) if isinstance(item, str) else item for item in items]
            for channel, items in json.loads(text).items()
        }
        return json.dumps(found, separators=(",", ":"))

    def _attribute(self, name: str, column: str, kind: str, value: Any, *, sensitive: bool) -> Any:
        if sensitive:
            return None
        if kind in OPEN:
            return value
        if kind == "list":
            crowd = self._crowds[column]
            return json.dumps([word for word in json.loads(value) if fold(word) in crowd], ensure_ascii=False)
        if kind == "date":
            return value if value in self._crowds[column] else f"{value[:8]}{1 + int(self._word(column, value)[:4], 16) % 28:02d}"
        if NAMES.search(name):
            return ALIASES[int(self._word(column, value)[:8], 16) % len(ALIASES)]
        return self._value(column, value)

    def _of_address(self, rows: list[dict[str, Any]], _source: sa.Connection) -> None:
        for row in rows:
            channel, norm = row["channel"], row["norm"]
            row["value"], row["norm"] = self.address(channel, norm)
            row["bad"] = row["bad"] and self._reason(row["bad"])
            if row["hmac"] is not None:
                row["hmac"] = self.fingerprint(channel, norm)

    def _of_consent(self, rows: list[dict[str, Any]], _source: sa.Connection) -> None:
        for row in rows:
            row["source"] = self._shared("consent", "source", row["source"])

    def _of_consent_log(self, rows: list[dict[str, Any]], _source: sa.Connection) -> None:
        for row in rows:
            row["source"] = self._shared("consent_log", "source", row["source"])

    def _of_event(self, rows: list[dict[str, Any]], _source: sa.Connection) -> None:
        for row in rows:
            for column in [c for c in row if c.startswith("p_") and row[c] is not None]:
                if self._events.get(column) not in OPEN and isinstance(row[column], str):
                    row[column] = self._value(column, row[column])
            if row["payload"]:
                row["payload"] = json.dumps(self._payload(json.loads(row["payload"])), ensure_ascii=False)

    def _payload(self, said: Any) -> Any:
        """Fields of one value each. A number stays in a field that is declared as one: in another it may be a telephone's."""
        if not isinstance(said, dict):
            return {}
        return {
            k: self._field(payload_column(k), v) for k, v in said.items() if FIELD.fullmatch(k) and not isinstance(v, dict | list)
        }

    def _field(self, column: str, value: Any) -> Any:
        if value is None or isinstance(value, bool) or self._events.get(column) in OPEN:
            return value
        return self._value(column, value) if isinstance(value, str) else None

    def _of_suppression(self, rows: list[dict[str, Any]], _source: sa.Connection) -> None:
        self._barred("suppression", rows)

    def _of_suppression_log(self, rows: list[dict[str, Any]], _source: sa.Connection) -> None:
        self._barred("suppression_log", rows)

    def _barred(self, table: str, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["norm_hmac"] = self._bar(row["channel"], row["norm_hmac"])
            row["reason"], row["source"] = self._reason(row["reason"]), self._shared(table, "source", row["source"])

    def _of_enrollment(self, rows: list[dict[str, Any]], source: sa.Connection) -> None:
        people = _asked(source, "SELECT id, source_id FROM contact WHERE id IN", {row["contact_id"] for row in rows})
        names = _asked(source, "SELECT id, name FROM campaign WHERE id IN", {row["campaign_id"] for row in rows})
        for row in rows:
            uid = self.uid(people[row["contact_id"]][0])
            row["key"] = ids.enrollment_key(self.project.project, names[row["campaign_id"]][0], uid, row["pass"])

    def _of_touch(self, rows: list[dict[str, Any]], source: sa.Connection) -> None:
        passes = _asked(
            source,
            'SELECT e.id, c.source_id, k.name, e."pass" FROM enrollment e JOIN contact c ON c.id = e.contact_id JOIN campaign k ON k.id = e.campaign_id WHERE e.id IN',
            {row["enrollment_id"] for row in rows},
        )
        for row in rows:
            source_id, campaign, number = passes[row["enrollment_id"]]
            row["touch_key"] = ids.touch_key(
                self.project.project, campaign, self.uid(source_id), number, row["step"], row["channel"]
            )

    def _of_attempt(self, rows: list[dict[str, Any]], source: sa.Connection) -> None:
        found = _asked(
            source, "SELECT t.id, a.channel, a.norm, a.hmac FROM touch t JOIN address a ON a.contact_id = t.contact_id AND a.channel = t.channel WHERE t.id IN",
            {row["touch_id"] for row in rows},
        )  # fmt: skip
        for row in rows:
            channel, norm, print_ = found.get(row["touch_id"], (None, None, None))
            known = norm is not None and print_ is not None and bytes(print_) == bytes(row["address_hash"])
            row["address_hash"] = self.fingerprint(channel, norm) if known else self._other(row["address_hash"])
            row["body_sha256"] = bytes(32)
            row["provider_ref"] = row["provider_ref"] and f"m-{self._word('ref', row['provider_ref'])[:16]}"
            if row["waived_by"] not in POLICIES:
                row["waived_by"] = self._who(row["waived_by"])

    def _of_handover(self, rows: list[dict[str, Any]], _source: sa.Connection) -> None:
        for row in rows:
            row["provider_ref"] = row["provider_ref"] and f"m-{self._word('ref', row['provider_ref'])[:16]}"
            row["account"] = self._who(row["account"])  # perhaps the login of somebody of the house

    def _of_evidence(self, rows: list[dict[str, Any]], _source: sa.Connection) -> None:
        for row in rows:
            row["source"] = self._shared("evidence", "source", row["source"]) or self._who(row["source"])
            if row["kind"] not in KINDS:
                row["kind"] = self._shared("evidence", "kind", row["kind"]) or self._who(row["kind"])

    def _of_task(self, rows: list[dict[str, Any]], _source: sa.Connection) -> None:
        for row in rows:
            row["claimed_by"] = self._who(row["claimed_by"])

    def _of_inbox_case(self, rows: list[dict[str, Any]], _source: sa.Connection) -> None:
        self._of_task(rows, _source)

    # --- bars -------------------------------------------------------------------------------------------------------
    def _known_bars(self, source: sa.Connection) -> Mapping[tuple[str, bytes], bytes]:
        """The fingerprints of bars on addresses that stand in the base, with what they become."""
        rows = source.execute(sa.text(
            "SELECT DISTINCT a.channel, a.hmac, a.norm FROM address a JOIN (SELECT channel, norm_hmac FROM suppression UNION "
            "SELECT channel, norm_hmac FROM suppression_log) s ON s.channel = a.channel AND s.norm_hmac = a.hmac")).all()  # fmt: skip
        return {(channel, bytes(print_)): self.fingerprint(channel, norm) for channel, print_, norm in rows}

    def _bar(self, channel: str, print_: bytes) -> bytes:
        return self._bars.get((channel, bytes(print_))) or self._other(print_)

    def _other(self, print_: bytes) -> bytes:
        """A fingerprint whose address is not known here."""
        return hmac.digest(self.pepper, b"mask\x1fprint\x1f" + bytes(print_), "sha256")[: consents.FINGERPRINT] if print_ else b""


def _crowd(source: sa.Connection, table: str, person: str, column: str) -> frozenset[str]:
    """The words in this column that enough people share; of a list each word by itself, folded."""
    try:
        with source.begin_nested():
            rows = source.execute(
                sa.text(f'SELECT "{column}", count(DISTINCT "{person}") FROM "{table}" WHERE "{column}" IS NOT NULL GROUP BY 1')
            )
            counted: Counter[str] = Counter()
            for value, people in rows:
                if isinstance(value, str) and value.startswith("[") and table == "contact":
                    counted.update({fold(word): people for word in set(_words(value))})
                counted[str(value)] += people
    except sa.exc.DBAPIError:  # no such column yet
        return frozenset()
    return frozenset(word for word, people in counted.items() if people >= CROWD)


def _words(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return [word for word in found if isinstance(word, str)] if isinstance(found, list) else []


def _asked(source: sa.Connection, query: str, numbers: set[int]) -> dict[int, tuple[Any, ...]]:
    """number → the rest of its row."""
    found: dict[int, tuple[Any, ...]] = {}
    wanted = sorted(numbers)
    asked = sa.text(f"{query} :numbers").bindparams(sa.bindparam("numbers", expanding=True))
    for start in range(0, len(wanted), 5000):
        for row in source.execute(asked, {"numbers": wanted[start : start + 5000]}):
            found[row[0]] = tuple(row[1:])
    return found
