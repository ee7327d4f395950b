"""The frames in which a message is shown as its reader would meet it: a chat on a phone, a lock screen, a card on a desk.

Whatever is put into a frame is HTML already; names and labels are texts and are escaped here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from html import escape
from importlib import resources

from omnicli.texts import language, t

#: Words a minute of a call, to say how long a script takes.
WORDS_A_MINUTE = 150


def style() -> str:
    """How the frames look; a page puts it behind `look.style()`."""
    return resources.files("omnicli.look").joinpath("frames.css").read_text(encoding="utf-8")


def chat(channel: str, peer: str, brand: str, bubble: str, at: datetime) -> str:
    """A message among others of that app; `at` is local."""
    stamp = f'<span class="stamp">{at:%H:%M}{" ✓✓" if channel == "whatsapp" else ""}</span>'
    inside = stamp if channel in ("whatsapp", "messenger") else ""
    return (
        f'<div class="phone {escape(channel)}"><div class="status"><b>{at:%H:%M}</b><span class="bars"></span></div>'
        f'<div class="peer"><span class="face">{escape(initials(brand))}</span><span>{escape(peer)}</span></div>'
        f'<div class="talk"><span class="stamp">{escape(day_name(at.date()))}</span>'
        f'<div class="bubble">{bubble}{inside}</div></div></div>'
    )


def sms_count(encoding: str, parts: int, units: int, size: int) -> str:
    """How many parts of `size` units a carrier bills, and how full the last one is."""
    meters = "".join(f'<i style="--f:{min(100, max(0, round(100 * (units - n * size) / size)))}%"></i>' for n in range(parts))
    words = t("{n} part", "{n} partie", n=parts) if parts == 1 else t("{n} parts", "{n} parties", n=parts)
    return (
        f'<div class="count sms"><span class="meter">{meters}</span><span>{escape(words)} · {encoding} · '
        f'<span class="n">{units} / {parts * size}</span> {escape(t("characters", "caractères"))}</span></div>'
    )


def lock_screen(brand: str, title: str, body: str, at: datetime) -> str:
    """A notice on a locked phone; `at` is local."""
    return (
        f'<div class="phone push"><div class="lock"><span class="clock">{at:%H:%M}</span><span class="date">{escape(day_name(at.date()))}</span>'
        f'<div class="notice"><span class="face">{escape(initials(brand))}</span><small><span>{escape(brand)}</span>'
        f"<span>{escape(t('now', 'maintenant'))}</span></small><b>{title}</b><p>{body}</p></div></div></div>"
    )


def seconds_of(script: str) -> int:
    """How long it takes to say."""
    return round(60 * len(script.split()) / WORDS_A_MINUTE)


def said_aloud(script: str) -> str:
    """A call's script, a paragraph a line; the script is HTML already."""
    return f'<div class="script">{"".join(f"<p>{line}</p>" for line in script.splitlines() if line.strip())}</div>'


def meta(about: Iterable[tuple[str, str]]) -> str:
    """What stands above a card: names and values, those that have one."""
    said = "".join(f"<span>{escape(name)}<b>{escape(value)}</b></span>" for name, value in about if value)
    return f'<div class="meta">{said}</div>' if said else ""


def initials(name: str) -> str:
    """`Maison Lune` → `ML`; one word gives its first two letters."""
    words = [word for word in re.split(r"[\s.'’-]+", name) if word and word[0].isalnum()]
    if not words:
        return name[:2].upper()
    return (words[0][:2] if len(words) == 1 else words[0][0] + words[-1][0]).upper()


@lru_cache(maxsize=4096)
def _day_name(day: date, long: bool, spoken: str) -> str:
    from babel.dates import format_date, format_skeleton

    text = format_date(day, "full", locale=spoken) if long else format_skeleton("MMMEd", day, locale=spoken)
    return text[:1].upper() + text[1:]


def day_name(day: date, *, long: bool = False) -> str:
    """`Tue 5 Jan`, or long `Tuesday 5 January 2027`, in the language in use."""
    return _day_name(day, long, "fr" if language() == "fr" else "en_GB")
