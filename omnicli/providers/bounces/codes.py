"""Whose fault a mail that did not arrive is: the address's (hard), the moment's (soft), or ours (block); rules.md SU-01, 03, 04.

The enhanced code decides (RFC 3463). Servers that give none, or only `5.0.0` (Exim), say it in words.
"""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["hard", "soft", "block"]

#: No such mailbox, no such domain: this address for ever (SU-01).
HARD = frozenset({"5.1.1", "5.1.2", "5.1.10", "5.4.1"})
#: A sender that is not welcome, besides all of 5.7: not the recipient's fault (SU-04).
BLOCK = frozenset({"5.1.7", "5.1.8"})

_CODE = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_REPLY = re.compile(r"(?<![\d.])([45]\d\d)(?=[ -])")
#: Said by servers of the field without a code that tells; asked in this order.
_WORDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("block", re.compile(r"spam|block(?:ed|list)|black ?list|policy|reputation|dnsbl|\brbl\b|dmarc|\bspf\b|\bdkim\b|relay", re.I)),
    ("soft", re.compile(r"quota|mailbox (?:is )?full|full mailbox|storage|over its limit|too large|too big|try again|temporar", re.I)),
    ("hard", re.compile(
        r"user unknown|unknown user|no such (?:user|address|mailbox|recipient|person|domain)|does ?n.t exist|does not exist|"
        r"(?:user|recipient|mailbox|address)[^.]{0,40} not found|unrouteable address|invalid (?:recipient|mailbox)|"
        r"no mailbox (?:here )?by that name|unknown (?:recipient|address|local.?part)|host (?:or domain name )?not found", re.I)),
)  # fmt: skip


def kind_of(code: str | None, said: str = "") -> Kind:
    """Hard, soft or block. A permanent failure that nobody explains is soft: it is counted, and bars nobody by itself."""
    if code is not None and not code.endswith(".0.0"):
        if code in HARD:
            return "hard"
        return "block" if code in BLOCK or re.match(r"[45]\.7\.", code) else "soft"
    if (code or "5").startswith("4"):
        return "soft"
    return next((kind for kind, pattern in _WORDS if pattern.search(said)), "soft")


def code_of(status: str | None, said: str) -> str | None:
    """The telling code: the notice's status, unless it tells nothing (`5.0.0`) and the server's own words have a better one;
    then a plain reply code."""
    stated = _CODE.search(status or "")
    quoted = _CODE.search(said)
    best = quoted if quoted and (stated is None or stated[0].endswith(".0.0")) else stated
    if best is not None:
        return best[0]
    reply = _REPLY.search(said)
    return reply[1] if reply else None
