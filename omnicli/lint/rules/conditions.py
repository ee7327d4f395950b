"""Family A: conditions; most of it is what the condition checker itself says, put at its line and column."""

from __future__ import annotations

from collections.abc import Iterator

from omnicli.lint.conditions import every_condition, is_key, problems
from omnicli.lint.ground import Ground
from omnicli.lint.rule import rule
from omnicli.model.finding import Finding
from omnicli.texts import t


def _said(ground: Ground, code: str) -> Iterator[Finding]:
    yield from (finding for finding in problems(ground) if finding.code == code)


@rule("A001")
def condition_syntax(ground: Ground) -> Iterator[Finding]:
    yield from _said(ground, "A001")


@rule("A002")
def condition_type(ground: Ground) -> Iterator[Finding]:
    # what a condition refers to (S005, R001, R003, R004, R005) is told here too: it comes out of the same check
    for code in ("A002", "S003", "S004", "S005", "R001", "R003", "R004", "R005"):
        yield from _said(ground, code)


@rule("A003")
def always_same(ground: Ground) -> Iterator[Finding]:
    yield from _said(ground, "A003")


@rule("A007")
def no_entry_yet(ground: Ground) -> Iterator[Finding]:
    yield from _said(ground, "A007")


@rule("A008")
def circle(ground: Ground) -> Iterator[Finding]:
    yield from _said(ground, "A008")


@rule("A009")
def and_or_mixed(ground: Ground) -> Iterator[Finding]:
    yield from _said(ground, "A009")


@rule("A011")
def enter_meets_exit(ground: Ground) -> Iterator[Finding]:
    """Enter and exit say the same thing: the same clause stands in `enter.if` and in an exit's `if`."""
    from omnicli.condition.explain import clauses

    for chapter in ground.chapters:
        entry = chapter.campaign.enter.if_
        if not entry or chapter.campaign.enter.form not in ("if", "every", "at", "on", "when"):
            continue
        wanted = {_plain(clause) for clause in clauses(entry)}
        for index, exit_rule in enumerate(chapter.campaign.exit):
            if exit_rule.if_ and _plain(exit_rule.if_) in wanted:
                path = ("exit", index, "if")
                text = t(
                    "enter and exit can hold together: people would leave at once",
                    "entrée et sortie peuvent être vraies ensemble : on sortirait aussitôt",
                )
                yield ground.finding("A011", ground.place(chapter.file, path), text, path=path)


def _plain(text: object) -> str:
    return " ".join(str(text).lower().split())


@rule("A012")
def same_day_again(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        enter = chapter.campaign.enter
        if enter.again.kind == "always" and enter.form in ("when", "if"):
            path = ("enter", "again")
            text = t("again: always can restart the flow the same day", "again: always peut relancer le parcours le jour même")
            help = t("write 'again: after 7 days'", "écrivez « again: after 7 days »")
            yield ground.finding("A012", ground.place(chapter.file, path), text, path=path, help=help)


@rule("A014")
def word_is_attribute(ground: Ground) -> Iterator[Finding]:
    yield from _said(ground, "A014")


@rule("F009")
def open_is_no_proof(ground: Ground) -> Iterator[Finding]:
    import re

    for file, path, text, _where, _names in every_condition(ground):
        measured = path[0] == "goal" or path[-1] == "measure"  # no measure at all: X005 says so
        if not measured and (found := re.search(r"\bopened\b", text)):
            place = ground.place(file, path, key=is_key(path))
            from omnicli.lint.conditions import exact

            spot = exact(ground, file, path, place, found.start() + 1, 6)
            message = t(
                "'opened' is set by machines too; prefer clicked, replied, purchase",
                "« opened » vient aussi de machines ; préférez clicked, replied, purchase",
            )
            yield ground.finding("F009", spot, message, path=path)
