"""A process that reads ahead changes nothing but the time: the same report, the same rows, the same error at the same line."""

import os
import select
import signal
from dataclasses import replace

import pytest
from shop import a_file, a_shop, brought, rows

from omnicli.errors import OmniError
from omnicli.people import ahead
from omnicli.people.sheet import Packed

HEAD = "id,first_name,email,mobile,country,orders,email_consent,email_consent_on\n"
MAP = (
    "id: id\nfirst_name: first_name\nemail: address.email\nmobile: [address.sms, address.whatsapp]\ncountry: country\norders: orders\n"
    "email_consent: consent.email\nemail_consent_on: consent.email.on\n"
)
TABLES = ("contact", "address", "consent", "consent_log", "import_row")


def _dirty(n: int) -> str:
    odd = {
        3: f"{n},A{n},A{n}@Example.COM ,06 39 98 12 {n:02},FR,\"1 2{n:02},5\",oui,2026-12-01\n",
        5: f"{n - 1},B,b{n}@example.com,,FR,1,,\n",  # the id of the row before
        6: f"{n},A{n},a{n - 4}@example.com,12,FR,many,perhaps,never\n",
        7: f"{n},A{n}\n",
        8: f"{n},A{n},not an address,,XX,1,no,2026-12-01,too,many\n",
        9: f",A{n},a{n}@example.com,,FR,1,,\n\n",
    }  # fmt: skip
    return odd.get(n % 10, f"{n},Él{n},a{n}@example.com,,FR,{n},{'yes' if n % 2 else 'no'},2026-12-{n % 28 + 1:02}\n")


DIRTY = HEAD + "".join(map(_dirty, range(120)))


@pytest.fixture
def another(monkeypatch):
    """Every file is read by another process from its first row on; the chunks that came from it."""
    monkeypatch.setattr(ahead, "_worth_it", lambda _plan: True)
    monkeypatch.setattr(ahead._Another, "is_ready", lambda self: bool(select.select([self._out], [], [], 60)[0]))
    found, take = [], ahead._Another.next

    def counted(self):
        read = take(self)
        found.append(read and read[0])
        return read

    monkeypatch.setattr(ahead._Another, "next", counted)
    return found


def _imported(folder, text, **options):
    store, loaded = a_shop(folder)
    report = brought(store, loaded, a_file(folder, text), MAP, **options)
    return replace(report, file="", refused_file=None), report.refused_file.read_text(), [rows(store, f"SELECT * FROM {t} ORDER BY 1, 2, 3") for t in TABLES]  # fmt: skip


@pytest.mark.parametrize("key", ["id", "email"])
def test_a_dirty_file_is_told_and_stored_alike_whoever_reads_it(tmp_path, request, key):
    here = _imported(tmp_path / "here", DIRTY, key=key, rows_a_chunk=25)
    chunks = request.getfixturevalue("another")
    assert _imported(tmp_path / "there", DIRTY, key=key, rows_a_chunk=25) == here
    assert [type(chunk.cells) if chunk else None for chunk in chunks] == [Packed] * 6 + [None]
    assert here[0].refused > 10
    assert here[0].values_refused
    assert here[0].values_repaired


def test_an_error_in_the_middle_is_the_same_error_behind_the_same_rows(tmp_path, request):
    text = DIRTY + f"200,{'x' * 70_000},a200@example.com,,FR,1,,\n"
    said = []
    for folder in ("here", "there"):
        store, loaded = a_shop(tmp_path / folder)
        with pytest.raises(OmniError) as error:
            brought(store, loaded, a_file(tmp_path / folder, text), MAP, rows_a_chunk=25)
        said.append((error.value.message, error.value.code, rows(store, "SELECT * FROM contact"), rows(store, "SELECT rows_done FROM import_job")))  # fmt: skip
        request.getfixturevalue("another")
    assert said[0] == said[1]
    assert "about line" in said[0][0]


def test_what_a_process_that_died_left_is_read_here(tmp_path, monkeypatch, another):
    monkeypatch.setattr(ahead, "_PIPE", 4096)  # it cannot write everything at once
    whole = _imported(tmp_path / "whole", DIRTY * 3, rows_a_chunk=25)
    another.clear()
    began, take = [], ahead._Another.next

    class Popen(ahead.subprocess.Popen):
        def __init__(self, *given, **more):
            super().__init__(*given, **more)
            began.append(self)

    def killed_behind_the_second(self):
        if len(another) == 2:
            os.kill(began[0].pid, signal.SIGKILL)
            began[0].wait()
        return take(self)

    monkeypatch.setattr(ahead.subprocess, "Popen", Popen)
    monkeypatch.setattr(ahead._Another, "next", killed_behind_the_second)
    assert _imported(tmp_path / "killed", DIRTY * 3, rows_a_chunk=25) == whole
    assert 2 <= len(another) < 10
