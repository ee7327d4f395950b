"""Two senders of one account: neither waits for the other while it decides, none is lost in the count, and what shuts it is heeded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
import stores
from shelves import a_project, a_store

from omnicli.engine import breaker
from omnicli.store import accounts
from omnicli.store.accounts import Account, Book
from omnicli.store.connection import Store
from omnicli.store.outbox.locking import Overtaken

together = pytest.mark.skipif(not stores.POSTGRESQL, reason="where one writes at a time two do not meet")
KEY = ("sendgrid", "house")


def counted(account: Account) -> Account:
    return breaker.begun(account, 60_000, calls=1, retries=0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = a_store(tmp_path, a_project(tmp_path))
    with found.write() as connection:
        accounts.save(connection, *KEY, Account())
    return found


@contextmanager
def sending(store: Store) -> Iterator[tuple[sa.Connection, Book]]:
    with store.write() as connection:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
        yield connection, Book(connection)


def standing(store: Store) -> Account:
    with store.read() as connection:
        return accounts.glance(connection, *KEY)


@together
def test_both_look_and_count_and_nobody_waits(store: Store, tmp_path: Path) -> None:
    other = stores.open_store(tmp_path)
    with sending(store) as (_, one):
        one.glance(*KEY)
        one.step(*KEY, counted)
        with sending(other) as (_, two):
            two.glance(*KEY)
            two.step(*KEY, counted)
            two.write()
        one.write()
    assert standing(store).calls == 2


@together
def test_one_who_finds_it_shut_at_the_end_begins_again(store: Store, tmp_path: Path) -> None:
    other = stores.open_store(tmp_path)
    with sending(store) as (_, one):
        one.glance(*KEY)
        one.step(*KEY, counted)
        with sending(other) as (_, two):
            two.put(*KEY, replace(two.of(*KEY), state="open", probe_at=90_000))
            two.write()
        with pytest.raises(Overtaken):
            one.write()
    assert standing(store) == Account(state="open", probe_at=90_000)


@pytest.mark.parametrize("known", [Account(state="open", probe_at=1), Account(batch=10)])
@together
def test_an_account_that_is_not_well_is_one_sender_s_at_a_time(store: Store, tmp_path: Path, known: Account) -> None:
    with store.write() as connection:
        accounts.save(connection, *KEY, known)
    _waits_for_another(store, tmp_path, paced=False)


@together
def test_so_is_one_whose_rate_is_shared_out(store: Store, tmp_path: Path) -> None:
    _waits_for_another(store, tmp_path, paced=True)


def _waits_for_another(store: Store, tmp_path: Path, *, paced: bool) -> None:
    other = stores.open_store(tmp_path)
    with sending(store) as (_, one):
        one.glance(*KEY, paced=paced)
        with pytest.raises(sa.exc.DBAPIError, match="lock"), sending(other) as (_, two):
            two.glance(*KEY, paced=paced)


def test_what_was_counted_on_a_glance_stands_when_it_is_written(store: Store) -> None:
    with store.write() as connection:
        book = Book(connection)
        book.glance(*KEY)
        book.step(*KEY, counted)
        assert book.step(*KEY, counted).calls == 2
        book.write()
    assert standing(store).calls == 2
