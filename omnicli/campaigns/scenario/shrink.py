"""A failing life made small: the shortest story and the fewest facts about a person that still fail.

Each attempt is a life of its own, alone in a world; what fails is the same promise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from omnicli.campaigns.scenario.script import Deed, Script
from omnicli.model.story import Environment

#: Lives lived at most to make one small.
TRIES = 150
Fails = Callable[[Script], bool]


def shrink(script: Script, fails: Fails) -> Script:
    """The smallest script found that still fails; the script itself fails."""
    asked = _Asked(fails)
    before = None
    while before != script and asked.left:
        before = script
        for step in (_fewer_deeds, _plainer_deeds, _plainer_person):
            script = step(script, asked)
    return script


class _Asked:
    """The question, with an end to patience; a script is asked about once."""

    def __init__(self, fails: Fails) -> None:
        self.fails, self.left = fails, TRIES
        self.known: dict[str, bool] = {}

    def __call__(self, script: Script) -> bool:
        key = repr(script)
        if key not in self.known:
            if self.left <= 0:
                return False
            self.left -= 1
            self.known[key] = self.fails(script)
        return self.known[key]


def _fewer_deeds(script: Script, fails: _Asked) -> Script:
    """Halves, quarters … single deeds taken out as long as it still fails."""
    size = max(1, len(script.deeds) // 2)
    while size:
        start = 0
        while start < len(script.deeds):
            less = replace(script, deeds=script.deeds[:start] + script.deeds[start + size :])
            if fails(less):
                script = less
            else:
                start += size
        size //= 2
    return script


def _plainer_deeds(script: Script, fails: _Asked) -> Script:
    """No payload, heard at once, together with what was before: whatever is not needed."""
    for n in range(len(script.deeds)):
        deed = script.deeds[n]
        for plainer in _plainer(deed, script.deeds[n - 1].at if n else script.start):
            other = replace(script, deeds=(*script.deeds[:n], plainer, *script.deeds[n + 1 :]))
            if fails(other):
                script = other
                break
    return script


def _plainer(deed: Deed, before: datetime) -> Iterator[Deed]:
    if deed.at > before and deed.was is None:
        yield replace(deed, at=before)
    if deed.values and deed.kind == "event":
        yield replace(deed, values={}, was=None)
        for key in deed.values if len(deed.values) > 1 else ():
            yield replace(deed, values={k: v for k, v in deed.values.items() if k != key})
    if deed.was is not None:
        yield replace(deed, was=None)
        yield replace(deed, at=deed.was, was=None)


def _plainer_person(script: Script, fails: _Asked) -> Script:
    """Fewer attributes, fewer consents, providers that accept, nobody held out."""
    for plainer in (replace(script, environment=Environment()), replace(script, holdout=False)):
        if plainer != script and fails(plainer):
            script = plainer
    if script.given and fails(bare := replace(script, given={})):
        script = bare
    for key in tuple(script.given):
        less = replace(script, given={k: v for k, v in script.given.items() if k != key})
        script = less if fails(less) else script
    for channel in script.consent:
        less = replace(script, consent=tuple(one for one in script.consent if one != channel))
        script = less if fails(less) else script
    return script
