"""People who are imported while the doors are looked at come in, however long the import takes, and once."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "campaigns"))
from stage import Stage, a_campaign

from omnicli.people.imports import import_contacts
from omnicli.people.mapping import guess_mapping
from omnicli.people.sheet import open_sheet

FLOW = "- {send: offre, by: email}"


def test_whoever_is_imported_behind_a_look_is_found_by_the_next_one_and_once(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_campaign(FLOW, enter="{if: everyone}"), file=True)
    stage.person("lea", consent=())
    began = stage.now
    assert stage.enter().count == 1
    file = tmp_path / "people.csv"
    file.write_text("id,first_name\na,Ana\nb,Ben\nc,Cleo\n")
    entered: list[int] = []

    def look(_rows: int) -> None:
        stage.now += timedelta(minutes=1)
        entered.append(stage.enter().count)
        stage.turn()

    mapping = guess_mapping(open_sheet(file).header, stage.loaded.project)
    import_contacts(stage.store, stage.loaded, file, mapping=mapping, now=began, rows_a_chunk=1, progress=look)
    look(0)
    assert sum(entered) == 3
    look(0)
    assert [line.split()[0] for line in stage.passes()] == ["a", "b", "c", "lea"]
