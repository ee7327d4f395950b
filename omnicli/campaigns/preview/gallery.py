"""The gallery of one message: what it states on top, then a row for each persona and language with a frame for each channel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from omnicli.campaigns.preview.findings import touches
from omnicli.campaigns.preview.frames import Stage, framed
from omnicli.campaigns.preview.readings import Cell, Shown
from omnicli.look import channel_name, use
from omnicli.model.finding import Finding
from omnicli.texts import t


def section(shown: Shown, n: int, stage: Stage) -> str:
    """One message; `n` numbers it on the page."""
    rows = "".join(_row(shown, language, personas, stage) for language, personas in rows_of(shown))
    return (
        f'<section class="message" id="m{n}"><header class="says">{_summary(shown, n, stage)}</header>'
        f'{told(shown.findings)}<div class="rows">{rows}</div></section>'
    )


# --- what it states -------------------------------------------------------------------------------------------------
def _summary(shown: Shown, n: int, stage: Stage) -> str:
    kind, said = verdict(shown)
    by = "".join(f'<li class="{escape(c)}">{use(c)}{escape(channel_name(c))}</li>' for c in shown.channels)
    return (
        f'<p class="of">{escape(shown.campaign.title or shown.campaign.campaign)}</p><h2>{escape(shown.name)}</h2><p class="verdict {kind}">{escape(said)}</p>'
        f'<fieldset class="facts"><legend class="sr">{escape(t("Facts", "Faits"))}</legend>{_chips(shown, n, stage)}</fieldset><ul class="by">{by}<li class="legend">{_legend()}</li></ul>'
    )


def _legend() -> str:
    said = t("personal", "personnel")
    return f'<span class="key">{escape(said)}</span>'


def _chips(shown: Shown, n: int, stage: Stage) -> str:
    every = f'<label class="chip all"><input class="sr" type="radio" name="fact{n}" checked>{escape(t("All facts", "Tous les faits"))}</label>'
    return every + "".join(_chip(shown, name, n, stage) for name in shown.facts)


def _chip(shown: Shown, name: str, n: int, stage: Stage) -> str:
    at = stage.painter.facts.index(name)
    lost = any(name in cell.lacks for cell in shown.cells)
    values = [(language, texts[0]) for language, texts in shown.facts[name].items() if texts]
    said = "".join(f"<span>{escape(text)}</span>" for language, text in values[:1])
    more = t(" and in other languages", " et autrement dans d’autres langues") if len({text for _, text in values}) > 1 else ""
    mark = f' <b class="lost">{escape(t("missing", "manque"))}</b>' if lost else ""
    title = "; ".join(f"{language}: {', '.join(texts)}" for language, texts in shown.facts[name].items())
    return (
        f'<label class="chip c{at}" title="{escape(title, quote=True)}"><input class="sr pick{at}" type="radio" name="fact{n}">'
        f'<i></i><em>{escape(name)}</em>{said}<span class="sr">{escape(more)}</span>{mark}</label>'
    )


def verdict(shown: Shown) -> tuple[str, str]:
    """Is it all right? `good`, `fair` or `bad`, and a line that says so."""
    lost = [f"{name} ({', '.join(channels)})" for name in shown.facts if (channels := _without(shown, name))]
    silent = sum(any(reading.reason for reading in cell.readings) for cell in shown.cells)
    if lost:
        return "bad", t("Does not reach everybody: {facts}", "N’atteint pas tout le monde : {facts}", facts=", ".join(lost))
    if silent:
        return "bad", t("{n} of {all} cannot be written", "{n} sur {all} ne peuvent être écrits", n=silent, all=len(shown.cells))
    if any(one.severity == "error" for one in shown.findings):
        return "bad", t("All facts are there, but see the errors", "Tous les faits y sont, mais voyez les erreurs")
    if not shown.facts:
        return "good", t("It states no fact", "Il n’énonce aucun fait")
    if shown.findings:
        return "fair", t(
            "All facts reach everybody; see the remarks", "Tous les faits atteignent tout le monde ; voyez les remarques"
        )
    return "good", t("All facts reach everybody", "Tous les faits atteignent tout le monde")


def _without(shown: Shown, fact: str) -> list[str]:
    """The channels on which a fact is missing."""
    return list(dict.fromkeys(channel_name(cell.channel) for cell in shown.cells if fact in cell.lacks))


def told(findings: Sequence[Finding]) -> str:
    """Findings as a list: code, what, where, and what to do."""
    if not findings:
        return ""
    rows = "".join(
        f'<li class="{one.severity}"><b>{escape(one.code)}</b> <span>{escape(one.message)}</span> <code>{escape(one.place.file)}:{one.place.line}:{one.place.column}</code>'
        f'{f"<small>{escape(one.help)}</small>" if one.help else ""}</li>'
        for one in findings
    )  # fmt: skip
    return f'<ul class="findings">{rows}</ul>'


# --- rows and cells -------------------------------------------------------------------------------------------------
def rows_of(shown: Shown) -> Iterable[tuple[str, tuple[str | None, ...]]]:
    """Language and the personas who read the same on most channels: they share a row, and their cells where equal."""
    for language in shown.languages:
        groups: list[list[str | None]] = []
        for persona in dict.fromkeys(cell.persona for cell in shown.cells):
            mine = _words(shown, language, persona)
            found = next((group for group in groups if 2 * len(mine & _words(shown, language, group[0])) > len(mine)), None)
            if found is None:
                groups.append([persona])
            else:
                found.append(persona)
        yield from ((language, tuple(group)) for group in groups)


def _words(shown: Shown, language: str, persona: str | None) -> set[tuple[str, object]]:
    return {(cell.channel, _content(cell)) for cell in shown.cells if (cell.language, cell.persona) == (language, persona)}


def _content(cell: Cell) -> object:
    return tuple((one.reason, tuple((part, one.text(part)) for part in one.parts)) for one in cell.readings)


def _row(shown: Shown, language: str, personas: Sequence[str | None], stage: Stage) -> str:  # fmt: skip
    cells = {channel: _channel(shown, language, personas, channel, stage) for channel in shown.channels}
    mail, prints = (cells.pop("email", ""), "".join(cells.pop(channel, "") for channel in ("qr", "letter")))
    talks = f'<div class="talks n{len(cells)}">{"".join(cells.values())}</div>' if cells else ""
    rest = f'<div class="rest">{talks}{prints}</div>' if talks or prints else ""
    return (
        f'<section class="row {_classes(personas, stage)} l-{escape(language)}"><h3>{_who(shown, personas)}<span>{escape(_spoken(shown, language, personas))}</span></h3>'
        f'<div class="cells">{mail}{rest}</div></section>'
    )


def _classes(personas: Sequence[str | None], stage: Stage) -> str:
    return " ".join(f"p{stage.personas.index(one)}" for one in personas if one is not None)


def _who(shown: Shown, personas: Sequence[str | None]) -> str:
    titles = [shown.personas[one].title for one in personas if one is not None]
    return " <i>+</i> ".join(f"<b>{escape(title)}</b>" for title in titles) or f"<b>{escape(t('Everybody', 'Tout le monde'))}</b>"


def _spoken(shown: Shown, language: str, personas: Sequence[str | None]) -> str:
    """`Français · tu`."""
    from babel import Locale

    from omnicli.texts import language as in_use

    name = Locale.parse(language.replace("-", "_")).get_display_name(in_use()) or language
    registers = {shown.personas[one].tone.address for one in personas if one is not None} - {None}
    written = any(key.startswith(f"{language}/") for key in shown.campaign.messages[shown.name].say)
    return " · ".join([name[:1].upper() + name[1:], *(sorted(map(str, registers)) if written else ())])


def _channel(shown: Shown, language: str, personas: Sequence[str | None], channel: str, stage: Stage) -> str:
    """The frames of one channel: one for all personas who read the same."""
    same: dict[object, list[Cell]] = {}
    for cell in shown.cells:
        if (cell.channel, cell.language) == (channel, language) and cell.persona in personas:
            same.setdefault(_content(cell), []).append(cell)
    variants = "".join(_variant(shown, cells, stage, alone=len(same) == 1) for cells in same.values())
    return f'<section class="cell {escape(channel)}">{variants}</section>'


def _variant(shown: Shown, cells: Sequence[Cell], stage: Stage, *, alone: bool) -> str:
    cell, whose = cells[0], [cell.persona for cell in cells]
    names = "" if alone else f'<p class="whose">{_who(shown, whose)}</p>'
    return (
        f'<div class="variant {_classes(whose, stage)}"><h4>{use(cell.channel)}{escape(channel_name(cell.channel))}{_complete(shown, cell)}</h4>{_codes(shown, cell)}'
        f"{names}{framed(cell, stage)}</div>"
    )


def _codes(shown: Shown, cell: Cell) -> str:
    """The findings that were seen here, by their codes; what they say stands on top."""
    codes = {(one.code, one.severity): one.message for one in shown.findings if touches(one, cell)}
    chips = "".join(
        f'<b class="{severity}" title="{escape(message, quote=True)}">{escape(code)}</b>'
        for (code, severity), message in codes.items()
    )
    return f'<p class="codes">{chips}</p>' if chips else ""


def _complete(shown: Shown, cell: Cell) -> str:
    """How many of the facts stand here, which are left out on purpose, and in red which are missing."""
    message = shown.campaign.messages[shown.name]
    omitted = [name for name in message.omit.get(cell.channel, ()) if name in message.facts]
    if cell.lacks:
        chips = "".join(f'<b class="lost">{escape(t("{fact} missing", "{fact} manque", fact=name))}</b>' for name in cell.lacks)
        return f'<span class="lacks">{chips}</span>'
    if all(reading.reason for reading in cell.readings):
        return ""
    here = len(message.facts) - len(omitted)
    said = t("{n} fact", "{n} fait", n=here) if here == 1 else t("{n} facts", "{n} faits", n=here)
    said += t(", without {names}", ", sans {names}", names=", ".join(omitted)) if omitted else ""
    return f"<small>✓ {escape(said)}</small>" if message.facts else ""
