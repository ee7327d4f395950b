"""An edit and its people in words, the same in the terminal, in a pull request and on a page; and what a pass costs at most."""

from __future__ import annotations

from omnicli.campaigns.diff.effect import Edit
from omnicli.engine.pricing import cost
from omnicli.model import spoken
from omnicli.model.campaign import Campaign, Send
from omnicli.model.flow import Flow
from omnicli.model.project import Project
from omnicli.texts import t

#: What it means to a group: the same for one and for many, or (one, many).
Said = str | tuple[str, str]


def titled(e: Edit) -> str:
    """The edit in a few words."""
    match e.kind:
        case "words":
            return t("{m}: other words", "{m} : d'autres mots", m=e.name)
        case "removed":
            return t("{s} gone", "{s} retirée", s=e.name)
        case "added":
            return t("{s} new", "{s} nouvelle", s=e.name)
        case "moved":
            return t("{s} moved", "{s} déplacée", s=e.name)
    return f"{e.name} {e.text}"


def standing() -> tuple[str, str, str]:
    """The heads of the three groups of people."""
    return t("before it", "pas encore là"), t("waiting in it", "en attente"), t("past it", "déjà passées")


def counted(e: Edit) -> tuple[str, str, str]:
    """How many are before it, wait in it, are past it, and what it means to them."""
    told = [
        f"{spoken.number(n)} {_one_or_more(n, word)}".rstrip() if n else "–"
        for n, word in zip((e.before, e.waiting, e.past), _meaning(e), strict=True)
    ]
    return told[0], told[1], told[2]


def _one_or_more(count: int, words: Said) -> str:
    return words if isinstance(words, str) else words[0 if count == 1 else 1]


def _meaning(e: Edit) -> tuple[Said, Said, Said]:
    same = t("unaffected", "sans effet")
    new = (t("new", "nouvelle"), t("new", "nouvelles"))
    kept = f" ({e.code})" if e.code else ""
    match e.kind:
        case "fact" if e.code:
            return (
                new,
                (t("told anew (V004)", "le lira autrement (V004)"), t("told anew (V004)", "le liront autrement (V004)")),
                same,
            )
        case "fact":
            return (
                new,
                (
                    t("keeps what was told", "garde ce qui lui fut dit"),
                    t("keep what they were told", "gardent ce qui leur fut dit"),
                ),
                same,
            )
        case "words":
            return (t("reads the new ones", "lira les nouveaux"), t("read the new ones", "liront les nouveaux")), "", same
        case "wait":
            return (
                new,
                (t("keeps its timer", "garde son minuteur") + kept, t("keep their timer", "gardent leur minuteur") + kept),
                same,
            )
        case "shortened":
            return new, (t("timer ends earlier", "minuteur écourté"), t("timers end earlier", "minuteurs écourtés")), same
        case "removed":
            here = (t("has a place", "a une place"), t("have a place", "ont une place"))
            return (
                (t("never sees it", "ne la verra pas"), t("never see it", "ne la verront pas")),
                t("stranded (V002)", "sans place (V002)") if e.code else here,
                same,
            )
        case "added":
            return (
                (t("will come to it", "y viendra"), t("will come to it", "y viendront")),
                "",
                t("not made up for", "pas rattrapée"),
            )
    return new, (t("stays in it", "y reste"), t("stay in it", "y restent")), same


def dearest(campaign: Campaign, project: Project) -> str:
    """What one pass costs at most: on every way the dearest channel of each step, of all ways the dearest."""
    prices = {name: cost(channel.price) for name, channel in project.channels.items()}
    return spoken.cash(_most(Flow.of(campaign), prices), project.currency)


def _most(flow: Flow, prices: dict[str, int]) -> int:
    """The dearest way, from the last step back: ways only lead on, so each step's rest is known before it."""
    rest: dict[str | None, int] = {None: 0}
    for node in reversed(list(flow)):
        ways = [rest.get(first, 0) for _, first in node.branches] or [rest.get(node.next, 0)]
        if node.step.verb == "choose":  # nothing was true
            ways.append(rest.get(node.next, 0))
        own = 0
        if isinstance(node.step, Send):
            named = (node.step.by, *node.step.else_)
            own = max((prices.get(c, 0) for c in (prices if node.step.by == "preferred" else named)), default=0)
        rest[node.id] = own + max(ways)
    return rest.get(flow.first, 0)
