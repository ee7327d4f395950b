"""Family T: time: what is due can leave, before it is too late, and no campaign is looser than the house."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from omnicli.engine.calendar import Calendar
from omnicli.engine.guard import merge_guardrails
from omnicli.lint.ground import Chapter, Ground, Path_, rename
from omnicli.lint.rule import rule
from omnicli.lint.rules.flow import _all_bodies, _lists
from omnicli.lint.steps import channels_of, every_send, steps
from omnicli.model import literals as lit
from omnicli.model.campaign import CampaignGuardrails, Send, Steps, WaitStep
from omnicli.model.finding import Finding
from omnicli.model.literals import WEEKDAYS
from omnicli.model.written import unknown
from omnicli.packs import load
from omnicli.text import did_you_mean, nearest
from omnicli.texts import t

WEEK = 7 * 1440


@lru_cache(maxsize=256)
def quiet_week(windows: tuple[lit.Window, ...]) -> bytes:
    """One week in minutes from Monday 00:00: 1 where the windows allow nothing (holidays left out)."""
    week = bytearray(WEEK)
    for window in windows:
        if window.holidays:
            continue
        for day in window.days or range(7):
            start = day * 1440 + (window.start.minutes if window.start else 0)
            end = day * 1440 + (window.end.minutes if window.end else 1440)
            end = end if end > start else end + 1440
            week[start : min(end, WEEK)] = b"\x01" * (min(end, WEEK) - start)
            if end > WEEK:
                week[: end - WEEK] = b"\x01" * (end - WEEK)
    return bytes(week)


def windows_of(ground: Ground, chapter: Chapter, channel: str) -> tuple[lit.Window, ...]:
    """The project's and the campaign's quiet hours on the channel, united (packs come on top)."""
    found: tuple[lit.Window, ...] = ()
    for guardrails in (ground.project.guardrails, chapter.campaign.guardrails):
        for name, windows in guardrails.quiet_hours.items():
            if name in ("all", channel):
                found += tuple(w for w in windows if isinstance(w, lit.Window))
    return found


def _opening(week: bytes, minute: int) -> int | None:
    for step in range(WEEK):
        if not week[(minute + step) % WEEK]:
            return (minute + step) % WEEK
    return None


@rule("T001")
def send_in_quiet_hours(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        if chapter.campaign.purpose != "marketing":
            continue
        for path, step in every_send(chapter.campaign):
            if step.at.time is None or unknown(step.at):
                continue
            for channel in channels_of(step, chapter, ground.project)[:1]:
                week = quiet_week(windows_of(ground, chapter, channel))
                asleep = [d for d in range(7) if week[d * 1440 + step.at.time.minutes]]
                if len(asleep) == 7 and not all(week):
                    opening = _opening(week, step.at.time.minutes)
                    text = t("{at} is inside quiet hours on every day; it will leave at {free}", "{at} tombe toujours dans les heures calmes ; départ à {free}",
                             at=step.at.time, free=lit.TimeOfDay((opening or 0) % 1440))  # fmt: skip
                    yield ground.finding("T001", ground.place(chapter.file, (*path, "at")), text, path=(*path, "at"))


def _never_free(ground: Ground, chapter: Chapter, channel: str) -> str | None:
    """Whom this channel never reaches, or None; asked once for all campaigns that tighten nothing."""
    own = chapter if chapter.campaign.guardrails != CampaignGuardrails() else None
    return _nobody_free(ground, own, chapter.campaign.purpose, channel)


@lru_cache(maxsize=1024)
def _nobody_free(ground: Ground, chapter: Chapter | None, purpose: str, channel: str) -> str | None:
    """Whom this channel never reaches, packs and the strict intersection of the project's countries included, or None.

    Holidays are left out: a week without one must have a free minute.
    """
    calendar = _calendar(ground, chapter)
    today = ground.now.replace(
        hour=0, minute=0, second=0, microsecond=0
    )  # what lint says changes with the day, never with the hour
    week = (today, today + timedelta(days=7))
    for country in (*ground.project.countries, None):
        if not calendar.free_time(*week, channel=channel, purpose=purpose, country=country):
            return country or t("people without a country", "qui n'a pas de pays")
    return None


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo | None:
    """The zone of that name, or None; opens one file where `available_timezones` opens six hundred."""
    try:
        return None if name.startswith(("posix", "right/")) else ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


@lru_cache(maxsize=256)
def _calendar(ground: Ground, chapter: Chapter | None) -> Calendar:
    packs = load(ground.project.countries, ground.now.date())
    guarding = merge_guardrails(ground.project, chapter.campaign if chapter else None, packs)
    zone = ground.project.time_zone if _zone(str(ground.project.time_zone)) else "UTC"
    return Calendar.of(zone, ground.project.countries, guarding.quiet, packs, lambda *_: frozenset(), own=guarding.quiet_own)


@rule("T002")
def no_slot(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        for path, step in every_send(chapter.campaign):
            for channel in channels_of(step, chapter, ground.project):
                if who := _never_free(ground, chapter, channel):
                    text = t("quiet hours leave no moment to send by {c} to {who}", "les heures calmes ne laissent aucun moment pour {c} vers {who}",
                             c=channel, who=who)  # fmt: skip
                    where = (*path, "send")
                    yield ground.finding("T002", ground.place(chapter.file, where, key=True), text, path=where)
                    break
            if step.at.kind == "weekday" and step.at.weekday is not None:
                channel = next(iter(channels_of(step, chapter, ground.project)), "email")
                week = quiet_week(windows_of(ground, chapter, channel))
                time = step.at.time or ground.project.send_time
                if not all(week) and week[step.at.weekday * 1440 + time.minutes] and step.at.time is not None:
                    text = t("quiet hours, {day} and '{at}' leave no moment to send by {c}", "heures calmes, {day} et « {at} » ne laissent aucun moment pour {c}",
                             day=WEEKDAYS[step.at.weekday], at=step.at, c=channel)  # fmt: skip
                    yield ground.finding("T002", ground.place(chapter.file, (*path, "at")), text, path=(*path, "at"))


@rule("T003")
def bad_occurrence(ground: Ground) -> Iterator[Finding]:
    """`every` is read by its type (T003 comes from the loader); here: a day of month that most months lack."""
    for chapter in ground.chapters:
        every = chapter.campaign.enter.every
        if every is not None and every.kind == "month" and every.day > 28:
            text = t("'{every}': some months have no day {d}; they use their last one", "« {every} » : certains mois n'ont pas de jour {d}",
                     every=every, d=every.day)  # fmt: skip
            help = t(
                "write a day from 1 to 28, e.g. 'day 1 of month 09:00'",
                "écrivez un jour de 1 à 28, par exemple « day 1 of month 09:00 »",
            )
            yield ground.finding("T003", ground.place(chapter.file, ("enter", "every")), text, path=("enter", "every"), help=help)


@rule("T004")
def clock_change(ground: Ground) -> Iterator[Finding]:
    zone = _zone(str(ground.project.time_zone))
    if zone is None:
        return
    for chapter in ground.chapters:
        times: list[tuple[Path_, int]] = [
            ((*path, "at"), s.at.time.minutes) for path, s in every_send(chapter.campaign) if s.at.time and not unknown(s.at)
        ]
        if chapter.campaign.enter.every is not None and not unknown(chapter.campaign.enter.every):
            times.append((("enter", "every"), chapter.campaign.enter.every.time.minutes))
        for path, minutes in times:
            gap = _gap(zone, minutes, ground.now.date())
            if gap is not None:
                day, real = gap
                text = t("{time} does not exist on {day}; it will be {real}", "{time} n'existe pas le {day} ; ce sera {real}",
                         time=lit.TimeOfDay(minutes), day=day, real=real)  # fmt: skip
                yield ground.finding("T004", ground.place(chapter.file, path), text, path=path)


@lru_cache(maxsize=256)
def _gap(zone: ZoneInfo, minutes: int, today: date) -> tuple[date, str] | None:
    """The next day in 400 on which clocks leap over this time of day, and what they show instead."""
    first = datetime.combine(today, datetime.min.time()) + timedelta(minutes=minutes)
    for n in range(400):
        local = first + timedelta(days=n)
        day = today + timedelta(days=n)
        back = local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None)
        if back != local:
            return day, back.strftime("%H:%M")
    return None


@rule("T005")
def unknown_zone(ground: Ground) -> Iterator[Finding]:
    zone = ground.project.time_zone
    if isinstance(zone, str) and _zone(zone) is None:
        known = available_timezones()
        near = nearest(zone, known)
        place = ground.place("omni.yaml", ("time_zone",))
        text = t("no time zone '{tz}'.", "pas de fuseau « {tz} ».", tz=zone) + did_you_mean(zone, known)
        fix = rename(place, near, title=t("write '{near}'", "écrire « {near} »", near=near)) if near else None
        yield ground.finding("T005", place, text, path=("time_zone",), fix=fix)


@rule("T006")
def after_the_date(ground: Ground) -> Iterator[Finding]:
    """A send that states `n days after enter` but cannot be reached before that day on any path (soonest arrival)."""
    for chapter in ground.chapters:
        for path, step, soonest in _arrivals(chapter.campaign.flow, ("flow",), timedelta()):
            message = chapter.campaign.messages.get(step.send)
            for name, fact in (message.facts if message else {}).items():
                moment = fact.value
                if isinstance(moment, lit.Moment) and moment.anchor == "enter" and moment.direction == "after" and moment.length:
                    late = soonest - moment.length.about - timedelta(days=1)
                    if late >= timedelta():
                        text = t("every path reaches this {n} days after '{deadline}'", "on arrive toujours ici {n} jours après « {deadline} »",
                                 n=late.days + 1, deadline=name)  # fmt: skip
                        yield ground.finding("T006", ground.place(chapter.file, (*path, "send")), text, path=(*path, "send"))


def _arrivals(listed: Steps, path: Path_, elapsed: timedelta) -> Iterator[tuple[Path_, Send, timedelta]]:
    """Each send with the soonest time after entry at which somebody can reach it."""
    for index, step in enumerate(listed):
        here = (*path, index)
        if isinstance(step, Send):
            yield here, step, elapsed
        bodies = _named_bodies(step)
        for where, body in bodies:
            yield from _arrivals(body, (*here, *where), elapsed + (_whole(step) if where[-1] == "nothing" else timedelta()))
        elapsed += _shortest(step)


def _named_bodies(step: object) -> list[tuple[Path_, Steps]]:
    from omnicli.model.campaign import Choose, Split

    match step:
        case WaitStep(for_=answers) if answers:
            return [(("for", term), do) for term, do in answers.items()]
        case Choose(choose=options):
            return [(("choose", n, "else" if o.else_ is not None else "do"), o.else_ if o.else_ is not None else o.do or ())
                    for n, o in enumerate(options)]  # fmt: skip
        case Split(split=arms):
            return [(("split", name, "do"), arm.do) for name, arm in arms.items()]
    return []


def _whole(step: object) -> timedelta:
    if isinstance(step, WaitStep) and isinstance(step.wait, lit.Wait) and step.wait.length:
        return step.wait.length.about
    return timedelta()


def _shortest(step: object) -> timedelta:
    from omnicli.model.campaign import Choose

    if isinstance(step, WaitStep) and step.for_:
        return min(
            (_sum(body) + (_whole(step) if term == "nothing" else timedelta()) for term, body in step.for_.items()),
            default=timedelta(),
        )
    bodies = [_sum(body) for body in _all_bodies(step)]  # type: ignore[arg-type]
    if isinstance(step, Choose) and not any(o.else_ is not None for o in step.choose):
        bodies.append(timedelta())
    return _whole(step) + min(bodies, default=timedelta())


def _sum(listed: Steps) -> timedelta:
    return sum((_shortest(step) for step in listed), timedelta())


@rule("T007")
def date_passed(ground: Ground) -> Iterator[Finding]:
    today = ground.now.date()
    for chapter in ground.chapters:
        for path, day, name in _fixed_dates(chapter):
            if day < today:
                text = t(
                    "'{deadline}' was {n} days ago",
                    "« {deadline} » est passé depuis {n} jours",
                    deadline=name,
                    n=(today - day).days,
                )
                yield ground.finding("T007", ground.place(chapter.file, path), text, path=path)


def _fixed_dates(chapter: Chapter) -> Iterator[tuple[Path_, date, str]]:
    for name, message in chapter.campaign.messages.items():
        for fact_name, fact in message.facts.items():
            if isinstance(fact.value, lit.Moment) and fact.value.kind == "date" and fact.value.day:
                yield ("messages", name, "facts", fact_name), fact.value.day, fact_name
    for path, step in every_send(chapter.campaign):
        if step.at.kind == "date" and step.at.day:
            yield (*path, "at"), step.at.day, str(step.at)


@rule("T008")
def fixed_date_evergreen(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        if chapter.campaign.enter.form == "at":
            continue
        for path, day, _name in _fixed_dates(chapter):
            if day >= ground.now.date():
                text = t(
                    "people keep entering after {date}; use 'n days after enter'",
                    "on entre encore après le {date} ; écrivez « n days after enter »",
                    date=day,
                )
                yield ground.finding("T008", ground.place(chapter.file, path), text, path=path)


@rule("T009")
def caps_starve(ground: Ground) -> Iterator[Finding]:
    """Sends of one list that follow each other faster than `cap: all` allows on any path (no answer in between)."""
    for chapter in ground.chapters:
        if chapter.campaign.purpose != "marketing":
            continue
        caps = (*ground.project.guardrails.cap.get("all", ()), *chapter.campaign.guardrails.cap.get("all", ()))
        arrivals = [(soonest, step) for _, step, soonest in _arrivals(chapter.campaign.flow, ("flow",), timedelta())]
        line = [
            (s, step)
            for path, listed in _lists(chapter.campaign.flow, ("flow",))
            if path == ("flow",)
            for s, step in arrivals
            if step in listed
        ]
        for cap in caps:
            for index, (start, _step) in enumerate(line):
                window = [step for s, step in line[index:] if s - start < timedelta(days=cap.days)]
                waits = ground.project.guardrails.at_cap or lit.AtCap(lit.Duration(2, "day"), "skip")
                if len(window) > cap.count and waits.wait is None:
                    names = ", ".join(step.id or step.send for step in window[cap.count :])
                    text = t("caps allow {a} of the {b} touches of this path; {names} would be skipped", "les plafonds permettent {a} des {b} contacts ; {names} serait sauté",
                             a=cap.count, b=len(window), names=names)  # fmt: skip
                    yield ground.finding("T009", ground.place(chapter.file, ("flow",), key=True), text, path=("flow",))
                    return


@rule("T010")
def finer_than_tick(ground: Ground) -> Iterator[Finding]:
    tick = ground.project.schedule.every
    for chapter in ground.chapters:
        for path, step in steps(chapter.campaign):
            if (
                isinstance(step, WaitStep)
                and isinstance(step.wait, lit.Wait)
                and step.wait.length
                and step.wait.length.about < tick.about
            ):
                text = t("'{d}' with a tick every {tick}", "« {d} » avec un top toutes les {tick}", d=step.wait.length, tick=tick)
                yield ground.finding("T010", ground.place(chapter.file, (*path, "wait")), text, path=(*path, "wait"))


@rule("T011")
def looser_than_project(ground: Ground) -> Iterator[Finding]:
    house = ground.project.guardrails
    for chapter in ground.chapters:
        own = chapter.campaign.guardrails

        def told(path: Path_, value: object, limit: object, chapter: Chapter = chapter) -> Finding:
            text = t("{value} is looser than the project's {limit}; a campaign can only be stricter",
                     "{value} est plus large que le projet ({limit}) ; une campagne ne peut qu'être plus stricte", value=value, limit=limit)  # fmt: skip
            return ground.finding("T011", ground.place(chapter.file, path), text, path=path)

        for channel, caps in own.cap.items():
            for cap in caps:
                for limit in house.cap.get(channel, ()):
                    if cap.days == limit.days and cap.count > limit.count:
                        yield told(("guardrails", "cap", channel), cap, limit)
        if own.min_gap and house.min_gap and own.min_gap.about < house.min_gap.about:
            yield told(("guardrails", "min_gap"), own.min_gap, house.min_gap)
        if own.max_delay and house.max_delay and own.max_delay.about > house.max_delay.about:
            yield told(("guardrails", "max_delay"), own.max_delay, house.max_delay)


@rule("T012")
def delay_too_short(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        if chapter.campaign.purpose != "marketing":
            continue
        channels = {c for _, s in every_send(chapter.campaign) for c in channels_of(s, chapter, ground.project)}
        quiet = max((longest_silence(windows_of(ground, chapter, c)) for c in channels), default=0)
        delays: list[tuple[str, Path_, lit.Duration]] = [
            (chapter.file, (*path, "max_delay"), s.max_delay) for path, s in every_send(chapter.campaign) if s.max_delay
        ]
        own, house = chapter.campaign.guardrails.max_delay, ground.project.guardrails.max_delay
        if own:
            delays.append((chapter.file, ("guardrails", "max_delay"), own))
        elif house:
            delays.append(("omni.yaml", ("guardrails", "max_delay"), house))
        for file, path, delay in delays:
            if delay.about < timedelta(minutes=quiet):
                text = t("max_delay {d} is shorter than the longest quiet time {q} hours: weekend touches expire",
                         "max_delay {d} est plus court que le plus long silence ({q} heures) : les envois du week-end expirent", d=delay, q=quiet // 60)  # fmt: skip
                yield ground.finding("T012", ground.place(file, path), text, path=path)


@lru_cache(maxsize=256)
def longest_silence(windows: tuple[lit.Window, ...]) -> int:
    """Minutes of the longest run without a free one in an ordinary week; with `holidays`, a Monday off is added."""
    week = bytearray(quiet_week(windows))
    if any(window.holidays for window in windows):
        week[0:1440] = b"\x01" * 1440
    if all(week):
        return 0
    best = max(len(run) for run in bytes(week + week).split(b"\x00"))
    return best
