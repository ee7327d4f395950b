"""The fault points that are not on the sending path: each is hit once, and what it left is looked at after the next try."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from fake_http import post
from houses_live import House, ahead_of_now
from invariants import counts
from processes import KILLED
from trials import Rig, Trial, judge, keep, recover

PEOPLE = 10
SCHEDULED = """flow:
  - {send: offre, id: j0, by: email}
  - {wait: 20 days, id: repos}
"""


def sending(point: str) -> Callable[[Rig], Trial]:
    """Points of planning and claiming: the same trial as on the sending path."""

    def trial_of(rig: Rig) -> Trial:
        trial = Trial("other", point, "smtp", "answers", people=PEOPLE)
        house = rig.house("smtp", PEOPLE)
        trial.killed = house.tick(crash_at=point).code == KILLED
        return _judged(rig, house, trial)

    return trial_of


def _judged(rig: Rig, house: House, trial: Trial, *, first: float = 0.0) -> Trial:
    before = counts(house.folder / ".omni" / "live.db")
    doubted = recover(rig, house, trial, first=first)
    return judge(house, rig.fakes[trial.provider], trial, doubted, before)


def _kept(trial: Trial, *breaches: str | None) -> Trial:
    trial.breaches = [said for said in breaches if said]
    keep(trial)
    return trial


# --- the way back ---------------------------------------------------------------------------------------------------
def heard(point: str) -> Callable[[Rig], Trial]:
    """`omni serve` dies with a webhook in its hands: no 2xx went out (F13) or none arrived (F14); the provider repeats."""

    def trial_of(rig: Rig) -> Trial:
        trial = Trial("other", point, "sendgrid", "repeats", people=PEOPLE)
        house, fake = rig.house("sendgrid", PEOPLE), rig.fakes["sendgrid"]
        assert house.tick().code == 0
        events = [fake.event(message, kind) for message in fake.messages for kind in ("processed", "delivered")]
        body = json.dumps(events).encode()
        pid, out, url = serve(rig, house, crash_at=point)
        first = post(url + "/webhooks/sendgrid", body, fake.signed(body))
        trial.killed = rig.omni.wait(pid, out, seconds=10).code == KILLED
        kept = house.rows("SELECT count(*) FROM inbox")[0][0]
        began = time.monotonic()
        pid, out, url = serve(rig, house)
        again = [post(url + "/webhooks/sendgrid", body, fake.signed(body)) for _ in range(2)]
        trial.recovered = round(time.monotonic() - began, 2)
        rig.omni.signal(pid, signal.SIGTERM)
        assert rig.omni.wait(pid, out, seconds=10).code == 0
        rows = house.rows("SELECT count(*) FROM inbox")[0][0]
        assert house.tick(later=30).code == 0
        delivered = house.rows("SELECT count(*) FROM touch WHERE delivery_state = 'delivered'")[0][0]
        trial.reached, trial.lost = len(fake.log), len(events) - rows
        return _kept(
            trial,
            f"the first post was answered {first}" if first != 0 else None,
            f"{kept} rows were kept by a process that died before the commit" if point == "F13" and kept else None,
            f"the repeats were answered {again}" if again != [200, 200] else None,
            f"{rows} rows for {len(events)} events" if rows != len(events) else None,
            f"{delivered} of {PEOPLE} are delivered" if delivered != PEOPLE else None,
        )

    return trial_of


def serve(rig: Rig, house: House, **asked: str) -> tuple[int, Path, str]:
    """A real `omni serve --live`: its pid, where it talks, its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    pid, out = house.start("serve", "--port", str(port), **asked)
    end = time.monotonic() + 15
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)  # a process is coming up
        else:
            return pid, out, f"http://127.0.0.1:{port}"
    raise AssertionError(out.read_text())


def folded(rig: Rig) -> Trial:
    """F15: killed inside the fold; folding again leaves what folding once leaves."""
    trial = Trial("other", "F15", "sendgrid", "answers", people=PEOPLE)
    house, fake = rig.house("sendgrid", PEOPLE), rig.fakes["sendgrid"]
    assert house.tick().code == 0
    for message in fake.messages:
        assert post_to_store(rig, house, [fake.event(message, kind) for kind in ("delivered", "open", "click")])
    twin = house.copy(house.folder.with_name(house.folder.name + "-twin"), house.env)
    trial.killed = house.tick(later=60, crash_at="F15").code == KILLED
    began = time.monotonic()
    assert house.tick(later=60).code == 0
    trial.recovered = round(time.monotonic() - began, 2)
    assert twin.tick(later=60).code == 0
    once, twice = (_fold_of(one) for one in (twin, house))
    trial.reached = len(fake.log)
    return _kept(trial, None if once == twice else f"{once} is not {twice}")


