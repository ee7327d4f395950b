"""What a mail says about itself besides its words: who bounces go to, how to leave the list, its own id.

The mark of a touch (model/signed.py) stands in the envelope's sender (VERP), in `X-Omni-Id` and in the mailto of
List-Unsubscribe, so whatever comes back names its touch and cannot name another's (docs/providers 5, rules.md EM-01, EM-02).
"""

from __future__ import annotations

from omnicli.model.touch import Handed
from omnicli.providers.mime import domain_of

#: Local parts that come back; with a mark of at most 50 characters both stay within the 64 of RFC 5321.
BOUNCE, UNSUBSCRIBE = "bounce+", "unsubscribe+"


def mark_of(one: Handed) -> str:
    """The signed id; touches of tests that have none go by touch and attempt."""
    return one.mark or f"{one.touch}.{one.attempt}"


def message_id(one: Handed) -> str:
    """The same for the same attempt, so that a notice that quotes only this settles it."""
    return f"<{one.touch}.{one.attempt}@{domain_of(one.sender or '') or 'localhost'}>"


def bounces_at(one: Handed, bounce_domain: str | None) -> str:
    """The domain that bounces and mails of leaving come back to: as set, else the From's."""
    return bounce_domain or domain_of(one.sender or "") or "localhost"


def return_path(one: Handed, bounce_domain: str | None) -> str:
    """The envelope's sender says which touch a bounce is about (VERP)."""
    return f"{BOUNCE}{mark_of(one)}@{bounces_at(one, bounce_domain)}"


def list_headers(one: Handed, bounce_domain: str | None) -> list[tuple[str, str]]:
    """RFC 2369 and 8058: one-click only with a public https address, always a mailto; both from this touch's token."""
    if one.purpose != "marketing":
        return []
    mailto = f"<mailto:{UNSUBSCRIBE}{mark_of(one)}@{bounces_at(one, bounce_domain)}>"
    https = one.extra.get("unsubscribe", "")
    if not https.startswith("https://"):
        found = [("List-Unsubscribe", mailto)]
    else:
        found = [("List-Unsubscribe", f"<{https}>, {mailto}"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")]
    if one.extra.get("list_id"):
        found.append(("List-Id", one.extra["list_id"]))
    return found
