"""How a diff looks in a terminal: words side by side in one line, the flow with its signs, and who stands where if people move."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from omnicli.cli import rows
from omnicli.cli.rows import Cell, number
from omnicli.texts import several, t

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from omnicli.campaigns.diff.checked import Checked
    from omnicli.campaigns.diff.compare import Change, Diff, MessageChange, StepChange
    from omnicli.campaigns.diff.effect import Edit
    from omnicli.campaigns.diff.sides import Sides

SIGN = {"added": ("+", "green"), "removed": ("−", "red"), "changed": ("~", "yellow"), "moved": ("↕", "cyan")}
#: Where the columns of the text begin.
HEAD, NAME = 12, 18


def show(
    console: Console, sides: Sides, found: Diff, edits: Sequence[Edit], compared: Mapping[str, Checked], *, live: bool
) -> None:
    """The page of `campaign diff`."""
    from rich.text import Text

    head = (
        Text(sides.name, "bold").append(f" {sides.before.label}", "cyan").append(" → ", "dim").append(sides.after.label, "cyan")
    )
    head.append("  live" if live else "", "bold red")
    console.print(head, soft_wrap=True)
    inside = sum(g.people for g in sides.groups)
    if inside:
        console.print(Text(t("{e} entered {v} · {n} in flight, who stay on it", "{e} entrées dans {v} · {n} en cours, qui y restent",
                             e=number(sides.before.entered), n=number(inside), v=sides.before.label.partition(" ")[0]), "dim"), soft_wrap=True)  # fmt: skip
    console.print()
    if not found:
        console.print(t("They say the same.", "Elles disent la même chose."))
        return
    for title, lines in _sections(found, compared):
        for n, line in enumerate(lines):
            _line(console, title if n == 0 else "", line)
    if edits:
        console.print()
        show_effect(console, edits)


def _sections(found: Diff, compared: Mapping[str, Checked]) -> Iterator[tuple[str, list[tuple[str, Text]]]]:
    messages = [line for m in found.messages for line in _message(m, compared.get(m.name))]
    flow = [_step(c) for c in found.flow]
    for title, lines in (
        (t("Messages", "Messages"), messages), (t("Flow", "Parcours"), flow),
        (t("Guardrails", "Garde-fous"), [_plain(c) for c in found.guardrails]), (t("Frame", "Cadre"), [_plain(c) for c in found.frame]),
    ):  # fmt: skip
        if lines:
            yield title, lines


def _message(m: MessageChange, checked: Checked | None) -> Iterator[tuple[str, Text]]:
    """The lines of one message; the last says on how many channels and languages it was compared."""
    yield from _edits(m)
    if checked is not None:
        yield "", _compared(m.name, checked)


def _compared(name: str, checked: Checked) -> Text:
    """`5 channels, 2 languages checked ✔`, or how many errors that found."""
    from rich.text import Text

    where = ", ".join(
        (
            several(checked.channels, ("{n} channel", "{n} channels"), ("{n} canal", "{n} canaux")),
            several(checked.languages, ("{n} language", "{n} languages"), ("{n} langue", "{n} langues")),
        )
    )
    if not checked.errors:
        return Text(t("{where} checked ✔", "{where} : vérifié ✔", where=where), "green")
    errors = several(checked.errors, ("{n} error", "{n} errors"), ("{n} erreur", "{n} erreurs"))
    return Text(t("{where} checked ✘ {errors}: omni message check {name}", "{where} : vérifié ✘ {errors} : omni message check {name}",
                  where=where, errors=errors, name=name), "red")  # fmt: skip


def _edits(m: MessageChange) -> Iterator[tuple[str, Text]]:
    from rich.text import Text

    sign, style = SIGN[m.kind]
    if m.kind != "changed":
        what = t("{n} facts, {w} texts", "{n} faits, {w} textes", n=len(m.facts), w=len(m.words))
        yield m.name, Text(f"{sign} ", style).append(what, style)
        return
    if m.facts:
        yield m.name, Text("   ").join(_arrow(c) for c in m.facts)
    for n, c in enumerate((*m.words, *m.rest)):
        yield (m.name if n == 0 and not m.facts else ""), Text().append(f"{c.name}  ", "dim").append_text(_worded(c))


def _arrow(c: Change) -> Text:
    """`offer 20 % → 25 %`."""
    from rich.text import Text

    said = Text().append(f"{c.name} ", "dim")
    if c.before is not None:
        said.append(c.before, "red")
    if c.before is not None and c.after is not None:
        said.append(" → ", "dim")
    return said.append(c.after, "green") if c.after is not None else said.append(t(" (gone)", " (retiré)"), "dim")


def _worded(c: Change) -> Text:
    """What went struck through, what came underlined; in a pipe `[-…-]` and `{+…+}`, as git writes them."""
    from rich.text import Text

    from omnicli.campaigns.diff.words import spans

    said = Text()
    for run in spans(c):
        match run.sign:
            case "-":
                said.append(f"[-{run.text}-]", "red")
            case "+":
                said.append("{+" + run.text + "+}", "green")
            case _:
                said.append(run.text)
    return said


def _step(c: StepChange) -> tuple[str, Text]:
    from rich.text import Text

    sign, style = SIGN[c.kind]
    said = Text().append(f"{sign} ", f"bold {style}")
    if c.kind == "changed":
        said.append_text(Text("   ").join(_arrow(one) for one in c.changes))
    elif c.kind == "moved":
        said.append(t("moved", "déplacée"), style)
    else:
        said.append(c.after or c.before or "", style)
    return c.step, said


def _plain(c: Change) -> tuple[str, Text]:
    from rich.text import Text

    return c.name, Text().append(f"{SIGN[c.kind][0]} ", f"bold {SIGN[c.kind][1]}").append_text(_arrow(c)[len(c.name) + 1 :])


def _line(console: Console, title: str, line: tuple[str, Text]) -> None:
    """Title, name and text in three columns; the text goes on below itself where the terminal is narrow."""
    from rich.text import Text

    name, said = line
    lead = Text().append(f" {title:<{HEAD - 1}}", "bold").append(f"{name:<{NAME}}  " if len(name) <= NAME else f"{name}  ", "")
    most = console.width if console.is_terminal else 100_000
    room = max(most - HEAD - NAME - 2, 24)
    wrapped = said.wrap(console, room) if console.is_terminal else [said]
    for n, part in enumerate(wrapped):
        own = lead if n == 0 else Text(" " * (HEAD + NAME + 2))
        if n == 0 and len(name) > NAME and console.is_terminal:
            console.print(own)
            own = Text(" " * (HEAD + NAME + 2))
        console.print(own + part, soft_wrap=True)


# --- people ---------------------------------------------------------------------------------------------------------
def show_effect(console: Console, edits: Sequence[Edit]) -> None:
    """The table `before it · waiting in it · past it`."""
    from omnicli.campaigns.diff.people import titled

    head: list[Cell] = [(t("If you migrate", "Si vous migrez"), "bold"), (t("before it", "avant"), "dim"), (t("waiting in it", "en attente"), "dim"), (t("past it", "après"), "dim")]  # fmt: skip
    body: list[list[Cell]] = [[f" {titled(e)}", *_cells(e)] for e in edits]
    rows.lay(console, [head, *body], shrink=0 if console.is_terminal else None, indent=1)


def _cells(e: Edit) -> list[Cell]:
    from omnicli.campaigns.diff.people import counted

    style = "red" if e.code in ("V002", "V004") else "yellow" if e.code else ""
    before, waiting, past = counted(e)
    return [before, (waiting, style), (past, "dim")]
