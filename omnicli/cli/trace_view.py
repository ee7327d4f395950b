"""A message in the terminal with every word in the colour of its origin, and below it what each colour stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from omnicli.texts import t

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from omnicli.render.skeleton import Origin
    from omnicli.render.trace import Piece, Traced

#: One colour a fact, in the order in which the message declares them; personal values and the rest have their own marks.
FACTS = (
    "bold yellow",
    "bold cyan",
    "bold green",
    "bold magenta",
    "bold blue",
    "bold red",
    "bold bright_yellow",
    "bold bright_cyan",
)
PERSONAL, ADDRESS, TYPED, BROKEN = "underline", "cyan", "dim", "bold red reverse"


def values(traced: Traced) -> list[dict[str, Any]]:
    """Every value of a message with its origin, for JSON: `{"part", "value", "from", "kind", "name"}`; words are the rest."""
    return [
        {"part": part, "value": piece.text, "from": said_origin(piece.origin), "kind": piece.origin[0], "name": _name(piece.origin)}
        for part, pieces in traced.parts.items()
        for piece in pieces
        if piece.origin and piece.origin[0] not in ("template", "words")
    ]  # fmt: skip


def said_origin(origin: Origin) -> str:
    """`fact price (short)`, `contact first_name`, `link 0` …"""
    if not origin:
        return "value"
    form = f" ({origin[2]})" if origin[0] in ("fact", "contact") and len(origin) > 2 and origin[2] else ""
    return " ".join([str(origin[0]), *(str(word) for word in origin[1:2])]) + form


def _name(origin: Origin) -> str | None:
    return str(origin[1]) if origin and len(origin) > 1 else None


# --- in colour ------------------------------------------------------------------------------------------------------
def show(console: Console, traced: Traced) -> None:
    """The parts of a message in the colours of their origins, then the legend of the colours that stand in it."""
    from rich.text import Text

    facts = list(traced.facts)
    shown = dict(_readable(traced))
    for part, pieces in shown.items():
        if len(shown) > 1:
            console.print(Text(part, style="dim italic"))
        console.print(_coloured(pieces, facts, traced))
    console.print(_legend(shown, facts, traced))


def _readable(traced: Traced) -> Iterator[tuple[str, Sequence[Piece]]]:
    """The parts that people read: a page as its text, unless the message has a plain text of its own."""
    from omnicli.render.align import align_text
    from omnicli.render.finish import to_text

    for part, pieces in traced.parts.items():
        if part in traced.html:
            if "text" not in traced.parts:
                yield part, align_text(to_text(traced.rendered.parts[part]), traced.draft.parts[part])
        else:
            yield part, pieces


def _coloured(pieces: Sequence[Piece], facts: Sequence[str], traced: Traced) -> Text:
    from rich.text import Text

    from omnicli.text import printable

    found = Text()
    for piece in pieces:
        for n, line in enumerate(piece.text.split("\n")):
            found.append("\n" if n else "")
            found.append(printable(line), style=style_of(piece.origin, facts, traced))
    return found


def style_of(origin: Origin, facts: Sequence[str], traced: Traced) -> str:
    """A fact has its colour, also behind an address; what is personal is underlined; what is typed in the template is dim."""
    match origin:
        case ("fact", str(name), *_) if name in facts:
            return FACTS[facts.index(name) % len(FACTS)]
        case ("link", int(n)) if traced.links[n].fact in facts:
            return FACTS[facts.index(str(traced.links[n].fact)) % len(FACTS)]
        case ("derived", *_):
            return BROKEN
        case ("contact", *_) | ("touch", *_) | ("today", *_):
            return PERSONAL
        case ("link", *_) | ("address", *_):
            return ADDRESS
        case ("words", *_):
            return ""
    return TYPED


def _legend(shown: Mapping[str, Sequence[Piece]], facts: Sequence[str], traced: Traced) -> Text:
    """`offer  price  deadline · personal · your words · typed in the template`, of those that stand in the message."""
    from rich.text import Text

    styles = {style_of(piece.origin, facts, traced) for pieces in shown.values() for piece in pieces if piece.text.strip()}
    found = Text()
    for n, name in enumerate(facts):
        style = FACTS[n % len(FACTS)]
        found.append(f"■ {name}  ", style=style if style in styles else "dim strike")
    others = ((PERSONAL, t("personal", "personnel")), (BROKEN, t("cut from a fact", "fait tronqué")), (ADDRESS, t("address", "adresse")),
              ("", t("your words", "vos mots")), (TYPED, t("template", "modèle")))  # fmt: skip
    for style, said in others:
        if style in styles:
            found.append(said, style=style)
            found.append("  ")
    return found
