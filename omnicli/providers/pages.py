"""The pages of the sandbox: each message in the frame its reader would see, and an index by hour and by person.

They are files to open, without a server, a network or a script: filters are radio buttons and style, the reader is a frame.
Scripts only add what is nice to have (a search field, arrow keys, frames as high as their content). What a message says is
shown, never run: e-mails and print stand in frames that may do nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from html import escape, unescape
from importlib import resources
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from omnicli import clock, look
from omnicli.channels.sms import count_sms
from omnicli.look import channel_name, frames, icon, symbols, use
from omnicli.look.frames import day_name, initials, meta
from omnicli.look.wording import chatted, linked, prose
from omnicli.model.spoken import number
from omnicli.model.touch import Handed
from omnicli.text import fold
from omnicli.texts import t

#: Messages that the index lists; days before those have a page of their own.
INDEX_MOST = 1500
_HIDDEN = re.compile(r"<(?P<tag>\w+)[^>]*style=[\"'][^\"']*display:\s*none[^>]*>(?P<text>.*?)</(?P=tag)>", re.S | re.I)
_NONE = re.compile(r"display:\s*none", re.I)
_NOT_SEEN = re.compile(r"<(style|script|head|title)\b.*?</\1>|<!--.*?-->", re.S | re.I)
_TAG = re.compile(r"<[^>]*>")
_FILLER = re.compile("[\u034f\u200b-\u200f\u2060\ufeff\u00ad]+")


@dataclass(frozen=True, slots=True)
class House:
    """Whose outbox it is: the brand's name and colours, and what stands in the From of each channel."""

    name: str
    zone: str
    colours: Mapping[str, str] = field(default_factory=dict)
    senders: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, project: Any) -> House:
        brand = project.brand
        colours = brand.colours if brand else {}
        senders = tuple((name, channel.from_) for name, channel in project.channels.items() if channel.from_)
        return cls(brand.name if brand else project.project, project.time_zone, colours, senders)

    def sender(self, channel: str) -> str:
        return dict(self.senders).get(channel, self.name)

    def local(self, at: datetime) -> datetime:
        return at.astimezone(ZoneInfo(self.zone))


# --- words of a message ---------------------------------------------------------------------------------------------
def seen(html: str) -> str:
    """The text of a page as a reader meets it, white space collapsed; what is hidden is left out."""
    text = _TAG.sub(" ", _HIDDEN.sub(" ", _NOT_SEEN.sub(" ", html)))
    return " ".join(_FILLER.sub("", unescape(text)).split())


def preheader(html: str) -> str:
    """What an inbox shows behind the subject: the hidden preheader, else how the page begins."""
    none = _NONE.search(html)
    hidden = _HIDDEN.search(html, max(0, html.rfind("<", 0, none.start()))) or _HIDDEN.search(html) if none else None
    return ((_plain(hidden["text"]) if hidden else "") or seen(html))[:140]


@lru_cache(maxsize=64)
def _plain(hidden: str) -> str:
    """Its words: people who read the same preheader are many, and what fills it up is longer than itself."""
    return " ".join(_FILLER.sub("", unescape(_TAG.sub(" ", hidden))).split())


@lru_cache(maxsize=8)
def _seen_of(html: str) -> str:
    return preheader(html)


def lines_of(channel: str, parts: Mapping[str, str]) -> tuple[str, str]:
    """The line and the preview that stand in the index."""
    if channel == "email":
        return parts.get("subject", ""), _seen_of(parts["html"]) if "html" in parts else parts.get("text", "")[:140]
    if channel == "push":
        return parts.get("title", ""), parts.get("body", "")[:140]
    text = next((seen(text) if name in ("html", "card") else " ".join(text.split()) for name, text in parts.items() if text), "")
    return text.lstrip("# ")[:180], ""


def entry(one: Handed, file: str, now: datetime, house: House) -> dict[str, Any]:
    """What the index keeps of a message."""
    line, preview = lines_of(one.channel, one.rendered.parts if one.rendered else {})
    found = {
        "touch": one.touch, "file": file, "at": clock.to_ms(now), "channel": one.channel, "contact": one.contact, "name": one.contact_name,
        "campaign": one.campaign, "step": one.step, "message": one.message, "line": line, "preview": preview,
        "persona": one.extra.get("persona", ""), "language": one.language,
    }  # fmt: skip
    return {key: value for key, value in found.items() if value != ""}


