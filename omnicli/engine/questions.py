"""What has to be asked of the store before deciding: everything from one step until people must stand again.

What is not asked here is not guessed: the engine then stands at that step and asks for another round of the same instant.
"""

from __future__ import annotations

from dataclasses import dataclass

from omnicli.engine.house import House
from omnicli.model.campaign import Call, Choose, Fact, Send, Set, WaitStep
from omnicli.model.decision import First
from omnicli.model.flow import Node
from omnicli.model.literals import Moment


@dataclass(frozen=True, slots=True)
class Questions:
    """Texts of conditions and event terms, each once, in the order of the file; `attributes` are names that moments lean on;
    `hours`, `told` and `event` say whether the hours of responses, the facts told and the entering event are needed, `sends`
    whether a touch may be decided, which wants the cap slots."""

    conditions: tuple[str, ...] = ()
    firsts: tuple[First, ...] = ()
    attributes: tuple[str, ...] = ()
    hours: bool = False
    told: bool = False
    event: bool = False
    sends: bool = False


def questions(house: House, step: str | None) -> Questions:
    """What `decide` may ask of people who stand at `step` (None: who have just entered). A paused house asks no step."""
    asked = _Asked(house)
    for rule in house.campaign.exit:
        if rule.if_ is not None:
            asked.conditions[rule.if_] = None
        if rule.when is not None:
            asked.firsts["enter", rule.when] = None
    for term in house.goal_terms:
        asked.firsts["enter", term] = None
    if not house.halted:
        if step is None:
            asked.reach(house.flow.first)
        elif step in house.flow.nodes:
            asked.start(house.flow[step])
    return Questions(tuple(asked.conditions), tuple(asked.firsts), tuple(asked.attributes), asked.hours, asked.told, asked.event,
                     asked.sends)  # fmt: skip


class _Asked:
    def __init__(self, house: House) -> None:
        self.house = house
        self.conditions: dict[str, None] = {}
        self.firsts: dict[First, None] = {}
        self.attributes: dict[str, None] = {}
        self.hours = self.told = self.event = self.sends = False
        self.seen: set[str] = set()

    def start(self, node: Node) -> None:
        """The step people stand at: its own questions, and what follows it."""
        self.seen.add(node.id)
        match node.step:
            case Send():
                self._send(node.step)
                self.reach(node.next)
            case WaitStep(wait=wait, for_=answers):
                if wait.moment is not None:
                    self._moment(wait.moment)
                for term in answers or {}:
                    if term != "nothing":
                        self.firsts["wait", term] = None
                for _, first in node.branches or (("", node.next),):
                    self.reach(first)
            case Call():
                self.reach(node.next)
            case _:
                self.seen.discard(node.id)
                self.reach(node.id)

    def reach(self, name: str | None) -> None:
        """A step come upon on the way: asked as far as the next place where people stand."""
        if name is None or name in self.seen:
            return
        self.seen.add(name)
        node = self.house.flow[name]
        match node.step:
            case Send():
                self._send(node.step)
            case WaitStep(wait=wait):
                if wait.moment is not None:
                    self._moment(wait.moment)
            case Call() | Set():
                return
            case Choose(choose=options):
                for option in options:
                    if option.if_ is not None:
                        self.conditions[option.if_] = None
                for _, first in node.branches:
                    self.reach(first)
                self.reach(node.next)
            case _:
                for _, first in node.branches:
                    self.reach(first)
                self.reach(node.next)

    def _send(self, step: Send) -> None:
        self.sends = True
        if step.if_ is not None:
            self.conditions[step.if_] = None
        self._moment(step.at)

    def _moment(self, moment: Moment) -> None:
        if moment.kind == "best hour":
            self.hours = True
        if moment.kind != "anchor" or moment.anchor in (None, "enter"):
            return
        if moment.anchor.startswith("contact."):
            self.attributes[moment.anchor.removeprefix("contact.")] = None
            return
        found = self.house.fact(moment.anchor)
        if found is not None:
            self.told = True
            self._fact(found[2])

    def _fact(self, fact: Fact) -> None:
        for value in (fact.value, *(fact.by_persona or {}).values(), *(fact.by_language or {}).values()):
            if isinstance(value, Moment):
                self._moment(value)
        if fact.from_ is not None and fact.from_.startswith("contact."):
            self.attributes[fact.from_.removeprefix("contact.")] = None
        if fact.from_ is not None and fact.from_.startswith("event."):
            self.event = True
