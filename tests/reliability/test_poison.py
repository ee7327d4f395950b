"""R14: bad contacts among good ones. The good are all sent, once; each bad one ends with its reason; exit 3 (tests.md 2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import pytest
from bare_stage import Delivery, Recorder, a_campaign, paris
from sizes import SIZES

from omnicli.campaigns.run import RunReport
from omnicli.errors import Exit
from omnicli.model.touch import Handed, Outcome
from omnicli.store.connection import Store

FLOW = "- {send: offre, by: email, id: j0}\n- {wait: 1 day, id: w}"
PEOPLE, BAD = SIZES["poison_people"], SIZES["poison_bad"]
EVERY = PEOPLE // BAD
#: What is wrong with every n-th person, in turn: a field that the message needs, or an address that the provider refuses.
KINDS = ("no city", "bad address")


@dataclass
class Picky(Recorder):
    """Takes whole requests only; names the culprit's field, or leaves it to be found."""

    batch: int = 500
    one_request: bool = True
    names_it: bool = False
    hidden: int = 10**9  # of those whose field is not named, every so manieth spoils its request

    def spoils(self, contact: str) -> bool:
        return contact.endswith("!") and (self.names_it or int(contact[1:-1]) // EVERY % self.hidden == 1)

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]:
        bad = [one.contact for one in handed if self.spoils(one.contact)]
        if not bad:
            return super().send(handed, now=now)
        self.calls += 1
        if self.names_it:
            return [Outcome("rejected", code="to.email", bad_address=True) if one.contact == bad[0] else Outcome("not_sent", code="400", free=True)
                    for one in handed]  # fmt: skip
        return [Outcome("not_sent", code="400", halve=True)] * len(handed)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    text = a_campaign(FLOW).replace("body: Bonjour,", 'body: "Bonjour {city}",')
    stage = Delivery(tmp_path_factory.mktemp("poison"), text)
    for n in range(PEOPLE):
        wrong = KINDS[n // EVERY % 2] if n % EVERY == EVERY - 1 else None
        stage.person(
            f"p{n:05}{'!' if wrong == 'bad address' else ''}", first_name="X", **({} if wrong == "no city" else {"city": "Lyon"})
        )
        stage.says(f"p{n:05}{'!' if wrong == 'bad address' else ''}", "signup")
    stage.now = paris("2027-01-04 10:00")
    stage.decide()
    return stage


@pytest.mark.parametrize(
    ("names_it", "hidden"), [(True, 1), (False, 10)], ids=["the culprit is named", "the culprit is looked for"]
)
def test_the_good_are_all_sent_and_each_bad_one_has_its_reason(made: Delivery, names_it: bool, hidden: int) -> None:
    made.provider = Picky(names_it=names_it, hidden=hidden)
    with a_copy(made):
        people = [row[0] for row in made.rows("SELECT source_id FROM contact")]
        bad = sum(map(made.provider.spoils, people))
        dumb = BAD // 2
        report = made.dispatch()
        assert (report.accepted, report.rejected, report.render_failed, report.unknown) == (PEOPLE - dumb - bad, bad, dumb, 0)
        assert Counter(one.contact for one in made.provider.handed).most_common(1)[0][1] == 1
        assert not any(made.provider.spoils(one.contact) for one in made.provider.handed)
        assert made.rows("SELECT send_state, reason, count(*) FROM touch GROUP BY 1, 2 ORDER BY 1, 2") == [
            ("accepted", None, PEOPLE - dumb - bad), ("rejected", "refused", bad), ("skipped", "render_failed", dumb),
        ]  # fmt: skip
        detail = made.rows(
            "SELECT count(*) FROM evidence v JOIN touch t ON t.id = v.touch_id WHERE t.reason = 'render_failed' AND v.detail LIKE '%city%'"
        )
        assert detail == [(dumb,)]  # by name of the field
    run = RunReport(made.now, ("bienvenue",))
    run.add(report)
    assert run.exit == Exit.SOME_FAILED
    assert bad >= BAD // 2 // hidden


@contextmanager
def a_copy(stage: Delivery) -> Iterator[None]:
    """The same store again, thrown away afterwards."""
    before = stage.store
    with before.writer.connect() as connection:
        raw = connection.connection.driver_connection.serialize()
    stage.store = Store.memory()
    with stage.store.writer.connect() as connection:
        connection.connection.driver_connection.deserialize(raw)
    try:
        yield
    finally:
        stage.store.close()
        stage.store = before