# --- one message ----------------------------------------------------------------------------------------------------
_constant = lru_cache(maxsize=1024)(escape)


def _escaped(one: Handed, part: str, text: str) -> str:
    """A part of a message, escaped. What all its readers share is escaped once: escaping looks at one character at a time."""
    pieces = one.pieces.get(part) if one.pieces else None
    if not pieces:
        return escape(text)
    return "".join([escape(one.fills[piece]) if isinstance(piece, int) else _constant(piece) for piece in pieces])


def message_page(one: Handed, now: datetime, house: House) -> str:
    """The page of one message; `_/outbox.css` lies two folders up."""
    parts = one.rendered.parts if one.rendered else {}
    show = _FRAMES.get(one.channel, _code)
    local = house.local(now)
    name = one.contact_name or one.contact
    about = " › ".join(filter(None, (one.campaign, one.step)))
    said = " · ".join(filter(None, (channel_name(one.channel), about, one.extra.get("persona"), one.language)))
    body = (
        f'<a class="back" href="../../index.html">‹ {escape(t("Outbox", "Boîte d’envoi"))}</a>'
        f'<header class="head {escape(one.channel)}">{icon(one.channel)}<div><h1>{escape(name)}{_small(one.contact, name)}</h1>'
        f'<p>{escape(said)}</p></div><p class="when"><b>{local:%H:%M}</b>{escape(day_name(local.date()))}</p></header>'
        f"{show(one, parts, local, house)}{_foot(one, house)}"
    )
    title = f"{name} · {channel_name(one.channel)}"
    return _page(title, f'<main class="message">{body}</main>', house, up="../../", script=_FRAME_SCRIPT)


def _email(one: Handed, parts: Mapping[str, str], local: datetime, house: House) -> str:
    sender = house.sender("email")
    name = sender.partition("<")[0].strip() or sender
    html, text, subject = parts.get("html", ""), parts.get("text", ""), parts.get("subject", "")
    views = [("wide", t("Computer", "Ordinateur")), ("narrow", t("Phone", "Téléphone"))] if html else []
    views += [("text", t("Text only", "Texte seul"))] if text else []
    radios = "".join(
        f'<label><input class="sr" type="radio" name="view" id="{key}"{" checked" if n == 0 else ""}>{escape(label)}</label>'
        for n, (key, label) in enumerate(views)
    )
    frame = (
        f'<iframe sandbox="allow-same-origin" title="{escape(subject, quote=True)}" srcdoc="{_escaped(one, "html", html)}"></iframe>'
        if html
        else ""
    )
    return (
        f'<article class="sheet email"><div class="inboxline"><b>{escape(name)}</b><p><b>{escape(subject)}</b> {escape(_seen_of(html))}</p>'
        f"<time>{local:%H:%M}</time></div>"
        f'<div class="envelope"><h2>{escape(subject)}</h2><div class="parties"><span class="face">{escape(initials(name))}</span><div>'
        f"<b>{escape(sender)}</b><br>{escape(t('to', 'à'))} {escape(one.address or '')}</div></div>"
        f'<fieldset class="views"><legend class="sr">{escape(t("Show as", "Voir comme"))}</legend>{radios}</fieldset></div>'
        f'<div class="stage">{frame}<pre class="plain">{_escaped(one, "text", text)}</pre></div></article>'
    )


def _chat(one: Handed, parts: Mapping[str, str], local: datetime, house: House) -> str:
    body = parts.get("body", "")
    peer = house.sender(one.channel) if one.channel == "sms" else house.name
    bubble = chatted(body) if one.channel == "whatsapp" else linked(body)
    return frames.chat(one.channel, peer, house.name, bubble, local) + (_sms_count(body) if one.channel == "sms" else "")


def _sms_count(body: str) -> str:
    count = count_sms(body)
    return frames.sms_count(count.encoding, count.parts, count.units, count.size)


def _push(one: Handed, parts: Mapping[str, str], local: datetime, house: House) -> str:
    return frames.lock_screen(house.name, escape(parts.get("title", "")), escape(parts.get("body", "")), local)


