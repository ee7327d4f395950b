"""Keeps a house's colours readable: for each one, the text that can stand on it, and itself fit to be text on white.

Contrast after WCAG 2.2, 1.4.3: text wants 4.5 to 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

DEFAULTS = {"primary": "#2f3437", "accent": "#d9b26a"}
_HEX = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_NAME = re.compile(r"[a-zA-Z]+|(?:rgb|hsl)a?\([0-9.,%/ deg]+\)")
WANTED = 4.5


def palette(colours: Mapping[str, str]) -> dict[str, str]:
    """The colours by name, and beside each `on_<name>` and `text_<name>`. What is no colour is left out: it would end up in
    a style sheet."""
    found: dict[str, str] = {}
    for name, colour in {**DEFAULTS, **colours}.items():
        plain = colour.strip()
        if not (_HEX.fullmatch(plain) or _NAME.fullmatch(plain)):
            plain = DEFAULTS.get(name, DEFAULTS["primary"])
        found[name] = plain
        known = _HEX.fullmatch(plain) is not None
        found[f"on_{name}"] = _on(plain) if known else "#16151a"
        found[f"text_{name}"] = plain if known and contrast(plain, "#ffffff") >= WANTED else "#26242b"
    return found


def _on(colour: str) -> str:
    """Text that can stand on the colour: white or nearly black, where need be black."""
    return next((ink for ink in ("#ffffff", "#16151a") if contrast(ink, colour) >= WANTED), "#000000")


@lru_cache(maxsize=1024)
def contrast(one: str, other: str) -> float:
    """The contrast ratio of two hexadecimal colours, 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    if len(digits) == 3:
        digits = "".join(letter * 2 for letter in digits)
    channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


_FONT = re.compile(r"""[\w\s,'"-]+""")


def font(family: str | None) -> str:
    """A font list that may stand in a style attribute, in single quotes; the system's own without one."""
    if family and _FONT.fullmatch(family):
        return family.replace('"', "'")
    return "Georgia, 'Times New Roman', serif" if family is None else "sans-serif"
