"""Work for people: claimed by somebody, done with an outcome, and the outcome is a response like any other."""

from __future__ import annotations

from datetime import datetime

from omnicli import clock
from omnicli.errors import OmniError
from omnicli.model.project import Project
from omnicli.model.response import Response
from omnicli.store import inbox, sent
from omnicli.store.connection import Store
from omnicli.store.sent import Work
from omnicli.text import did_you_mean
from omnicli.texts import t

OUTCOMES = ("answered", "voicemail", "no_answer", "refused", "callback", "done")
#: Outcomes after which a person tries again, as long as tries are left.
AGAIN = ("no_answer", "voicemail")
#: Attributes that make a person's name, where the project has them.
NAMES = ("first_name", "last_name")


def names_of(project: Project) -> tuple[str, ...]:
    return tuple(name for name in NAMES if name in project.contacts.attributes)


def one(store: Store, project: Project, task: int) -> Work:
    """The task; OmniError when there is none."""
    with store.read() as connection:
        found = sent.work(connection, names=names_of(project), id=task)
    if not found:
        raise OmniError(t("there is no task {id}", "il n'y a pas de tâche {id}", id=task), hint="omni task list", code="no-task")
    return found[0]


def claim(store: Store, project: Project, task: int, who: str, *, now: datetime) -> Work:
    """`who` works on it; OmniError when it is done, or somebody else has it."""
    found = one(store, project, task)
    if found.state == "done":
        raise OmniError(t("task {id} is done", "la tâche {id} est faite", id=task), code="done")
    if found.claimed_by not in (None, who):
        raise OmniError(t("{who} has task {id}", "{who} a pris la tâche {id}", who=found.claimed_by, id=task), code="claimed")
    with store.write() as connection:
        sent.take(connection, task, who, now=now)
    return one(store, project, task)


def done(
    store: Store, project: Project, task: int, outcome: str, *, now: datetime, note: str | None = None, next_at: datetime | None = None,
) -> tuple[Work, bool]:  # fmt: skip
    """Record how it ended; the task as it stands then, and whether a response was written (fold it).

    `no_answer` and `voicemail` with `next_at` are tries inside the task, as many as the channel's `attempts` allows; the
    last one, and every other outcome, ends it.
    """
    if outcome not in OUTCOMES:
        raise OmniError(t("no outcome '{outcome}'.", "pas de résultat « {outcome} ».", outcome=outcome) + did_you_mean(outcome, OUTCOMES),
                        hint=", ".join(OUTCOMES), code="usage")  # fmt: skip
    found = one(store, project, task)
    if found.state == "done":
        raise OmniError(
            t("task {id} is done already: {outcome}", "la tâche {id} est déjà faite : {outcome}", id=task, outcome=found.outcome),
            code="done",
        )
    declared = project.channels.get(found.channel)
    most = int(declared.attempts or 3) if declared else 3
    with store.write() as connection:
        if outcome in AGAIN and next_at is not None and found.tries + 1 < most:
            sent.note_try(connection, found, outcome, note, next_at=next_at, now=now)
            ended = False
        else:
            sent.finish(connection, task, outcome, note, next_at=next_at, now=now)
            inbox.receive(connection, [response_of(found, outcome, note, next_at, now)], now=now)
            ended = True
    return one(store, project, task), ended


def response_of(task: Work, outcome: str, note: str | None, next_at: datetime | None, now: datetime) -> Response:
    """The outcome as what came back: it wakes the pass that waits."""
    payload = {
        key: value for key, value in (("text", note), ("next", clock.iso(next_at) if next_at else None), ("via", "task")) if value
    }
    return Response(
        f"task:{task.touch}", task.contact, outcome, now, source="task", channel=task.channel, campaign=task.campaign, message=task.message,
        step=task.step, touch=task.touch, payload=payload,
    )  # fmt: skip