def _call(one: Handed, parts: Mapping[str, str], local: datetime, house: House) -> str:
    script = parts.get("script", "")
    about = [(t("Call", "Appeler"), one.contact_name or one.contact), (t("Number", "Numéro"), one.address or ""),
             (t("Takes", "Durée"), t("about {n} s", "environ {n} s", n=frames.seconds_of(script))), (t("Team", "Équipe"), one.extra.get("team", "")),
             (t("By", "Avant"), _due(one, house))]  # fmt: skip
    return f'<article class="desk-card voice">{meta(about)}{frames.said_aloud(escape(script))}</article>'


def _task(one: Handed, parts: Mapping[str, str], local: datetime, house: House) -> str:
    about = [(t("For", "Pour"), one.extra.get("team", "")), (t("Kind", "Nature"), one.extra.get("kind", "")), (t("By", "Avant"), _due(one, house)),
             (t("Where", "Lieu"), one.extra.get("place", ""))]  # fmt: skip
    return (
        f'<article class="desk-card task">{meta(about)}<div class="prose">{prose(next(iter(parts.values()), ""))}</div></article>'
    )


def _print(one: Handed, parts: Mapping[str, str], local: datetime, house: House) -> str:
    html = parts.get("html") or parts.get("card") or ""
    frame = f'<iframe sandbox="allow-same-origin" title="{escape(channel_name(one.channel), quote=True)}" srcdoc="{escape(html, quote=True)}"></iframe>'
    return f'<div class="paper {escape(one.channel)}">{frame}</div>'


def _code(one: Handed, parts: Mapping[str, str], local: datetime, house: House) -> str:
    text = "\n\n".join(parts.values())
    return f'<article class="desk-card {escape(one.channel)}">{meta([(t("Goes to", "Va à"), one.extra.get("webhook", ""))])}<pre class="code">{escape(text)}</pre></article>'


_FRAMES = {
    "email": _email, "sms": _chat, "whatsapp": _chat, "messenger": _chat, "push": _push, "voice": _call, "task": _task, "letter": _print,
    "qr": _print, "webhook": _code,
}  # fmt: skip


def _foot(one: Handed, house: House) -> str:
    rows = [(t("Message", "Message"), one.message), (t("Purpose", "Finalité"), one.purpose), ("Reply-To", one.reply_to or ""),
            ("List-Unsubscribe", one.extra.get("unsubscribe", "")), ("List-Id", one.extra.get("list_id", "")), (t("Touch", "Envoi"), one.touch)]  # fmt: skip
    said = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows if value)
    return (
        f'<footer class="foot"><details><summary>{escape(t("Behind this message", "Derrière ce message"))}</summary><dl>{said}</dl></details>'
        f"<span>{escape(t('Nothing was sent.', 'Rien n’a été envoyé.'))} <code>omni touch show {one.touch[:8]}</code></span></footer>"
    )


def _due(one: Handed, house: House) -> str:
    due = one.extra.get("due")
    if not due:
        return ""
    local = house.local(datetime.fromisoformat(due.replace("Z", "+00:00")))
    return f"{day_name(local.date())} {local:%H:%M}"


# --- the index ------------------------------------------------------------------------------------------------------
def index_pages(entries: Sequence[Mapping[str, Any]], runs: Sequence[Mapping[str, Any]], house: House) -> dict[str, str]:
    """`index.html`, a page for each day that does not fit on it, and the style: name → text. A touch is listed once."""
    listed = sorted({e["touch"]: e for e in entries}.values(), key=_order)
    days = {day: list(group) for day, group in groupby(listed, key=lambda e: _day(e, house))}
    shown, older = _fitting(days)
    found = {"_/outbox.css": style(), "index.html": _index(shown, older, days, runs, house, up="")}
    for day in older:
        found[f"days/{day}.html"] = _index({day: days[day]}, [], days, runs, house, up="../")
    return found


def style() -> str:
    return (
        look.style() + frames.style() + resources.files("omnicli.providers").joinpath("sandbox.css").read_text(encoding="utf-8")
    )


def _order(e: Mapping[str, Any]) -> tuple[Any, ...]:
    return e["at"], e.get("campaign", ""), e.get("step", ""), fold(e.get("name", "")), e["contact"], e["touch"]


def _day(e: Mapping[str, Any], house: House) -> date:
    return house.local(clock.from_ms(e["at"])).date()


