"""Whatever way a message takes to the archive, it is the same message byte for byte: marked, folded, straight, shared."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from galley import Galley, archived, told

from omnicli.campaigns import printing
from omnicli.campaigns.press import Prepared, Presses
from omnicli.channels.sms import count_sms
from omnicli.render import program, running

TRACKED = "\ntracking: {domain: https://go.maisonlune.example, opens: consented}\n"


@pytest.fixture(scope="module")
def galley(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Galley]:
    found = Galley.of(tmp_path_factory.mktemp("galley"), readers=56, more=TRACKED, channels=("email", "sms", "task"))
    yield found
    found.store.close()


@pytest.fixture(scope="module")
def quick(galley: Galley) -> Presses:
    """From the fiftieth reader on every message is folded and compiled, and the straight ones run no template."""
    presses = galley.presses()
    presses.prepare(galley.touches)
    return presses


def test_many_readers_get_what_each_would_get_alone(galley: Galley, quick: Presses, monkeypatch: pytest.MonkeyPatch) -> None:
    touches = galley.touches
    again = quick.prepare(touches)
    monkeypatch.setattr(running, "_SOME", 10**9)  # nothing is ever folded
    slow = galley.presses()
    assert archived(again) == archived(slow.prepare(touches))
    assert archived(quick.prepare(told(again))) == archived(slow.prepare(told(again)))
    assert [dict(one.rendered.parts) for one in again[:50] if isinstance(one, Prepared)] == [
        dict(one.rendered.parts) for one in slow.prepare(touches[:50]) if isinstance(one, Prepared)
    ]


def test_straight_messages_share_what_is_written(galley: Galley, quick: Presses, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = []
    write = program.Bound.write
    monkeypatch.setattr(program.Bound, "write", lambda bound: (shared.append(bound), write(bound))[1])
    made = quick.prepare(galley.touches)
    assert len(shared) > len(made) / 3


def test_namesakes_get_one_message_where_no_link_is_their_own(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    galley = Galley.of(tmp_path_factory.mktemp("bare"), readers=56, more="\n", channels=("email", "sms"))
    presses, counted = galley.presses(), []
    presses.prepare(galley.touches)
    written = program.Bound._written
    monkeypatch.setattr(program.Bound, "_written", lambda bound, made: (counted.append(bound), written(bound, made))[1])
    shared = presses.prepare(galley.touches)
    assert len(counted) < len(shared) / 2
    monkeypatch.setattr(running, "_SOME", 10**9)
    assert archived(shared) == archived(galley.presses().prepare(galley.touches))
    galley.store.close()


def test_the_price_of_an_sms_counts_the_parts_of_its_own_text(galley: Galley, quick: Presses) -> None:
    made = quick.prepare([touch for touch in galley.touches if touch.channel == "sms"])
    written = [one for one in made if isinstance(one, Prepared)]
    assert written
    for one in written:
        price = one.press.house.prices["sms"]
        assert one.cost == price * count_sms(one.rendered.parts["body"]).parts


def test_who_enters_around_midnight_shares_facts_with_nobody_of_the_other_day() -> None:
    midnight = 1_798_930_800_000  # 2027-01-03 00:00 in Paris
    quarter = midnight // 900_000
    assert printing._one_day(quarter, "Europe/Paris")
    assert printing._one_day(quarter - 1, "Europe/Paris")
    assert not printing._one_day(2, "Africa/Monrovia"), "its clocks were 44 minutes and a half behind until 1972"
