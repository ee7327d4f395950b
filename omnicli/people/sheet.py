"""Tables as people really send them: any encoding, any delimiter, titles above the header; read as a stream of chunks.

`open_sheet` looks at the whole file once (encoding, fingerprint) and at its beginning (delimiter, header). A row that is no
row (too many cells, broken JSON) comes out as `Broken` with its reason, never as an exception. Bounds: 64 KB a cell, 200
columns (docs/delivery S11); no archives.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import json
import marshal
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from omnicli.errors import OmniError
from omnicli.text import system_said
from omnicli.texts import t

CELL, COLUMNS, SAMPLE = 64 * 1024, 200, 128 * 1024
DELIMITERS = (",", ";", "\t", "|")
#: Encodings that a guess among the West European single-byte family is settled to.
WESTERN = (
    "cp1252",
    "latin_1",
    "iso8859_15",
    "cp1250",
    "cp1254",
    "cp1257",
    "iso8859_2",
    "iso8859_9",
    "mac_roman",
    "cp850",
    "cp858",
)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_NOT_TABLES = ((b"%PDF", "PDF"), (b"\x1f\x8b", "gzip"), (b"\xd0\xcf\x11\xe0", "xls"), (b"7z\xbc\xaf", "7z"), (b"\x89PNG", "PNG"))


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that could not be read at all."""

    row: int
    line: int
    reason: str
    text: str


class Packed(Sequence[list[str]]):
    """Cells as they come from another process (`ahead`): few chunks are asked for any."""

    def __init__(self, cells: list[list[str]]) -> None:
        self._size, self._packed = len(cells), marshal.dumps(cells)

    @cached_property
    def _cells(self) -> list[list[str]]:
        found: list[list[str]] = marshal.loads(self._packed)
        return found

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, place: Any) -> Any:
        return self._cells[place]


