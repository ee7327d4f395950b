"""Who carries messages: each provider in one file, behind the four lines of `model.touch.Provider`.

Settings are read from `omni.yaml` and the environment here and nowhere deeper; a provider gets plain values. A provider
may say more about itself than the protocol asks: `in_flight` (calls at a time, default 1), `repeatable` (doing it again is
the same effect, so a touch of it is never unknown), `account`; and be `model.touch.Archiving`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from omnicli import settings
from omnicli.errors import Exit, OmniError
from omnicli.model.response import Hearing
from omnicli.model.touch import Provider, Ready
from omnicli.plugins import Registry
from omnicli.providers.moved import moved
from omnicli.text import did_you_mean
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.model.project import Channel, Project

#: What each built-in provider carries (docs/providers 1).
CARRIES: Mapping[str, tuple[str, ...]] = {
    "smtp": ("email",), "sendgrid": ("email",), "twilio": ("sms", "whatsapp", "messenger", "voice"), "push": ("push",),
    "file": ("letter", "qr"), "task": ("task", "voice"), "webhook": ("webhook",),
    "sandbox": ("email", "sms", "whatsapp", "messenger", "voice", "push", "letter", "qr", "task", "webhook"),
}  # fmt: skip

#: Those that this omni can open: name → `module:function`, called with (project, settings, root, live).
BUILT_IN = {
    "sandbox": "omnicli.providers.sandbox:open_sandbox", "smtp": "omnicli.providers.smtp:open_smtp",
    "file": "omnicli.providers.file:open_files", "task": "omnicli.providers.task:open_tasks",
    "webhook": "omnicli.providers.webhook:open_webhooks", "sendgrid": "omnicli.providers.sendgrid:open_sendgrid", "twilio": "omnicli.providers.twilio:open_twilio",
    "push": "omnicli.providers.push:open_push",
}  # fmt: skip
REGISTRY = Registry("providers", BUILT_IN)

#: The ways back: name → `module:function`, called with (project, settings, keys, live=…), giving a `model.response.Hearing`.
HEARINGS: dict[str, str] = {
    "sendgrid": "omnicli.providers.sendgrid:open_hearing",
    "twilio": "omnicli.providers.twilio:open_hearing",
}
HEARING_REGISTRY = Registry("hearings", HEARINGS)

__all__ = ["BUILT_IN", "CARRIES", "HEARINGS", "build", "channels_of", "close", "hearings", "overrides", "ready", "trial"]


class Files(Protocol):
    """What is read of a loaded project."""

    @property
    def root(self) -> Path: ...

    @property
    def project(self) -> Project | None: ...


def build(loaded: Files, *, live: bool, root: Path | None = None) -> dict[str, Provider]:
    """Channel → who carries it. In the sandbox one provider carries all, into `outbox/sandbox/`, and opens no socket.

    OmniError when a provider is unknown or cannot carry its channel (S004), or lacks a setting (S008, exit 4).
    """
    assert loaded.project is not None
    project, folder = loaded.project, root or loaded.root
    if not live:
        sandbox: Provider = REGISTRY.load("sandbox")(project, {}, folder, live=False)
        return dict.fromkeys((*project.channels, "webhook"), sandbox)
    _sections(project)
    wanted = {channel: declared.provider for channel, declared in channels_of(project, live=True).items()}
    opened: dict[str, Provider] = {}
    found: dict[str, Provider] = {}
    for channel, name in wanted.items():
        _fits(channel, name)
        if name not in opened:
            opened[name] = REGISTRY.load(name)(project, _settings(project, name), folder, live=True)
            if (expect := getattr(opened[name], "expect", None)) is not None:  # what campaigns name at the provider: templates
                expect(getattr(loaded, "campaigns", {}))
        found[channel] = opened[name]
    if "webhook" not in found:
        found["webhook"] = REGISTRY.load("webhook")(project, {}, folder, live=True)
    return found


def hearings(loaded: Files, keys: Mapping[int, bytes], *, live: bool) -> dict[str, Hearing]:
    """Path → who understands what is posted there: the ways back of the providers that this environment uses, and of those that
    have a section of their own. In the sandbox nobody posts: none.

    `keys`: every signing key that was ever used, by number. OmniError (exit 4) when a setting is odd.
    """
    assert loaded.project is not None
    project = loaded.project
    if not live:
        return {}
    wanted = {declared.provider for declared in channels_of(project, live=True).values()} | set(project.providers)
    found: dict[str, Hearing] = {}
    for name in sorted(wanted & set(HEARING_REGISTRY.names())):
        hearing: Hearing = HEARING_REGISTRY.load(name)(project, _settings(project, name), keys, live=True)
        found.update(dict.fromkeys(hearing.paths, hearing))
    return found


def carrying(loaded: Files, name: str, *, live: bool) -> str:
    """The name, when some channel of this environment goes by that provider; OmniError with the nearest one when none does."""
    assert loaded.project is not None
    if not live:
        raise OmniError(
            t("in the sandbox nobody asks '{name}': nothing goes by it", "au bac à sable, personne n'interroge « {name} » : rien ne passe par lui",
              name=name), hint="--live", code="usage",
        )  # fmt: skip
    names = sorted({declared.provider for declared in channels_of(loaded.project, live=True).values()} | {"webhook"})
    if name not in names:
        raise OmniError(
            t("no channel goes by '{name}'.", "aucun canal ne passe par « {name} ».", name=name) + did_you_mean(name, names),
            hint=t("those that carry something: {names}", "ceux qui portent quelque chose : {names}", names=", ".join(names)), code="usage",
        )  # fmt: skip
    return name


def close(providers: Mapping[str, Provider]) -> None:
    """Close each provider once: connections end, the sandbox writes its index."""
    for provider in {id(p): p for p in providers.values()}.values():
        provider.close()


def overrides(loaded: Files, *, live: bool) -> tuple[str, ...]:
    """One line for each address that the environment or the settings move (docs/providers 1); loopback relays are no override."""
    assert loaded.project is not None
    if not live:
        return ()
    used = {declared.provider for declared in channels_of(loaded.project, live=True).values()}
    return tuple(line for name in sorted(used) for line in moved(name, loaded.project.providers.get(name, {})))


def trial(loaded: Files, provider: Provider) -> Provider | None:
    """The same provider so that it looks at a message and sends nothing (SendGrid's sandbox mode); None where there is no such way."""
    if provider.name != "sendgrid":
        return None
    assert loaded.project is not None
    section = {**_settings(loaded.project, "sendgrid"), "sandbox": "yes"}
    found: Provider = REGISTRY.load("sendgrid")(loaded.project, section, loaded.root, live=True)
    return found


def ready(providers: Mapping[str, Provider], *, online: bool, only: str | None = None) -> list[tuple[str, Ready]]:
    """(provider, what it says of itself) for each that can be asked: credentials, senders, templates, webhook settings.

    Without `online` nothing leaves the machine. `only` names one provider."""
    found: list[tuple[str, Ready]] = []
    for provider in {id(p): p for p in providers.values()}.values():
        check = getattr(provider, "check", None)
        if check is not None and only in (None, provider.name):
            found += [(provider.name, one) for one in check(online=online)]
    return found


def channels_of(project: Project, *, live: bool) -> dict[str, Channel]:
    """The channels as this environment has them: `environments.live.channels` overrides settings, in live only."""
    found = dict(project.channels)
    changed = project.environments.get("live") if live else None
    for channel, override in (changed.channels if changed else {}).items():
        if channel in found:
            found[channel] = found[channel].model_copy(update={key: getattr(override, key) for key in override.model_fields_set})
    return found


def _fits(channel: str, name: str) -> None:
    if name in CARRIES and channel not in CARRIES[name]:
        able = ", ".join(p for p, channels in CARRIES.items() if channel in channels)
        raise OmniError(
            t("{name} cannot carry {channel}", "{name} ne sait pas porter {channel}", name=name, channel=channel),
            hint=t("channels.{channel}.provider: one of {able}", "channels.{channel}.provider : au choix {able}", channel=channel, able=able),
            code="S004",
        )  # fmt: skip
    if name not in REGISTRY.names():
        raise OmniError(
            t("channels.{channel}: no provider called '{name}'.", "channels.{channel} : aucun prestataire « {name} ».", channel=channel, name=name)
            + did_you_mean(name, _names()), code="S004",
        )  # fmt: skip


def _names() -> Iterable[str]:
    return {*REGISTRY.names(), *CARRIES}


def _settings(project: Project, name: str) -> dict[str, Any]:
    """The provider's section of `omni.yaml`, every `${NAME}` resolved; an unset name says whose it is. Each provider refuses the
    settings that it does not know."""
    try:
        return {key: _resolved(value, f"providers.{name}.{key}") for key, value in project.providers.get(name, {}).items()}
    except OmniError as error:
        unset = " ".join(f"{one}=…" for one in unset_names(project))
        hint = t("export {names} and try again", "export {names} puis recommencez", names=unset) if unset else error.hint
        raise OmniError(error.message, hint=hint, code=error.code, exit=error.exit) from None


def unset_names(project: Project) -> list[str]:
    """Every variable that a provider's section names and that is not set, so that they can be set at once; in order, each once."""
    return [name for name in named(project.providers) if not os.environ.get(name)]


def named(value: Any) -> list[str]:
    """The variables that settings name as `${NAME}`, in order, each once."""
    if isinstance(value, str):
        return [name] if (name := settings.reference(value)) else []
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return list(dict.fromkeys(name for one in inner for name in named(one)))


def _resolved(value: Any, where: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _resolved(inner, f"{where}.{key}") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_resolved(inner, where) for inner in value]
    if not isinstance(value, str):
        return value
    try:
        return settings.resolve(value)
    except OmniError as error:
        raise OmniError(f"{where}: {error.message}", hint=error.hint, code=error.code, exit=Exit.REFUSED) from None


def _sections(project: Project) -> None:
    """A section that no provider has is a slip of the pen."""
    for name in project.providers:
        if name not in _names():
            raise OmniError(
                t("providers.{name}: no such provider.", "providers.{name} : ce prestataire n'existe pas.", name=name) + did_you_mean(name, _names()),
                code="S004", exit=Exit.REFUSED,
            )  # fmt: skip
