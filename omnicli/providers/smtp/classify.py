"""What an answer of a mail server means for the mail, by the phase in which it came: a pure function over a table.

Up to the last byte before the final dot nothing was sent; after the dot only an answer can say (docs/delivery 9, RFC 5321,
RFC 1047). Enhanced codes (RFC 3463) decide whose fault it is.
"""

from __future__ import annotations

import re
from typing import Literal

from omnicli.model.touch import Outcome

Phase = Literal["connect", "ehlo", "tls", "auth", "mail", "rcpt", "data", "body", "dot"]

#: No such mailbox, no such domain (rules.md SU-01): the address is bad for ever.
BAD_ADDRESS = frozenset({"5.1.1", "5.1.2", "5.1.10", "5.4.1"})
#: What is wrong with the sender's address, said at RCPT by servers that put it off until then: nobody's mail would be taken.
OWN_ADDRESS = ("5.1.7", "5.1.8")
#: The same, and authentication and policy.
OWN_FAULT = ("5.7.", *OWN_ADDRESS)
#: "Log in first", "too weak", "encrypt first" (RFC 4954, 3207): about us wherever it is said.
_LOG_IN = frozenset({530, 534, 535, 538})
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?!\S)")


def classify(phase: Phase, code: int | None, text: str = "") -> Outcome:
    """What an answer means for the mail; `code` None: the connection was lost, timed out or talked nonsense.

    5yz at RCPT and after the dot concern the recipient or the mail; at MAIL, DATA, connecting, greeting or logging in the
    sender, and then codes of authentication, sender and policy halt the account.
    """
    enhanced = enhanced_code(text)
    said = f"{code or ''} {text}".strip()[:200]
    name = enhanced or (str(code) if code is not None else "lost")
    if code is None:
        return Outcome("unknown" if phase == "dot" else "not_sent", code=name, detail=f"{phase}: {said or 'connection lost'}")
    if phase == "dot" and 200 <= code < 300:
        return Outcome("accepted", code=name, detail=said)
    if phase == "dot" and not 400 <= code < 600:
        return Outcome("unknown", code=name, detail=f"dot: {said}")
    if 500 <= code < 600 and phase in ("rcpt", "dot") and code not in _LOG_IN and enhanced not in OWN_ADDRESS:
        return Outcome("rejected", code=name, detail=said, bad_address=_names_nobody(code, enhanced))
    return Outcome("not_sent", code=name, detail=f"{phase}: {said}", halt=500 <= code < 600 and _halts(phase, code, enhanced))


def _names_nobody(code: int, enhanced: str | None) -> bool:
    """556: the domain takes no mail at all (RFC 7504, 7505)."""
    return enhanced in BAD_ADDRESS if enhanced is not None else code == 556


def _halts(phase: Phase, code: int, enhanced: str | None) -> bool:
    if phase in ("connect", "ehlo", "tls", "auth") or code in _LOG_IN:
        return True
    if enhanced is not None:
        return enhanced.startswith(OWN_FAULT)
    return phase == "mail" and code in (550, 553, 554)


def enhanced_code(text: str) -> str | None:
    """The enhanced status code that a reply begins with (`5.1.1 no such user`), else None."""
    found = _ENHANCED.match(text.strip())
    return found[0] if found else None
