"""The preview shows what would be sent and nothing else: every text by every channel, to every reader, on a page that does nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import pytest
from sample_project import copy_sample
from seen_in_preview import Element, read, words

from omnicli.app import open_project
from omnicli.campaignfile import Loaded
from omnicli.campaigns.preview.gallery import rows_of, verdict
from omnicli.campaigns.preview.make import Asked, make
from omnicli.campaigns.preview.page import Preview, page
from omnicli.campaigns.preview.readings import Cell, Shown, Wish
from omnicli.errors import OmniError
from omnicli.look.wording import chatted, prose
from omnicli.render.renderer import Renderer
from omnicli.render.samples import SAMPLES, job_for, sample

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2027, 1, 4, 10, 30, tzinfo=UTC)
LIMIT = 400_000


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return open_project(ROOT)


@pytest.fixture(scope="module")
def preview(loaded: Loaded) -> Preview:
    return make(loaded, Asked(), now=NOW)


@pytest.fixture(scope="module")
def html(preview: Preview) -> str:
    return page(preview)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the sample project that a test may spoil."""
    return copy_sample(tmp_path)


def spoil(project: Path, file: str, old: str, new: str) -> None:
    text = (project / file).read_text(encoding="utf-8")
    assert old in text
    (project / file).write_text(text.replace(old, new), encoding="utf-8")


def made(project: Path) -> tuple[Preview, str]:
    """What Camille reads of the welcome offer in French, and the page."""
    found = make(open_project(project), Asked(Wish("bienvenue", "offre-bienvenue", language="fr", persona="camille")), now=NOW)
    return found, page(found)


# --- what would be sent, byte for byte ------------------------------------------------------------------------------
def variants(html: str, preview: Preview) -> Iterator[tuple[Shown, Cell, Element]]:
    """Each cell of the preview with the frame that shows it."""
    sections = read(html).by_class("message")
    for shown, section in zip(preview.messages, sections, strict=True):
        rows = section.by_class("row")
        for (language, personas), row in zip(rows_of(shown), rows, strict=True):
            for cell in shown.cells:
                if cell.language == language and cell.persona in personas:
                    number = list(preview.personas).index(str(cell.persona))
                    frames = [v for one in row.by_class("cell", cell.channel) for v in one.by_class("variant", f"p{number}")]
                    assert len(frames) == 1
                    yield shown, cell, frames[0]


def sent(loaded: Loaded, renderer: Renderer, shown: Shown, cell: Cell, reader: str) -> dict[str, str]:
    assert loaded.project is not None
    job = job_for(loaded.project, shown.campaign, shown.name, channel=cell.channel, language=cell.language, persona=cell.persona,
                  person=sample(loaded.project, reader, now=NOW), now=NOW)  # fmt: skip
    return dict(renderer.render(job).parts)


def frame_text(frame: Element, name: str, reader: int, without: tuple[str, ...] = ()) -> str:
    """The text of the one element with that class that this reader sees."""
    texts = [found.text(reader, without) for found in shown_to(frame, reader).by_class(name)]
    assert len(texts) == 1
    return texts[0]


def shown_to(frame: Element, reader: int) -> Element:
    """The frame without what is meant for other readers."""
    found = Element(frame.tag, frame.attributes)
    for child in frame.children:
        if isinstance(child, str):
            found.children.append(child)
            continue
        masks = [int(c[1:]) for c in child.classes if re.fullmatch(r"m\d+", c)]
        if all(mask >> reader & 1 for mask in masks):
            found.children.append(shown_to(child, reader))
    return found


def test_every_text_is_what_would_be_sent(loaded: Loaded, preview: Preview, html: str) -> None:
    assert loaded.project is not None
    renderer = Renderer(loaded.root, loaded.project)
    seen = 0
    for shown, cell, frame in variants(html, preview):
        for n, reader in enumerate(SAMPLES):
            parts = sent(loaded, renderer, shown, cell, reader)
            seen += 1
            match cell.channel:
                case "sms" | "messenger":
                    assert frame_text(frame, "bubble", n, ("stamp",)) == parts["body"]
                case "whatsapp":
                    assert frame_text(frame, "bubble", n, ("stamp",)) == read(chatted(parts["body"])).text()
                case "email":
                    assert frame_text(frame, "subject", n) == parts["subject"]
                    assert words(frame_text(frame, "screen", n)) == words(read(parts["html"], strict=False).text())
                    assert frame_text(frame, "plainly", n).endswith(parts["text"])
                case "qr" | "letter":
                    assert words(frame_text(frame, "print", n)) == words(
                        read(parts.get("card") or parts["html"], strict=False).text()
                    )
                case "task":
                    assert frame_text(frame, "prose", n) == read(prose(parts["task"])).text()
    assert seen == sum(len(cell.readings) for one in preview.messages for cell in one.cells) > 400


