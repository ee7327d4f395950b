"""Messages name people: the folders that omni makes for them are their owner's, whatever the umask; those that stand keep their rights."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_outbox_pages import a_message

from omnicli.providers.file import FileProvider, make


@pytest.fixture(autouse=True)
def _lax() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def rights(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


def test_letters_stand_in_a_folder_of_their_owner(tmp_path: Path) -> None:
    provider = FileProvider(tmp_path / "outbox" / "live")
    (outcome,) = provider.send([a_message(channel="letter")], now=a_message().at)
    assert outcome.outcome == "accepted"
    assert {rights(path) for path in (tmp_path / "outbox").rglob("*") if path.is_dir()} | {rights(tmp_path / "outbox")} == {
        "0o700"
    }
    assert {rights(path) for path in (tmp_path / "outbox").rglob("*") if path.is_file()} == {"0o644"}


def test_a_folder_that_the_printer_reads_stays_as_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "print").mkdir(mode=0o750)
    make(tmp_path / "print")
    assert rights(tmp_path / "print") == "0o750"
