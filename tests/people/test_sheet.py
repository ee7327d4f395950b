"""Tables as people really send them."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import pytest
from shop import SHARED, a_file

from omnicli.errors import OmniError
from omnicli.people.sheet import name_columns, open_sheet

SPECTRUM = SHARED / "csv-spectrum"
HORROR = SHARED / "csv-horror"


def read(path):
    sheet = open_sheet(path)
    return sheet, [cells for chunk in sheet.chunks() for cells in chunk.cells]


@pytest.mark.skipif(not SPECTRUM.is_dir(), reason=f"{SPECTRUM} is not there")
@pytest.mark.parametrize("name", sorted(p.stem for p in (SPECTRUM / "csvs").glob("*.csv")) or ["absent"])
def test_every_csv_of_the_spectrum_reads_as_its_json_says(name):
    sheet, cells = read(SPECTRUM / "csvs" / f"{name}.csv")
    assert [dict(zip(sheet.header, row, strict=True)) for row in cells] == json.loads(
        (SPECTRUM / "json" / f"{name}.json").read_text()
    )


@pytest.mark.skipif(not HORROR.is_dir(), reason=f"{HORROR} is not there")
@pytest.mark.parametrize(
    ("name", "delimiter", "encoding", "header", "rows"),
    [
        ("simple.csv", ",", "utf-8", ("date", "temperature", "place"), 6),
        ("simple.ssv", ";", "utf-8", ("date", "temperature", "place"), 6),
        ("simple.psv", "|", "utf-8", ("Year", "New dwellings", "Other dwellings"), 28),
        ("utf8bom.csv", ",", "utf-8-sig", ("kitten", "win"), 0),
        ("spanish_chars.csv", ",", "cp1252", ("GF_ID", "FN_ID", "SF_ID"), 115),
        ("skip_initials.csv", ",", "utf-8", ("field1", "field2"), 2),
        ("excel_pasting.csv", ",", "utf-8", ("Year", "2000", "2001"), 16),
        ("complex.csv", ",", "utf-8", ("date", "another date", "temperature", "place"), 3),
        ("null.csv", ",", "utf-8", ("1", "null", "0", "0 (2)"), 9),
        ("long.csv", ",", "utf-8", ("foo",), 3999),
        ("small.csv", ",", "utf-8", ("a",), 0),
    ],
)
def test_every_horror_is_read(name, delimiter, encoding, header, rows):
    sheet, cells = read(HORROR / name)
    assert (sheet.delimiter, sheet.encoding, len(cells)) == (delimiter, encoding, rows)
    assert sheet.header[: len(header)] == header


TEXT = "prénom;ville\nÉlodie;Nîmes\nZoë;Œting\n"


@pytest.mark.parametrize(
    "raw",
    [
        TEXT.encode(), codecs.BOM_UTF8 + TEXT.encode(), TEXT.encode("utf-16"), TEXT.encode("utf-16-le"), TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"), TEXT.replace("Œ", "Oe").encode("latin-1"), TEXT.encode("cp1252"),
    ],
)  # fmt: skip
def test_whatever_the_encoding_the_words_are_the_same(tmp_path, raw):
    sheet, cells = read(a_file(tmp_path, raw))
    assert sheet.header == ("prénom", "ville")
    assert [row[0] for row in cells] == ["Élodie", "Zoë"]
    assert cells[0][1] == "Nîmes"


def test_a_guessed_encoding_is_said(tmp_path):
    assert "cp1252" in open_sheet(a_file(tmp_path, TEXT.encode("cp1252"))).notes[0]


def test_lines_are_those_an_editor_shows_though_a_cell_has_several(tmp_path):
    sheet = open_sheet(a_file(tmp_path, 'a,b\n1,"x\ny"\n2,z\n\n3,w\n'))
    (chunk,) = sheet.chunks()
    assert list(zip([c[0] for c in chunk.cells], chunk.rows, chunk.lines, strict=True)) == [("1", 1, 2), ("2", 2, 4), ("3", 4, 6)]


def test_a_row_that_is_too_long_is_broken_and_a_short_one_filled_up(tmp_path):
    (chunk,) = open_sheet(a_file(tmp_path, "a,b,c\n1,2,3,4\n5,6\n7,8,9,,\n")).chunks()
    assert chunk.cells == [["5", "6", ""], ["7", "8", "9"]]
    assert chunk.short == [0]
    assert [(b.row, b.line, b.reason) for b in chunk.broken] == [(1, 2, "the row has 4 cells, the header 3")]


def test_a_quote_that_never_closes_is_an_error_with_its_line(tmp_path):
    file = a_file(tmp_path, 'a,b\n1,2\n3,"' + "x" * 70000 + "\n")
    with pytest.raises(OmniError, match="line 3") as error:
        list(open_sheet(file).chunks())
    assert "quote" in error.value.hint


@pytest.mark.parametrize(("head", "name"), [(b"%PDF-1.4", "PDF"), (b"\x1f\x8b\x08", "gzip"), (b"\xd0\xcf\x11\xe0\xa1", "xls")])
def test_what_is_no_table_is_called_by_its_name(tmp_path, head, name):
    with pytest.raises(OmniError, match=name):
        open_sheet(a_file(tmp_path, head + b"x" * 100))


def test_an_empty_file_and_a_missing_one_are_errors(tmp_path):
    with pytest.raises(OmniError, match="empty"):
        open_sheet(a_file(tmp_path, "\n \n"))
    with pytest.raises(OmniError, match="cannot read"):
        open_sheet(tmp_path / "nothing.csv")


def test_columns_without_a_name_or_with_one_twice_get_one():
    assert name_columns(["id", " E mail ", "", "id", ""]) == ("id", "E mail", "column 3", "id (2)")


def test_json_lines_are_flat_texts_and_keys_may_turn_up_late(tmp_path):
    lines = [
        '{"id": 1, "a": {"b": true}, "tags": ["x", "y"], "n": 1.50}',
        "{",
        '{"id": 2, "late": null}',
        '{"id": 3, "id": 4}',
        "[1]",
    ]
    (chunk,) = open_sheet(a_file(tmp_path, "\n".join(lines), "people.jsonl")).chunks()
    assert chunk.header == ("id", "a.b", "tags", "n", "late")
    assert chunk.cells == [["1", "yes", "x\x1fy", "1.50", ""], ["2", "", "", "", ""]]
    assert [(b.line, b.reason.split(":")[0]) for b in chunk.broken] == [
        (2, "not JSON"),
        (4, "the key 'id' stands twice"),
        (5, "not a JSON object"),
    ]


def test_a_key_that_comes_after_a_thousand_lines_is_read(tmp_path):
    lines = [json.dumps({"id": str(i)}) for i in range(1500)] + ['{"id": "x", "campaign": "noel"}']
    sheet = open_sheet(a_file(tmp_path, "\n".join(lines), "people.jsonl"))
    chunks = list(sheet.chunks(500))
    assert chunks[-1].header == ("id", "campaign")
    assert chunks[-1].cells[-1] == ["x", "noel"]


def test_nested_without_end_and_huge_numbers_are_refused_not_fatal(tmp_path):
    lines = ["[" * 100_000, '{"a": ' * 5000, '{"n": NaN}', '{"n": 1e400}']
    (chunk,) = open_sheet(a_file(tmp_path, "\n".join(lines), "people.jsonl")).chunks()
    assert len(chunk.broken) == 3
    assert chunk.cells == [["1e400"]]


def test_a_torn_line_that_looks_like_a_byte_order_mark_does_not_make_a_file_utf_16(tmp_path):
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(b'{"id": "51", "email": "a@example.com"}\n\xff\xfe\n')
    sheet = open_sheet(torn)
    [chunk] = sheet.chunks()
    assert (sheet.encoding, chunk.cells, len(chunk.broken)) == ("cp1252", [["51", "a@example.com"]], 1)


def test_a_guess_from_the_first_lines_is_given_up_when_the_rest_is_not_of_it(tmp_path):
    mixed = tmp_path / "mixed.csv"
    mixed.write_bytes("id,nom\n1,Zoé\n".encode("cp1252") * 40 + b"2,\x81\x8d\n")
    sheet = open_sheet(mixed)
    assert sum(len(chunk.cells) for chunk in sheet.chunks()) == 80


def test_rows_that_an_open_quote_swallowed_are_told_not_taken_for_a_value(tmp_path: Path) -> None:
    file = tmp_path / "open.csv"
    file.write_text(
        'id,email,city\nA1,a1@example.com,Lyon\nA2,"a2@example.com,Brest\nA3,a3@example.com,Lille\nA4,a4@example.com,"Nantes"\n',
        "utf-8",
    )
    (chunk,) = open_sheet(file).chunks()
    assert [cells[0] for cells in chunk.cells] == ["A1"]
    assert [(broken.line, "3 rows" in broken.reason) for broken in chunk.broken] == [(3, True)]


def test_a_file_cut_off_inside_a_quote_says_so_and_keeps_what_stands_before(tmp_path: Path) -> None:
    file = tmp_path / "torn.csv"
    file.write_text('id,email,city\nA1,a1@example.com,Lyon\nA2,a2@example.com,"Par', "utf-8")
    chunks = list(open_sheet(file).chunks(1))
    assert [cells[0] for chunk in chunks for cells in chunk.cells] == ["A1"]
    assert ["cut off" in broken.reason for chunk in chunks for broken in chunk.broken] == [True]


def test_an_address_over_two_lines_is_one_value(tmp_path: Path) -> None:
    file = tmp_path / "lines.csv"
    file.write_text('id,street,city\nA1,"12 rue du Port\nBâtiment B",Brest\n', "utf-8")
    (chunk,) = open_sheet(file).chunks()
    assert chunk.cells == [["A1", "12 rue du Port\nBâtiment B", "Brest"]]
