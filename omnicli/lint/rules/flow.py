"""Family F: the flow: everybody gets somewhere, nobody twice, silence has an answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

from omnicli.lint.ground import Ground, Path_
from omnicli.lint.rule import rule
from omnicli.lint.steps import channels_of, every_send, steps
from omnicli.model import literals as lit
from omnicli.model import spoken
from omnicli.model.campaign import AnyStep, Call, Choose, Exit, Go, Send, Split, Steps, WaitStep
from omnicli.model.finding import Edit, Finding, Fix, Place
from omnicli.texts import t

#: What can come back from each medium (docs/language 3.3).
ANSWERS: dict[str, frozenset[str]] = {
    "email": frozenset({"delivered", "opened", "clicked", "replied", "bounced", "complained", "unsubscribed", "failed"}),
    "sms": frozenset({"delivered", "clicked", "replied", "failed", "unsubscribed"}),
    "whatsapp": frozenset({"delivered", "opened", "clicked", "replied", "failed", "unsubscribed"}),
    "messenger": frozenset({"delivered", "opened", "clicked", "replied", "failed", "unsubscribed"}),
    "push": frozenset({"delivered", "clicked", "failed", "unsubscribed"}),
    "voice": frozenset({"answered", "voicemail", "no_answer", "refused", "callback", "done", "failed", "replied"}),
    "task": frozenset({"answered", "voicemail", "no_answer", "refused", "callback", "done", "replied"}),
    "letter": frozenset({"scanned", "clicked", "bounced", "replied"}),
    "qr": frozenset({"scanned", "clicked"}),
    "webhook": frozenset(),
}
RESPONSES = frozenset().union(*ANSWERS.values())
PATHS_LIMIT = 64


def flows_on(listed: Steps) -> bool:
    """True when somebody can reach the place after this list."""
    return all(_passes(step) for step in listed)


def _passes(step: AnyStep) -> bool:
    match step:
        case Exit() | Go():
            return False
        case WaitStep(for_=answers) if answers:
            return any(flows_on(do) for do in answers.values())
        case Choose(choose=options):
            has_else = any(option.else_ is not None for option in options)
            return not has_else or any(flows_on(o.else_ if o.else_ is not None else o.do or ()) for o in options)
        case Split(split=arms):
            return not arms or any(flows_on(arm.do) for arm in arms.values())
    return True


def _lists(listed: Steps, path: Path_) -> Iterator[tuple[Path_, Steps]]:
    """Every list of steps with its path."""
    yield path, listed
    for index, step in enumerate(listed):
        here = (*path, index)
        match step:
            case WaitStep(for_=answers) if answers:
                for term, do in answers.items():
                    yield from _lists(do, (*here, "for", term))
            case Choose(choose=options):
                for n, option in enumerate(options):
                    word, do = ("else", option.else_) if option.else_ is not None else ("do", option.do or ())
                    yield from _lists(do, (*here, "choose", n, word))
            case Split(split=arms):
                for name, arm in arms.items():
                    yield from _lists(arm.do, (*here, "split", name, "do"))


@rule("F001")
def unreachable(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        for path, listed in _lists(chapter.campaign.flow, ("flow",)):
            targets = {step.go for _, step in steps(chapter.campaign) if isinstance(step, Go)}
            for index, step in enumerate(listed[:-1]):
                after = listed[index + 1]
                if not _passes(step) and after.id not in targets:
                    line = ground.place(chapter.file, (*path, index)).line
                    text = t(
                        "nobody can reach this step: every path exits at line {n}",
                        "personne n'atteint cette étape : tout sort à la ligne {n}",
                        n=line,
                    )
                    yield ground.finding(
                        "F001", _verb_place(ground, chapter.file, (*path, index + 1), after), text, path=(*path, index + 1)
                    )
                    break


def _verb_place(ground: Ground, file: str, path: Path_, step: AnyStep) -> Place:
    return ground.place(file, (*path, step.verb), key=True)


@rule("F002")
def no_silence_branch(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        for path, step in steps(chapter.campaign):
            if not isinstance(step, WaitStep):
                continue
            if (step.for_ is not None and "nothing" not in step.for_) or (step.wait.kind == "up to" and step.for_ is None):
                text = t("what if nobody answers? add 'nothing:'", "et si personne ne répond ? ajoutez « nothing: »")
                key = "for" if step.for_ is not None else "wait"
                place = ground.place(chapter.file, (*path, key), key=True)
                yield ground.finding("F002", place, text, path=(*path, key), fix=_add_nothing(ground, chapter.file, path, step))


def _add_nothing(ground: Ground, file: str, path: Path_, step: WaitStep) -> Fix | None:
    """Add `nothing: []` above the first branch, in its own indentation (block style only)."""
    if not step.for_:
        return None
    first = ground.place(file, (*path, "for", next(iter(step.for_))), key=True)
    line = ground.loaded.sources[file].lines[first.line - 1]
    if line[: first.column - 1].strip():
        return None
    spot = Place(file, first.line, 1, first.line, 1)
    return Fix(t("add 'nothing: []'", "ajouter « nothing: [] »"), (Edit(spot, " " * (first.column - 1) + "nothing: []\n"),))


@rule("F003")
def backward_go(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        places = {step.id: path for path, step in steps(chapter.campaign) if step.id}
        for path, step in steps(chapter.campaign):
            if isinstance(step, Go) and step.go in places:
                target = places[step.go]
                siblings = target[:-1] == path[: len(target) - 1]
                later = siblings and isinstance(path[len(target) - 1], int) and int(target[-1]) > int(path[len(target) - 1])
                if not later:
                    text = t(
                        "'go' to an earlier step makes a loop; use enter.again",
                        "« go » vers une étape antérieure fait une boucle ; voyez enter.again",
                    )
                    yield ground.finding("F003", ground.place(chapter.file, (*path, "go")), text, path=(*path, "go"))


@rule("F004")
def sends_nothing(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        if not any(True for _ in every_send(chapter.campaign)):
            text = t("the flow sends nothing", "le parcours n'envoie rien")
            yield ground.finding("F004", ground.place(chapter.file, ("flow",), key=True), text, path=("flow",))


@rule("F005")
def back_to_back(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        for path, listed in _lists(chapter.campaign.flow, ("flow",)):
            for index, (step, after) in enumerate(pairwise(listed)):
                if isinstance(step, Send) and isinstance(after, Send) and after.at.kind == "now" and not after.if_:
                    here = (*path, index + 1)
                    text = t("{a} and {b} reach the same person with no wait between", "{a} et {b} touchent la même personne sans attente entre les deux",
                             a=step.id or step.send, b=after.id or after.send)  # fmt: skip
                    yield ground.finding("F005", _verb_place(ground, chapter.file, here, after), text, path=here)


@rule("F006")
def shares(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        for path, step in steps(chapter.campaign):
            if isinstance(step, Split) and all(isinstance(arm.share, lit.Percent) for arm in step.split.values()):
                total = sum(arm.share.value for arm in step.split.values())
                if total != 100:
                    text = t("the arms make {x} %, not 100 %", "les bras font {x} %, pas 100 %", x=total)
                    yield ground.finding(
                        "F006", ground.place(chapter.file, (*path, "split"), key=True), text, path=(*path, "split")
                    )


@rule("F007")
def impossible_response(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        before: list[tuple[Path_, Send]] = []
        for path, step in steps(chapter.campaign):
            if isinstance(step, Send):
                before.append((path, step))
            if not isinstance(step, WaitStep) or not step.for_:
                continue
            ahead = [s for where, s in before if _on_the_way(where, path)]
            channels = {c for s in ahead for c in channels_of(s, chapter, ground.project)}
            possible = frozenset().union(*(ANSWERS.get(c, RESPONSES) for c in channels)) if channels else frozenset()
            for term in step.for_:
                word = str(term).split(" ", 1)[0]
                if word in RESPONSES and word not in possible and word not in ground.project.events:
                    names = ", ".join(sorted(channels)) or t("nothing", "rien")
                    text = t("after {c} nobody can be '{r}'; possible: {p}", "après {c}, « {r} » est impossible ; possibles : {p}",
                             c=names, r=word, p=", ".join(sorted(possible)) or "–")  # fmt: skip
                    here = (*path, "for", term)
                    yield ground.finding("F007", ground.place(chapter.file, here, key=True), text, path=here)


def _on_the_way(send: Path_, wait: Path_) -> bool:
    """True when a pass that stands at `wait` can have gone through `send`: not in a sibling branch, and earlier."""
    for depth, (a, b) in enumerate(zip(send, wait, strict=False)):
        if a != b:
            if (
                isinstance(a, int)
                and isinstance(b, int)
                and (depth == 0 or send[depth - 1] in ("flow", "do", "else") or _branch(send, depth))
            ):
                return a < b
            return False
    return True


def _branch(path: Path_, depth: int) -> bool:
    return depth >= 2 and path[depth - 2] == "for"


@rule("F008")
def same_branches(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        for path, step in steps(chapter.campaign):
            bodies = _bodies(step)
            if len(bodies) > 1 and any(bodies) and all(_bare(body) == _bare(bodies[0]) for body in bodies[1:]):
                text = t("both branches do the same", "les branches font la même chose")
                yield ground.finding("F008", _verb_place(ground, chapter.file, path, step), text, path=path)


def _bodies(step: AnyStep) -> list[Steps]:
    match step:
        case WaitStep(for_=answers) if answers:
            return list(answers.values())
        case Choose(choose=options) if any(o.else_ is not None for o in options):
            return [o.else_ if o.else_ is not None else o.do or () for o in options]
        case Split(split=arms):
            return [arm.do for arm in arms.values()]
    return []


def _bare(listed: Steps) -> tuple[str, ...]:
    """The steps without their ids, as text; what holds an unknown value equals nothing but itself."""
    return tuple(
        repr(step.model_copy(update={"id": None})) if _half_read(step) else
        step.model_copy(update={"id": None}).model_dump_json(by_alias=True, exclude_defaults=True) for step in listed
    )  # fmt: skip


def _half_read(step: AnyStep) -> bool:
    return "UNKNOWN" in repr(step)


@rule("F010")
def goal_goes_on(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        goal = chapter.campaign.goal
        if goal and goal.then == "continue" and chapter.campaign.purpose == "marketing":
            text = t(
                "then: continue, and marketing follows a reached goal",
                "then: continue : la publicité continue après le but atteint",
            )
            yield ground.finding("F010", ground.place(chapter.file, ("goal", "then")), text, path=("goal", "then"))


@rule("F011")
def no_id(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        taken = {step.id for _, step in steps(chapter.campaign)} | set(chapter.campaign.messages)
        for path, step in steps(chapter.campaign):
            if step.id is None and isinstance(step, Send | WaitStep | Call):
                name = _free_name(step, taken)
                taken.add(name)
                text = t(
                    "people stand here: an id lets versions change safely",
                    "des gens attendent ici : un id permet de changer de version sans risque",
                )
                place = _verb_place(ground, chapter.file, path, step)
                yield ground.finding("F011", place, text, path=path, fix=_add_id(ground, chapter.file, place, name),
                                     help=t("giving one to a running campaign makes a new step", "en donner un à une campagne en cours fait une nouvelle étape"))  # fmt: skip


def _free_name(step: AnyStep, taken: set[str | None]) -> str:
    stem = {"send": getattr(step, "send", "send"), "wait": "attente", "call": getattr(step, "call", "call")}[step.verb]
    name, n = f"{stem}-1", 1
    while name in taken:
        n += 1
        name = f"{stem}-{n}"
    return name


def _add_id(ground: Ground, file: str, place: Place, name: str) -> Fix:
    """Write the id before the verb; block style puts it on a line of its own."""
    line = ground.loaded.sources[file].lines[place.line - 1]
    lead = line[: place.column - 1]
    spot = Place(file, place.line, place.column, place.line, place.column)
    block = lead.strip() in ("-", "")
    text = f"id: {name}\n{' ' * (place.column - 1)}" if block else f"id: {name}, "
    return Fix(t("add 'id: {name}'", "ajouter « id: {name} »", name=name), (Edit(spot, text),), safe=False)


@rule("F013")
def longer_than_goal(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        goal = chapter.campaign.goal
        if goal is None or goal.within is None:
            continue
        longest = _longest(chapter.campaign.flow)
        if longest > goal.within.about:
            text = t("the longest path takes {d} days; the goal's window is {w}", "le plus long chemin prend {d} jours ; le but se compte sur {w}",
                     d=longest.days, w=spoken.time(goal.within))  # fmt: skip
            yield ground.finding("F013", ground.place(chapter.file, ("goal", "within")), text, path=("goal", "within"))


def _longest(listed: Steps) -> timedelta:
    return sum((_length(step) for step in listed), timedelta())


def _length(step: AnyStep) -> timedelta:
    inner = max((_longest(body) for body in _all_bodies(step)), default=timedelta())
    own = (
        step.wait.length.about
        if isinstance(step, WaitStep) and isinstance(step.wait, lit.Wait) and step.wait.length
        else timedelta()
    )
    return own + inner


def _all_bodies(step: AnyStep) -> list[Steps]:
    if isinstance(step, Choose):
        return [o.else_ if o.else_ is not None else o.do or () for o in step.choose]
    return _bodies(step)


@rule("F014")
def too_many_paths(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        count = _paths(chapter.campaign.flow)
        if count > PATHS_LIMIT:
            text = t(
                "{n} different paths (limit {limit}): hard to test",
                "{n} chemins différents (limite {limit}) : difficile à tester",
                n=count,
                limit=PATHS_LIMIT,
            )
            yield ground.finding("F014", ground.place(chapter.file, ("flow",), key=True), text, path=("flow",))


def _paths(listed: Steps) -> int:
    count = 1
    for step in listed:
        bodies = _all_bodies(step)
        if isinstance(step, Choose) and not any(o.else_ is not None for o in step.choose):
            bodies.append(())
        count *= sum(_paths(body) for body in bodies) if bodies else 1
    return count


@rule("F015")
def shorter_than_channel(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        for path, listed in _lists(chapter.campaign.flow, ("flow",)):
            for index, (step, after) in enumerate(pairwise(listed)):
                if not (isinstance(step, Send) and isinstance(after, WaitStep) and after.for_ and after.wait.length):
                    continue
                for name in channels_of(step, chapter, ground.project):
                    channel = ground.project.channels.get(name)
                    if name == "letter" and channel and channel.lead_time and after.wait.length.about < channel.lead_time.about:
                        here = (*path, index + 1, "wait")
                        text = t("waits {d} for an answer to a {c} that takes {l}", "attend {d} la réponse à un envoi ({c}) qui prend {l}",
                                 d=after.wait.length, c=name, l=channel.lead_time)  # fmt: skip
                        yield ground.finding("F015", ground.place(chapter.file, here), text, path=here)


@rule("F017")
def persona_forgotten(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        personas = chapter.campaign.personas
        everyone = personas if isinstance(personas, dict) else {
            n: ground.project.personas[n] for n in (personas or ground.project.personas) if n in ground.project.personas
        }  # fmt: skip
        sends = list(every_send(chapter.campaign))
        for name, persona in everyone.items():
            if sends and not any(_speaks_to(chapter.campaign.messages.get(step.send), persona, chapter.campaign.languages or ground.project.languages)
                                 for _, step in sends):  # fmt: skip
                text = t(
                    "{persona} gets nothing: no message has words for this persona",
                    "{persona} ne reçoit rien : aucun message n'a de mots pour ce persona",
                    persona=name,
                )
                yield ground.finding("F017", ground.place(chapter.file, ("flow",), key=True), text, path=("flow",))


def _speaks_to(message: object, persona: object, languages: tuple[str, ...]) -> bool:
    if message is None:
        return True
    address = persona.tone.address  # type: ignore[attr-defined]
    return any(key.partition("/")[0].split("-")[0] == lang.split("-")[0] and key.partition("/")[2] in ("", address or "")
               for key in message.say for lang in languages)  # type: ignore[attr-defined]  # fmt: skip
