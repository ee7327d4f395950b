"""What the scenarios of a campaign lived through of it, and what they did not: steps, branches, channels of sends, languages, personas.

A branch is each response of a wait and `nothing`, each arm, each option of a choose and, where there is no `else`, falling through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnicli.campaigns.scenario.played import Played
from omnicli.campaigns.turn import personas_of
from omnicli.model.campaign import Campaign, Choose, Exit, Go, Send, Split, WaitStep
from omnicli.model.flow import Flow, Node
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded

#: What can be covered: (kind, step or "", word).
Part = tuple[str, str, str]
KINDS = ("step", "branch", "channel", "language", "persona")


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of one campaign: every part there is, and those that were lived."""

    campaign: str
    wanted: tuple[Part, ...]
    lived: frozenset[Part]

    def count(self, kind: str) -> tuple[int, int]:
        """(lived, there are)."""
        parts = [part for part in self.wanted if part[0] == kind]
        return sum(part in self.lived for part in parts), len(parts)

    @property
    def branches(self) -> int:
        return self.count("branch")[0]

    @property
    def all_branches(self) -> int:
        return self.count("branch")[1]

    @property
    def percent(self) -> float:
        """Steps and branches together: what `--min` asks for; 100 where there is nothing."""
        parts = [part for part in self.wanted if part[0] in ("step", "branch")]
        return 100.0 * sum(part in self.lived for part in parts) / len(parts) if parts else 100.0

    @property
    def missing(self) -> tuple[Part, ...]:
        return tuple(part for part in self.wanted if part not in self.lived)

    @property
    def figures(self) -> tuple[str, ...]:
        """`steps 8 of 10`, `branches 5 of 8`."""
        words = {"step": t("steps", "étapes"), "branch": t("branches", "branches")}
        return tuple(
            f"{word} {t('{n} of {all}', '{n} sur {all}', n=n, all=all_)}"
            for kind, word in words.items()
            for n, all_ in (self.count(kind),)
        )

    @property
    def uncovered(self) -> str:
        """`reponse-j0 clicked, replied · test-rappel whatsapp · appel`: branches by step, then steps nobody came to."""
        by: dict[str, list[str]] = {}
        for kind, step, word in self.missing:
            if kind == "branch":
                by.setdefault(step, []).append(word)
        steps = ", ".join(step for kind, step, _ in self.missing if kind == "step" and step not in by)
        return " · ".join([*(f"{step} {', '.join(words)}" for step, words in by.items()), *([steps] if steps else [])])

    def lines(self) -> Iterator[str]:
        """What is missing, as lines to write into a story."""
        for kind, step, word in self.missing:
            match kind:
                case "step":
                    yield f"- expect: step {step}"
                case "branch":
                    yield f"- expect: branch {step} {word}"
                case "channel":
                    yield f"- expect: {word}   # {t('the send', 'l’envoi')} {step}"
                case "language":
                    yield f"given: {{language: {word}}}"
                case "persona":
                    yield f"- expect: persona {word}"

    def json(self) -> dict[str, object]:
        counts = {
            f"{kind}s" if kind != "branch" else "branches": dict(zip(("lived", "all"), self.count(kind), strict=True))
            for kind in KINDS
        }
        return {**counts, "percent": round(self.percent, 1), "missing": [list(part) for part in self.missing]}


def coverage(loaded: Loaded, name: str, played: Iterable[Played]) -> Coverage:
    """What these scenarios lived of the campaign."""
    assert loaded.project is not None
    campaign = loaded.campaigns[name]
    languages = tuple(campaign.languages or loaded.project.languages)
    personas = tuple(personas_of(campaign, loaded.project))
    wanted = (*_wanted(campaign), *(("language", "", one) for one in languages), *(("persona", "", one) for one in personas))
    return Coverage(name, wanted, frozenset(_lived(name, campaign, played)))


def _wanted(campaign: Campaign) -> Iterator[Part]:
    for node in Flow.of(campaign):
        if not isinstance(node.step, Go):  # a `go` is no place: nothing is decided there
            yield "step", node.id, ""
        yield from (("branch", node.id, label) for label in labels(node))
        if isinstance(node.step, Send) and node.step.by != "preferred":
            for channel in dict.fromkeys((node.step.by, *node.step.else_)):
                if (only := campaign.messages[node.step.send].channels) is None or channel in only:
                    yield "channel", node.id, channel


def labels(node: Node) -> tuple[str, ...]:
    """The branches of a step, as decisions and `expect: branch` name them."""
    match node.step:
        case WaitStep(for_=answers) if answers is not None:
            return tuple(answers)
        case Split(split=arms):
            return tuple(arms)
        case Choose(choose=options):
            names = tuple("else" if option.if_ is None else option.if_ for option in options)
            return names if "else" in names else (*names, "none")
    return ()


def _lived(name: str, campaign: Campaign, played: Iterable[Played]) -> Iterator[Part]:
    known = {node.id: frozenset(labels(node)) for node in Flow.of(campaign)}
    ends = [(node.id, node.step.exit) for node in Flow.of(campaign) if isinstance(node.step, Exit)]
    for one in (life for scenario in played for life in scenario.lived):
        if one.language is not None:
            yield "language", "", one.language
        if one.persona is not None:
            yield "persona", "", one.persona
        for step, rule, answer in one.decisions:
            if step in known:
                yield "step", step, ""
            if answer in known.get(step, ()) and rule in ("wait", "choose", "split"):
                yield "branch", step, answer
        yield from (("step", step, "") for step, reason in ends if one.reason == reason)
        yield from _touched(name, one.touches)


def _touched(name: str, touches: Iterable[Mapping[str, object]]) -> Iterator[Part]:
    for touch in touches:
        if touch["campaign"] == name:
            yield "step", str(touch["step"]), ""
            if touch["state"] in ("accepted", "held_out"):
                yield "channel", str(touch["step"]), str(touch["channel"])
