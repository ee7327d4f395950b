"""The person that a message is written to, as the views of one message see them: one object a message, turned to each in turn."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from omnicli import clock
from omnicli.channels import Medium
from omnicli.model.campaign import Message
from omnicli.model.project import Project
from omnicli.render import forms, links
from omnicli.render.facts import ResolvedFacts, spelled
from omnicli.render.skeleton import Recorder, escape
from omnicli.render.views import CannotRender, FactsView, FactView, Fill, Printed, Value
from omnicli.render.words import Placeholder
from omnicli.texts import t

_TEXT_KINDS = ("text", "code", "choice")
_BUILT_IN = ("id", "language", "country", "region", "time_zone", "preferred_channel")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_UNSAFE = re.compile("[\ud800-\udfff\ue000-\ue002\ufffe\uffff]")
_ENCODED_WORD = re.compile(r"=\?")
_AS_ADDRESS = "\0address"


class Reader:
    """Everything about one message, channel, language and register that is the same for all, and `person`: the job now."""

    def __init__(
        self, *, project: Project, message: Message, name: str, medium: Medium, language: str, recorder: Recorder,
        own: str | None, tracked: bool, utm: tuple[tuple[str, str], ...], signing: links.Signing, mailto: str, size: str,
    ) -> None:  # fmt: skip
        self.project, self.message, self.name, self.medium, self.recorder = project, message, name, medium, recorder
        self.locale = forms.locale_of(language, tuple(project.countries))
        self.places = project.places
        self.own, self.tracked, self.utm, self.signing, self.mailto, self.size = own, tracked, utm, signing, mailto, size
        self.kinds = {key: declared.kind for key, declared in project.contacts.attributes.items()}
        self.kinds.update(dict.fromkeys(_BUILT_IN, "text"), place="place", created="time")
        self.facts_view = FactsView(tuple(message.facts), recorder, frozenset(message.omit.get(medium.name, ())))
        self._shown_by_key: dict[Any, dict[tuple[str, str, bool], str]] = {}
        self._formed: dict[tuple[str, str, str], str] = {}
        self._joined: dict[tuple[str, str], str] = {}
        self._heads: dict[str, str] = {}
        self.contact: Mapping[str, Any] = {}
        self._turned: ResolvedFacts | None = None
        self.facts: Mapping[str, tuple[str, str | None]] = {}
        self.shown: dict[tuple[str, str, bool], str] = {}
        self.touch = b""
        self.zone: Any = None
        self.at: datetime = clock.EPOCH

    def turn_to(self, contact: Mapping[str, Any], facts: ResolvedFacts, touch: bytes, zone: Any, at: datetime) -> None:
        self.contact, self.touch, self.zone, self.at = contact, touch, zone, at
        if facts is self._turned:
            return
        self._turned, self.facts = facts, facts.facts
        shown = self._shown_by_key.get(facts.key)
        if shown is None:
            if len(self._shown_by_key) > 4096:
                self._shown_by_key.clear()
            shown = self._shown_by_key[facts.key] = {}
        self.shown = shown

    # -- facts -------------------------------------------------------------------------------------------------------
    def has_fact(self, name: str) -> bool:
        return self.facts.get(name, ("", None))[1] is not None

    def kind_of_fact(self, name: str) -> str:
        return self.message.facts[name].type

    def fact(self, name: str, form: str, html: bool) -> str:
        """The fact's text in this form; CannotRender when this person lacks it."""
        found = self.shown.get((name, form, html))
        if found is not None:
            return found
        kind, value = self.facts.get(name, ("", None))
        if value is None:
            raise CannotRender("render_failed", _unknown_fact(name, self.name))
        try:
            text = self.formed(kind, value, form)
        except (forms.CannotShow, ValueError, ArithmeticError) as error:
            raise CannotRender(
                "render_failed", t("fact '{name}': {error}", "fait « {name} » : {error}", name=name, error=error)
            ) from None
        self.shown[(name, form, html)] = text = escape(text) if html else text
        return text

    def formed(self, kind: str, written: str, form: str) -> str:
        key = (kind, written, form)
        found = self._formed.get(key)
        if found is None:
            if len(self._formed) > 16384:
                self._formed.clear()
            text = forms.show(kind, written, form, locale=self.locale, medium=self.medium, places=self.places)
            found = self._formed[key] = self.cleaned(text)
        return found

    # -- words -------------------------------------------------------------------------------------------------------
    def fill(self, placeholder: Placeholder) -> tuple[Fill, tuple[Any, ...]]:
        """What fills a placeholder, and where its value comes from."""
        name = placeholder.name
        if placeholder.plurals:
            return self._plural(placeholder), ("plural", name, placeholder.plurals, placeholder.instead)
        if name in self.message.facts:
            origin = (
                ("fact", name, placeholder.form)
                if placeholder.instead is None
                else ("fact", name, placeholder.form, placeholder.instead)
            )
            return self._fact(placeholder), origin
        return self._attribute(placeholder), ("contact", name, placeholder.form, placeholder.instead)

    def filler(self, origin: Any) -> Fill | None:
        """What makes a value again, by where it comes from; None when only its template can."""
        match origin:
            case ("fact", name, form, *instead):
                return self._fact(Placeholder(name, form, instead[0] if instead else None))
            case ("contact", name, form, instead):
                return self._attribute(Placeholder(name, form, instead))
            case ("plural", name, plurals, instead):
                return self._plural(Placeholder(name, "", instead, plurals))
            case ("url", name):
                return self._untracked(name)
            case ("link", number):
                return self._token(links.tokens(self.signing, "click", number))
            case ("address", purpose):
                return self._token(links.tokens(self.signing, purpose, _number(purpose)))
            case ("today", *form):
                return lambda html: self.today_as(form[0] if form else "", html=html)
        return None

    def _token(self, made: Callable[[bytes], str]) -> Fill:
        return lambda html: made(self.touch)

    def fact_behind(self, origin: Any) -> str | None:
        """The fact that alone decides a value of this origin; None when it is the person's own."""
        return origin[1] if origin[0] in ("fact", "url", "plural") and origin[1] in self.message.facts else None

    def _untracked(self, name: str) -> Fill:
        """A fact's address as it stands, the same for all who share their facts."""
        view = FactView(name, "", self.recorder)

        def fill(html: bool) -> str:
            found = self.shown.get((name, _AS_ADDRESS, html))
            if found is None:
                address = self.link(view)[1]
                found = self.shown[(name, _AS_ADDRESS, html)] = escape(address) if html else address
            return found

        return fill

    def today_as(self, form: str, *, html: bool) -> str:
        text = self.formed("date", self.today(), form)
        return escape(text) if html else text

    def _fact(self, placeholder: Placeholder) -> Fill:
        name, form = placeholder.name, placeholder.form
        keys = {True: (name, form, True), False: (name, form, False)}
        instead = self._instead(placeholder)

        def fill(html: bool) -> str:
            found = self.shown.get(keys[html])
            if found is not None:
                return found
            if instead is not None and not self.has_fact(name):
                return instead[html]
            return self.fact(name, form, html)

        return fill

    def _attribute(self, placeholder: Placeholder) -> Fill:
        name, form = placeholder.name, placeholder.form
        lacking = t("contact.{name} is missing and the words give nothing in its place",
                    "contact.{name} manque et les mots ne donnent rien à sa place", name=name)  # fmt: skip
        if name not in self.kinds:
            lacking = t("there is no fact or attribute '{name}'", "il n'y a ni fait ni attribut « {name} »", name=name)
        simple = self.kinds.get(name) in _TEXT_KINDS
        instead = self._instead(placeholder)

        def fill(html: bool) -> str:
            raw = self.contact.get(name)
            if simple and type(raw) is str:
                text = raw if raw.isprintable() and "=?" not in raw else self.cleaned(raw)
            else:
                text = "" if raw is None or raw == "" else self._said(name, form)
            if not text or text.isspace():
                if instead is None:
                    raise CannotRender("render_failed", lacking)
                return instead[html]
            return escape(text) if html else text

        return fill

    def _said(self, name: str, form: str) -> str:
        value = self.attribute(name)
        if isinstance(value, Value):
            return self.formed(value.kind, value.written, form)
        if value is None:
            return ""
        if isinstance(value, tuple):
            return self.listed(list(value))
        if isinstance(value, (int, float, Decimal)):
            return self.formed("number", spelled("number", value, zone=self._zone()) or "", form)
        return str(value)

    def _plural(self, placeholder: Placeholder) -> Fill:
        texts = {name: (self.folded(text), escape(self.folded(text))) for name, text in placeholder.plurals}
        instead = self._instead(placeholder)
        name = placeholder.name

        def fill(html: bool) -> str:
            number = self._number(name)
            if number is None:
                if instead is not None:
                    return instead[html]
                raise CannotRender(
                    "render_failed",
                    t("'{name}' is missing, so no plural can be chosen", "« {name} » manque : quel pluriel choisir ?", name=name),
                )
            found = texts.get(forms.plural(number, self.locale)) or texts["other"]
            return found[1] if html else found[0]

        return fill

    def _number(self, name: str) -> Decimal | None:
        written = self.facts[name][1] if name in self.facts else self.contact.get(name)
        try:
            return None if written is None or written == "" else abs(Decimal(str(written).split()[0]))
        except ArithmeticError:
            return None

    def _instead(self, placeholder: Placeholder) -> tuple[str, str] | None:
        if placeholder.instead is None:
            return None
        text = self.folded(placeholder.instead)
        return text, escape(text)

    # -- the contact -------------------------------------------------------------------------------------------------
    def attribute(self, name: str) -> Any:
        """A contact's value as templates use it: text, number, or a typed view; None when it is missing."""
        raw = self.contact.get(name)
        if raw is None or raw == "":
            return None
        kind = self.kinds.get(name, "text")
        if kind in _TEXT_KINDS:
            return self.cleaned(str(raw)).strip() or None
        if kind == "number":
            return raw if isinstance(raw, (int, float, Decimal)) and not isinstance(raw, bool) else Decimal(str(raw))
        if kind == "list":
            return self._listed(raw)
        declared = self.project.contacts.attributes.get(name)
        currency = (declared.currency if declared else None) or self.project.currency
        written = spelled(kind, raw, zone=self._zone(), currency=currency)
        if written is None:
            return None
        return Value("date" if kind == "time" else kind, written, self.recorder, origin=("contact", name, ""))

    def _listed(self, raw: Any) -> tuple[str, ...] | None:
        if isinstance(raw, str):
            try:
                raw = json.loads(raw)
            except ValueError:
                raw = [part for part in raw.split("\x1f") if part]
        words = tuple(self.cleaned(str(word)) for word in (raw if isinstance(raw, (list, tuple, set, frozenset)) else [raw]))
        return words or None

    def listed(self, words: list[str]) -> str:
        return self.folded(forms.listed(words, self.locale))

    def today(self) -> str:
        """The touch's local date."""
        return self.at.astimezone(self._zone()).date().isoformat()

    def _zone(self) -> Any:
        return ZoneInfo(self.zone) if isinstance(self.zone, str) else self.zone or ZoneInfo(self.project.time_zone)

    # -- text --------------------------------------------------------------------------------------------------------
    def cleaned(self, text: str) -> str:
        """A person's text as it may be sent: no control characters, no line ends, nothing that could pass for a mark."""
        if not text.isprintable():
            text = _UNSAFE.sub("\ufffd", _CONTROL.sub(" ", text)).strip()
        if "=?" in text:
            text = _ENCODED_WORD.sub("= ?", text)
        return forms.plain_spaces(text) if self.medium.plain_spaces else text

    def folded(self, text: str) -> str:
        """Any text as this medium carries it."""
        return forms.plain_spaces(text) if self.medium.plain_spaces else text

    # -- addresses ---------------------------------------------------------------------------------------------------
    def link(self, target: str | FactView, purpose: str = "click") -> tuple[str, str, tuple[Any, ...]]:
        """What stands before the person's own part of an address, that part, and where it comes from; `purpose` is `scan` where
        the address is printed as a code."""
        if isinstance(target, FactView):
            kind, url = self.facts.get(target.name, ("", None))
            if url is None:
                raise CannotRender("render_failed", _unknown_fact(target.name, self.name))
        else:
            url, kind = str(target), "url"
        if kind != "url" or not url.lower().startswith(("https://", "http://")):
            raise CannotRender(
                "render_failed",
                t("link(…) takes a web address, not '{url}'", "link(…) veut une adresse web, pas « {url} »", url=url[:40]),
            )
        url = links.with_utm(url, self.utm)
        if not self.tracked or self.own is None:
            return ("", url, ("url", target.name)) if isinstance(target, FactView) else (url, "", ())
        number = self._number_of(url, target)
        return self._head(purpose), links.token(self.signing, purpose, self.touch, number), ("link", number)

    def _number_of(self, url: str, target: str | FactView) -> int:
        """The number of a target among the links of this message; a personal one is kept with the values."""
        recorder = self.recorder
        fact = self.message.facts.get(target.name) if isinstance(target, FactView) else None
        known = recorder.targets
        names = recorder.target_names
        key = f"fact {fact and target}" if fact is not None and fact.from_ is not None else url
        if key in names:
            return names.index(key)
        if len(names) >= links.MAX_LINKS:
            raise CannotRender(
                "render_failed", t("more than {n} different links", "plus de {n} liens différents", n=links.MAX_LINKS)
            )
        names.append(key)
        known.append(recorder.put(url, ("target", len(known))) if key is not url and recorder.marking else url)
        return len(names) - 1

    def _head(self, purpose: str) -> str:
        head = self._heads.get(purpose)
        if head is None:
            head = self._heads[purpose] = f"{(self.own or '').rstrip('/')}/{links.PATHS[purpose]}/"
        return head

    def own_address(self, purpose: str) -> tuple[str, str]:
        """The constant head of a touch's own address and its token; without a host, the address that mail goes to."""
        if self.own is None:
            return self.mailto, ""
        return self._head(purpose), links.token(self.signing, purpose, self.touch, _number(purpose))

    def join(self, head: str, mark: str) -> str:
        """Head and mark as one prebuilt text."""
        if not self.recorder.marking:
            return head + mark
        found = self._joined.get((head, mark))
        return found if found is not None else self._joined.setdefault((head, mark), head + mark)

    def qr(self, target: Printed, kind: str) -> str:
        """The code as inline SVG, and nothing fetched: dark on light, four modules of quiet zone."""
        from omnicli.render.codes import qr_svg

        if isinstance(target, (FactView, str)):
            head, own, _ = self.link(target, "scan")
            return qr_svg(head + own, print_quality=self.medium.name in ("qr", "letter"))
        return qr_svg(
            target.address() if hasattr(target, "address") else str(target.plain()),
            print_quality=self.medium.name in ("qr", "letter"),
        )


def _number(purpose: str) -> int:
    """The link number of an address that leads to omni itself."""
    return links.LANDING if purpose == "scan" else 0


def _unknown_fact(fact: str, message: str) -> str:
    return t("the fact '{fact}' of '{message}' is not known for this contact",
             "le fait « {fact} » de « {message} » n'est pas connu pour ce contact", fact=fact, message=message)  # fmt: skip
