"""What the world's name servers say of a sender's domain: SPF, DKIM, DMARC, MX, and the reverse name of its mail server.

Asked by checkdmarc (extra `omni[dns]`) and only with `--online`; a resolver can be given, so that tests ask one of their own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from email.utils import parseaddr
from typing import TYPE_CHECKING, Any

from omnicli.model.spoken import both
from omnicli.providers import channels_of
from omnicli.providers.base_url import loopback
from omnicli.service.doctor.sign import NOTE, WELL, WRONG, Patient, Sign, Signs
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.model.project import Project

#: Where keys of mail signatures usually stand: SendGrid's, and what relays are told to use.
SELECTORS = ("s1", "s2", "omni", "mail", "default", "dkim", "k1", "selector1", "google")
DMARC_POLICIES = ("none", "quarantine", "reject")


def domains(project: Project) -> list[str]:
    """The domains from which e-mail is sent in live."""
    email = channels_of(project, live=True).get("email")
    found = parseaddr(str(email.from_))[1] if email is not None and email.from_ else ""
    return [found.rpartition("@")[2].lower()] if "@" in found else []


def names(patient: Patient, *, online: bool, given: Iterable[str] = (), resolver: Any = None) -> Signs:
    """The records of each domain; a note when nobody asked the network."""
    assert patient.loaded.project is not None
    wanted = list(given) or (domains(patient.loaded.project) if patient.live else [])
    if not wanted:
        return
    if not online:
        said = t(
            "SPF, DKIM, DMARC of {d} not looked at (offline)",
            "SPF, DKIM, DMARC de {d} non regardés (hors ligne)",
            d=", ".join(wanted),
        )
        yield Sign("dns", NOTE, said, "omni doctor --online" + patient.flag)
        return
    try:
        import checkdmarc  # noqa: F401
    except ImportError:
        said = t("SPF, DKIM, DMARC of {d} not looked at: that needs checkdmarc", "SPF, DKIM, DMARC de {d} non regardés : il y faut checkdmarc",
                 d=", ".join(wanted))  # fmt: skip
        yield Sign("dns", NOTE, said, f"{sys.executable} -m pip install checkdmarc")
        return
    for domain in wanted:
        yield from _domain(domain, resolver)
    yield from _reverse(patient.loaded.project, resolver)


def _domain(domain: str, resolver: Any) -> Signs:
    from checkdmarc import dmarc, spf

    yield _spf(domain, spf.check_spf(domain, resolver=resolver))
    yield _dkim(domain, resolver)
    yield _dmarc(domain, dmarc.check_dmarc(domain, resolver=resolver))
    yield _mx(domain, resolver)


def _spf(domain: str, found: Any) -> Sign:
    if not found.get("valid"):
        return Sign(
            "spf",
            WRONG,
            both(f"SPF {domain}", _said(found)),
            t("a TXT record v=spf1 that names who sends for you", "un TXT v=spf1 qui nomme qui envoie pour vous"),
        )
    record = str(found.get("record") or "")
    if "+all" in record or record.endswith(" all"):
        return Sign(
            "spf",
            WRONG,
            t("SPF {d} lets anybody send: {r}", "SPF {d} laisse tout le monde envoyer : {r}", d=domain, r=record),
            "~all, -all",
        )
    many = found.get("dns_lookups") or 0
    return Sign("spf", WELL, t("SPF {d}: {n} of 10 lookups", "SPF {d} : {n} requêtes sur 10", d=domain, n=many))


def _dkim(domain: str, resolver: Any) -> Sign:
    """A key under one of the usual selectors."""
    found = [selector for selector in SELECTORS if _key(f"{selector}._domainkey.{domain}", resolver)]
    if found:
        return Sign("dkim", WELL, t("DKIM {d}: key {names}", "DKIM {d} : clé {names}", d=domain, names=", ".join(found)))
    return Sign("dkim", NOTE, t("DKIM {d}: no key under the usual names", "DKIM {d} : aucune clé sous les noms usuels", d=domain),
                t("your provider shows the records to add", "votre prestataire montre les enregistrements à ajouter"))  # fmt: skip


def _key(name: str, resolver: Any) -> bool:
    from checkdmarc.utils import query_dns

    try:
        texts = query_dns(name, "TXT", resolver=resolver)
    except Exception:  # every fault of name servers means the same here: no key was seen
        return False
    return any("p=" in text and "p=;" not in text for text in map(str, texts))


def _dmarc(domain: str, found: Any) -> Sign:
    if not found.get("valid"):
        return Sign("dmarc", WRONG, both(f"DMARC {domain}", _said(found)), f"_dmarc.{domain} TXT v=DMARC1; p=none; rua=mailto:…")
    policy = str(found.get("tags", {}).get("p", {}).get("value", "none"))
    if policy == "none":
        return Sign(
            "dmarc", NOTE, t("DMARC {d}: p=none only watches", "DMARC {d} : p=none ne fait qu'observer", d=domain), "p=quarantine"
        )
    return Sign("dmarc", WELL, both(f"DMARC {domain}", f"p={policy}"))


def _mx(domain: str, resolver: Any) -> Sign:
    from checkdmarc.utils import get_mx_records

    try:
        hosts = get_mx_records(domain, resolver=resolver)
    except Exception:
        hosts = []
    if hosts:
        return Sign("mx", WELL, both(f"MX {domain}", hosts[0]["hostname"]))
    return Sign("mx", WRONG, t("MX {d}: nobody takes mail: bounces and replies are lost", "MX {d} : personne ne reçoit : retours et réponses se perdent", d=domain),
                t("an MX record", "un enregistrement MX"))  # fmt: skip


def _reverse(project: Project, resolver: Any) -> Signs:
    """The mail server that speaks for us must have a name."""
    from checkdmarc.utils import get_a_records, get_reverse_dns

    host = str(project.providers.get("smtp", {}).get("host") or "")
    if not host or loopback(host) or "${" in host:
        return
    try:
        nameless = [ip for ip in get_a_records(host, resolver=resolver) if not get_reverse_dns(ip, resolver=resolver)]
    except Exception as error:
        yield Sign("ptr", NOTE, both(f"PTR {host}", str(error)))
        return
    if nameless:
        yield Sign("ptr", WRONG, t("PTR {h}: {ip} has no name", "PTR {h} : {ip} n'a pas de nom", h=host, ip=nameless[0]),
                   t("ask whoever gives you the address", "demandez à qui vous fournit l'adresse"))  # fmt: skip
    else:
        yield Sign("ptr", WELL, f"PTR {host}")


def _said(found: Any) -> str:
    """What is wrong, in the language in use where it is the usual thing; else in checkdmarc's words."""
    error = str(found.get("error") or "")
    if "domain does not exist" in error:
        return t("no such domain", "ce domaine n'existe pas")
    return (
        t("no record", "aucun enregistrement")
        if not error or "record does not exist" in error
        else t("“{e}”", "« {e} »", e=error)
    )
