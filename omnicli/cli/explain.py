"""`omni explain`: the page of a rule, a key of the language, a reason, a hold or an exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnicli.cli.frame import session
from omnicli.cli.options import arg
from omnicli.errors import OmniError
from omnicli.text import did_you_mean
from omnicli.texts import language, t

if TYPE_CHECKING:
    from rich.console import Console

    from omnicli.lint.rule import Rule

app = typer.Typer(add_completion=False)


@app.command(
    help=t("omni explain R001\n\nThe page of a rule (by code or name), of a key of the language (quiet_hours), of a reason, a state, a hold or a refusal "
           "(capped, parked), or of an exit code (4).",
           "omni explain R001\n\nLa page d'une règle (code ou nom), d'une clé du langage (quiet_hours), d'un motif, d'un état ou d'un refus (capped, parked), ou d'un code de sortie (4)."),
)  # fmt: skip
def explain(
    words: Annotated[
        list[str],
        arg(
            "a code, a name, a key, a reason, an exit code",
            "un code, un nom, une clé, un motif, un code de sortie",
            metavar="CODE|WORD",
        ),
    ],
) -> None:
    from omnicli.lint.rule import named
    from omnicli.lint.words import known_words, meaning

    s = session()
    said = " ".join(words)
    word = as_written(said)
    rule = named(word)
    text = meaning(word, language())
    if rule is not None and text is None:
        s.finish(_parts(rule), show=lambda console: _page(rule, console))
    if text is None:
        raise OmniError(
            t("nothing is called '{word}' here.", "rien ne s'appelle « {word} » ici.", word=said) + did_you_mean(said, known_words()),
            hint="omni rules", code="unknown",
        )  # fmt: skip
    also = rule.code if rule is not None else None
    s.finish({"word": word, **text, "rule": also}, show=lambda console: _word(word, text, console, also))


def as_written(said: str) -> str:
    """The code, key or reason that is meant by what a report prints: `condition false`, `heures calmes`, `in silence`, `exit 3`."""
    from omnicli.cli.run_view import REASON_WORDS
    from omnicli.lint.words import meaning
    from omnicli.model import spoken

    folded = said.casefold().strip()
    printed = {shown: reason for reason, words in reversed(REASON_WORDS.items()) for shown in words}
    printed |= {"held out": "holdout", "in silence": "holdout", "groupe témoin": "holdout", "dans le silence": "holdout",
                "no consent": "no_consent", "held": "hold", "retenu": "hold", "retenus": "hold", "base retenue": "hold", "pas d'accord": "no_consent", "channel": "channels", "canal": "channels"}  # fmt: skip
    if folded in printed:
        return printed[folded]
    if meaning(said, "en") is None and (spelt := next((c for c in spoken.codes(folded) if meaning(c, "en")), None)) is not None:
        return spelt
    code = folded.removeprefix("exit ").removeprefix("code ")
    return code if code.isdigit() else said


def _parts(rule: Rule) -> dict[str, Any]:
    lang = language()
    return {
        "code": rule.code, "name": rule.name, "severity": rule.severity, "fix": rule.fix, "what": rule.what[lang], "why": rule.why[lang],
        "bad": rule.bad, "good": rule.good, "configure": rule.configure[lang],
    }  # fmt: skip


def _page(rule: Rule, console: Console) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from omnicli.lint.report import STYLE, severity_word

    lang = language()
    head = (
        Text(f"{rule.code} ", style="bold")
        .append(rule.name, style="bold")
        .append(f"   {severity_word(rule.severity)}", style=STYLE[rule.severity])
    )
    if rule.fix:
        head.append(
            t("   safe fix", "   réparation sûre") if rule.fix == "s" else t("   unsafe fix", "   réparation à vérifier"),
            style="green",
        )
    console.print(head)
    console.print()
    for title, text in (
        (t("What it does", "Ce qu'elle fait"), rule.what[lang]),
        (t("Why it matters", "Pourquoi"), rule.why[lang]),
    ):
        console.print(Text(title, style="bold"))
        console.print(Padding(Text(text), (0, 0, 1, 2), expand=False))
    for title, text, style in ((t("Bad", "Mauvais"), rule.bad, "red"), (t("Good", "Bon"), rule.good, "green")):
        console.print(Text(title, style="bold"))
        console.print(Padding(Text(text.rstrip(), style=style), (0, 0, 1, 2), expand=False))
    console.print(Text(t("How to configure", "Comment régler"), style="bold"))
    console.print(Padding(Text(rule.configure[lang]), (0, 0, 0, 2), expand=False))


def _word(word: str, text: dict[str, str], console: Console, also: str | None) -> None:
    from rich.padding import Padding
    from rich.text import Text

    console.print(Text(word, style="bold").append(f"   {text['kind']}", style="dim"))
    console.print(Padding(Text(text["means"]), (0, 0, 0, 2), expand=False))
    if also:
        console.print(
            Text(
                t(
                    "A rule has this name too:  omni explain {code}",
                    "Une règle porte aussi ce nom :  omni explain {code}",
                    code=also,
                ),
                style="dim",
            )
        )