def test_the_counter_is_that_of_each_reader(project: Path) -> None:
    spoil(
        project, "campaigns/bienvenue.yaml", 'short: "{offer} sur ta 1re', 'short: "{first_name or \\"Toi\\"}: {offer} sur ta 1re'
    )
    found, html = made(project)
    frame = next(
        frame
        for _, cell, frame in variants(html, found)
        if (cell.channel, cell.language, cell.persona) == ("sms", "fr", "camille")
    )
    counts = {frame_text(frame, "count", n) for n in range(4)}
    assert len(counts) > 1
    assert any("2 parts" in count for count in counts)


# --- the page -------------------------------------------------------------------------------------------------------
def test_the_whole_sample_project_is_under_400_kilobytes(html: str) -> None:
    assert len(html.encode()) < LIMIT


def test_the_page_is_valid_html(html: str) -> None:
    html5lib = pytest.importorskip("html5lib")
    parser = html5lib.HTMLParser(strict=False)
    parser.parse(html)
    assert [(place, code) for place, code, _ in parser.errors if code != "expected-doctype-but-got-end-tag"] == []


def test_elements_are_nested_and_ids_are_unique(html: str) -> None:
    ids = [e.attributes["id"] for e in read(html).all(lambda e: "id" in e.attributes and e.tag != "path")]
    assert len(ids) == len(set(ids)) > 10


def test_nothing_is_fetched(html: str) -> None:
    page = read(html)
    for e in page.all(lambda e: True):
        for name in ("src", "srcset", "action", "data", "background", "poster", "formaction", "ping", "srcdoc"):
            assert e.attributes.get(name, "data:image/").startswith("data:image/"), (e.tag, name)
        assert e.attributes.get("href", "#").startswith("#")
        assert e.tag not in ("link", "iframe", "object", "embed", "base")
        assert not [name for name in e.attributes if name.startswith("on")]
    assert not re.search(r"url\((?!['\"]?data:)|@import", html)


def test_only_the_pages_own_script_may_run(html: str) -> None:
    head = html[: html.index("<style>")]
    assert "default-src 'none'" in head
    assert re.search(r"script-src 'sha256-[\w+/=]+';", head)
    assert "unsafe-inline'; img" in head
    assert html.count("<script>") == 1


def test_each_fact_has_one_colour_on_every_channel(preview: Preview, html: str) -> None:
    code = preview.facts.index("code")
    section = read(html).by_class("message")[0]
    for channel in ("email", "sms", "whatsapp", "qr", "task"):
        texts = {e.text() for cell in section.by_class("cell", channel) for e in cell.by_class(f"f{code}")}
        assert texts == {"BIENVENUE20"}, channel


def test_what_is_personal_is_underlined_and_what_is_typed_is_not(html: str) -> None:
    subject = read(html).by_class("message")[0].by_class("subject")[0]
    assert [e.text(0) for e in subject.by_class("me")] == ["Léa"]
    assert [e.text(2) for e in subject.by_class("me")] == ["Bonjour"]


def test_personas_who_read_the_same_share_a_row(preview: Preview) -> None:
    rows = list(rows_of(preview.messages[0]))
    assert ("fr", ("camille",)) in rows
    assert ("fr", ("monsieur-h", "default")) in rows


# --- what is wrong --------------------------------------------------------------------------------------------------
def test_a_missing_fact_is_a_red_chip_with_its_name(project: Path) -> None:
    spoil(
        project,
        "campaigns/bienvenue.yaml",
        '"{offer} sur ta 1re bougie: {price} avec {code} jusqu\'au {deadline}"',
        '"{offer} sur ta 1re bougie: {price} jusqu\'au {deadline}"',
    )
    found, html = made(project)
    section = read(html).by_class("message")[0]
    chip = next(e for e in section.by_class("chip") if "code" in e.text())
    assert [e.text() for e in chip.by_class("lost")] == ["missing"]
    sms = section.by_class("row")[0].by_class("cell", "sms")[0]
    assert [e.text() for e in sms.by_class("lost")] == ["code missing"]
    kind, said = verdict(found.messages[0])
    assert kind == "bad"
    assert "code (SMS" in said


