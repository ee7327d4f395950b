"""What a story expects, held against a world: the next touch, nothing, a guard that holds, a reason, the state now.

Touches are consumed in the order of time; one that nobody expected fails the next `expect` of a touch or of nothing, and is shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

from omnicli import clock
from omnicli.campaigns.scenario import timeline
from omnicli.campaigns.scenario.read import Pass, Sent
from omnicli.campaigns.scenario.world import World
from omnicli.model import spoken
from omnicli.model.literals import Duration
from omnicli.model.story import ExpectHeld, ExpectNothing, ExpectSkipped, ExpectState, ExpectTouch, Placed, StoryLine, Wall
from omnicli.render.finish import to_text
from omnicli.texts import t

_BLANK = re.compile(r"\s+")
_URL = re.compile(r"https?://[^\s\"'<>)]+")
#: To the last millisecond of a minute.
_MINUTE = timedelta(minutes=1) - timedelta(milliseconds=1)
#: Words of a message that are shown when it does not say what it should.
SHOWN = 160


def at_wall(wall: Wall, zone: tzinfo) -> datetime:
    """The instant that a written date and time is in its own zone, else in this one."""
    return clock.wall(wall.moment, ZoneInfo(wall.zone) if wall.zone else zone)


class Missed(Exception):
    """An expectation that life did not fulfil: `got` instead; `expected`, `line` and `column` where the line itself is not the place."""

    def __init__(self, got: str, *, expected: str = "", line: int = 0, column: int = 0) -> None:
        super().__init__(got)
        self.got, self.expected, self.line, self.column = got, expected, line, column


class Expecting:
    """Holds lines against `world`, and remembers which touches were consumed."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._seen: set[int] = set()  # touches that a line has taken
        self._zones: dict[str, tzinfo] = {}

    def zone(self, who: str) -> tzinfo:
        """The person's own clock."""
        if who not in self._zones:
            self._zones[who] = self.world.zone(who)
        return self._zones[who]

    def settle(self) -> None:
        """Let happen what is due at this very instant."""
        self.world.live_until(self.world.now)

    def expect(self, line: StoryLine, who: str, patience: Duration) -> None:
        match line:
            case ExpectTouch():
                self._touch(line, who, patience)
            case ExpectNothing():
                self._nothing(line, who)
            case ExpectHeld():
                self._held(line, who, patience)
            case ExpectSkipped():
                self._skipped(line, who, patience)
            case ExpectState():
                self._state(line, who)

    # --- touches ----------------------------------------------------------------------------------------------------
    def ended(self, who: str) -> list[Sent]:
        """Touches that ended and that no line has taken, in order of time."""
        return [one for one in self.world.touches(who) if one.id not in self._seen]

    def left(self, who: str) -> list[Sent]:
        """Those of them that left."""
        return [one for one in self.ended(who) if one.accepted]

    def _pass_time(self, limit: datetime) -> bool:
        """Live the next instant at which something is due, if it is not after `limit`; False when there is none."""
        due = self.world.next_due()
        if due is None or due > limit:
            return False
        self.world.live(due)
        return True

    def _touch(self, line: ExpectTouch, who: str, patience: Duration) -> None:
        zone, now = self.zone(who), self.world.now
        wanted = patience.after(now, zone) if line.at is None else max(at_wall(line.at, zone), now)
        limit = wanted if line.at is None else wanted + _MINUTE  # any second of that minute is right
        while not self.left(who):
            if not self._pass_time(limit):
                raise Missed(self._instead(who, wanted))
        touch = self.left(who)[0]
        self._take(who, touch)
        said = f"{touch.channel} {touch.message}"
        if (touch.channel, touch.message) != (line.channel, line.message):
            raise Missed(f"{said}   {timeline.when(touch.at, zone)}   ({t('step', 'étape')} {touch.step})")
        if line.at is not None and _minute(touch.at) != _minute(at_wall(line.at, zone)):
            raise Missed(f"{said}   {timeline.when(touch.at, zone)}")
        self._below(line, touch)

    def _take(self, who: str, touch: Sent) -> None:
        """Consume the touch, and whatever ended before it without leaving."""
        for one in self.ended(who):
            self._seen.add(one.id)
            if one.id == touch.id:
                return

    def _instead(self, who: str, limit: datetime) -> str:
        """Why no touch came: the last that ended otherwise, a guard, the next that is to come, or nothing at all."""
        zone = self.zone(who)
        others = self.ended(who)
        if others:
            last = others[-1]
            word = {
                "held_out": t("held out", "groupe témoin"),
                "rejected": t("refused by the provider", "refusé par le prestataire"),
            }
            said = word.get(last.state) or t("skipped {reason}", "écarté : {reason}", reason=spoken.word(last.reason or ""))
            detail = self.world.problem(last)
            return f"{said}   {timeline.when(last.at, zone)}   ({t('step', 'étape')} {last.step})" + (
                f"   {detail}" if detail else ""
            )
        for one in self.world.waiting(who):
            if one.state in ("unknown", "parked"):
                return f"{one.channel} {one.message} {spoken.word(one.state)}   ({t('step', 'étape')} {one.step})"
        held = self._guard(who)
        if held is not None:
            return t("held {guard}", "retenu : {guard}", guard=spoken.word(held))
        return t("nothing until {end}", "rien jusqu'à {end}", end=timeline.when(limit, zone)) + self._where(who)

    def _where(self, who: str) -> str:
        """Where the person stands, for a line that waited in vain."""
        passes = self.world.standing(who)
        if not passes:
            return t(" (entered no campaign)", " (entré dans aucune campagne)")
        last = passes[-1]
        if last.state == "ended":
            return t(" (left: {reason})", " (sortie : {reason})", reason=spoken.word(last.reason or ""))
        at = last.wait_until or last.due_at
        until = t(" until {at}", " jusqu'à {at}", at=timeline.when(at, self.zone(who))) if at else ""
        return f" ({t('step', 'étape')} {last.step or '—'}{until})"

    # --- below a touch ----------------------------------------------------------------------------------------------
    def _below(self, line: ExpectTouch, touch: Sent) -> None:
        if line.step is not None and line.step.value != touch.step:
            raise _at(line.step, f"step: {line.step.value}", f"step: {touch.step}")
        if line.language is not None and line.language.value != touch.language:
            raise _at(line.language, f"language: {line.language.value}", f"language: {touch.language}")
        handed = self.world.carriers.handed.get(touch.key)
        rendered = handed.rendered if handed is not None else None
        if line.parts is not None and (parts := rendered.sms_parts if rendered else 0) != line.parts.value:
            raise _at(line.parts, f"parts: {line.parts.value}", f"parts: {parts}")
        text = visible(self.world.text(touch)) if line.says or line.not_says else ""
        for one in line.says:
            if _fold(one.value) not in text:
                raise _at(one, f'says: "{one.value}"', _short(text))
        for one in line.not_says:
            if _fold(one.value) in text:
                raise _at(one, f'not_says: "{one.value}"', _around(text, _fold(one.value)))
        if line.link is not None:
            links = linked(rendered.links if rendered else (), self.world.text(touch))
            if not any(_same_link(line.link.value, link) for link in links):
                raise _at(line.link, f"link: {line.link.value}", ", ".join(links) or t("no link", "aucun lien"))

    # --- nothing, held, skipped -------------------------------------------------------------------------------------
    def _nothing(self, line: ExpectNothing, who: str) -> None:
        if line.for_ is not None:
            self.world.live_until(line.for_.after(self.world.now, self.zone(who)))
        self._quiet_now(who)

    def _quiet_now(self, who: str) -> None:
        zone = self.zone(who)
        if left := self.left(who):
            raise Missed(
                f"{left[0].channel} {left[0].message}   {timeline.when(left[0].at, zone)}   ({t('step', 'étape')} {left[0].step})"
            )
        for one in self.world.waiting(who):
            held = one.held_by
            word = t("held {guard}", "retenu : {guard}", guard=spoken.word(held)) if held else spoken.word(one.state)
            raise Missed(f"{one.channel} {one.message}, {word}   ({t('step', 'étape')} {one.step})")
        held = self._guard(who)
        if held is not None:
            raise Missed(t("held {guard}", "retenu : {guard}", guard=spoken.word(held)) + self._where(who))

    def quiet(self, who: str) -> None:
        """Nothing more until every pass of this person has ended."""
        while any(one.state == "open" for one in self.world.standing(who)):
            due = self.world.next_due()
            if self.left(who) or due is None:
                break
            self.world.live(due)
        if left := self.left(who):
            touch = left[0]
            raise Missed(
                f"{touch.channel} {touch.message}   {timeline.when(touch.at, self.zone(who))}   ({t('step', 'étape')} {touch.step})"
            )

    def _guard(self, who: str) -> str | None:
        """The guard that holds what comes next for this person, at a step or in the outbox."""
        for one in self.world.waiting(who):
            if one.held_by:
                return one.held_by
        return next((one.held_by for one in self.world.standing(who) if one.state == "open" and one.held_by), None)

    def _held(self, line: ExpectHeld, who: str, patience: Duration) -> None:
        limit = patience.after(self.world.now, self.zone(who))
        while (guard := self._guard(who)) is None:
            if self.left(who) or not self._pass_time(limit):
                break
        if left := self.left(who):
            raise Missed(f"{left[0].channel} {left[0].message}   {timeline.when(left[0].at, self.zone(who))}")
        if guard is None:
            raise Missed(self._instead(who, limit))
        if guard != line.guard:
            raise Missed(t("held {guard}", "retenu : {guard}", guard=spoken.word(guard)))

    def _skipped(self, line: ExpectSkipped, who: str, patience: Duration) -> None:
        limit = patience.after(self.world.now, self.zone(who))
        while not self.ended(who):
            if not self._pass_time(limit):
                raise Missed(self._instead(who, limit))
        if left := self.left(who):
            raise Missed(f"{left[0].channel} {left[0].message}   {timeline.when(left[0].at, self.zone(who))}")
        last = self.ended(who)[-1]
        if last.state == "held_out" or last.reason != line.reason:
            raise Missed(self._instead(who, limit))
        self._take(who, last)

    # --- the state now ----------------------------------------------------------------------------------------------
    def _state(self, line: ExpectState, who: str) -> None:
        passes = [one for one in self.world.standing(who) if one.campaign == self.world.names[0]]
        if not passes:
            raise Missed(t("entered no campaign", "entré dans aucune campagne"))
        last = passes[-1]
        if line.kind in ("branch", "arm"):
            self._branch(line, who, last)
            return
        got = {"exit": last.reason if last.state == "ended" else None, "step": last.step if last.state == "open" else None,
               "persona": last.persona, "goal": "" if last.converted_at else None}[line.kind]  # fmt: skip
        if got != line.value:
            raise Missed(self._state_now(last, line.kind))

    def _branch(self, line: ExpectState, who: str, last: Pass) -> None:
        rules: Sequence[str] = ("split",) if line.kind == "arm" else ("wait", "choose")
        taken = [one.answer for one in self.world.decisions(who) if one.enrollment == last.id and one.step == line.of and one.rule in rules
                 and (one.rule != "wait" or "until" not in one.values)]  # fmt: skip
        if not taken:
            raise Missed(t("'{s}' was not passed", "« {s} » n'a pas été franchie", s=line.of) + self._where(who))
        if taken[-1] != line.value:
            raise Missed(f"{line.kind} {line.of} {taken[-1]}")

    def _state_now(self, last: Pass, kind: str) -> str:
        if kind == "persona":
            return f"persona {last.persona or '—'}"
        if kind == "goal":
            return t("the goal is not reached", "l'objectif n'est pas atteint")
        if last.state == "ended":
            return f"exit {last.reason}"
        return f"step {last.step or '—'}"


