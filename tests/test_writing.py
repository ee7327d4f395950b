"""What omni writes stands whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from omnicli.errors import Exit, OmniError
from omnicli.writing import write, write_whole


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_stood_there_is_replaced_and_keeps_its_rights(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("old")
    path.chmod(0o640)
    write_whole(path, "é\n", sync=True)
    assert path.read_bytes() == "é\n".encode()
    assert rights(path) == 0o640
    assert os.listdir(tmp_path) == ["a.yaml"]


def test_a_secret_is_for_its_owner_only(tmp_path: Path) -> None:
    write_whole(tmp_path / "keys", b"{}", mode=0o600)
    assert rights(tmp_path / "keys") == 0o600


def test_what_cannot_be_put_in_place_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "folder", "x")
    assert os.listdir(tmp_path) == ["folder"]


def test_a_device_is_written_to_and_not_replaced() -> None:
    write(Path(os.devnull), "x")
    assert Path(os.devnull).is_char_device()


def test_a_person_is_told_why_it_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OmniError, match="cannot write") as told:
        write(tmp_path / "nowhere" / "a.json", "{}")
    assert (told.value.code, told.value.exit) == ("unwritable", Exit.USAGE)
    assert told.value.hint