def post_to_store(rig: Rig, house: House, events: list[dict[str, object]]) -> bool:
    fake = rig.fakes["sendgrid"]
    body = json.dumps(events).encode()
    file = house.folder / "posted.json"
    file.write_text(json.dumps({"path": "/webhooks/sendgrid", "headers": fake.signed(body), "body": body.decode()}))
    out = house.folder / "heard.txt"
    return (
        rig.omni.run(
            [str(house.folder), str(file)], out, call="hearing_child:hear_posted", env=dict(house.env), ahead=ahead_of_now(30.0)
        ).code
        == 0
    )


def _fold_of(house: House) -> list[tuple[object, ...]]:
    return [
        *house.rows("SELECT lower(hex(touch_key)), delivery_state, flags FROM touch ORDER BY 1"),
        *house.rows("SELECT contact_id, name, at, machine, count(*) FROM event GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3"),
    ]


def reconciled(rig: Rig) -> Trial:
    """F16: Twilio was asked, and the process died before it wrote down the answer: it asks again."""
    trial = Trial("other", "F16", "twilio", "accepts and does not answer", people=PEOPLE)
    house, fake = rig.house("twilio", PEOPLE), rig.fakes["twilio"]
    house.tick(crash_at="F09")
    fake.idle()
    trial.in_doubt = house.rows("SELECT count(*) FROM attempt WHERE outcome = 'intent'")[0][0]
    house.tick(later=2)
    trial.killed = house.tick(later=130, crash_at="F16").code == KILLED
    return _judged(rig, house, trial, first=140)


def reaped(rig: Rig) -> Trial:
    """F23: the reaper dies among the leases of another that died."""
    trial = Trial("other", "F23", "smtp", "answers", people=PEOPLE)
    house = rig.house("smtp", PEOPLE)
    house.tick(crash_at="F09")
    rig.fakes["smtp"].idle()
    trial.in_doubt = house.rows("SELECT count(*) FROM attempt WHERE outcome = 'intent'")[0][0]
    trial.killed = house.tick(later=2, crash_at="F23").code == KILLED
    return _judged(rig, house, trial, first=4)


def ended_hard(rig: Rig) -> Trial:
    """F24: SIGTERM, and SIGKILL before it has finished what is in flight."""
    trial = Trial("other", "F24", "smtp", "accepts and does not answer", people=PEOPLE)
    house, fake = rig.house("smtp", PEOPLE), rig.fakes["smtp"]
    fake.behave("dot", "<accept and be silent>")
    pid, out = house.start("schedule", "tick")
    end = time.monotonic() + 10
    while not len(fake.log) and time.monotonic() < end:
        time.sleep(0.005)  # until a message is in flight
    rig.omni.signal(pid, signal.SIGTERM)
    rig.omni.signal(pid, signal.SIGKILL)
    trial.killed = rig.omni.wait(pid, out).code == KILLED
    fake.idle()
    fake.reset()
    trial.in_doubt = house.rows("SELECT count(*) FROM attempt WHERE outcome = 'intent'")[0][0]
    return _judged(rig, house, trial)


# --- the rest of the house ------------------------------------------------------------------------------------------
def imported(rig: Rig) -> Trial:
    """F17: killed in mid file; the same command goes on where it was."""
    people = 12_000
    trial = Trial("other", "F17", "smtp", "answers", people=people)
    house = rig.house("smtp", PEOPLE)
    rows = "".join(f"n{n},Nom{n},nom{n}@example.com,yes\n" for n in range(people))
    (house.folder / "more.csv").write_text("id,first_name,email,consent\n" + rows)
    words = ("contact", "import", str(house.folder / "more.csv"), "--map", str(house.folder / "map.yaml"))
    trial.killed = house.run(*words, crash_at="F17").code == KILLED
    half = house.rows("SELECT count(*) FROM contact")[0][0]
    began = time.monotonic()
    assert house.run(*words).code == 0
    trial.recovered = round(time.monotonic() - began, 2)
    whole = house.rows("SELECT count(*) FROM contact")[0][0]
    trial.lost = people + PEOPLE - whole
    return _kept(trial, f"{half} of {people} stood after the kill" if not PEOPLE < half < people + PEOPLE else None,
                 f"{whole} people of {people + PEOPLE}" if trial.lost else None)  # fmt: skip


