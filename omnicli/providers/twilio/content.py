"""Knows the WhatsApp templates of the account: names to `HX…`, state of approval, number of variables; asked for once.

Source: Content API `GET /v1/ContentAndApprovals` (docs/providers 3.2).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from omnicli.model.touch import Outcome
from omnicli.providers.twilio import messages
from omnicli.texts import t

if TYPE_CHECKING:
    from twilio.rest import Client

#: A template may be paused or disabled at any time: what is known of it is that old at most (rules.md WA-04).
KNOWN_FOR = timedelta(hours=12)
_SID = re.compile(r"HX[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True)
class Template:
    """One template: `status` is WhatsApp's word in lower case (`approved`, `pending`, `rejected`, `paused` …), "" where it was
    never handed in; `variables` how many values it takes."""

    sid: str
    name: str
    language: str
    status: str
    variables: int
    whatsapp_name: str = ""


class Templates:
    """The templates of one account, for several threads; `find` may ask the network once, and raises what that raises."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._known: dict[str, Template] = {}
        self._asked: datetime | None = None

    def find(self, name: str, *, now: datetime) -> Template | None:
        """The template of that name (ours or WhatsApp's) or `HX…`; None when the account has none."""
        return self.all(now=now).get(name)

    def all(self, *, now: datetime) -> Mapping[str, Template]:
        """All templates, by `HX…` and by name; of several with one name the approved one."""
        with self._lock:
            if self._asked is None or now - self._asked > KNOWN_FOR:
                found = [read_template(one) for one in self._client.content.v1.content_and_approvals.list(page_size=100)]
                self._known = _by_name(found)
                self._asked = now
            return self._known


def is_sid(name: str) -> bool:
    return _SID.fullmatch(name) is not None


def fill(template: Template | None, name: str, values: Sequence[str]) -> messages.Arguments | Outcome:
    """The arguments of a message by this template (None: named by its sid, and nothing known of it); an Outcome when it cannot say it."""
    if template is None:
        return messages.template_words(name, values)
    if template.status not in ("approved", ""):
        why = t("the template '{name}' is {state}", "le modèle « {name} » est « {state} »", name=name, state=template.status)
        return Outcome("rejected", code="template", detail=why)
    if template.variables != len(values):
        why = t("the template '{name}' takes {n} values, the message has {m}", "le modèle « {name} » prend {n} valeurs, le message en a {m}",
                name=name, n=template.variables, m=len(values))  # fmt: skip
        return Outcome("not_sent", code="63028", detail=why, halt=True, halts="campaign")
    return messages.template_words(template.sid, values)


def read_template(one: Any) -> Template:
    """What the Content API says of one template, approval included."""
    approval = one.approval_requests
    if isinstance(approval, list):
        approval = approval[0] if approval else None
    told: Mapping[str, Any] = approval if isinstance(approval, Mapping) else {}
    return Template(
        str(one.sid), str(one.friendly_name or ""), str(one.language or ""), str(told.get("status") or "").lower(),
        len(one.variables or {}), str(told.get("name") or ""),
    )  # fmt: skip


def _by_name(found: list[Template]) -> dict[str, Template]:
    known: dict[str, Template] = {}
    for one in sorted(found, key=lambda template: template.status == "approved"):
        known.update({name: one for name in (one.name, one.whatsapp_name, one.sid) if name})
    return known
