"""The flow drawn: every step and branch is there, lines lead where people go, and the counts are those of the store."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from living import Living, a_campaign, welcome

from omnicli.campaignfile import load_project
from omnicli.campaigns.graph.counts import live
from omnicli.campaigns.graph.page import page
from omnicli.campaigns.graph.sketch import Sketch, sketch
from omnicli.campaigns.graph.svg import svg
from omnicli.campaigns.graph.words import dot, edges, mermaid
from omnicli.model.flow import Flow

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLES = load_project(REPOSITORY).campaigns
HOSTILE = """
- {send: offre, by: email, id: j0}
- choose:
    - {if: 'city = "<script>alert(1)</script>"', do: [{go: fin}]}
    - {if: orders > 3, do: [{exit: assez}]}
  id: choix
- {wait: 1 day, id: pause}
- {send: offre, by: sms, id: fin}
"""


def drawn(name: str) -> Sketch:
    return sketch(SAMPLES[name])


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_step_and_branch_is_in_every_drawing(name: str) -> None:
    flow, one = Flow.of(SAMPLES[name]), drawn(name)
    assert sorted(box.id for box in one.boxes()) == sorted(flow.nodes)
    for text in (svg(one), mermaid(one), dot(one), page(one)):
        for box in one.boxes():
            assert not box.named or box.id in text
    labels = [lane.label for box in one.boxes() for lane in box.lanes]
    assert len(labels) == sum(len(node.branches) for node in flow)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_the_lines_lead_where_the_engine_goes(name: str) -> None:
    flow = Flow.of(SAMPLES[name])
    wanted = {("enter", flow.first)}
    for node in flow:
        wanted |= {(node.id, first or "end") for _, first in node.branches}
        through = node.step.verb == "choose" and not any(option.if_ is None for option in node.step.choose)
        if node.step.verb != "exit" and (not node.branches or through):
            wanted.add((node.id, node.next or "end"))
    assert {(edge.start, edge.end) for edge in edges(drawn(name))} == wanted


def test_the_picture_is_sound_xml_whose_cards_do_not_lie_on_each_other() -> None:
    for name in SAMPLES:
        cards = [(float(r.get("x")), float(r.get("y")), float(r.get("width")), float(r.get("height")))
                 for r in ElementTree.fromstring(svg(drawn(name))).iter("{http://www.w3.org/2000/svg}rect") if r.get("class") == "card"]  # fmt: skip
        for n, (x, y, w, h) in enumerate(cards):
            for u, v, a, b in cards[n + 1 :]:
                assert x + w <= u or u + a <= x or y + h <= v or v + b <= y


def test_what_is_written_in_a_campaign_is_shown_and_never_run() -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        one = sketch(Living(Path(folder), a_campaign(HOSTILE)).loaded.campaigns["bienvenue"])
    for text in (svg(one), page(one)):
        assert "<script>alert" not in text
        assert "&lt;script&gt;" in text
    assert "<script>" not in mermaid(one)


def test_a_branch_that_leaves_or_goes_on_elsewhere_does_not_flow_back(tmp_path: Path) -> None:
    one = sketch(Living(tmp_path, a_campaign(HOSTILE)).loaded.campaigns["bienvenue"])
    choice = next(box for box in one.boxes() if box.id == "choix")
    assert [lane.flows_on for lane in choice.lanes] == [False, False]
    found = {(edge.start, edge.end) for edge in edges(one)}
    assert ("flow.1.0.0", "fin") in found
    assert ("choix", "pause") in found  # nothing was true
    assert not [edge for edge in found if edge[0] == "flow.1.1.0"]


def test_the_counts_are_people_who_came_and_branches_they_took(tmp_path: Path) -> None:
    stage = Living(tmp_path, welcome())
    stage.start("bienvenue")
    stage.sign_up("lea", "max", "noor", consent=("email", "sms"))
    for at in ("2027-01-04 11:30", "2027-01-05 10:00", "2027-01-08 10:00", "2027-01-08 11:00", "2027-01-09 10:00"):
        stage.run(at)
    with stage.store.read() as connection:
        found = live(connection, "bienvenue", stage.loaded.campaigns["bienvenue"])
    assert found is not None
    assert (found.entered, found.came["j0"], found.took["reponse", "nothing"]) == (3, 3, 3)
    assert found.came["reponse"] == 3  # who began to wait and then went on came once
    assert found.touches["j0"] == {"email": 3}
    one = sketch(stage.loaded.campaigns["bienvenue"], found)
    assert next(box.came for box in one.boxes() if box.id == "rappel") == 3
    assert "nothing · 3" in svg(one)


class _Nesting(HTMLParser):
    """Complains of what is not closed in the order in which it was opened."""

    VOID = frozenset({"meta", "link", "br", "img", "input", "path", "rect", "circle", "use"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole_small_and_fetches_nothing() -> None:
    text = page(drawn("bienvenue"), counted="Counted.")
    nesting = _Nesting()
    nesting.feed(text)
    assert nesting.open == []
    assert len(text.encode()) < 400_000
    assert not re.search(r"(?:src|href)=\"(?!#)", text)
    assert "<script" not in text


@pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz is not installed")
def test_graphviz_takes_the_dot() -> None:
    for name in SAMPLES:
        subprocess.run(["dot", "-Tsvg"], input=dot(drawn(name)).encode(), check=True, capture_output=True)
