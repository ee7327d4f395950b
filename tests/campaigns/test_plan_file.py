"""The file of a saved plan, written by somebody else: carried out or refused in words, never a crash and never for ever."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest
from living import Living, a_campaign

from omnicli.campaigns.record import make, written
from omnicli.errors import Exit, OmniError


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The text of a plan of three touches."""
    stage = Living(tmp_path_factory.mktemp("maison"), a_campaign("- {send: offre, by: email, id: j0}"))
    stage.start("bienvenue")
    stage.sign_up("p0", "p1", "p2")
    planned = stage.plan("2027-01-05 10:00", binding=True)
    return written.text_of(make.record(stage.store, stage.loaded, planned, stage.renderer, until=None))


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (r'(?s).*', "}"), (r'(?s).*', "hello"), (r'(?s).*', '"touches": ' + "[" * 100_000), (r'"touches": \[', '"touches": [5,'),
        (r'"made": "[^"]+"', '"made": "soon"'), (r'"until": null', '"until": "9999-12-31T23:59:59-14:00"'), (r'"touch": "[0-9a-f]+"', '"touch": "zz"'),
        (r'"pass": "[0-9a-f]+"', '"pass": null'), (r'"cost": \d+, "facts"', '"cost": 1e400, "facts"'), (r'"project": "\w+"', '"project": ["x"]'),
        (r'"by": "[^"]+"', r'"by": "\\u001b[2Jines"'), (r'"count"', '"counts"'), (r'"held": {}', '"held": []'),
    ],
)  # fmt: skip
def test_what_was_written_by_hand_with_its_hash_is_carried_out_or_refused_in_words(
    plan: str, tmp_path: Path, was: str, becomes: str
) -> None:
    """The hash is no secret: whoever edits a plan can write it anew."""
    first, _, body = plan.split("\n", 2)
    edited = re.sub(was, becomes, body, count=1)
    assert edited != body
    file = tmp_path / "x.plan"
    file.write_text(f'{first}\n"sha256": "{hashlib.sha256(edited.encode()).hexdigest()}",\n{edited}', "utf-8")
    if "counts" in becomes:
        assert len(written.read(file).touches) == 3
        return
    with pytest.raises(OmniError) as caught:
        written.read(file)
    assert caught.value.exit == Exit.REFUSED


def test_a_pipe_and_a_device_are_no_plan(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.plan")
    for place in (tmp_path / "pipe.plan", Path("/dev/zero")):
        with pytest.raises(OmniError, match="it is no file"):
            written.read(place)
