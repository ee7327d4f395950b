"""People under way can be given to others as a file that names nobody, and are replayed from it as from the store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from living import Living, a_campaign
from test_replay import FLOW, HELD

from omnicli.campaigns import unnamed
from omnicli.campaigns.underway import replay
from omnicli.errors import OmniError


@pytest.fixture
def lived(tmp_path: Path) -> Living:
    stage = Living(tmp_path, a_campaign(FLOW), omni=HELD)
    stage.start("bienvenue")
    stage.sign_up("lea-durand", "max-weber", consent=("email", "sms"), first_name="Léa")
    stage.sign_up("noor-haddad", consent=("sms",), addresses=("sms",))
    for at in ("2027-01-04 12:30", "2027-01-05 10:00", "2027-01-06 12:30"):
        stage.run(at)
    return stage


def kept(stage: Living, folder: Path) -> Path:
    text, _ = unnamed.keep(stage.store, ("bienvenue",), project="p", pepper=b"key")
    file = folder / "people.jsonl"
    file.write_text(text, "utf-8")
    return file


def test_people_of_the_file_are_replayed_as_those_of_the_store(lived: Living, tmp_path: Path) -> None:
    file = kept(lived, tmp_path)
    for edit in (("", ""), ("wait: up to 3 days", "wait: up to 2 days"), ("id: j0,", "id: j1,")):
        lived.write(a_campaign(FLOW.replace(*edit)))
        (here,) = replay(lived.store, lived.load(), ("bienvenue",))
        (there,) = replay(unnamed.read(file), lived.load(), ("bienvenue",), drawn=True)
        assert (there.people, there.decisions, there.stranded, there.unasked) == (
            here.people,
            here.decisions,
            here.stranded,
            here.unasked,
        )
        assert [(d.step, d.then, d.now, len(d.people)) for d in there.otherwise] == [
            (d.step, d.then, d.now, len(d.people)) for d in here.otherwise
        ]
        assert there.defects == []
    assert here.decisions > 3


def test_the_file_names_nobody(lived: Living, tmp_path: Path) -> None:
    text = kept(lived, tmp_path).read_text("utf-8")
    assert len(text.splitlines()) > 6
    for secret in (
        "durand",
        "weber",
        "haddad",
        "noor",
        "Léa",
        "+33",
        *(row[0] for row in lived.rows("SELECT hex(uid) FROM contact")),
    ):
        assert secret not in text
        assert str(secret).lower() not in text
    for (key,) in lived.rows("SELECT hex(key) FROM enrollment"):
        assert key.lower() not in text


def test_texts_of_people_are_left_out_and_what_is_reckoned_with_stays() -> None:
    given = {"language": "fr", "place": "Brest", "attributes": {"city": "Brest", "orders": 2, "renewal": "2027-03-01", "tags": ["a"]},
             "event": {"form": "web", "value": 12}, "reach": json.dumps({"sms": [1, 0, None, None, "he asked us", None]})}  # fmt: skip
    found = unnamed._unnamed(given, None)  # type: ignore[arg-type]
    assert "Brest" not in json.dumps(found)
    assert found["attributes"] == {"city": None, "orders": 2, "renewal": "2027-03-01", "tags": None}
    assert found["event"] == {"form": None, "value": 12}
    assert json.loads(found["reach"])["sms"][4] == "manual"


@pytest.mark.parametrize("members", ["[ines, paul]", "\n    - ines\n    - paul"])
def test_the_people_of_a_team_are_not_named_either(members: str) -> None:
    text = unnamed._without_members(f"project: p\nteams:\n  a:\n   members: {members}\n   hours: [monday 09:00-10:00]\n")
    assert "ines" not in text
    assert "paul" not in text
    assert "m1" in text
    assert "m2" in text
    assert "hours: [monday 09:00-10:00]" in text


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("{}\n")
    for file in (tmp_path / "x", tmp_path / "missing", tmp_path):
        with pytest.raises(OmniError, match="cannot read"):
            unnamed.read(file)
