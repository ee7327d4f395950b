"""Whether the account is as sending to people wants it: key, webhook, groups, and settings that are only good for trying.

Offline it reads the settings; online it asks the account (a mail in sandbox mode, which nobody gets, and questions that change nothing).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from omnicli.model.touch import Ready
from omnicli.providers.sendgrid.asking import Unanswered, ask
from omnicli.providers.sendgrid.classify import Answer, complaints, words_for
from omnicli.providers.sendgrid.hearing import EVENTS
from omnicli.providers.sendgrid.request import mail_for_nobody
from omnicli.providers.sendgrid.sift import mailbox
from omnicli.providers.sendgrid.signature import public_key
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.providers.sendgrid.provider import SendGrid

#: Settings of the event webhook that must be on (the setting is `spam_report`, the event `spamreport`).
WANTED = ("processed", "deferred", "delivered", "bounce", "dropped", "spam_report", "unsubscribe", "group_unsubscribe")


def check(provider: SendGrid, *, online: bool) -> list[Ready]:
    """One line a question, in a fixed order. A live start refuses when one of them is not ok."""
    found = [_key(provider), _sandbox(provider), _blind(provider), _groups(provider)]
    return [*found, _mail(provider), *_webhook(provider), *_asm(provider)] if online else found


def _key(provider: SendGrid) -> Ready:
    known = provider.wishes.api_key is not None
    return Ready(
        "key", known, t("set", "présente") if known else t("missing", "absente"), None if known else "providers.sendgrid.api_key"
    )


def _sandbox(provider: SendGrid) -> Ready:
    if provider.wishes.sandbox:
        return Ready("sandbox", False, t("sandbox: yes: SendGrid would take every mail and send none", "sandbox: yes : SendGrid prendrait tout et n'enverrait rien"),
                     "providers.sendgrid.sandbox: no")  # fmt: skip
    return Ready("sandbox", True, t("off", "désactivé"))


def _blind(provider: SendGrid) -> Ready:
    wishes = provider.wishes
    if wishes.blind:
        return Ready(
            "batch", False,
            t("batches of {n} without event webhook: after a failure nobody could say who got the mail",
              "lots de {n} sans webhook d'événements : après une panne, personne ne saurait dire qui a reçu le message", n=wishes.batch),
            t("event_webhook_keys, or batch: 1, or allow_blind_batches: yes", "event_webhook_keys, ou batch: 1, ou allow_blind_batches: yes"),
        )  # fmt: skip
    return Ready("batch", True, str(wishes.batch))


def _groups(provider: SendGrid) -> Ready:
    topics = set(getattr(provider.project, "topics", None) or ())
    strange = sorted(set(provider.wishes.asm_groups) - topics) if topics else []
    if strange:
        return Ready(
            "asm_groups",
            False,
            t("no such topic: {names}", "thème inconnu : {names}", names=", ".join(strange)),
            "omni.yaml: topics",
        )
    return Ready("asm_groups", True, str(len(provider.wishes.asm_groups)))


# --- online -------------------------------------------------------------------------------------------------------------
def _mail(provider: SendGrid) -> Ready:
    """A mail in sandbox mode: 200 says that key, sender and form are good."""
    sender = _sender(provider)
    if sender is None:
        return Ready("mail/send", None, t("no sender", "pas d'expéditeur"), "channels.email.from")
    try:
        answer = Answer.of(provider.api().post_mail(mail_for_nobody(sender)))
    except Exception as error:  # whatever the socket, TLS and HTTP raise
        return Ready("mail/send", False, words_for(error), provider.wishes.base.url)
    if answer.status == 200:
        return Ready("mail/send", True, t("key and sender are accepted", "clé et expéditeur acceptés"))
    said = "; ".join(map(str, complaints(answer.body)))
    fix = (
        t("another API key, with the right mail.send", "une autre clé d'API, avec le droit mail.send")
        if answer.status in (401, 403)
        else None
    )
    return Ready("mail/send", False, f"{answer.status} {said}".strip()[:200], fix)


def _sender(provider: SendGrid) -> tuple[str, str] | None:
    """The From of the e-mail channel, as the live environment has it."""
    project = provider.project
    channels = dict(getattr(project, "channels", {}) or {})
    live = (getattr(project, "environments", None) or {}).get("live")
    written = next(
        (c.from_ for c in ((live.channels if live else {}).get("email"), channels.get("email")) if c is not None and c.from_),
        None,
    )
    try:
        return mailbox("From", written) if written else None
    except ValueError:
        return None


def _webhook(provider: SendGrid) -> Iterator[Ready]:
    """Is there a webhook at our address, on, complete, and signed with a key that we know?"""
    public = getattr(provider.project, "public_url", None)
    if not public:
        yield Ready(
            "webhook",
            None if not provider.wishes.event_keys else False,
            t("no public_url", "pas de public_url"),
            "omni.yaml: public_url",
        )
        return
    url = str(public).rstrip("/") + EVENTS
    try:
        found = ask(provider.api(), "user/webhooks/event/settings/all")
    except Unanswered as why:
        yield Ready(
            "webhook",
            False,
            str(why),
            t("the key needs the right to read the event webhook", "la clé doit pouvoir lire le webhook"),
        )
        return
    listed = found.get("webhooks") if isinstance(found, dict) else None
    ours = (
        [w for w in listed if isinstance(w, dict) and str(w.get("url", "")).rstrip("/") == url]
        if isinstance(listed, list)
        else []
    )
    if not ours:
        yield Ready(
            "webhook",
            False,
            t("none posts to {url}", "aucun webhook n'appelle {url}", url=url),
            t("add it in SendGrid", "ajoutez-le dans SendGrid"),
        )
        return
    yield _complete(ours[0], url)
    yield _signed(provider, ours[0])


def _complete(webhook: Mapping[str, Any], url: str) -> Ready:
    missing = [name for name in ("enabled", *WANTED) if webhook.get(name) is not True]
    if missing:
        return Ready("webhook", False, t("off: {names}", "désactivé : {names}", names=", ".join(missing)), url)
    return Ready("webhook", True, url)


def _signed(provider: SendGrid, webhook: Mapping[str, Any]) -> Ready:
    key = webhook.get("public_key")
    if not isinstance(key, str) or public_key(key) is None:
        return Ready("signature", False, t("the webhook is not signed", "le webhook n'est pas signé"),
                     t("turn on the signature in SendGrid", "activez la signature dans SendGrid"))  # fmt: skip
    known = {_der(found) for one in provider.wishes.event_keys if (found := public_key(one)) is not None}
    same = _der(public_key(key)) in known
    seen = (
        t("a key that omni knows", "une clé qu'omni connaît")
        if same
        else t("another key than ours", "une autre clé que les nôtres")
    )
    return Ready("signature", same, seen, None if same else "providers.sendgrid.event_webhook_keys")


def _der(key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    written: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return written


def _asm(provider: SendGrid) -> Iterator[Ready]:
    """Do the unsubscribe groups exist?"""
    if not provider.wishes.asm_groups:
        return
    try:
        found = ask(provider.api(), "asm/groups")
    except Unanswered as why:
        yield Ready("unsubscribe groups", False, str(why))
        return
    there = {g.get("id") for g in found if isinstance(g, dict)} if isinstance(found, list) else set()
    missing = sorted(str(n) for n in provider.wishes.asm_groups.values() if n not in there)
    yield Ready("unsubscribe groups", not missing, ", ".join(missing) or json.dumps(sorted(provider.wishes.asm_groups.values())),
                t("they do not exist in the account", "ils n'existent pas dans le compte") if missing else None)  # fmt: skip