@dataclass(slots=True)
class Chunk:
    """Rows of equal width in file order: cells, their numbers (1 is the first after the header), the line each begins on.

    `header` begins with the sheet's; keys of a jsonl file that turn up later stand behind it.
    """

    cells: list[list[str]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    short: list[int] = field(default_factory=list)  # places in `cells` that were filled up
    last_row: int = 0
    header: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """A table that can be read: where it is, how it is written, its header; `fingerprint` is a hash of its bytes."""

    path: Path
    kind: str
    encoding: str
    header: tuple[str, ...]
    fingerprint: str
    delimiter: str = ","
    skip_space: bool = False
    above: int = 0
    notes: tuple[str, ...] = ()

    def with_keys(self, columns: Iterable[str]) -> Sheet:
        """A jsonl sheet that has these keys too: the first objects need not have every key."""
        return self if self.kind != "jsonl" else replace(self, header=tuple(dict.fromkeys((*self.header, *columns))))

    def chunks(self, size: int = 5000) -> Iterator[Chunk]:
        """The rows after the header."""
        match self.kind:
            case "jsonl":
                return _jsonl_chunks(self, size)
            case "xlsx":
                return _csv_chunks(self, _xlsx_rows(self.path), size)
        return _csv_chunks(self, None, size)


def open_sheet(path: Path) -> Sheet:
    """Look at a csv, tsv, jsonl or xlsx file; OmniError when it is none."""
    try:
        with path.open("rb") as file:
            head = file.read(SAMPLE)
    except OSError as error:
        raise OmniError(
            t("cannot read {path}: {why}", "impossible de lire {path} : {why}", path=path, why=system_said(error)), code="file"
        ) from None
    if head.startswith(b"PK\x03\x04"):
        return _xlsx(path)
    for mark, name in _NOT_TABLES:
        if head.startswith(mark):
            raise OmniError(t("{path} is a {name} file, not a table", "{path} est un fichier {name}, pas un tableau", path=path, name=name),
                            hint=t("export it as CSV", "exportez-le en CSV"), code="file")  # fmt: skip
    encoding, fingerprint, note = _encoding(path, head)
    notes = (note,) if note else ()
    if path.suffix.lower() in (".jsonl", ".ndjson") or (path.suffix.lower() == ".json" or _looks_like_json(head, encoding)):
        return Sheet(path, "jsonl", encoding, _keys(path, encoding), fingerprint, notes=notes)
    return _csv(path, encoding, fingerprint, notes)


# --- encoding -------------------------------------------------------------------------------------------------------
def _encoding(path: Path, head: bytes) -> tuple[str, str, str]:
    """(encoding, fingerprint of the bytes, a note when it was guessed)."""
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    wide = None if marked else _wide(head)
    encoding = marked or wide or "utf-8"
    decoder, digest, good = codecs.getincrementaldecoder(encoding)(), hashlib.sha256(), True
    suspicious = bytearray()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            if good:
                try:
                    decoder.decode(block)
                except UnicodeDecodeError:
                    good = False
            if not good and len(suspicious) < SAMPLE:
                suspicious += b"\n".join(line for line in block.splitlines() if not line.isascii())[:SAMPLE]
        if good:
            try:
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                good = False
    if good:
        return encoding, digest.hexdigest(), ""
    if marked:
        raise OmniError(t("{path} says that it is {encoding} and is not", "{path} se dit {encoding} et ne l'est pas", path=path, encoding=marked),
                        hint=t("save it as UTF-8", "enregistrez-le en UTF-8"), code="encoding")  # fmt: skip
    guess = next(name for name in (_guess(bytes(suspicious) or head), "cp1252", "latin_1") if _reads(path, name))
    return guess, digest.hexdigest(), t("not UTF-8: read as {guess}", "pas de l'UTF-8 : lu comme {guess}", guess=guess)


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark shows as a NUL in every other place."""
    if len(head) < 4:
        return None
    even, odd = head[0::2], head[1::2]
    if odd.count(0) > 0.7 * len(odd) and even.count(0) < 0.1 * len(even):
        return "utf-16-le"
    if even.count(0) > 0.7 * len(even) and odd.count(0) < 0.1 * len(odd):
        return "utf-16-be"
    return None


def _reads(path: Path, encoding: str) -> bool:
    """Whether the whole file is text in this encoding: a guess was made from a sample. Line ends stand as single bytes here,
    so that a stray mark in a torn line does not turn the file into UTF-16."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        if b"\n".decode(encoding) != "\n":
            return False
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


def _guess(sample: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(sample[:SAMPLE]).best()
    if best is None or best.encoding in WESTERN or set(best.could_be_from_charset) & {"cp1252", "latin_1"}:
        try:
            sample.decode("cp1252")
        except UnicodeDecodeError:
            return "latin_1"
        return "cp1252"
    return best.encoding


# --- csv ------------------------------------------------------------------------------------------------------------
def _csv(path: Path, encoding: str, fingerprint: str, notes: tuple[str, ...]) -> Sheet:
    with path.open(encoding=encoding, newline="") as file:
        sample = file.read(SAMPLE)
    if len(sample) == SAMPLE:
        sample = sample[: max(sample.rfind("\n"), sample.rfind("\r")) + 1] or sample
    if not sample.strip():
        raise OmniError(t("{path} is empty", "{path} est vide", path=path), code="file")
    delimiter = sniff(sample)
    space = _skip_space(sample, delimiter)
    rows = _parse(sample, delimiter, space)
    above = _header_at(rows)
    header = name_columns(rows[above])
    if len(header) > COLUMNS:
        raise OmniError(t("{path} has {n} columns; at most {most}", "{path} a {n} colonnes ; au plus {most}", path=path, n=len(header), most=COLUMNS),
                        code="file")  # fmt: skip
    if above:
        notes = (
            *notes,
            t("{n} rows above the header were skipped", "{n} lignes au-dessus de l'en-tête ont été passées", n=above),
        )
    return Sheet(path, "csv", encoding, header, fingerprint, delimiter, space, above, notes)


def sniff(sample: str) -> str:
    """The delimiter that gives the most rows of one width, quotes respected."""
    best, found = (0.0, 0), ","
    for delimiter in DELIMITERS:
        widths = Counter(len(row) for row in _parse(sample, delimiter, False)[:200] if any(cell.strip() for cell in row))
        if not widths:
            continue
        width, rows = max(widths.items(), key=lambda item: (item[1], item[0]))
        score = (round(rows / sum(widths.values()), 2), width)
        if width > 1 and score > best:
            best, found = score, delimiter
    return found


def _parse(sample: str, delimiter: str, skip_space: bool) -> list[list[str]]:
    csv.field_size_limit(CELL)
    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, skipinitialspace=skip_space)
    with suppress(csv.Error):  # the reading proper says where
        rows.extend(reader)
    return rows or [[""]]


def _skip_space(sample: str, delimiter: str) -> bool:
    """Blanks after the delimiter are none of the values when quotes or the whole header stand behind them."""
    mark = re.escape(delimiter)
    if re.search(rf'{mark} +"', sample):
        return True
    header = next((row for row in _parse(sample, delimiter, False) if any(row)), [])
    return len(header) > 1 and all(cell[:1] == " " for cell in header[1:])


def _header_at(rows: list[list[str]]) -> int:
    """The first row that is about as full as the table is wide."""
    full = [sum(1 for cell in row if cell.strip()) for row in rows[:50]]
    widths = Counter(len(row) for row in rows[:50] if row)
    usual = max(widths.items(), key=lambda item: (item[1], item[0]))[0] if widths else 1
    for place, count in enumerate(full):
        if count >= max(1, 0.6 * usual) and (count > 1 or usual == 1):
            return place
    return next((place for place, count in enumerate(full) if count), 0)


def name_columns(cells: Sequence[str]) -> tuple[str, ...]:
    """Header names: blanks trimmed, nameless ones `column 3`, repeated ones `name (2)`; empty ones at the end dropped."""
    names, seen = [cell.strip().strip("\ufeff\u200b") for cell in cells], Counter[str]()
    while len(names) > 1 and not names[-1]:
        names.pop()
    out = []
    for place, name in enumerate(names, 1):
        name = " ".join(name.split()) or f"column {place}"
        seen[name] += 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(out)


def _csv_chunks(sheet: Sheet, rows: Iterator[list[str]] | None, size: int) -> Iterator[Chunk]:
    if rows is not None:
        yield from _chunks(sheet, rows, lambda: 0, size)
        return
    csv.field_size_limit(CELL)
    with sheet.path.open(encoding=sheet.encoding, newline="", errors="strict") as file:
        reader = csv.reader(file, delimiter=sheet.delimiter, skipinitialspace=sheet.skip_space)
        try:
            yield from _chunks(sheet, reader, lambda: reader.line_num, size)
        except csv.Error as error:
            raise OmniError(
                t("{file}, about line {line}: {why}", "{file}, vers la ligne {line} : {why}", file=sheet.path.name, line=reader.line_num, why=error),
                hint=t("a quote was opened there and not closed?", "un guillemet ouvert là et jamais fermé ?"), code="csv",
            ) from None  # fmt: skip


def _chunks(sheet: Sheet, reader: Iterator[list[str]], line_of: Any, size: int) -> Iterator[Chunk]:
    for _ in range(sheet.above + 1):
        next(reader, None)
    width, row, line = len(sheet.header), 0, line_of() or sheet.above + 1
    ready: Chunk | None = None  # the last one is looked at twice: a file may end in the middle of a value
    while found := list(islice(reader, size)):
        end = line_of() or line + len(found)
        chunk = Chunk(last_row=row + len(found), header=sheet.header)
        plain = end - line == len(found)
        if plain and {*map(len, found)} == {width} and all(map(any, found)):  # nearly every chunk
            chunk.cells, chunk.rows, chunk.lines = (
                found,
                list(range(row + 1, row + 1 + len(found))),
                list(range(line + 1, end + 1)),
            )
            row, found = chunk.last_row, []
        for cells in found:
            row += 1
            start, line = line + 1, line + 1 if plain else line + _height(cells)
            if not plain and line > start and (lost := _swallowed(cells, sheet.delimiter, width)):
                chunk.broken.append(Broken(row, start, lost, sheet.delimiter.join(cells)[:500]))
            elif len(cells) == width:
                if any(cells):
                    chunk.cells.append(cells)
                    chunk.rows.append(row)
                    chunk.lines.append(start)
            else:
                _odd_row(chunk, cells, width, row, start)
        line = end
        if ready is not None:
            yield ready
        ready = chunk
    if ready is not None:
        if sheet.kind == "csv" and ready.rows[-1:] == [row] and ready.lines[-1] == line and _torn(sheet):
            _take_last(ready, row)
        yield ready


def _swallowed(cells: Sequence[str], delimiter: str, width: int) -> str | None:
    """Why the row cannot be believed: one of its values holds whole rows, since a quote was opened and not closed."""
    for cell in cells:
        rows = sum(1 for line in cell.splitlines()[1:] if width > 2 and line.count(delimiter) >= width - 1)
        if rows:
            return t(
                "a quote is opened and not closed: {n} rows were read as one value",
                "un guillemet ouvert n'est pas fermé : {n} lignes lues comme une valeur",
                n=rows + 1,
            )
    return None


def _torn(sheet: Sheet) -> bool:
    """True when the file ends inside a quoted value, its last row being one line: that line has an odd number of quotes."""
    with sheet.path.open("rb") as file:
        file.seek(max(0, sheet.path.stat().st_size - 4 * 65536))
        tail = file.read().decode(sheet.encoding, errors="ignore").rstrip("\r\n")
    return tail.rpartition("\n")[2].count('"') % 2 == 1 and not tail.endswith('"')


def _take_last(chunk: Chunk, row: int) -> None:
    """Move the file's last row to the broken ones."""
    if chunk.rows[-1] == row:
        reason = t(
            "the file ends inside a quote: this row was cut off",
            "le fichier s'arrête dans un guillemet : cette ligne a été coupée",
        )
        chunk.broken.append(Broken(row, chunk.lines.pop(), reason, ",".join(chunk.cells.pop())[:500]))
        chunk.rows.pop()


def _height(cells: Sequence[str]) -> int:
    return 1 + sum(cell.count("\n") or cell.count("\r") for cell in cells)


def _odd_row(chunk: Chunk, cells: list[str], width: int, row: int, line: int) -> None:
    if not any(cell.strip() for cell in cells):
        return
    if len(cells) > width and any(cell.strip() for cell in cells[width:]):
        reason = t(
            "the row has {n} cells, the header {width}", "la ligne a {n} cellules, l'en-tête {width}", n=len(cells), width=width
        )
        chunk.broken.append(Broken(row, line, reason, ",".join(cells)[:500]))
        return
    if len(cells) < width:
        chunk.short.append(len(chunk.cells))
    chunk.cells.append((cells + [""] * width)[:width])
    chunk.rows.append(row)
    chunk.lines.append(line)


# --- jsonl ----------------------------------------------------------------------------------------------------------
def _looks_like_json(head: bytes, encoding: str) -> bool:
    start = head.decode(encoding, errors="ignore").lstrip("\ufeff \r\n\t")
    if not start.startswith("{"):
        return False
    try:
        return isinstance(json.loads(start.splitlines()[0]), dict)
    except ValueError:
        return False


def read_object(line: str) -> dict[str, str]:
    """A JSON object as flat texts: `{"a": {"b": 1}}` is `a.b` → `1`; ValueError with the reason when it is none."""
    try:
        found = json.loads(line, parse_float=str, parse_int=str, parse_constant=_no_constant, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError(t("nested too deeply", "imbriqué trop profondément")) from None
    except json.JSONDecodeError as error:
        raise ValueError(
            t(
                "not JSON: {why} at column {column}",
                "pas du JSON : {why} à la colonne {column}",
                why=error.msg,
                column=error.colno,
            )
        ) from None
    if not isinstance(found, dict):
        raise ValueError(t("not a JSON object", "pas un objet JSON"))
    out: dict[str, str] = {}
    _flatten(found, "", out, 0)
    return out


def _no_constant(word: str) -> str:
    raise ValueError(t("{word} is no JSON number", "{word} n'est pas un nombre JSON", word=word))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(t("the key '{key}' stands twice", "la clé « {key} » figure deux fois", key=twice))
    return found


def _flatten(value: Any, name: str, out: dict[str, str], depth: int) -> None:
    if depth > 8:
        raise ValueError(t("nested too deeply", "imbriqué trop profondément"))
    if isinstance(value, dict):
        for key, inner in value.items():
            _flatten(inner, f"{name}.{key}" if name else key, out, depth + 1)
    elif isinstance(value, list):
        if any(isinstance(inner, (dict, list)) for inner in value):
            raise ValueError(
                t("'{name}' is a list of lists or objects", "« {name} » est une liste de listes ou d'objets", name=name)
            )
        out[name] = "\x1f".join(_word(inner) for inner in value)
    else:
        out[name] = _word(value)


def _word(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _keys(path: Path, encoding: str) -> tuple[str, ...]:
    """The keys of the first thousand objects, in order of appearance."""
    keys: dict[str, None] = {}
    with path.open(encoding=encoding, newline="\n") as file:
        for line in islice(file, 1000):
            try:
                keys.update(dict.fromkeys(read_object(line)))
            except ValueError:
                continue
    if len(keys) > COLUMNS:
        raise OmniError(
            t("{path} has {n} keys; at most {most}", "{path} a {n} clés ; au plus {most}", path=path, n=len(keys), most=COLUMNS),
            code="file",
        )
    return tuple(keys)


def _jsonl_chunks(sheet: Sheet, size: int) -> Iterator[Chunk]:
    keys = dict.fromkeys(sheet.header)
    with sheet.path.open(encoding=sheet.encoding, newline="\n") as file:
        row = 0
        while lines := list(islice(file, size)):
            chunk = Chunk(last_row=row + len(lines))
            objects: list[dict[str, str]] = []
            for line in lines:
                row += 1
                if line.strip() and (found := _json_row(chunk, line, row)) is not None:
                    objects.append(found)
            for found in objects:
                keys.update(dict.fromkeys(found))
            if len(keys) > COLUMNS:
                raise OmniError(t("{path} has more than {most} different keys", "{path} a plus de {most} clés différentes", path=sheet.path, most=COLUMNS),
                                code="file")  # fmt: skip
            chunk.header = tuple(keys)
            chunk.cells = [[found.get(key, "") for key in keys] for found in objects]
            yield chunk


def _json_row(chunk: Chunk, line: str, row: int) -> dict[str, str] | None:
    try:
        found = read_object(line)
        if any(len(value) > CELL for value in found.values()):
            raise ValueError(t("a value is longer than 64 KB", "une valeur dépasse 64 Ko"))
    except ValueError as error:
        chunk.broken.append(Broken(row, row, str(error), line.strip()[:500]))
        return None
    chunk.rows.append(row)
    chunk.lines.append(row)
    return found


# --- xlsx -----------------------------------------------------------------------------------------------------------
def _xlsx(path: Path) -> Sheet:
    try:
        import openpyxl  # noqa: F401
    except ImportError:
        raise OmniError(t("{path} is a workbook", "{path} est un classeur", path=path),
                        hint=t("pip install 'omni-campaigns[xlsx]', or export it as CSV", "pip install 'omni-campaigns[xlsx]', ou exportez-le en CSV"),
                        code="file") from None  # fmt: skip
    first = list(islice(_xlsx_rows(path), 50))
    above = _header_at(first) if first else 0
    header = name_columns(first[above]) if first else ()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Sheet(path, "xlsx", "utf-8", header, digest, above=above)


def _xlsx_rows(path: Path) -> Iterator[list[str]]:
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    for row in book.active.iter_rows(values_only=True):
        yield [_cell(value) for value in row]


def _cell(value: Any) -> str:
    """A workbook's cell as text: whole numbers without `.0`, days without a time."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = _word(value)
    return text.removesuffix(" 00:00:00") if hasattr(value, "isoformat") else text
