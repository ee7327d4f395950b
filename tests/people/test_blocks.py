"""Reading and writing by the block gives what reading and writing one by one gives."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shop import NOW, PROJECT, a_map, a_shop, rows

from omnicli.channels import addresses
from omnicli.channels.clean import Refused
from omnicli.model.ids import contact_uid, contact_uids
from omnicli.people.imports import import_contacts
from omnicli.people.mapping import Target
from omnicli.people.reading import memory, parser
from omnicli.store import consents, imports

EVENLY = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)

LETTERS = st.sampled_from([*"aZ09.-_@+ \nxn'é", "example.com", "xn--", "K", "ſ"])
ODD = st.lists(LETTERS, max_size=12).map("".join)
MAIL = st.builds("{}@{}".format, ODD, st.one_of(ODD, st.just("example.com"), st.just("Example.COM"), st.just("xn--a.xn--b")))
LONG = st.builds(lambda n, m: "a" * n + "@" + "b" * m + ".example", st.integers(60, 68), st.integers(1, 70))


def one(text):
    if not text:
        return None, None
    try:
        return addresses.email(text)
    except Refused:
        return "refused"


@EVENLY
@given(st.lists(st.one_of(MAIL, ODD, LONG, st.just("")), min_size=1, max_size=4))
def test_a_block_of_addresses_is_read_as_each_alone(texts):
    read = addresses.plain_emails(texts)
    if read is not None:
        assert list(zip(*read, strict=True)) == [one(text) for text in texts]


def test_plain_addresses_are_read_as_a_block():
    texts = [f"P{n}@Example.com" for n in range(30)] + [""]
    assert addresses.plain_emails(texts) == (
        [f"P{n}@example.com" for n in range(30)] + [None],
        [f"p{n}@example.com" for n in range(30)] + [None],
    )
    assert addresses.plain_emails(["a@example.com", "b"]) is None
    assert addresses.plain_emails(["a@example.com\nb@example.com", ""]) is None


def test_cells_of_a_various_column_read_as_each_cell_alone(tmp_path):
    _, loaded = a_shop(tmp_path, PROJECT)
    project, now = loaded.project, datetime(2027, 1, 4, tzinfo=UTC)
    odd = ["", "ü", " 7", "x" * 201, "1,5", "12,345", "1e9", "9" * 16, "n/a", "٣", "²", "a@b", "A@B.example", "\ud800", "'=1"]
    for target in (Target("id"), Target("attribute", "orders"), Target("address", "email"), Target("attribute", "city")):
        cells = [odd[n // 40 % len(odd)] if n % 40 == 0 else str(n) for n in range(1300)]
        read, alone = memory(target, project, now), parser(target, project, now)
        read.read([str(n) for n in range(1300)])  # now it knows that the column is various
        values, seconds, problems = read.read(cells)
        each = [alone(cell) for cell in cells]
        assert values == [e[0] for e in each]
        assert seconds == [e[1] for e in each]
        assert problems == [(place, e[2]) for place, e in enumerate(each) if e[2] is not None]


@EVENLY
@given(st.binary(max_size=100), st.lists(st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]))), max_size=5))
def test_fingerprints_of_many_are_those_of_each(key, norms):
    assert consents.fingerprints(key, "email", norms) == [
        None if n is None else consents.fingerprint(key, "email", n) for n in norms
    ]


def test_uids_of_many_are_those_of_each():
    assert contact_uids("p", ["1", "é"]) == [contact_uid("p", "1"), contact_uid("p", "é")]


def test_rows_are_inserted_whether_they_fill_their_blocks_or_not(tmp_path):
    store, _ = a_shop(tmp_path, PROJECT)
    for size in (0, 1, imports.BLOCK - 1, imports.BLOCK, imports.BLOCK + 1, 3 * imports.BLOCK):
        with store.write() as connection:
            connection.exec_driver_sql("DELETE FROM contact")
            imports.insert_columns(connection, "contact", {
                "id": range(1, size + 1), "uid": [bytes([n]) for n in range(size)], "source_id": [str(n) for n in range(size)],
                "created_at": [5] * size, "changed_at": [6] * size, "reach": ["{}"] * size,
            })  # fmt: skip
        assert rows(store, "SELECT id, source_id, changed_at FROM contact ORDER BY id") == [
            (n + 1, str(n), 6) for n in range(size)
        ]


def test_two_imports_at_once_number_everybody_once(tmp_path):
    store, loaded = a_shop(tmp_path, PROJECT)
    files = [tmp_path / f"{name}.csv" for name in "ab"]
    for file in files:
        lines = "".join(f"{file.stem}{n},{file.stem}{n}@example.com\n" for n in range(300))
        file.write_text(f"id,email\n{lines}", "utf-8")
    mapping = a_map(loaded, "id: id\nemail: address.email\n")
    with ThreadPoolExecutor(2) as pool:
        deeds = [pool.submit(import_contacts, store, loaded, file, mapping=mapping, now=NOW, rows_a_chunk=20) for file in files]
        reports = [deed.result() for deed in deeds]
    assert [report.new for report in reports] == [300, 300]
    assert rows(store, "SELECT count(*), count(DISTINCT id), max(id) FROM contact") == [(600, 600, 600)]
    assert rows(store, "SELECT count(*) FROM address") == [(600,)]
