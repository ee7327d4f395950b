"""omni message: what is said, and exactly what would be sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sample_project import copy_sample

from omnicli.cli.main import run as omni


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sample project, without its store."""
    copy_sample(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_messages_are_listed_with_channels_and_languages(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert omni(["message", "list", "--json"]) == 0
    found = {one["message"]: one for one in json.loads(capsys.readouterr().out)["result"]["messages"]}
    assert found["offre-bienvenue"]["channels"] == ["email", "sms", "whatsapp", "qr", "task"]
    assert found["offre-bienvenue"]["languages"] == ["fr/tu", "fr/vous", "en"]
    assert not any(one["missing"] for one in found.values())


def test_an_sms_is_shown_with_its_parts(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        omni(
            [
                "message",
                "render",
                "offre-bienvenue",
                "--channel",
                "sms",
                "--persona",
                "camille",
                "--language",
                "fr",
                "--as-of",
                "2027-01-04 11:30",
            ]
        )
        == 0
    )
    out = capsys.readouterr().out
    assert "GSM-7, 1 part(s)" in out
    assert "Maison Lune: 20 % sur ta 1re bougie" in out
    assert "30/01" in out
    assert "STOP au 36180" in out


def test_the_page_itself_goes_to_stdout(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert omni(["message", "render", "bienvenue/offre-bienvenue", "--channel", "email", "--language", "en", "--html"]) == 0
    assert capsys.readouterr().out.startswith("<!DOCTYPE html>")


def test_each_value_says_where_it_comes_from(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert omni(["message", "render", "offre-bienvenue", "--channel", "whatsapp", "--language", "en", "--trace", "--json"]) == 0
    trace = json.loads(capsys.readouterr().out)["result"]["renderings"][0]["trace"]
    assert {one["from"] for one in trace} >= {"fact price", "fact code", "fact deadline", "link 0"}


def test_in_a_terminal_each_word_has_the_colour_of_its_origin_and_a_legend_says_which(project: Path) -> None:
    from datetime import UTC, datetime
    from io import StringIO

    from rich.console import Console

    from omnicli.app import open_project
    from omnicli.cli.trace_view import show
    from omnicli.render.renderer import Renderer
    from omnicli.render.samples import job_for, sample

    now, loaded = datetime(2027, 1, 4, tzinfo=UTC), open_project(project)
    assert loaded.project is not None
    job = job_for(loaded.project, loaded.campaigns["bienvenue"], "offre-bienvenue", channel="sms", language="fr", persona="camille",
                  person=sample(loaded.project, "typical", now=now), now=now)  # fmt: skip
    out = StringIO()
    show(Console(file=out, force_terminal=True, width=200, color_system="standard"), Renderer(project, loaded.project).trace(job))
    assert "\x1b[1;33m20 %\x1b[0m sur ta 1re bougie" in out.getvalue()
    assert "\x1b[1;33m■ offer" in out.getvalue()
    assert "\x1b[2;9m■ was" in out.getvalue(), "left out of the SMS: struck through"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["offre-bienvenu"], "Did you mean 'offre-bienvenue'?"),
        (["offre-bienvenue", "--channel", "smss"], "Did you mean 'sms'?"),
        (["offre-bienvenue", "--language", "de"], "there are: en, fr"),
        (["offre-bienvenue", "--persona", "camile"], "Did you mean 'camille'?"),
        (["offre-bienvenue", "--html"], "choose --channel"),
    ],
)
def test_a_mistyped_name_is_answered_with_the_right_one(
    project: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    assert omni(["message", "render", *words]) == 2
    assert says in capsys.readouterr().err


def test_a_missing_template_is_a_reason_not_a_crash(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "templates" / "sms.txt.j2").unlink()
    assert omni(["message", "render", "offre-bienvenue", "--channel", "sms", "--language", "fr", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["result"]["renderings"][0]
    assert found["reason"] == "no_words"
    assert "sms" in found["detail"]


def test_a_contact_of_the_store_reads_in_their_own_language(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "people.csv").write_text(
        "id,first_name,email,language,source,consent_email\nl1,Léa,lea@example.com,en,instagram,yes\n"
    )
    (project / "map.yaml").write_text(
        "id: id\nfirst_name: first_name\nemail: address.email\nlanguage: language\nsource: source\nconsent_email: consent.email\n"
    )
    assert omni(["contact", "import", "people.csv", "--map", "map.yaml"]) == 0
    capsys.readouterr()
    assert omni(["message", "render", "offre-bienvenue", "--channel", "email", "--contact", "l1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["result"]["renderings"]
    assert [(one["language"], one["persona"], one["parts"]["subject"]) for one in found] == [
        ("en", "camille", "Léa, 20% off your first candle")
    ]
    assert omni(["message", "render", "offre-bienvenue", "--contact", "l2"]) == 2
