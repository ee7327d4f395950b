"""The face that every page of omni wears: one style, one set of pictures for channels, one skeleton of a page without network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from importlib import resources

from omnicli.texts import language, t

#: The brand colours of a page whose project names none.
COLOURS: Mapping[str, str] = {"primary": "#2b2350", "accent": "#c98a2b"}
_COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3}){1,2}")
ICONS: Mapping[str, str] = {
    "email": '<path d="M3.5 6.5h17v11h-17z"/><path d="m4 7 8 6 8-6"/>',
    "sms": '<path d="M4 5.5h16v10.5H10l-4.5 3.5V16H4z"/><path d="M8.5 10.8h.01M12 10.8h.01M15.5 10.8h.01"/>',
    "whatsapp": '<path d="M4.2 19.8l1.2-4A8 8 0 1 1 8.4 18.8z"/><path d="M9.3 8.6c-.6 2.9 3 6.5 6 6.1l.3-1.7-2-.9-.9.8c-1.200-.5-1.900-1.200-2.300-2.300l.8-.9-.8-1.900z"/>',
    "messenger": '<path d="M12 4c-4.600 0-8.200 3.200-8.200 7.400 0 2.300 1 4.200 2.700 5.500V20l2.700-1.600c.9.300 1.800.4 2.800.4 4.600 0 8.200-3.200 8.200-7.400S16.600 4 12 4z"/><path d="m7.800 13.300 3-3.200 2.400 2.100 3-3.100"/>',
    "push": '<path d="M6.500 16.500V11a5.500 5.500 0 0 1 11 0v5.500l1.500 1.500H5z"/><path d="M10.300 20.500h3.400"/>',
    "voice": '<path d="M5.500 4.500h3.600l1.600 4-2.200 1.500a11.500 11.500 0 0 0 5.500 5.500l1.500-2.200 4 1.600v3.600c0 .6-.5 1-1 1A14.500 14.500 0 0 1 4.500 5.500c0-.5.4-1 1-1z"/>',
    "letter": '<path d="M3.500 9.500 12 4l8.500 5.500v10h-17z"/><path d="m4 10 8 5.500 8-5.500"/>',
    "qr": '<path d="M4.500 4.500h5.500v5.500H4.500zM14 4.500h5.500v5.500H14zM4.500 14h5.500v5.500H4.500z"/><path d="M14 14h2v2M19.500 14v2.500M14 19.500h2.500M19.500 19.500h.01"/>',
    "task": '<path d="M6 5.500h12v14.500H6z"/><path d="M9.500 4h5v3h-5zM9.300 13.500l2 2 3.600-4"/>',
    "webhook": '<path d="M8.500 5c-2 0-2.500 1-2.500 2.500v2c0 1.500-.8 2.500-2 2.500 1.200 0 2 1 2 2.500v2C6 18 6.500 19 8.500 19M15.500 5c2 0 2.500 1 2.500 2.500v2c0 1.500.8 2.500 2 2.500-1.200 0-2 1-2 2.500v2c0 1.500-.5 2.500-2.500 2.500"/>',
}  # fmt: skip


def channel_name(channel: str) -> str:
    """The channel as people call it."""
    known = {
        "email": t("E-mail", "E-mail"), "sms": "SMS", "whatsapp": "WhatsApp", "messenger": "Messenger", "push": t("Push", "Push"),
        "voice": t("Call", "Appel"), "letter": t("Letter", "Lettre"), "qr": t("QR card", "Carte QR"), "task": t("Task", "Tâche"),
        "webhook": "Webhook",
    }  # fmt: skip
    return known.get(channel, channel)


def style() -> str:
    """Colours, type and the few classes that all pages share; a page puts its own style behind it."""
    return resources.files("omnicli.look").joinpath("look.css").read_text(encoding="utf-8")


def chosen(colours: Mapping[str, str]) -> dict[str, str]:
    """A brand's `primary` and `accent`, ours where it has none: only `#rgb` and `#rrggbb`, for they end up in a style sheet."""
    return {name: written if _COLOUR.fullmatch(written := colours.get(name, "")) else ours for name, ours in COLOURS.items()}


def document(
    title: str, body: str, *, css: str = "", script: str = "", colours: Mapping[str, str] = COLOURS, sheet: str = ""
) -> str:
    """One whole page in one file: nothing is fetched, nothing is needed but the file (and the style `sheet` beside it, where many
    pages share one). `colours` are the brand's; the script only
    adds what is nice to have."""
    brand = chosen(colours)
    own = ("" if sheet else style()) + f":root{{--brand:{brand['primary']};--accent:{brand['accent']}}}"
    code = f"<script>{script}</script>" if script else ""
    link = f'<link rel="stylesheet" href="{escape(sheet)}">' if sheet else ""
    return (
        f'<!doctype html><html lang="{language()}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex"><meta name="referrer" content="no-referrer">'
        f"<title>{escape(title)}</title>{link}<style>{own}{css}</style></head>"
        f"<body>{body}{code}</body></html>\n"
    )


def eyebrow(kind: str, whose: str) -> str:
    """The line above a page's title: what kind of page this is, and whose."""
    return f'<p class="eyebrow"><b>{escape(kind)}</b> {escape(whose)}</p>'


def symbols() -> str:
    """The pictures of all channels as symbols of one `<svg>`, for `use`."""
    return "".join(f'<symbol id="i-{name}" viewBox="0 0 24 24">{shape}</symbol>' for name, shape in ICONS.items())


def use(channel: str) -> str:
    """A channel's picture by reference to `symbols`."""
    return f'<svg class="i" aria-hidden="true"><use href="#i-{channel if channel in ICONS else "webhook"}"/></svg>'


def icon(channel: str) -> str:
    """A channel's picture by itself."""
    return f'<svg class="i" viewBox="0 0 24 24" aria-hidden="true">{ICONS.get(channel, ICONS["webhook"])}</svg>'
