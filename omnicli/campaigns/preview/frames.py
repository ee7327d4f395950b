"""A cell of the gallery: one message on one channel, in the frame in which its reader would meet it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape, unescape

from omnicli.campaigns.preview.bare import bare
from omnicli.campaigns.preview.paint import Painter
from omnicli.campaigns.preview.readings import Cell, Reading
from omnicli.campaigns.preview.weave import Weave, by_reader, mask, weave
from omnicli.channels.sms import count_sms
from omnicli.look import frames
from omnicli.look.frames import initials
from omnicli.look.wording import chatted, linked, prose
from omnicli.providers.pages import House, preheader
from omnicli.render.skeleton import MARK
from omnicli.texts import t

_MARKED_FILLER = re.compile("[\u034f\u200b-\u200d\u2060\ufeff\u00ad\u00a0]+")
_FACT = re.compile(r'class="(?:[^"]* )?f(\d+)"')


@dataclass(frozen=True, slots=True)
class Stage:
    """What all frames of a page share: whose messages they are, the local time shown in them, and how values are painted, the personas of the page in their order."""

    house: House
    painter: Painter
    at: datetime
    personas: Sequence[str] = ()

    @property
    def everybody(self) -> tuple[int, ...]:
        return tuple(self.painter.everybody)


def framed(cell: Cell, stage: Stage) -> str:
    """The frames of a cell: one for all readers whose message differs in values alone, and a word to those who get none."""
    show = _FRAMES.get(cell.channel, _code)
    shown = [(one.readers, show(one, cell, stage)) for one in weave(cell.readings)]
    shown += [((one.reader,), _silent(one)) for one in cell.readings if one.reason]
    if len(shown) == 1:
        return shown[0][1]
    return "".join(f'<div class="m{mask(readers)}">{html}</div>' for readers, html in shown)


def _silent(one: Reading) -> str:
    return f'<p class="silent"><b>{escape(t("No message", "Pas de message"))}</b> {escape(one.detail or one.reason)}</p>'


# --- e-mail and print: a page within the page -----------------------------------------------------------------------
def _email(one: Weave, cell: Cell, stage: Stage) -> str:
    sender = stage.house.sender("email")
    name = sender.partition("<")[0].strip() or sender
    subject = stage.painter.text(escape(one.parts.get("subject", "")), one)
    opening = stage.painter.text(escape(_opening(one)), one, escaped=True)
    text = stage.painter.text(escape(one.parts.get("text", "")), one)
    plain = (
        f'<details class="plainly"><summary>{escape(t("As plain text", "En texte seul"))}</summary><pre>{text}</pre></details>'
        if text
        else ""
    )
    return (
        f'<div class="inbox"><span class="face">{escape(initials(name))}</span><p class="from"><b>{escape(name)}</b><time>{stage.at:%H:%M}</time></p>'
        f'<p class="subject">{subject}</p><p class="opening">{opening}</p></div>'
        f'<div class="screen">{_shadow(one, "html", stage)}</div>{plain}'
    )


def _opening(one: Weave) -> str:
    """What an inbox shows behind the subject, with its marks; the values in it are HTML already."""
    html = one.parts.get("html", "")
    hidden = re.search(r"<(\w+)[^>]*display:\s*none[^>]*>(.*?)</\1>", html, re.S | re.I)
    found = (
        re.sub(r"<[^>]*>", " ", hidden[2]) if hidden else preheader(MARK.sub(lambda mark: one.values[int(mark[1])].first, html))
    )
    return " ".join(_MARKED_FILLER.sub(" ", unescape(found)).split())


def _paper(one: Weave, cell: Cell, stage: Stage) -> str:
    part = "html" if "html" in one.parts else "card"
    return f'<div class="print {escape(cell.channel)}">{_shadow(one, part, stage)}</div>'


def _shadow(one: Weave, part: str, stage: Stage) -> str:
    """A page with its own style, in a tree of its own: no style goes in or out, but the colours of facts do."""
    painter = stage.painter
    html, css = bare(
        one.parts.get(part, ""), filled=lambda n: painter.plain(one, n), class_of=lambda n: painter.class_of(one.values[n].origin)
    )
    body = painter.text(html, one, escaped=True)
    return f'<div class="host"><template shadowrootmode="open"><style>.page{{display:flow-root}}{css}{marks_style(body)}</style>{body}</template></div>'


def marks_style(body: str) -> str:
    """How values look inside a shadow tree: the page sets the colours, they come in as properties."""
    facts = sorted({int(n) for n in _FACT.findall(body)})
    masks = sorted({int(n) for n in re.findall(r'class="m(\d+)"', body)})
    return mark_rules(facts) + "".join(f".m{n}{{display:var(--m{n})}}" for n in masks) + _PICTURES


_PICTURES = ".img,img{display:var(--img,inline-block)}.alt{display:var(--alt,none)}.img{background:#8882;border:1px dashed #8888;padding:8px 12px;font:13px sans-serif}.img small{opacity:.6;margin-left:6px}"


def mark_rules(facts: Sequence[int]) -> str:
    """The rules of these facts, and of what is personal."""
    return (
        "".join(_FACT_RULE.replace("#", str(n)) for n in facts)
        + ".me{border-bottom:var(--me)}.cut{border-bottom:2px dashed #d03535}"
    )


#: A fact in the text is tinted and underlined; one behind an address (a button) is outlined; `--o` widens the line of a chosen one.
_FACT_RULE = (
    ".f#:not(.lnk){background-color:var(--f#);box-shadow:inset 0 -2px var(--l#),0 0 0 var(--o#,0px) var(--l#);border-radius:3px;"
    "-webkit-box-decoration-break:clone;box-decoration-break:clone}.lnk.f#{box-shadow:0 0 0 calc(2px + var(--o#,0px)) var(--l#)}"
)


# --- conversations, notices, work -----------------------------------------------------------------------------------
def _chat(one: Weave, cell: Cell, stage: Stage) -> str:
    body = one.parts.get("body", "")
    peer = stage.house.sender(cell.channel) if cell.channel == "sms" else stage.house.name
    bubble = stage.painter.text(chatted(body) if cell.channel == "whatsapp" else linked(body), one)
    shown = frames.chat(cell.channel, peer, stage.house.name, bubble, stage.at)
    return shown + (_each(one, _counted) if cell.channel == "sms" else "")


def _each(one: Weave, make: Callable[[str], str]) -> str:
    """What depends on the whole text of each reader."""
    part = next(iter(one.parts))
    return by_reader({n: make(one.filled(one.parts[part], n)) for n in one.readers}, everybody=one.readers, tag="div")


def _counted(body: str) -> str:
    count = count_sms(body)
    return frames.sms_count(count.encoding, count.parts, count.units, count.size)


def _push(one: Weave, cell: Cell, stage: Stage) -> str:
    title, body = (stage.painter.text(escape(one.parts.get(part, "")), one) for part in ("title", "body"))
    return frames.lock_screen(stage.house.name, title, body, stage.at)


def _call(one: Weave, cell: Cell, stage: Stage) -> str:
    script = stage.painter.text(escape(one.parts.get("script", "")), one)
    takes = _each(
        one,
        lambda text: f'<p class="takes">{escape(t("about {n} s to say", "environ {n} s à dire", n=frames.seconds_of(text)))}</p>',
    )
    return f'<article class="desk-card voice">{takes}{frames.said_aloud(script)}</article>'


def _task(one: Weave, cell: Cell, stage: Stage) -> str:
    body = stage.painter.text(prose(next(iter(one.parts.values()), "")), one)
    return f'<article class="desk-card task"><div class="prose">{body}</div></article>'


def _code(one: Weave, cell: Cell, stage: Stage) -> str:
    body = stage.painter.text(escape("\n\n".join(one.parts.values())), one)
    return f'<article class="desk-card"><pre class="code">{body}</pre></article>'


_FRAMES: dict[str, Callable[[Weave, Cell, Stage], str]] = {
    "email": _email, "sms": _chat, "whatsapp": _chat, "messenger": _chat, "push": _push, "voice": _call, "task": _task, "letter": _paper, "qr": _paper,
}  # fmt: skip