def _fitting(days: Mapping[date, Sequence[Any]]) -> tuple[dict[date, Sequence[Any]], list[date]]:
    """The newest days that the index lists (the newest always), and those before them."""
    shown: dict[date, Sequence[Any]] = {}
    for day in sorted(days, reverse=True):
        if shown and sum(map(len, shown.values())) + len(days[day]) > INDEX_MOST:
            break
        shown[day] = days[day]
    return shown, sorted(set(days) - set(shown), reverse=True)


def _index(
    shown: Mapping[date, Sequence[Mapping[str, Any]]], older: Sequence[date], days: Mapping[date, Sequence[Any]],
    runs: Sequence[Mapping[str, Any]], house: House, *, up: str,
) -> str:  # fmt: skip
    listed = [e for day in sorted(shown) for e in shown[day]]
    newest = max(shown, default=None)
    first = shown[newest][0]["file"] if newest else ""
    reader = f'<iframe class="reader" name="reader" title="{escape(t("The message", "Le message"))}" src="{escape(up + first, quote=True)}"></iframe>'
    filters = _filters(listed) if listed else ""
    empty = f'<p class="empty">{escape(t("Nothing has been sent yet.", "Rien n’est encore parti."))}</p>'
    body = (
        f'<svg width="0" height="0" style="position:absolute" aria-hidden="true">{symbols()}</svg>'
        f'<div class="index"><main>{_masthead(shown, days, runs, house, up)}{filters}'
        f'<div class="list">{_hours(shown, house, up) + _people(listed, house, up) if listed else empty}{_older(older, up)}</div></main>{reader}</div>'
    )
    return _page(
        f"{house.name} · {t('Outbox', 'Boîte d’envoi')}",
        body,
        house,
        up=up,
        script=_INDEX_SCRIPT.replace("SEARCH", t("Find a person", "Trouver une personne")),
    )


def _masthead(
    shown: Mapping[date, Any], days: Mapping[date, Sequence[Any]], runs: Sequence[Mapping[str, Any]], house: House, up: str
) -> str:
    run = runs[-1] if runs else None
    said = ""
    if run is not None:
        local, total = house.local(clock.from_ms(run["at"])), sum(run["counts"].values())
        tally = "".join(
            f'<li class="{escape(channel)}">{use(channel)}<span><b class="n">{number(count)}</b> {escape(channel_name(channel))}</span></li>'
            for channel, count in sorted(run["counts"].items(), key=lambda item: -item[1])
        )
        words = (
            t("{n} message", "{n} message", n=number(total)) if total == 1 else t("{n} messages", "{n} messages", n=number(total))
        )
        said = (
            f'<div class="run">{escape(t("Last run:", "Dernier passage :"))} {escape(day_name(local.date(), long=True))}, {local:%H:%M} — <strong>{escape(words)}</strong>'
            f'<ul class="tally">{tally}</ul></div>'
        )
        if run["written"] < total:
            rest = t(
                "The first {n} stand here; any other is printed by",
                "Les {n} premiers sont ici ; les autres s’affichent par",
                n=number(run["written"]),
            )
            said += f'<p class="note">{escape(rest)} <code>omni touch show</code></p>'
    home = f'<a class="back" href="../index.html">‹ {escape(t("Outbox", "Boîte d’envoi"))}</a>' if up else ""
    return (
        f'<header class="masthead">{home}<div class="eyebrow"><b>{escape(t("Sandbox", "Bac à sable"))}</b>'
        f"<span>{escape(t('Nothing was sent to anybody.', 'Rien n’a été envoyé à personne.'))}</span></div><h1>{escape(house.name)}</h1>{said}{_calendar(shown, days, up)}</header>"
    )


def _calendar(shown: Mapping[date, Any], days: Mapping[date, Sequence[Any]], up: str) -> str:
    """How much left on each of the last 45 days; a bar leads to its day."""
    if len(days) < 2:
        return ""
    last = max(days)
    start = max(min(days), last - timedelta(days=44))
    most = max(len(entries) for entries in days.values())
    bars = []
    for n in range((last - start).days + 1):
        day = start + timedelta(days=n)
        count = len(days.get(day, ()))
        label = f"{day_name(day)}: {number(count)}"
        inside = (
            f'<i style="--h:{round(100 * count / most)}%"></i>{day.day}'
            if count
            else f'<i style="--h:0%;opacity:.35"></i>{day.day}'
        )
        place = f"#d{day}" if day in shown else f"{up}days/{day}.html" if not up or day not in shown else f"#d{day}"
        link = f'<a href="{place}" title="{escape(label)}">{inside}</a>' if count else f'<a title="{escape(label)}">{inside}</a>'
        bars.append(f"<li{' class=now' if day == last and not up else ''}>{link}</li>")
    return f'<ol class="calendar" aria-label="{escape(t("Messages a day", "Messages par jour"))}">{"".join(bars)}</ol>'


