"""One trial of the crash matrix: a live house, a fake that behaves, a kill at a named point, the recovery, and the verdict.

Each trial is written as a line of JSON to the folder OMNI_TRIALS (when it is set), from which `docs/reliability.md` is made.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fake_sendgrid import FakeSendGrid
from fake_smtp import ACCEPT_SILENT, CUT, FakeSmtp
from fake_twilio import ACCOUNT, TOKEN, FakeTwilio
from houses_live import LATER, House, ahead_of_now, build
from invariants import Seen, breaches, counts
from processes import FROZEN, KILLED, Processes
from sizes import SIZES

SEND_POINTS = ("F05", "F06", "F07", "F08", "F09", "F10", "F11", "F12")
#: Inside a write transaction: SQLite has one writer, so who stands still there keeps all others waiting.
HOLDS_THE_PEN = frozenset({"F06", "F11"})
#: A touch may be in doubt after a kill only from here on: its intent is on disk.
IN_DOUBT_FROM = "F07"
#: A kill before this point came before the fake could misbehave: there it does so at the recovering tick instead.
FIRST_AT_THE_FAKE = "F08"
IN_FLIGHT, BATCH = 2, {"sendgrid": 5, "twilio": 1, "smtp": 4}
#: Instants after the kill at which a tick comes, in seconds: until everything has ended. The last lies behind every wait for evidence.
TICKS = (2.0, 45.0, 220.0, 1000.0, 2200.0, 90000.0)
LEASE = 60.0


@dataclass
class Trial:
    """What one trial did, and what became of it. `recovered`: seconds on the trial's clock until nothing was claimed or under way."""

    kind: str
    point: str
    provider: str
    behaviour: str
    killed: bool = False
    kills: int = 1
    people: int = 0
    reached: int = 0
    doubles: int = 0
    lost: int = 0
    in_doubt: int = 0  # touches whose intent stood open at the kill
    settled: int = 0  # of those in doubt at any time: accepted by evidence
    parked: int = 0
    unproven: int = 0  # parked although they reached somebody: nothing could prove it
    recovered: float = 0.0
    ticks: int = 0
    seconds: float = 0.0
    breaches: list[str] = field(default_factory=list)
    store: str = "sqlite"