def scheduled(rig: Rig) -> Trial:
    """F18: the tick of a schedule dies after it wrote its occurrence: the next lets everybody in, once."""
    trial = Trial("other", "F18", "smtp", "answers", people=PEOPLE)
    house = rig.house("smtp", PEOPLE)
    path = house.folder / "campaigns" / "bienvenue.yaml"
    text = (
        path.read_text()
        .replace("campaign: bienvenue", "campaign: lettre")
        .replace("enter: {if: reachable.email}", "enter: {every: day 11:00}")
    )
    path.with_name("lettre.yaml").write_text(text)
    path.unlink()
    assert house.run("campaign", "stop", "bienvenue", "--confirm", "bienvenue").code == 0
    started = house.run("campaign", "start", "lettre", "--yes")
    assert started.code == 0, started
    trial.killed = house.tick(later=3600, crash_at="F18").code == KILLED
    return _judged(rig, house, trial, first=3660)


def migrated(rig: Rig) -> Trial:
    """F19: killed inside a migration: the store is the old one, whole, and the same command brings it up."""
    trial = Trial("other", "F19", "smtp", "answers", people=PEOPLE)
    house = rig.house("smtp", PEOPLE)
    folder = house.folder.with_name(house.folder.name + "-old")
    (folder / ".omni").mkdir(parents=True)
    (folder / "omni.yaml").write_text((house.folder / "omni.yaml").read_text())
    old = House(folder, rig.omni, house.env)
    out = folder / "made.txt"
    assert rig.omni.run([str(folder / ".omni" / "live.db")], out, call="hearing_child:make_old_store").code == 0, out.read_text()
    trial.killed = old.run("db", "upgrade", crash_at="F19").code == KILLED
    (left,) = old.rows("SELECT version_num FROM alembic_version")[0]
    people = old.rows("SELECT count(*) FROM contact")[0][0]
    began = time.monotonic()
    ended = old.run("db", "upgrade")
    trial.recovered = round(time.monotonic() - began, 2)
    trial.people, trial.lost = 3, 3 - old.rows("SELECT count(*) FROM contact")[0][0]
    whole = old.rows("PRAGMA integrity_check")[0][0]
    return _kept(trial, None if left == "0001" else f"half a migration: {left}", None if people == 3 else f"{people} people",
                 None if ended.code == 0 else ended.said, None if whole == "ok" else whole)  # fmt: skip


def backed_up(rig: Rig) -> Trial:
    """F20: a copy without a manifest is no backup, and the next backup takes it away."""
    trial = Trial("other", "F20", "smtp", "answers", people=PEOPLE)
    house = rig.house("smtp", PEOPLE)
    trial.killed = house.run("db", "backup", crash_at="F20").code == KILLED
    folder = house.folder / ".omni" / "backups"
    half = [path.name for path in folder.glob("*.db")]
    began = time.monotonic()
    ended = house.run("db", "backup", later=60)
    trial.recovered = round(time.monotonic() - began, 2)
    copies, manifests = sorted(folder.glob("*.db")), sorted(folder.glob("*.db.json"))
    with closing(sqlite3.connect(f"file:{copies[-1]}?mode=ro", uri=True)) as connection:
        people = connection.execute("SELECT count(*) FROM contact").fetchone()[0]
    trial.lost = PEOPLE - people
    return _kept(trial, None if ended.code == 0 else ended.said, None if half else "nothing was half done",
                 None if len(copies) == len(manifests) == 1 else f"{[p.name for p in (*copies, *manifests)]}")  # fmt: skip


def applied(rig: Rig) -> Trial:
    """F22: killed while a new version is applied: the old one is in force, and the same command applies the new."""
    trial = Trial("other", "F22", "smtp", "answers", people=PEOPLE)
    house = rig.house("smtp", PEOPLE)
    path = house.folder / "campaigns" / "bienvenue.yaml"
    path.write_text(path.read_text().replace("Bonjour", "Bonsoir"))
    words = ("campaign", "run", "bienvenue", "--yes", "--confirm", "bienvenue")
    trial.killed = house.run(*words, crash_at="F22").code == KILLED
    version = "SELECT number FROM campaign_version v JOIN campaign c ON c.version_id = v.id"
    left = house.rows(version)[0][0]
    ended = house.run(*words)
    now = house.rows(version)[0][0]
    trial = _judged(rig, house, trial, first=5)
    trial.breaches += [said for said in (None if left == 1 else f"version {left} was in force", None if now == 2 else f"version {now} is",
                                         None if ended.code == 0 else ended.said) if said]  # fmt: skip
    return trial


POINTS: Mapping[str, Callable[[Rig], Trial]] = {
    **{point: sending(point) for point in ("F01", "F02", "F03", "F04")}, "F13": heard("F13"), "F14": heard("F14"), "F15": folded, "F16": reconciled,
    "F17": imported, "F18": scheduled, "F19": migrated, "F20": backed_up, "F22": applied, "F23": reaped, "F24": ended_hard,
}  # fmt: skip
