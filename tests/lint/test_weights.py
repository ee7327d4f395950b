"""What is heavy, long or hidden is measured as it is sent: rules of family C that no short case can show."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_cases import a_project, report_of, shown

from omnicli.lint.coherence.ink import Ink, printed


def test_a_mail_beyond_102_kb_is_told_at_its_template(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    mail = root / "templates" / "email.html.j2"
    (root / "templates" / "block.html.j2").write_text("<!--" + "x" * 51_000 + "-->", "utf-8")
    heavy = '{% include "block.html.j2" %}' * 2
    mail.write_text(mail.read_text("utf-8").replace("</body>", heavy + "</body>"), "utf-8")
    found = [f for f in report_of(root).findings if f.code == "C003"]
    assert [(f.place.file, f.place.line) for f in found] == [("templates/email.html.j2", 1)], shown(tuple(found))
    assert "102 KB" in found[0].message


def ink_of(html: str, text: str = "x") -> Ink:
    return next(ink for said, ink in printed(html) if said == text)


@pytest.mark.parametrize(
    ("html", "colour", "ground", "size"),
    [
        ("<p>x</p>", "#000000", "#ffffff", 16.0), ('<p style="COLOR: #ABC">x</p>', "#abc", "#ffffff", 16.0), ('<td bgcolor="#000000"><p style="color: white">x</p></td>', "#ffffff", "#000000", 16.0),
        ('<div style="background: rgb(1, 2, 3) !important">x</div>', "#000000", "#010203", 16.0), ('<div style="background: url(a.png)">x</div>', "#000000", None, 16.0),
        ('<div style="color: rgba(0,0,0,.5)">x</div>', None, "#ffffff", 16.0), ('<div style="font-size: 12pt">x</div>', "#000000", "#ffffff", 16.0), ('<div style="font-size: 2em">x</div>', "#000000", "#ffffff", 32.0),
        ('<div style="font-size: 50%">x</div>', "#000000", "#ffffff", 8.0), ('<div style="font-size: 1vw">x</div>', "#000000", "#ffffff", None), ("<a href='#'>x</a>", None, "#ffffff", 16.0), ("<h1>x</h1>", "#000000", "#ffffff", 32.0),
        ('<div style="background: linear-gradient(red, blue)">x</div>', "#000000", None, 16.0), ('<p style="color: red">y<br></p><p>x</p>', "#000000", "#ffffff", 16.0), ("<p>a<b>b</i></p>x", "#000000", "#ffffff", 16.0),
    ],
)  # fmt: skip
def test_ink_is_read_from_what_stands_around(html: str, colour: str | None, ground: str | None, size: float | None) -> None:
    ink = ink_of(html)
    assert (ink.colour, ink.ground, ink.size) == (colour, ground, size)


def test_what_is_not_printed_has_no_ink() -> None:
    page = "<head><title>a</title><style>b</style></head><p hidden>c</p><p style='display: none'>d<b>e</b></p><p>\u00a0\u200c</p>"
    assert list(printed(page)) == []


def test_large_text_may_be_paler() -> None:
    assert ink_of("<h1>x</h1>").wanted == 3.0
    assert ink_of('<b style="font-size: 19px">x</b>').wanted == 3.0
    assert ink_of('<p style="font-size: 19px">x</p>').wanted == 4.5
    assert ink_of('<p style="color:#777777">x</p>').contrast == pytest.approx(4.48, abs=0.01)


def test_media_queries_are_an_extra_that_nobody_must_show(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    mail = root / "templates" / "email.html.j2"
    sheet = "<style>@media (min-width: 600px) { .x { display: flex; gap: 4px } .y { position: absolute } }</style>"
    mail.write_text(mail.read_text("utf-8").replace("<body>", sheet + "<body>"), "utf-8")
    assert not report_of(root).findings


def test_a_letter_that_costs_no_part_is_left_alone(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    campaign = root / "campaigns" / "noel.yaml"
    campaign.write_text(
        campaign.read_text("utf-8").replace('short: "Ton code {code}', 'short: "Ça y est : ton code {code}'), "utf-8"
    )
    codes = {f.code: f.message for f in report_of(root).findings}
    assert "C011" in codes or not codes, codes
