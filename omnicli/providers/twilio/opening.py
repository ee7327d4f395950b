"""Opens both directions of Twilio from the settings: who sends, and who hears what Twilio posts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnicli.providers.twilio.account import Account, read_account
from omnicli.settings import text as plain

if TYPE_CHECKING:
    from twilio.rest import Client

    from omnicli.model.project import Project
    from omnicli.providers.twilio.carrier import Twilio
    from omnicli.providers.twilio.hearing import TwilioHearing
    from omnicli.providers.twilio.wire import Wire


def open_twilio(project: Project, settings: Mapping[str, Any], _root: Path, *, live: bool) -> Twilio:
    """The provider of `providers.twilio`; OmniError (exit 4) names a setting that is missing or odd."""
    from omnicli.providers.twilio.carrier import Twilio
    from omnicli.providers.twilio.voice import Speaker
    from omnicli.providers.twilio.wire import Wire

    account = read_account(project, settings)
    wire = Wire(account.hosts, connect_timeout=account.connect_timeout, read_timeout=account.read_timeout)
    voice, sms = _channel(project, "voice", live=live), _channel(project, "sms", live=live)
    return Twilio(
        account, wire, client_of(account, wire), Speaker(_brand(project), voice.voice if voice else None), sms.max_parts if sms else 2,
        senders={name: one.from_ for name, one in _channels(project, live=live).items() if one.provider == "twilio"},
    )  # fmt: skip


def open_hearing(project: Project, settings: Mapping[str, Any], keys: Mapping[int, bytes], *, live: bool) -> TwilioHearing:
    """What listens to Twilio's posts; `keys` are all signing keys of marks that were ever used."""
    from omnicli.providers.twilio.hearing import TwilioHearing

    voice = _channel(project, "voice", live=live)
    account = read_account(project, settings)
    language = str(project.languages[0]) if project.languages else "en"
    return TwilioHearing(account, keys, brand=_brand(project), language=language, voice=voice.voice if voice else None)


def client_of(account: Account, wire: Wire) -> Client:
    """The official client over our transport. Its environment is not ours: region and edge there would only rename hosts."""
    from twilio.rest import Client

    return Client(account.user, plain(account.password), account.sid, http_client=wire, environment={"OMNI": "1"})


def _channels(project: Project, *, live: bool) -> Mapping[str, Any]:
    from omnicli.providers import channels_of

    return channels_of(project, live=live)


def _channel(project: Project, name: str, *, live: bool) -> Any:
    return _channels(project, live=live).get(name)


def _brand(project: Project) -> str:
    return project.brand.name if project.brand else project.project
