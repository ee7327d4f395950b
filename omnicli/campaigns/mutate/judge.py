"""Judges one mutant: is it read at all, does it render other bytes, and does a rule of the expected code speak at the place?

Only what the seed touches is loaded, rendered and checked: its campaign is read again, and narrowed to its message, channel,
language and persona. What is found there is found in the whole project too, since no rule of a rendering is silenced by another.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Iterator, Mapping

from omnicli.campaignfile import Loaded, read_again
from omnicli.campaigns.mutate.alike import ANOTHER, said
from omnicli.campaigns.mutate.field import Field
from omnicli.campaigns.mutate.seed import At, Outcome, Seed
from omnicli.errors import OmniError
from omnicli.lint.ground import Ground
from omnicli.lint.rule import CHECKS
from omnicli.lint.run import FAMILIES
from omnicli.model.finding import Finding
from omnicli.render.samples import SAMPLES

#: The families of which every rule is asked when the expected one is silent, to say what was seen instead.
ASKED = frozenset("MPCIKJTX")


def judge(field: Field, kind: str, name: str, seed: Seed, *, off: frozenset[str] = frozenset()) -> Outcome:
    """What comes of a mutant. `off` are codes that are not asked: the harness itself must be able to fail."""
    loaded = _loaded(field, seed)
    if wrong := unreadable(loaded, seed):
        return Outcome(kind, name, "broken", seed.codes, diff(field, seed), detail=wrong)
    overlay = {file: text for file, text in seed.edits.items() if file.startswith("templates/")}
    ground = Ground(narrowed(loaded, seed), now=field.now, templates=overlay)
    try:
        if same_bytes(field, ground, seed):
            return Outcome(kind, name, "equivalent", seed.codes)
    except OmniError as error:
        return Outcome(kind, name, "broken", seed.codes, diff(field, seed), detail=error.message)
    if any(at_place(finding, seed, loaded) for code in seed.codes if code not in off for finding in ask(ground, code)):
        return Outcome(kind, name, "caught", seed.codes)
    return Outcome(kind, name, "survived", seed.codes, diff(field, seed), tuple(seen(ground, off)))


# -- the mutant ------------------------------------------------------------------------------------------------------
def _loaded(field: Field, seed: Seed) -> Loaded:
    loaded = field.loaded
    for file, text in seed.edits.items():
        if file.endswith(".yaml"):
            loaded = read_again(loaded, file, text)
    return loaded


def unreadable(loaded: Loaded, seed: Seed) -> str:
    """Why the mutant is no campaign any more, or nothing: such a fault is the loader's to find."""
    known = loaded.campaigns.get(seed.reading.campaign)
    if known is None or seed.reading.message not in known.messages:
        return "the message cannot be read"
    return next((f"{one.place.line}: {one.code} {one.message}" for one in loaded.errors(seed.reading.campaign)), "")


def narrowed(loaded: Loaded, seed: Seed) -> Loaded:
    """The project with nothing but what the mutant's reader gets."""
    from dataclasses import replace
    from types import MappingProxyType

    reading = seed.reading
    campaign = loaded.campaigns[reading.campaign]
    kept = {name: campaign.messages[name] for name in (reading.message, seed.with_message) if name in campaign.messages}
    kept[reading.message] = kept[reading.message].model_copy(update={"channels": (reading.channel,)})
    changes: dict[str, object] = {"messages": kept}
    if seed.alone:
        changes["languages"] = (reading.language,)
        if reading.persona and not isinstance(campaign.personas, Mapping):
            changes["personas"] = (reading.persona,)
    small = campaign.model_copy(update=changes)
    return replace(loaded, campaigns=MappingProxyType({reading.campaign: small}))


def same_bytes(field: Field, ground: Ground, seed: Seed) -> bool:
    """True when nobody could tell the mutant from the message: all four people get the same bytes, with the same addresses behind
    them, and would if its facts had other values (a value typed by hand reads the same only until then)."""
    campaign = ground.loaded.campaigns[seed.reading.campaign]
    readings = [seed.reading, *([seed.reading._replace(message=seed.with_message)] if seed.with_message else [])]
    return all(
        said(ground.grid.renderer, field.job(campaign, reading, person)) == field.said(reading, person)
        for reading in readings
        for person in (ANOTHER, *SAMPLES)
    )


# -- the checker -----------------------------------------------------------------------------------------------------
def rules() -> Mapping[str, object]:
    """Every check there is, once its family is imported."""
    for family in FAMILIES:
        importlib.import_module(f"omnicli.lint.rules.{family}")
    return CHECKS


def ask(ground: Ground, code: str) -> Iterator[Finding]:
    """What one rule finds; nothing when it is not written yet."""
    rules()
    check = CHECKS.get(code)
    if check is not None:
        yield from check(ground)


def seen(ground: Ground, off: Iterable[str]) -> Iterator[str]:
    """What any rule of the message families finds, for the note on a survivor."""
    rules()
    for code in CHECKS:
        if code[0] in ASKED and code not in off:
            try:
                yield from (f"{f.place.file}:{f.place.line} {f.code} {f.message}" for f in ask(ground, code))
            except Exception as error:  # a rule's bug is told beside the others, as lint does
                yield f"{code}: {type(error).__name__}: {error}"


def at_place(finding: Finding, seed: Seed, loaded: Loaded) -> bool:
    """True for a finding of an expected code that points at one of the seed's places."""
    return finding.code in seed.codes and any(_there(finding, place, loaded) for place in seed.places)


def _there(finding: Finding, at: At, loaded: Loaded) -> bool:
    if finding.place.file != at.file or (at.about and not speaks_of(finding, at.about)):
        return False
    return finding.place.line in (lines_of(loaded, at) if at.path else (at.line,))


def lines_of(loaded: Loaded, at: At) -> range:
    """The lines of a key and its scalar; of a mapping the key's line only."""
    source = loaded.sources[at.file]
    key, value = source.span(at.path, key=True), source.span(at.path)
    last = value.end_line if isinstance(source.find(at.path), str) else key.line
    return range(key.line + 1, max(last, key.line) + 2)


def speaks_of(finding: Finding, fact: str) -> bool:
    named = finding.where.get("fact")
    return named == fact or finding.path.rsplit(".", 1)[-1] == fact or (named is None and f"'{fact}'" in finding.message)


def diff(field: Field, seed: Seed) -> str:
    """The edits as one unified diff without context."""
    lines: list[str] = []
    for file, text in sorted(seed.edits.items()):
        before, after = field.texts[file].splitlines(), text.splitlines()
        lines += difflib.unified_diff(before, after, file, file, lineterm="", n=0)
    return "\n".join(lines)
