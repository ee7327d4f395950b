"""Whether the account can carry what is asked of it: who we are, senders, templates, and whether Twilio knows where to tell us."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omnicli import clock
from omnicli.model.touch import Ready
from omnicli.providers.exchange import WireError
from omnicli.providers.twilio import codes
from omnicli.providers.twilio.account import INBOUND
from omnicli.providers.twilio.content import Template, is_sid
from omnicli.texts import several, t

if TYPE_CHECKING:
    from omnicli.model.campaign import Campaign
    from omnicli.providers.twilio.carrier import Twilio


@dataclass(frozen=True, slots=True)
class Wanted:
    """A template that a campaign names: for these words, approved, in that language."""

    campaign: str
    message: str
    key: str
    template: str


def wanted_of(campaigns: Mapping[str, Campaign]) -> tuple[Wanted, ...]:
    """What campaigns say under `approved`."""
    return tuple(
        Wanted(name, said, str(key), str(template))
        for name, campaign in sorted(campaigns.items())
        for said, message in campaign.messages.items()
        for key, template in message.approved.items()
    )


def check(provider: Twilio, *, online: bool) -> list[Ready]:
    """Everything that can be said of this provider; only `online` asks the network."""
    found = [_callbacks(provider), _verifying(provider), *_senders(provider)]
    if not online:
        return found
    account, status = _asked(provider, lambda: provider.client.api.v2010.accounts(provider.account).fetch(), "account")
    found.append(_account(account, status))
    if account is None:
        return found
    return [*found, *_service(provider), *_numbers(provider), *_templates(provider)]


def _callbacks(provider: Twilio) -> Ready:
    url = provider.account_settings.public_url
    fix = t("set public_url in omni.yaml and run omni serve there", "donnez public_url dans omni.yaml et lancez-y omni serve")
    if url is None:
        seen = t(
            "no public address: nothing comes back, and no machine calls",
            "pas d'adresse publique : rien ne revient, aucune machine n'appelle",
        )
        return Ready("callbacks", False, seen, fix)
    if not url.startswith("https://"):
        return Ready(
            "callbacks",
            False,
            t("{url} is not https", "{url} n'est pas en https", url=url),
            f"public_url: https{url.removeprefix('http')}",
        )
    return Ready("callbacks", True, url)


#: What a sender may be, by channel; in SMS a number, a short number, or a name of at most eleven letters (rules.md SM-04).
_NUMBER = r"\+[0-9]{6,15}"
_SENDERS = {
    "sms": re.compile(rf"{_NUMBER}|[0-9]{{3,8}}|(?=.*[A-Za-z])[A-Za-z0-9 ]{{1,11}}"), "whatsapp": re.compile(rf"(?:whatsapp:)?{_NUMBER}"),
    "messenger": re.compile(r"(?:messenger:)?[0-9A-Za-z_.\-]{1,64}"), "voice": re.compile(_NUMBER),
}  # fmt: skip


def _senders(provider: Twilio) -> Iterator[Ready]:
    """Whether each channel has a sender of its shape, and calls by a machine somewhere to hear keys."""
    for channel, sender in provider.senders.items():
        where = f"channels.{channel}.from"
        if sender is None and (provider.account_settings.service is None or channel not in ("sms", "whatsapp")):
            yield Ready(f"sender {channel}", False, t("there is none", "il n'y en a pas"), where)
        elif sender is not None and (shape := _SENDERS.get(channel)) is not None and shape.fullmatch(sender) is None:
            yield Ready(
                f"sender {channel}",
                False,
                t("'{sender}' cannot be one", "« {sender} » ne peut pas en être un", sender=sender),
                where,
            )
        elif channel == "voice" and provider.account_settings.public_url is None:
            seen = t("a machine calls only where a key can be heard", "une machine n'appelle que si l'on entend les touches")
            yield Ready("sender voice", False, seen, "public_url")


def _verifying(provider: Twilio) -> Ready:
    if provider.account_settings.tokens:
        return Ready(
            "signature", True, several(len(provider.account_settings.tokens), ("{n} key", "{n} keys"), ("{n} clé", "{n} clés"))
        )
    seen = t(
        "no token to verify callbacks by: they are refused", "pas de jeton pour vérifier les appels reçus : ils sont refusés"
    )
    return Ready("signature", False, seen, "providers.twilio.auth_token")


def _account(account: Any, why: str) -> Ready:
    if account is None:
        return Ready("account", False, why, t("check account_sid and auth_token", "vérifiez account_sid et auth_token"))
    status = str(account.status or "")
    return Ready("account", status == "active", t("{status}", "{status}", status=status))


def _service(provider: Twilio) -> Iterator[Ready]:
    sid = provider.account_settings.service
    if sid is None:
        return
    service, why = _asked(provider, lambda: provider.client.messaging.v1.services(sid).fetch(), "messaging_service")
    if service is None:
        yield Ready("messaging_service", False, why, "providers.twilio.messaging_service")
        return
    yield Ready("messaging_service", True, str(service.friendly_name or sid))
    if not getattr(service, "use_inbound_webhook_on_number", False):
        yield _heard_at(provider, "messaging_service", str(service.inbound_request_url or ""))


def _numbers(provider: Twilio) -> Iterator[Ready]:
    """Where the numbers tell what people write; those of a service tell it there."""
    if provider.account_settings.service is not None or provider.account_settings.public_url is None:
        return
    numbers, why = _asked(provider, lambda: provider.client.incoming_phone_numbers.list(limit=50), "numbers")
    if numbers is None:
        yield Ready("numbers", None, why)
        return
    for number in numbers:
        yield _heard_at(provider, str(number.phone_number or number.sid), str(number.sms_url or ""))


def _heard_at(provider: Twilio, name: str, url: str) -> Ready:
    own = f"{provider.account_settings.public_url}{INBOUND}"
    if url.partition("#")[0] == own:
        return Ready(f"inbound {name}", True, own)
    seen = (
        t("answers go to {url}", "les réponses vont à {url}", url=url)
        if url
        else t("answers go nowhere", "les réponses ne vont nulle part")
    )
    return Ready(f"inbound {name}", False, seen, t("let it call {own}", "faites-lui appeler {own}", own=own))


def _templates(provider: Twilio) -> Iterator[Ready]:
    if not provider.wanted:
        return
    known, why = _asked(provider, lambda: provider.templates.all(now=clock.now()), "templates")
    if known is None:
        yield Ready("templates", None, why)
        return
    yield from judged(provider.wanted, known)


def judged(wanted: Sequence[Wanted], known: Mapping[str, Template]) -> Iterator[Ready]:
    """What is true of each template that a campaign names: is it there, approved now, in that language."""
    for one in wanted:
        template = known.get(one.template)
        name = f"{one.campaign}/{one.message} {one.key}"
        if template is None:
            what = t("no template {name}", "pas de modèle {name}", name=one.template)
            fix = t("create it at Twilio, or mend 'approved'", "créez-le chez Twilio, ou corrigez « approved »")
            yield Ready(name, False, what, None if is_sid(one.template) else fix)
        elif template.status != "approved":
            what = t(
                "{name}: {status}",
                "{name} : {status}",
                name=one.template,
                status=template.status or t("never handed in", "jamais soumis"),
            )
            yield Ready(name, False, what, t("WhatsApp must approve it", "WhatsApp doit l'approuver"))
        elif template.language and template.language[:2].lower() != one.key[:2].lower():
            what = t("{name} is in '{language}'", "{name} est en « {language} »", name=one.template, language=template.language)
            yield Ready(name, False, what, t("name a template in that language", "nommez un modèle dans cette langue"))
        else:
            yield Ready(
                name,
                True,
                several(
                    template.variables,
                    ("{name}: approved, {n} value", "{name}: approved, {n} values"),
                    ("{name} : approuvé, {n} valeur", "{name} : approuvé, {n} valeurs"),
                    name=one.template,
                ),
            )


def _asked(provider: Twilio, ask: Callable[[], Any], what: str) -> tuple[Any, str]:
    """What Twilio answers, or None and why not."""
    provider.wire.forget()
    try:
        return ask(), ""
    except WireError as error:
        return None, t("not reached ({why})", "injoignable ({why})", why=str(error))
    except Exception:  # whatever the SDK makes of an answer outside 2xx
        answer = provider.wire.answer
        found = codes.classify(answer, now=clock.now()) if answer is not None else None
        return None, f"{found.code if found else '?'} {found.detail if found else ''}".strip()
