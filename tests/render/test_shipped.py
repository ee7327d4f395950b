"""The shipped templates: for everybody, on every channel, readable by day and by night."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from messages import ROOT, SHIPPED, a_campaign, a_job, a_project, a_renderer, an_offer

from omnicli.model.campaign import Message
from omnicli.model.project import Brand
from omnicli.render.colours import contrast, palette
from omnicli.render.finish import to_text
from omnicli.render.renderer import Renderer, RenderFailure

FULL = {
    "subject": "{offer} pour {first_name or \"vous\"}", "preheader": "Jusqu'au {deadline}", "headline": "Une lumière", "body": "À {price} avec {code}.",
    "short": "{offer} avec {code}", "cta": "Voir", "script": "Proposer {offer}.", "ps": "À bientôt",
}  # fmt: skip


def page(folder: Path, channel: str = "email", part: str = "html", **changes: object) -> str:
    renderer = a_renderer(folder)
    campaign = a_campaign(m=an_offer(say={"fr": FULL}))
    job = a_job(
        campaign,
        channel,
        extra={"address": ("Léa MARTIN", "12 RUE DES LILAS", "69003 LYON")} if channel == "letter" else {},
        **changes,
    )
    return renderer.render(job).parts[part]


class Elements(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))


def test_the_sample_project_uses_the_shipped_templates() -> None:
    for path in SHIPPED.glob("*.j2"):
        assert (ROOT / "templates" / path.name).read_text() == path.read_text(), f"cp {path} templates/"


def test_every_message_of_the_sample_project_is_written_for_everybody() -> None:
    from omnicli.campaignfile import load_project
    from omnicli.render import samples

    loaded = load_project(ROOT)
    assert loaded.project is not None
    renderer = Renderer(ROOT, loaded.project)
    now = a_job(a_campaign()).at
    people = [samples.sample(loaded.project, name, now=now) for name in samples.SAMPLES]
    jobs = [
        samples.job_for(loaded.project, campaign, message, channel=channel, language=language, persona=persona, person=person, now=now)
        for campaign in loaded.campaigns.values() for message in campaign.messages for channel in samples.channels(loaded.project, campaign, message)
        for language in samples.languages(loaded.project, campaign) for persona in samples.personas(loaded.project, campaign) for person in people
    ]  # fmt: skip
    found = renderer.batch(jobs)
    failed = {
        (job.message, job.channel, job.language, one.detail)
        for job, one in zip(jobs, found, strict=True)
        if isinstance(one, RenderFailure)
    }
    lives_from_the_event = {one for one in failed if "basket" in one[3]}
    assert not failed - lives_from_the_event
    assert len(jobs) > 100


@pytest.mark.parametrize("channel", ["email", "sms", "whatsapp", "messenger", "push", "voice", "letter", "qr", "task"])
def test_the_fewest_words_are_enough(tmp_path: Path, channel: str) -> None:
    facts = {"link": an_offer().facts["link"]} if channel == "qr" else {}
    say = {"fr": {"subject": "s", "body": "corps", "short": "court"}}
    renderer = a_renderer(tmp_path, a_project(brand=Brand(name="Maison Lune")))
    rendered = renderer.render(a_job(a_campaign(m=Message(facts=facts, say=say)), channel, contact={}, persona=None))
    text = " ".join(rendered.parts.values())
    assert "corps" in text or "court" in text
    assert "None" not in text
    assert "undefined" not in text.lower()


def test_an_email_says_who_writes_and_how_to_leave(tmp_path: Path) -> None:
    for part in ("html", "text"):
        text = page(tmp_path, part=part)
        text = to_text(text) if part == "html" else text
        for wanted in (
            "Maison Lune SAS",
            "12 rue des Tisserands, 69004 Lyon",
            "Se désabonner: https://go.maisonlune.example/u/",
            "https://www.maisonlune.example/vie-privee",
        ):
            assert wanted in text


def test_a_service_email_offers_no_unsubscribing(tmp_path: Path) -> None:
    assert "/u/" not in page(tmp_path, purpose="service")


def test_a_screen_reader_is_told_language_tables_and_pictures(tmp_path: Path) -> None:
    for channel, part in (("email", "html"), ("letter", "html"), ("qr", "card")):
        found = Elements(page(tmp_path, channel, part)).found
        assert next(attrs for tag, attrs in found if tag == "html") | {"lang": "fr", "dir": "ltr"} == next(
            attrs for tag, attrs in found if tag == "html"
        )
        assert all(attrs.get("role") == "presentation" for tag, attrs in found if tag == "table")
        assert all("alt" in attrs for tag, attrs in found if tag == "img")
        assert any(tag == "title" for tag, _ in found)
        assert all(attrs.get("role") == "img" and attrs.get("aria-label") for tag, attrs in found if tag == "svg")


def test_letters_are_large_enough_and_buttons_thick_enough(tmp_path: Path) -> None:
    html = page(tmp_path)
    visible = re.sub(r"<div style=\"display:\s*none.*?</div>", "", html, flags=re.DOTALL)
    sizes = [float(size) for size in re.findall(r"font-size:\s*(\d+)px", visible)]
    assert min(size for size in sizes if size) >= 14
    button = next(style for style in re.findall(r"<a [^>]*style=\"([^\"]*)\"", html) if "padding: 14px 32px" in style)
    assert "line-height: 24px" in button  # 14 + 24 + 14 = 52 px


def test_text_can_be_read_by_day_and_by_night() -> None:
    email = (SHIPPED / "email.html.j2").read_text()
    day, night = email.split("prefers-color-scheme: dark", 1)
    grounds_by_day, grounds_by_night = ("#ffffff", "#f3f1ee", "#f8f6f3"), ("#121114", "#1d1b21", "#28252e")
    assert all(ground in day for ground in grounds_by_day)
    assert all(ground in night for ground in grounds_by_night)
    for ink in ("#2b2b2b", "#5c5a57"):
        assert all(contrast(ink, ground) >= 4.5 for ground in grounds_by_day), ink
    for ink in ("#f4f2ef", "#bdb9b3"):
        assert all(contrast(ink, ground) >= 4.5 for ground in grounds_by_night), ink


def test_colours_of_any_house_stay_readable() -> None:
    for colour in ("#2b2350", "#e8b04a", "#ffffff", "#000", "#777777", "#00ff00", "#ff0000", "#0000ff"):
        found = palette({"primary": colour})
        assert contrast(found["on_primary"], found["primary"]) >= 4.5
        assert contrast(found["text_primary"], "#ffffff") >= 4.5


def test_an_email_is_light(tmp_path: Path) -> None:
    assert len(page(tmp_path).encode()) < 20_000
    assert "http://" not in page(tmp_path).replace("http://www.w3.org", "")


def test_a_qr_card_shows_its_address_and_a_code_that_scans(tmp_path: Path) -> None:
    from omnicli.render.codes import QUIET, modules

    html = page(tmp_path, "qr", "card")
    assert "maisonlune.example" in to_text(html)
    side = modules("https://go.maisonlune.example/c/" + "x" * 24)
    assert side - 2 * QUIET <= 37  # version 5
    assert 30 / side >= 0.4  # millimetres a module at 3 cm


def test_a_code_in_a_page_is_the_code_of_the_address() -> None:
    """The drawn modules are those that segno computes, quiet zone included."""
    import segno

    from omnicli.render.codes import qr_svg

    text = "https://go.maisonlune.example/c/AbCdEfGh"
    dark = set()
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1", qr_svg(text)):
        dark |= {(int(x) + n, int(y)) for n in range(int(width))}
    wanted = {
        (x, y)
        for y, row in enumerate(segno.make_qr(text, error="q", boost_error=False).matrix_iter(border=4))
        for x, cell in enumerate(row)
        if cell
    }
    assert dark == wanted
