"""`omni touch` and `omni task` on a store that has delivered: what they print, what they change, what they refuse."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from delivering import Delivery, Recorder, a_campaign
from misbehaving_mail import a_relay

from omnicli.cli.main import main, run
from omnicli.model.touch import Outcome
from omnicli.providers import build, close

CALL = "- {send: offre, by: task, team: conseil, kind: call, due: 2 days, id: appel}\n- {wait: up to 3 days, id: suite, for: {answered: [], nothing: []}}"
MAIL = "- {send: offre, by: email, id: j0}\n- {wait: 1 day, id: w}"


def a_project(folder: Path, flow: str, **options: Any) -> Delivery:
    """A stage whose store lies where the command line looks for it."""
    stage = Delivery(folder, a_campaign(flow), file=True, **options)
    stage.sign_up("lea", consent=("email", "voice"))
    stage.send("2027-01-04 10:00")
    stage.store.close()
    (folder / ".omni").mkdir(exist_ok=True)
    for name in ("sandbox.db", "sandbox.db-wal", "sandbox.db-shm"):
        if (folder / name).exists():
            shutil.move(folder / name, folder / ".omni" / name)
    return stage


def omni(
    folder: Path, capsys: pytest.CaptureFixture[str], *words: str, exit: int = 0, as_of: str = "2027-01-04 11:00"
) -> dict[str, Any]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        raise SystemExit(main([*words, "-C", str(folder), "--json", "--as-of", as_of]))
    said = json.loads(capsys.readouterr().out)
    assert (left.value.code or 0) == exit == said["exit"], said
    return said.get("result") or said["error"]


def test_any_touch_is_shown_again_exactly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = a_project(tmp_path, MAIL)
    (handed,) = stage.provider.handed
    listed = omni(tmp_path, capsys, "touch", "list", "--campaign", "bienvenue")
    assert [(one["touch"], one["state"]) for one in listed["touches"]] == [(handed.touch, "accepted")]
    shown = omni(tmp_path, capsys, "touch", "show", handed.touch[:8])
    assert shown["parts"] == dict(handed.rendered.parts)
    assert [a["outcome"] for a in shown["attempts"]] == ["accepted"]


def test_a_part_is_printed_again_to_the_byte_whatever_became_of_the_template(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    stage = a_project(tmp_path, MAIL)
    (handed,) = stage.provider.handed
    for template in (tmp_path / "templates").iterdir():
        template.write_text("{{ another }}", "utf-8")
    capsysbinary.readouterr()
    assert run(["touch", "show", handed.touch, "--part", "html", "-C", str(tmp_path)]) == 0
    assert capsysbinary.readouterr().out == handed.rendered.parts["html"].encode()
    assert run(["touch", "show", handed.touch, "--part", "htm", "-C", str(tmp_path)]) == 2
    assert b"Did you mean 'html'?" in capsysbinary.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [(("show", "ffff"), "no touch begins"), (("show", "xyz"), "not a touch"), (("list", "--state", "acepted"), "accepted")],
)
def test_what_cannot_be_shown_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    a_project(tmp_path, MAIL)
    error = omni(tmp_path, capsys, "touch", *words, exit=2)
    assert said in error["message"] + error["hint"]


def test_an_unknown_touch_is_listed_with_exit_3_and_settled_by_a_person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = a_project(tmp_path, MAIL, provider=Recorder(answer=lambda one: Outcome("unknown", code="lost")))
    touch = stage.provider.handed[0].touch
    assert omni(tmp_path, capsys, "touch", "unknown", exit=3)["touches"][0]["touch"] == touch
    omni(tmp_path, capsys, "touch", "resolve", touch[:6], "--accepted", exit=2)  # without a reason
    omni(tmp_path, capsys, "touch", "resolve", touch[:6], "--accepted", "--because", "the relay's log")
    assert omni(tmp_path, capsys, "touch", "unknown")["touches"] == []
    assert omni(tmp_path, capsys, "touch", "show", touch)["state"] == "accepted"


def test_a_task_is_claimed_tried_done_and_wakes_the_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_project(tmp_path, CALL)
    (task,) = omni(tmp_path, capsys, "task", "list", "--team", "conseil")["tasks"]
    assert (task["state"], task["kind"], task["contact"]) == ("open", "call", "lea")
    claimed = omni(tmp_path, capsys, "task", "claim", task["id"], "--as", "ines")
    assert (claimed["claimed_by"], list(claimed["parts"])) == ("ines", ["task"])
    assert omni(tmp_path, capsys, "task", "claim", task["id"], "--as", "paul", exit=2)["code"] == "claimed"
    tried = omni(tmp_path, capsys, "task", "done", task["id"], "--outcome", "no_answer", "--next", "2027-01-05 10:00")
    assert (tried["state"], tried["tries"]) == ("claimed", 1)
    done = omni(tmp_path, capsys, "task", "done", task["id"], "--outcome", "answered", "--note", "will come")
    assert (done["state"], done["outcome"]) == ("done", "answered")
    assert omni(tmp_path, capsys, "task", "done", task["id"], "--outcome", "answered", exit=2)["code"] == "done"
    assert omni(tmp_path, capsys, "task", "list")["tasks"] == []
    assert (
        "Did you mean 'answered'" in omni(tmp_path, capsys, "task", "done", task["id"], "--outcome", "answred", exit=2)["message"]
    )


def test_a_live_mail_goes_the_whole_way_over_smtp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decided, claimed, gated, on the wire, recorded: with the Message-ID and the relay's queue as its reference."""
    from delivering import OMNI

    omni = OMNI.replace("email: {provider: smtp,", 'email: {provider: smtp, from: "Maison <a@maison.example>",').replace(
        "provider: twilio", "provider: sandbox"
    )
    with a_relay() as server:
        monkeypatch.setenv("OMNI_SMTP_HOST", "127.0.0.1")
        monkeypatch.setenv("OMNI_SMTP_PORT", str(server.port))
        stage = Delivery(tmp_path, a_campaign(MAIL), omni=omni, file=True)
        carried = build(stage.loaded, live=True)
        stage.provider = carried["email"]
        stage.sign_up(*(f"c{n}" for n in range(9)))
        report = stage.send("2027-01-04 10:00", live=True)
        close(carried)
    assert (report.accepted, len(server.accepted)) == (9, 9)
    refs = [row.provider_ref for row in stage_rows(stage)]
    assert all(ref.startswith("<") and ref.endswith("4XyZ") for ref in refs)
    assert len(set(refs)) == 9


def stage_rows(stage: Delivery) -> list[Any]:
    import sqlalchemy as sa

    with stage.store.read() as connection:
        return list(connection.execute(sa.text("SELECT provider_ref FROM attempt")))