def _filters(listed: Sequence[Mapping[str, Any]]) -> str:
    counts: dict[str, int] = {}
    for e in listed:
        counts[e["channel"]] = counts.get(e["channel"], 0) + 1
    chips = [
        f'<label><input class="sr" type="radio" name="channel" id="f-all" checked>{escape(t("All", "Tout"))} <span class="n">{number(len(listed))}</span></label>'
    ]
    chips += [
        f'<label class="{escape(c)}"><input class="sr" type="radio" name="channel" id="f-{escape(c)}">{use(c)}{escape(channel_name(c))} <span class="n">{number(counts[c])}</span></label>'
        for c in sorted(counts, key=lambda c: -counts[c])
    ]
    rules = "".join(
        f"body:has(#f-{c}:checked) .m:not(.{c}),body:has(#f-{c}:checked) :is(.day,.hour,.person):not(:has(.{c})){{display:none}}"
        for c in counts if c in look.ICONS
    )  # fmt: skip
    return (
        f"<style>{rules}</style>"
        f'<form class="filters" autocomplete="off"><fieldset class="switch"><legend class="sr">{escape(t("Order", "Ordre"))}</legend>'
        f'<label><input class="sr" type="radio" name="order" id="by-hour" checked>{escape(t("By hour", "Par heure"))}</label>'
        f'<label><input class="sr" type="radio" name="order" id="by-person">{escape(t("By person", "Par personne"))}</label></fieldset>'
        f'<fieldset class="chips"><legend class="sr">{escape(t("Channel", "Canal"))}</legend>{"".join(chips)}</fieldset></form>'
    )


def _hours(shown: Mapping[date, Sequence[Mapping[str, Any]]], house: House, up: str) -> str:
    found = []
    for day in sorted(shown, reverse=True):
        hours = []
        for hour, group in groupby(shown[day], key=lambda e: f"{house.local(clock.from_ms(e['at'])):%H:%M}"):
            rows = list(group)
            hours.append(
                f'<section class="hour"><h3>{hour} <span class="n">{number(len(rows))}</span></h3>{"".join(_row(e, up) for e in rows)}</section>'
            )
        found.append(
            f'<section class="day" id="d{day}"><h2>{escape(day_name(day, long=True))} <span class="n">{number(len(shown[day]))}</span></h2>{"".join(hours)}</section>'
        )
    return f'<div class="hours">{"".join(found)}</div>'


def _people(listed: Sequence[Mapping[str, Any]], house: House, up: str) -> str:
    by: dict[str, list[Mapping[str, Any]]] = {}
    for e in listed:
        by.setdefault(e["contact"], []).append(e)
    found = []
    for contact, theirs in sorted(by.items(), key=lambda item: (fold(item[1][-1].get("name", "")), item[0])):
        name = theirs[-1].get("name", contact)
        trail = "".join(f'<span class="{escape(e["channel"])}">{use(e["channel"])}</span>' for e in theirs[:8])
        rows = "".join(
            _row(e, up, when=short_day(house.local(clock.from_ms(e["at"]))), who=channel_name(e["channel"])) for e in theirs
        )
        words = (
            t("{n} message", "{n} message", n=len(theirs))
            if len(theirs) == 1
            else t("{n} messages", "{n} messages", n=len(theirs))
        )
        found.append(
            f'<details class="person"><summary><span class="face">{escape(initials(name))}</span><span class="who">{escape(name)}'
            f'<small>{escape(contact)} · {escape(words)}</small></span><span class="trail">{trail}</span></summary>{rows}</details>'
        )
    return f'<div class="people">{"".join(found)}</div>'