def _at(place: Placed, expected: str, got: str) -> Missed:
    return Missed(got, expected=expected, line=place.line, column=place.column)


def linked(tracked: Sequence[str], parts: Mapping[str, str]) -> tuple[str, ...]:
    """The addresses behind the links of a message: those of tracked ones, and those that stand in it as they are."""
    plain = (found for text in parts.values() for found in _URL.findall(unescape(text)))
    return tuple(dict.fromkeys((*tracked, *plain)))


def _minute(instant: datetime) -> int:
    return clock.to_ms(instant) // 60_000


def visible(parts: Any) -> str:
    """What a reader sees of a message, spaces folded: its parts, pages as their text."""
    found = [
        to_text(parts[name]) if name in ("html", "card", "page") or parts[name].lstrip()[:1] == "<" else parts[name]
        for name in parts
    ]
    return _fold(" ".join(found))


def _fold(text: str) -> str:
    return _BLANK.sub(" ", text).strip()


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _around(text: str, word: str) -> str:
    at = text.find(word)
    before, after = max(0, at - 40), at + len(word) + 40
    return f"{'…' if before else ''}{text[before:after]}{'…' if after < len(text) else ''}"


def _same_link(wanted: str, link: str) -> bool:
    return link == wanted or link.split("?")[0].split("#")[0] == wanted or link.startswith(f"{wanted}?")
