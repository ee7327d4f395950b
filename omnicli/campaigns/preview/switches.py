"""The switches of the preview: radio buttons and boxes, and the rules by which style obeys them, without a script."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING

from omnicli import look
from omnicli.campaigns.preview.paint import COLOURS
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaigns.preview.page import Preview


def toolbar(preview: Preview) -> str:
    """The bar that stays in sight."""
    known = _readers()
    readers = [(f"k{n}", known.get(name, (name, ""))[0]) for n, name in enumerate(preview.readers)]
    languages = [("l-all", " + ".join(preview.languages)), *((f"l-is-{one}", one) for one in preview.languages)]
    personas = [
        ("p-all", t("Everybody", "Tous")),
        *((f"p-is-{n}", title.partition(",")[0]) for n, title in enumerate(preview.personas.values())),
    ]
    return (
        '<form class="bar" autocomplete="off">'
        + (
            _radios("reader", t("Reader", "Lecteur"), readers, dict(known.values()))
            if len(readers) > 1
            else f'<p class="one">{escape(readers[0][1])}</p>'
        )
        + (_radios("persona", "Persona", personas) if len(personas) > 2 else "")
        + (_radios("language", t("Language", "Langue"), languages) if len(languages) > 2 else "")
        + _radios("width", t("E-mail", "E-mail"), [("w-375", "375 px"), ("w-640", "640 px")])
        + _radios(
            "night",
            t("Screen", "Écran"),
            [("n-auto", t("Auto", "Auto")), ("n-off", t("Light", "Clair")), ("n-on", t("Dark", "Sombre"))],
        )
        + f'<fieldset class="boxes"><legend class="sr">{escape(t("Show", "Montrer"))}</legend>'
        f'<label><input type="checkbox" id="facts-on" checked>{escape(t("Facts", "Faits"))}</label>'
        f'<label><input type="checkbox" id="images-off">{escape(t("No images", "Sans images"))}</label></fieldset></form>'
    )


def _radios(group: str, label: str, of: list[tuple[str, str]], meanings: Mapping[str, str] = MappingProxyType({})) -> str:
    inside = "".join(
        f'<label{_title(meanings.get(text))}><input class="sr" type="radio" name="{group}" id="{escape(id)}"{" checked" if n == 0 else ""}>{escape(text)}</label>'
        for n, (id, text) in enumerate(of)
    )
    return f'<fieldset class="switch"><legend class="sr">{escape(label)}</legend>{inside}</fieldset>'


def _title(meaning: str | None) -> str:
    return f' title="{escape(meaning, quote=True)}"' if meaning else ""


def _readers() -> Mapping[str, tuple[str, str]]:
    """The four sample people: how the bar calls them, and what they are good for."""
    return {
        "typical": (t("Typical", "Typique"), t("ordinary values", "des valeurs ordinaires")),
        "longest": (
            t("Longest", "Long"),
            t("the longest names and largest figures", "les noms les plus longs et les plus grands nombres"),
        ),
        "empty": (t("Empty", "Vide"), t("nothing is known of this person", "on ne sait rien de cette personne")),
        "foreign": (
            t("Foreign", "Étranger"),
            t("quotes, mark-up, right-to-left letters, emoji", "guillemets, balises, lettres de droite à gauche, emoji"),
        ),
    }


def filters(preview: Preview) -> str:
    """Rows and variants that are not asked for go."""
    rules = [f":root:has(#l-is-{escape(one)}:checked) .row:not(.l-{escape(one)})" for one in preview.languages]
    rules += [f":root:has(#p-is-{n}:checked) :is(.row,.variant)[class*=' p']:not(.p{n})" for n in range(len(preview.personas))]
    return f"{','.join(rules)}{{display:none}}" if rules else ""


def reader_rules(readers: int) -> str:
    """Which sets of readers (`--m5`) are shown, by the reader that is chosen."""

    def shown(reader: int) -> str:
        return "".join(f"--m{mask}:{'contents' if mask >> reader & 1 else 'none'};" for mask in range(1, 1 << readers))

    masks = "".join(f".m{mask}{{display:var(--m{mask})}}" for mask in range(1, 1 << readers))
    return f":root{{{shown(0)}}}{masks}" + "".join(f":root:has(#k{n}:checked){{{shown(n)}}}" for n in range(1, readers))


def colours(facts: int) -> str:
    """The colour of each fact: a line and a tint; a chosen one stands out and the others step back."""
    rules = []
    for n in range(facts):
        colour = COLOURS[n % len(COLOURS)]
        rules.append(
            f":root{{--c{n}:{colour};--f{n}:color-mix(in srgb,{colour} 20%,transparent);--l{n}:{colour}}}.c{n}{{--c:{colour}}}"
        )
    for n in range(facts):
        away = "".join(f"--f{other}:transparent;--l{other}:transparent;" for other in range(facts) if other != n)
        rules.append(
            f".message:has(.pick{n}:checked,.c{n}:hover,.cell .f{n}:hover){{--f{n}:color-mix(in srgb,var(--c{n}) 42%,transparent);--o{n}:2px;{away}}}"
        )
    off = "".join(f"--f{n}:transparent;--l{n}:transparent;--o{n}:0px;" for n in range(facts))
    return "".join(rules) + f":root:not(:has(#facts-on:checked)) .message{{{off}--me:0}}" + night()


def night() -> str:
    """Dark and light by choice, whatever the device prefers: the same colours as `look` keeps for both."""
    css = look.style()
    by_day = re.search(r"^:root \{(.*?)^\}", css, re.S | re.M)
    by_night = re.search(r"prefers-color-scheme: dark\) \{\s*:root \{(.*?)\}", css, re.S)
    day, dark = (found[1].replace("color-scheme: light dark;", "") if found else "" for found in (by_day, by_night))
    return (
        f":root:has(#n-off:checked){{color-scheme:light;{day}--night:0}}:root:has(#n-on:checked){{color-scheme:dark;{dark}--night:1}}"
        "@media(prefers-color-scheme:dark){:root:not(:has(#n-off:checked)){--night:1}}:root:has(#images-off:checked){--img:none;--alt:inline-block}"
    )