def test_a_fact_printed_where_nobody_reads_it_is_missing(project: Path) -> None:
    template = (project / "templates" / "qr.html.j2").read_text(encoding="utf-8")
    (project / "templates" / "qr.html.j2").write_text(
        template.replace(
            "{{ say.short if say.short is defined else say.body }}", '<b style="display:none">{{ facts.offer }}</b>'
        ),
        encoding="utf-8",
    )
    _, html = made(project)
    said = read(html).by_class("cell", "qr")[0]
    assert "offer missing" in [e.text() for e in said.by_class("lost")]
    assert "M001" in [e.text() for e in said.by_class("codes")[0].all(lambda e: e.tag == "b")]


def test_a_fact_left_out_on_purpose_is_said_and_not_missing(html: str) -> None:
    sms = read(html).by_class("message")[0].by_class("cell", "sms")[0]
    assert "5 facts, without was" in sms.text()
    assert not sms.by_class("lost")


def test_what_lint_says_about_a_message_stands_beside_it(project: Path) -> None:
    spoil(project, "campaigns/bienvenue.yaml", "Le code {code} t'attend jusqu'au {deadline}.", "Le code {code} t'attend.")
    _, html = made(project)
    assert "I002" in read(html).by_class("findings")[0].text()


def test_who_gets_no_message_is_told_so(project: Path) -> None:
    (project / "templates" / "whatsapp.txt.j2").unlink()
    found, html = made(project)
    cell = read(html).by_class("cell", "whatsapp")[0]
    assert "whatsapp" in cell.by_class("silent")[0].text()
    assert verdict(found.messages[0])[0] == "bad"


@pytest.mark.parametrize(
    "wish", [Wish(campaign="bienvenu"), Wish(message="x"), Wish(channel="fax"), Wish(language="de"), Wish(persona="zoé")]
)
def test_a_name_that_nothing_has_is_refused_with_those_there_are(loaded: Loaded, wish: Wish) -> None:
    with pytest.raises(OmniError) as refused:
        make(loaded, Asked(wish), now=NOW)
    assert refused.value.hint.startswith("there are: ")


# --- hostile people -------------------------------------------------------------------------------------------------
HOSTILE = (
    "</template></span><script>document.title='owned'</script><img src=x onerror=alert(1)>\"' style=x {{7*7}} &lt;b&gt; \u202eabc"
)


def test_a_name_that_is_markup_stays_a_name(project: Path) -> None:
    spoil(
        project,
        "omni.yaml",
        "first_name: {type: text, example: Léa}",
        f"first_name: {{type: text, example: {HOSTILE!r}}}".replace("\\'", "''"),
    )
    _, html = made(project)
    page = read(html)
    assert html.count("<script>") == 1
    assert not page.all(lambda e: e.tag == "img")
    assert escape("<script>document.title=", quote=False) in html
    subject = page.by_class("subject")[0].text(0)
    assert "</template></span><script>" in subject
    assert "{{7*7}}" in subject


def test_a_template_that_would_run_or_fetch_something_is_shown_without(project: Path) -> None:
    spoil(project, "templates/email.html.j2", "</body>", '<script>alert(1)</script><iframe src="https://evil.example"></iframe><form action="https://evil.example"><input name=q></form>'
          '<a href="javascript:alert(1)" onclick="alert(1)">x</a><img src="https://cdn.example/p.png" alt="Une bougie" width="200" height="90">'
          '<p style="background:url(https://evil.example/a.png)">fin</p></body>')  # fmt: skip
    _, html = made(project)
    test_nothing_is_fetched(html)
    assert "alert(1)" not in html
    box = read(html).by_class("screen")[0].by_class("img")[0]
    assert "Une bougie" in box.text()


def test_a_template_that_cannot_be_read_leaves_the_other_channels_alone(project: Path) -> None:
    spoil(project, "templates/sms.txt.j2", "{{ brand.name }}", "{{ brand.name")
    _, html = made(project)
    page = read(html)
    assert "templates/sms.txt.j2:1" in page.by_class("cell", "sms")[0].by_class("silent")[0].text()
    assert page.by_class("cell", "whatsapp")[0].by_class("bubble")