def _row(e: Mapping[str, Any], up: str, *, when: str = "", who: str = "") -> str:
    """One message of the list. Two links lie over it: into the reader on a desk, to the page itself in the hand."""
    name, file = e.get("name", e["contact"]), escape(up + e["file"], quote=True)
    preview = f"<span>{escape(e['preview'])}</span>" if e.get("preview") else ""
    about = " · ".join(filter(None, (" › ".join(filter(None, (e.get("campaign"), e.get("step")))), e.get("persona"))))
    label = escape(f"{name}: {e.get('line', '')}", quote=True)
    return (
        f'<article class="m {escape(e["channel"])}">{use(e["channel"])}<p class="who">{escape(who) if who else escape(name) + _small(e["contact"], name)}</p><time>{escape(when)}</time>'
        f'<p class="line">{escape(e.get("line", ""))}{preview}</p><p class="from">{escape(about)}</p>'
        f'<a class="desk" target="reader" href="{file}" aria-label="{label}"></a><a class="hand" href="{file}" aria-label="{label}"></a></article>'
    )


def _older(older: Sequence[date], up: str) -> str:
    if not older:
        return ""
    links = "".join(f'<a href="{up}days/{day}.html">{escape(day_name(day))}</a>' for day in older)
    return f'<nav class="older">{escape(t("Earlier days:", "Jours précédents :"))} {links}</nav>'


# --- small pieces ---------------------------------------------------------------------------------------------------
def _page(title: str, body: str, house: House, *, up: str, script: str) -> str:
    return look.document(title, body, script=script, colours=house.colours, sheet=f"{up}_/outbox.css")


def _small(contact: str, name: str) -> str:
    return f" <small>{escape(contact)}</small>" if contact != name else ""


def short_day(local: datetime) -> str:
    return f"{day_name(local.date())}, {local:%H:%M}"


#: Frames as high as what is in them, and no way back where the page stands in the reader.
_FRAME_SCRIPT = (
    "if(self!==top)document.documentElement.classList.add('framed');"
    "for(const f of document.querySelectorAll('iframe')){const fit=()=>{try{const d=f.contentDocument;if(!d||!d.body)return;"
    "f.style.height='0';f.style.height=Math.max(120,d.documentElement.scrollHeight,d.body.scrollHeight)+'px'}catch(e){}};"
    "f.addEventListener('load',fit);if(f.contentDocument&&f.contentDocument.readyState==='complete')fit();"
    "addEventListener('resize',fit);addEventListener('change',()=>setTimeout(fit,280))}"
)
#: A search field, the arrow keys, and a mark on the message in the reader.
_INDEX_SCRIPT = (
    "const form=document.querySelector('.filters');if(form){const s=document.createElement('input');s.type='search';s.className='search';"
    "s.placeholder='SEARCH';s.setAttribute('aria-label','SEARCH');form.firstElementChild.after(s);const plain=x=>x.normalize('NFD').replace(/[\\u0300-\\u036f]/g,'').toLowerCase();"
    "const rows=[...document.querySelectorAll('.hours .m,.person')].map(e=>[e,plain((e.querySelector('.who')||e).textContent+' '+(e.querySelector('.line')||{textContent:''}).textContent)]);"
    "s.addEventListener('input',()=>{const q=plain(s.value.trim());for(const[e,x]of rows)e.hidden=q&&!x.includes(q);"
    "for(const g of document.querySelectorAll('.hour,.day'))g.hidden=!g.querySelector('.m:not([hidden])')});form.addEventListener('submit',e=>e.preventDefault())}"
    "const on=a=>{document.querySelectorAll('.m.on').forEach(e=>e.classList.remove('on'));a.closest('.m').classList.add('on')};"
    "document.addEventListener('click',e=>{const a=e.target.closest('.m>a.desk');if(a)on(a)});"
    "document.addEventListener('keydown',e=>{if(e.target.type==='search'||!['j','k','ArrowDown','ArrowUp'].includes(e.key))return;"
    "const all=[...document.querySelectorAll('.m>a.desk')].filter(a=>a.offsetParent);if(!all.length)return;const at=all.findIndex(a=>a.closest('.m').classList.contains('on'));"
    "const a=all[Math.max(0,Math.min(all.length-1,at+(e.key==='j'||e.key==='ArrowDown'?1:-1)))];a.click();a.focus();a.scrollIntoView({block:'nearest'});e.preventDefault()});"
    "const f=document.querySelector('.day .m');if(f)f.classList.add('on');"
)
