"""Can the providers carry what the project asks of them: settings, credentials, accounts that were left alone, addresses moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omnicli.campaigns.launch import POORER
from omnicli.errors import OmniError
from omnicli.providers import build, carrying, close, overrides, ready
from omnicli.service.doctor.sign import NOTE, WELL, WRONG, Patient, Sign, Signs
from omnicli.store import accounts
from omnicli.texts import t

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from omnicli.model.touch import Provider, Ready
    from omnicli.store.connection import Store


def carriers(patient: Patient, *, online: bool, only: str | None) -> Signs:
    """What each provider says of itself (with `online` it is asked over the network) and of the accounts that all workers share.

    With `only` that provider is asked online, and its account is taken up again when nothing is wrong with it."""
    if only is not None:
        carrying(patient.loaded, only, live=patient.live)
    if not patient.live:
        yield Sign(
            "providers",
            WELL,
            t(
                "the sandbox carries every channel, into outbox/sandbox",
                "le bac à sable porte tous les canaux, dans outbox/sandbox",
            ),
        )
        return
    try:
        providers = build(patient.loaded, live=True, root=patient.loaded.root)
    except OmniError as error:
        yield Sign("providers", WRONG, error.message, error.hint)
        return
    try:
        names = {p.name for p in providers.values()}
        said = ready(providers, online=online or only is not None, only=only)
        used = in_use(providers)
    finally:
        close(providers)
    yield from (_sign(name, one, online=online or only is not None) for name, one in said)
    quiet = sorted(names - {name for name, _ in said} - {"webhook"}) if only is None else []
    if quiet:
        yield Sign("providers", WELL, t("set up: {names}", "réglés : {names}", names=", ".join(quiet)))
    yield from (
        Sign("moved", NOTE, line) for line in overrides(patient.loaded, live=True) if only is None or line.startswith(f"{only} ")
    )
    if only is not None and patient.store is not None and all(one.ok is not False or not _of_account(one) for _, one in said):
        yield from _taken_up(patient.store, only)
    if patient.store is not None:
        yield from _left_alone(patient.store, used)


def _sign(name: str, one: Ready, *, online: bool) -> Sign:
    """`smtp login: 127.0.0.1:25`; what was not asked says so, with the command that asks."""
    what = one.name if one.name.startswith(name) else f"{name} {one.name}"
    said = t("{what}: {seen}", "{what} : {seen}", what=what, seen=one.seen)
    if one.ok is not None:
        return Sign(what, WELL if one.ok else WRONG, said, one.fix or "")
    if one.fix is None and not online:
        return Sign(what, NOTE, said + t(" (not asked)", " (non interrogé)"), f"omni doctor --live --provider {name}")
    return Sign(what, NOTE, said, one.fix or "")


def _of_account(one: Ready) -> bool:
    """Whether this says that the account may be called: what only keeps us from hearing back, or single messages from leaving, is
    no reason to leave everybody without."""
    template = " " in one.name and "/" in one.name.split()[0]  # `campaign/message language`
    heard = one.name in (*POORER, "smtp bounces", "unsubscribe groups", "asm_groups") or one.name.startswith("inbound ")
    return not (template or heard)


def _taken_up(store: Store, name: str) -> Signs:
    """A person has mended it: its breakers close, those of older keys and of single targets too."""
    with store.write() as connection:
        mended = [accounts.close(connection, name, account) for own, account, _ in accounts.standing(connection) if own == name]
    if any(mended):
        yield Sign("breaker", WELL, t("{name} is taken up again", "{name} reprend du service", name=name))


def in_use(providers: Mapping[str, Provider]) -> dict[str, str]:
    """Provider → its account by the settings; not that of `webhook`, each target of which is one by itself."""
    return {p.name: str(getattr(p, "account", p.name)) for p in providers.values() if p.name != "webhook"}


def shut(standing: Iterable[tuple[str, str, accounts.Account]], used: Mapping[str, str]) -> Iterator[tuple[str, str, str, bool]]:
    """(provider, account, why, whether a person must mend it) of those that answer badly and are in use: that of a key which was
    replaced is called by nobody, and no one could mend it."""
    for name, account, row in standing:
        if row.state != "closed" and used.get(name, account) == account:
            yield name, account, row.why or t("too many failures", "trop d'échecs"), row.needs_person


def _left_alone(store: Store, used: Mapping[str, str]) -> Signs:
    with store.read() as connection:
        standing = accounts.standing(connection)
    for name, account, why, person in shut(standing, used):
        where = name if account == name else f"{name} ({account})"
        said = t("{where} is left alone: {why}", "{where} est laissé de côté : {why}", where=where, why=why)
        yield Sign("breaker", WRONG if person else NOTE, said, f"omni doctor --live --provider {name}")
