"""Family G: a campaign says why it exists and how it will know, and promises no answer while nobody works."""

from __future__ import annotations

from collections.abc import Iterator

from omnicli.lint.ground import Chapter, Ground
from omnicli.lint.rule import rule
from omnicli.lint.rules.flow import ANSWERS, RESPONSES
from omnicli.lint.steps import at, channels_of, every_send
from omnicli.model.campaign import Send
from omnicli.model.finding import Finding
from omnicli.model.literals import Duration, TimeOfDay, Window
from omnicli.model.project import Team
from omnicli.model.written import unknown
from omnicli.texts import t


@rule("G001")
def no_goal(ground: Ground) -> Iterator[Finding]:
    """A receipt or a notice needs no goal: it is the service."""
    for chapter in ground.chapters:
        if chapter.campaign.goal is None and chapter.campaign.purpose == "marketing":
            said = t("how will you know that it worked?", "comment saurez-vous que cela a marché ?")
            hint = t("add goal: {when: purchase, within: 30 days}", "ajoutez goal: {when: purchase, within: 30 days}")
            yield ground.finding("G001", ground.place(chapter.file, ("campaign",)), said, path=("goal",), help=hint)


@rule("G002")
def goal_never_seen(ground: Ground) -> Iterator[Finding]:
    """A response that none of the flow's channels can give; what the project declares, others send."""
    for chapter in ground.chapters:
        goal = chapter.campaign.goal
        if goal is None or unknown(goal):
            continue
        possible = _possible(ground, chapter)
        for index, term in enumerate(goal.when):
            word = str(term).split(" ", 1)[0]
            if word in RESPONSES and word not in possible and word not in ground.project.events:
                path = at(ground, chapter.file, ("goal", "when"), index)
                said = t("nothing ever sends '{word}'", "rien n'envoie jamais « {word} »", word=word)
                yield ground.finding("G002", ground.place(chapter.file, path), said, path=path)


def _possible(ground: Ground, chapter: Chapter) -> frozenset[str]:
    """What can come back from the channels of the flow; clicks only where somebody follows them."""
    channels = {c for _, step in every_send(chapter.campaign) for c in channels_of(step, chapter, ground.project)}
    found = frozenset().union(*(ANSWERS.get(channel, RESPONSES) for channel in channels))
    return found if ground.project.tracking.clicks is not False else found - {"clicked"}


@rule("G003")
def no_why(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        if chapter.campaign.why is None:
            said = t("why does this campaign exist?", "pourquoi cette campagne existe-t-elle ?")
            hint = t(
                "add why: one sentence that its readers will see first", "ajoutez why: une phrase, la première que l'on lira"
            )
            yield ground.finding("G003", ground.place(chapter.file, ("campaign",)), said, path=("why",), help=hint)


@rule("G004")
def sla_outside_hours(ground: Ground) -> Iterator[Finding]:
    """A step that leaves at a known hour, must be worked within the day, and meets a team that is at home."""
    for chapter in ground.chapters:
        for path, step in every_send(chapter.campaign):
            team = ground.project.teams.get(_team(ground, chapter, step) or "")
            if team is None or unknown(team) or not isinstance(step.due, Duration) or unknown(step.at):
                continue
            clock = step.at.time
            if clock is not None and team.hours and step.due.about.total_seconds() < 86_400 and not _works(team, clock):
                where = (*path, "due")
                said = t("'{due}' is promised at {clock}; the team works {hours}", "« {due} » est promis à {clock} ; l'équipe travaille {hours}",
                         due=step.due, clock=clock, hours=", ".join(map(str, team.hours)))  # fmt: skip
                yield ground.finding("G004", ground.place(chapter.file, where), said, path=where)


def _team(ground: Ground, chapter: Chapter, step: Send) -> str | None:
    """Who works what this step sends: its own team, else that of the channel."""
    settings = [ground.project.channels.get(channel) for channel in channels_of(step, chapter, ground.project)]
    return step.team or next((one.team for one in settings if one is not None and one.team), None)


def _works(team: Team, clock: TimeOfDay) -> bool:
    """True when on some day the team is there at this time."""
    return any(_covers(window, clock) for window in team.hours if not unknown(window))


def _covers(window: Window, clock: TimeOfDay) -> bool:
    if window.holidays:
        return False
    if window.start is None or window.end is None:
        return True
    now, start, end = clock.minutes, window.start.minutes, window.end.minutes
    return start <= now < end if start < end else now >= start or now < end