def keep(trial: Trial) -> None:
    """Write the trial down for the report."""
    folder = os.environ.get("OMNI_TRIALS")
    if folder:
        with open(Path(folder) / f"trials-{os.getpid()}.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(trial), ensure_ascii=False) + "\n")


def looked(kind: str, point: str, *, store: str = "postgresql", **figures: Any) -> None:
    """The same of a test that needs no process: what was stopped or cut, how often (`kills`), and what came of it."""
    keep(Trial(kind, point, "–", "answers", killed=True, store=store, **figures))


class Rig:
    """A fork server, the three fakes, and a house for each provider, made once a test process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.omni = Processes()
        self.fakes: dict[str, Any] = {"smtp": FakeSmtp(), "sendgrid": FakeSendGrid(), "twilio": FakeTwilio()}
        self._houses: dict[tuple[str, int], House] = {}
        self._copies = 0

    def __enter__(self) -> Rig:
        self.omni.__enter__()
        for fake in self.fakes.values():
            fake.clock = lambda: time.time() + ahead_of_now(LATER[0])
            fake.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.omni.__exit__()
        for fake in self.fakes.values():
            fake.__exit__()

    @property
    def env(self) -> dict[str, str]:
        sendgrid, twilio, smtp = self.fakes["sendgrid"], self.fakes["twilio"], self.fakes["smtp"]
        urls = {f"OMNI_TWILIO_{name}_URL": twilio.url for name in ("API", "MESSAGING", "CONTENT", "VOICE")}
        return {
            "OMNI_SMTP_HOST": "127.0.0.1", "OMNI_SMTP_PORT": str(smtp.port), "OMNI_SENDGRID_URL": sendgrid.url, **urls,
            "SENDGRID_API_KEY": "SG.of-tests", "SENDGRID_WEBHOOK_KEY": sendgrid.public_key, "TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN,
        }  # fmt: skip

    def house(self, provider: str, people: int) -> House:
        """A copy of its own of the house of that provider; its fake answers well and has forgotten everything."""
        if (provider, people) not in self._houses:
            folder = self.folder / f"{provider}-{people}"
            self._houses[provider, people] = build(folder, self.omni, provider=provider, people=people, env=self.env)
        self.fakes[provider].clear()
        LATER[0] = 0.0
        if provider != "smtp":
            self.fakes[provider].messages.clear()
        self._copies += 1
        return self._houses[provider, people].copy(self.folder / f"trial-{self._copies}", self.env)


def misbehave(fake: Any, provider: str, behaviour: str) -> None:
    """Tell the fake what to do until it is reset."""
    if provider == "smtp":
        match behaviour:
            case "accepts and does not answer":
                fake.behave("dot", ACCEPT_SILENT)
            case "refuses":
                fake.behave("rcpt", "451 4.7.1 later", times=1)
                fake.behave("rcpt", "550 5.1.1 nobody", times=1)
            case "drops":
                fake.behave("data", CUT)
                fake.behave("connect", CUT, times=1)
        return
    match behaviour:
        case "accepts and does not answer":
            fake.behave("hold")
        case "refuses":
            fake.behave("refuse", status=429, code=20429 if provider == "twilio" else None, times=1)
            refused = {"code": 21211} if provider == "twilio" else {"code": "personalizations.0.to.0.email"}
            fake.behave("refuse", status=400, times=1, **refused)
        case "drops":
            fake.behave("drop")
            fake.behave("drop", at="connect", times=1)


def crash(rig: Rig, point: str, provider: str, behaviour: str) -> Trial:
    """Kill a tick at the point while the fake behaves so; then tick until all is settled."""
    trial = Trial("crash", point, provider, behaviour, people=int(SIZES["crash_people"]))
    began = time.monotonic()
    house, fake = rig.house(provider, trial.people), rig.fakes[provider]
    misbehave(fake, provider, behaviour)
    trial.killed = house.tick(crash_at=point).code == KILLED
    fake.idle()
    if trial.killed and point >= FIRST_AT_THE_FAKE:
        fake.reset()
    trial.in_doubt = house.rows("SELECT count(*) FROM attempt WHERE outcome = 'intent'")[0][0]
    before = counts(house.where)
    doubted = recover(rig, house, trial)
    trial.seconds = round(time.monotonic() - began, 2)
    return judge(house, fake, trial, doubted, before)


def freeze(rig: Rig, point: str, provider: str) -> Trial:
    """Stop a tick at the point (SIGSTOP) for two leases, in which others go on; then let it go on too.

    One that stands still inside a transaction holds the store's only pen: there the others wait, and nothing else can be done."""
    trial = Trial("frozen", point, provider, "answers", people=int(SIZES["crash_people"]))
    began = time.monotonic()
    house, fake = rig.house(provider, trial.people), rig.fakes[provider]
    pid, out = house.start("schedule", "tick", stop_at=point)
    trial.killed = rig.omni.wait(pid, out).code == FROZEN
    trial.in_doubt = house.rows("SELECT count(*) FROM attempt WHERE outcome = 'intent'")[0][0]
    before = counts(house.where)
    doubted: set[str] = set()
    if point in HOLDS_THE_PEN:
        other, said = house.start("schedule", "tick", later=2 * LEASE + 5)
        assert rig.omni.wait(other, said, seconds=1.0).code is None, "it wrote while another held the pen"
    else:
        doubted = recover(rig, house, trial, first=2 * LEASE + 5, idle=0.01)
    rig.omni.signal(pid, signal.SIGCONT)
    ended = rig.omni.wait(pid, out, seconds=20)
    assert ended.code is not None, ended.said
    if point in HOLDS_THE_PEN:
        assert rig.omni.wait(other, said, seconds=20).code is not None
    fake.idle()
    doubted |= recover(rig, house, trial, first=100_000.0)
    trial.seconds = round(time.monotonic() - began, 2)
    return judge(house, fake, trial, doubted, before)


def recover(rig: Rig, house: House, trial: Trial, *, first: float = 0.0, idle: float = 5.0) -> set[str]:
    """Ticks until nothing is open; the touches that were in doubt at any time."""
    fake, doubted, began = rig.fakes[trial.provider], set[str](), time.monotonic()
    free = None
    for later in TICKS:
        ended = house.tick(later=first + later)
        assert ended.code in (0, 3), ended
        trial.ticks += 1
        fake.idle(idle)
        fake.reset()
        states = house.states()
        doubted |= {
            row[0] for row in house.rows("SELECT lower(hex(touch_key)) FROM touch WHERE send_state IN ('unknown', 'parked')")
        }
        if free is None and not states.keys() & {"claimed", "sending"}:
            free = round(later + time.monotonic() - began, 2)
        if not states.keys() - {"accepted", "rejected", "skipped", "parked"}:
            break
        if trial.provider == "sendgrid" and states.get("unknown") and trial.ticks == 1:
            hear_events(rig, house, doubted)
    trial.recovered = free if free is not None else 1e9
    return doubted


def hear_events(rig: Rig, house: House, doubted: set[str]) -> None:
    """SendGrid tells of every message, but of one of those in doubt it never does."""
    fake = rig.fakes["sendgrid"]
    lost = next((message.to for message in fake.messages if message.mark.split(".")[0] in doubted), None)
    events = [fake.event(message, kind) for message in fake.messages if message.to != lost for kind in ("processed", "delivered")]
    if not events:
        return
    body = json.dumps(events).encode()
    file = house.folder / "posted.json"
    file.write_text(json.dumps({"path": "/webhooks/sendgrid", "headers": fake.signed(body), "body": body.decode()}))
    out = house.folder / "heard.txt"
    ended = rig.omni.run(
        [str(house.folder), str(file)], out, call="hearing_child:hear_posted", env=dict(house.env), ahead=ahead_of_now(30.0)
    )
    assert ended.code == 0, ended


def told(house: House) -> dict[str, Any]:
    """What `omni status` tells of this moment."""
    found: dict[str, Any] = json.loads(house.run("status", "--json", later=LATER[0]).said)["result"]
    return found


def judge(house: House, fake: Any, trial: Trial, doubted: set[str], before: Mapping[str, int]) -> Trial:
    """The verdict, by the fake's log."""
    states = house.states()
    log = list(fake.log.lines)
    trial.store = "postgresql" if isinstance(house.where, str) else "sqlite"
    seen = Seen(house.where, log, now=0, people=trial.people, before=before, at_rest=True, status=told(house))
    trial.reached = len(seen.reached)
    trial.doubles = len(fake.log.doubles())
    trial.parked = states.get("parked", 0) + states.get("unknown", 0)
    trial.settled = sum(seen.touches[key][0] == "accepted" for key in doubted)
    trial.unproven = sum(key in seen.reached and seen.touches[key][0] != "accepted" for key in doubted)
    trial.breaches = breaches(seen)
    trial.lost = (
        trial.people - len(seen.touches) + sum("nobody got it" in said or "until when" in said for said in trial.breaches)
    )
    keep(trial)
    return trial
