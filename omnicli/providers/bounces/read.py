"""What a mail in the bounce mailbox means: a bounce, a complaint, somebody who leaves, nothing, or unclear.

Notices of delivery (RFC 3464), abuse reports (RFC 5965), mails to the unsubscribe address (RFC 2369), automatic replies (RFC 3834).
A function of bytes that never raises: what it cannot read is `unclear`, and is kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from omnicli.model.signed import Marked
from omnicli.providers.bounces import letter as taken
from omnicli.providers.bounces.codes import Kind, code_of, kind_of
from omnicli.providers.bounces.letter import Letter
from omnicli.providers.strangers import open_headers
from omnicli.texts import t

What = Literal["bounced", "delayed", "delivered", "relayed", "complained", "unsubscribed", "nothing", "unclear"]

#: What a notice says of a recipient (RFC 3464 2.3.3), the gravest first.
ACTIONS: Mapping[str, What] = {
    "failed": "bounced", "delayed": "delayed", "delivered": "delivered", "relayed": "relayed", "expanded": "relayed",
}  # fmt: skip
#: Reports that are no complaint of a person: of a virus, of a failed signature, and "this was no spam" (RFC 5965, 6591).
NO_COMPLAINT = ("not-spam", "auth-failure", "virus", "dmarc")
_AUTOMATIC = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-response-suppress", "x-mail-autoreply")
_AWAY = re.compile(r"^(?:out of (?:the )?office|auto(?:matic)?[ -]?(?:reply|response)|absence|réponse automatique|abwesen)", re.I)
_DAEMON = re.compile(r"mailer-daemon|postmaster|mail delivery (?:sub)?system", re.I)


@dataclass(frozen=True, slots=True)
class Told:
    """What one mail tells. `marked` is proved by our signature; `quoted` is only what its Message-ID says."""

    what: What
    marked: Marked | None = None
    quoted: Marked | None = None
    address: str | None = field(default=None, repr=False)
    kind: Kind | None = None
    code: str | None = None
    reason: str | None = field(default=None, repr=False)


NOTHING = Told("nothing")


def read(raw: bytes, keys: Mapping[int, bytes]) -> Told:
    """What the mail tells; `keys` are those that ever signed marks."""
    try:
        return _read(taken.open_letter(raw), keys)
    except Exception as defect:  # the standard library's reader has been known to raise on odd mails
        return Told("unclear", reason=f"{type(defect).__name__}")


def _read(letter: Letter, keys: Mapping[int, bytes]) -> Told:
    for part in letter.parts:
        if part.get_content_type() == "message/delivery-status":
            return _delivery(letter, taken.text_of(part), keys)
        if part.get_content_type() == "message/feedback-report":
            return _complaint(letter, taken.text_of(part), keys)
    if letter.report == "disposition-notification":
        return NOTHING
    if any(letter.written_to("unsubscribe")):
        who = taken.leaving(letter, keys)
        return (
            Told("unsubscribed", who)
            if who
            else Told(
                "unclear",
                reason=t(
                    "somebody leaves by an address that is none of ours",
                    "quelqu'un se désabonne par une adresse qui n'est pas des nôtres",
                ),
            )
        )
    return _odd(letter, keys)


# --- notices of delivery (RFC 3464) -----------------------------------------------------------------------------------
def _delivery(letter: Letter, report: str, keys: Mapping[int, bytes]) -> Told:
    """The gravest of what the notice says of its recipients; each mail of ours has one."""
    groups = [_fields(group) for group in re.split(r"\r?\n[ \t]*\r?\n", report.strip())[: taken.FIELDS]]
    about = [group for group in groups if "action" in group or "final-recipient" in group]
    whole = groups[0] if groups else {}
    who = taken.marked(letter, keys, whole.get("original-envelope-id", ""))
    told = [_recipient(group) for group in about]
    order = list(dict.fromkeys(ACTIONS.values()))
    told.sort(key=lambda one: order.index(one.what) if one.what in order else len(order))
    if not told:
        return Told("unclear", who, taken.quoted(letter), reason=t("a notice without a recipient", "un avis sans destinataire"))
    return replace(told[0], marked=who, quoted=taken.quoted(letter))


def _recipient(fields: Mapping[str, str]) -> Told:
    said = fields.get("diagnostic-code", "")
    action = fields.get("action", "").split(" ")[0].lower()
    address = taken.address_in(fields.get("original-recipient", "")) or taken.address_in(fields.get("final-recipient", ""))
    code = code_of(fields.get("status"), said)
    what = ACTIONS.get(action)
    if what is None:
        return Told("unclear", address=address, code=code, reason=t("action '{action}'", "action « {action} »", action=action))
    kind = kind_of(code if code and "." in code else None, said) if what == "bounced" else None
    return Told(what, address=address, kind=kind, code=code, reason=said.partition(";")[2].strip()[:300] or said[:300] or None)


def _fields(group: str) -> dict[str, str]:
    """The fields of one group; the first of a name counts."""
    found: dict[str, str] = {}
    for name, value in open_headers(group.lstrip()).items()[: taken.FIELDS]:
        found.setdefault(name.lower(), " ".join(str(value).split()))
    return found


# --- abuse reports (RFC 5965) -------------------------------------------------------------------------------------------
def _complaint(letter: Letter, report: str, keys: Mapping[int, bytes]) -> Told:
    fields = _fields(report)
    kind = fields.get("feedback-type", "").lower()
    if not kind:
        return Told("unclear", reason=t("a report that does not say of what", "un signalement qui ne dit pas de quoi"))
    if kind in NO_COMPLAINT:
        return NOTHING
    who = taken.marked(letter, keys, fields.get("original-mail-from", ""), fields.get("original-envelope-id", ""))
    address = taken.address_in(fields.get("original-rcpt-to", ""))
    what: What = "unsubscribed" if kind.startswith("opt-out") else "complained"
    return Told(what, who, taken.quoted(letter), address, reason=kind[:60])


# --- everything else ------------------------------------------------------------------------------------------------------
def _odd(letter: Letter, keys: Mapping[int, bytes]) -> Told:
    """A bounce in words of its own is unclear; an automatic reply or a letter to the bounce address is nothing."""
    who = taken.marked(letter, keys)
    if letter.headers.get("x-failed-recipients"):
        address = taken.address_in(letter.said("x-failed-recipients"))
        return Told(
            "unclear", who, taken.quoted(letter), address, reason=t("a bounce in words of its own", "un retour rédigé à sa façon")
        )
    if _automatic(letter):
        return NOTHING
    if _from_a_daemon(letter):
        return Told("unclear", who, taken.quoted(letter), reason=t("a bounce in words of its own", "un retour rédigé à sa façon"))
    if letter.parts and letter.headers:
        return NOTHING
    return Told("unclear", reason=t("no mail", "pas un e-mail"))


def _automatic(letter: Letter) -> bool:
    submitted = letter.said("auto-submitted").lower()
    if submitted and not submitted.startswith("no") and not _DAEMON.search(letter.said("from")):
        return True
    if any(name in letter.headers for name in _AUTOMATIC):
        return True
    return letter.said("precedence").lower() in ("auto_reply", "bulk", "junk", "list") or bool(
        _AWAY.match(letter.said("subject"))
    )


def _from_a_daemon(letter: Letter) -> bool:
    return bool(_DAEMON.search(letter.said("from"))) or letter.said("return-path") == "<>"
