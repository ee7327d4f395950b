"""The pieces of a trace join to the plain rendering, byte for byte, whatever the template does; and each says whence it comes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from messages import ROOT, a_campaign, a_job
from test_equals_plain import PAGES, a_page

from omnicli import clock
from omnicli.campaignfile import Loaded, load_project
from omnicli.render import samples
from omnicli.render.renderer import Renderer, RenderJob
from omnicli.render.trace import Piece, Traced

NOW = clock.read_instant("2026-12-01 10:00", "UTC")


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return load_project(ROOT)


def jobs(loaded: Loaded, person: str) -> Iterator[RenderJob]:
    project = loaded.project
    assert project is not None
    who = samples.sample(project, person, now=NOW)
    for campaign in loaded.campaigns.values():
        for message in campaign.messages:
            for channel in samples.channels(project, campaign, message):
                for language in samples.languages(project, campaign):
                    for persona in samples.personas(project, campaign):
                        yield samples.job_for(project, campaign, message, channel=channel, language=language, persona=persona,
                                              person=who, now=NOW)  # fmt: skip


def traced(loaded: Loaded, message: str, channel: str, *, templates: dict[str, str] | None = None) -> Traced:
    assert loaded.project is not None
    renderer = Renderer(loaded.root, loaded.project)
    renderer.sources.update(templates or {})
    job = next(job for job in jobs(loaded, "typical") if job.message == message and job.channel == channel)
    return renderer.trace(job)


def origins(pieces: tuple[Piece, ...]) -> dict[str, tuple[object, ...]]:
    return {piece.text: piece.origin or () for piece in pieces}


@pytest.mark.parametrize("person", samples.SAMPLES)
def test_every_sample_message_joins_to_its_plain_rendering(loaded: Loaded, person: str) -> None:
    assert loaded.project is not None
    renderer = Renderer(loaded.root, loaded.project)
    for job in jobs(loaded, person):
        found = renderer.trace(job)
        assert {part: "".join(piece.text for piece in pieces) for part, pieces in found.parts.items()} == dict(
            found.rendered.parts
        )


def test_facts_words_links_house_and_template_are_told_apart(loaded: Loaded) -> None:
    found = origins(traced(loaded, "offre-bienvenue", "sms").parts["body"])
    assert found["20 %"] == ("fact", "offer", "")
    assert found["Maison Lune"] == ("brand", "name")
    assert found[" sur ta 1re bougie: "] == ("words", "short")
    assert found[": "] == ("template",)
    assert found["STOP au 36180"] == ("stop",)
    assert [origin for origin in found.values() if origin[0] == "link"] == [("link", 0)]


def test_a_typed_text_knows_its_place_in_the_template(loaded: Loaded) -> None:
    found = traced(
        loaded, "offre-bienvenue", "sms", templates={"sms.txt.j2": "{{ say.short }}\nPrix 49,90 € {{ link(facts.link) }}"}
    )
    typed = next(piece for piece in found.parts["body"] if "49,90" in piece.text)
    assert typed.origin == ("template",)
    assert typed.span is not None
    assert (typed.span.file, typed.span.start, typed.span.typed) == ("templates/sms.txt.j2", 15, True)


@pytest.mark.parametrize(
    ("template", "text", "origin"),
    [
        ("{{ facts.code|truncate(6) }}", "BIE...", ("derived", "fact", "code")),
        ("{{ facts.code[:4] }}", "BIEN", ("derived", "fact", "code")),
        ("{{ facts.code|lower }}", "bienvenue20", ("derived", "fact", "code")),
        ("{{ facts.code|trim }}", "BIENVENUE20", ("fact", "code", "")),
        ("{% set c = facts.code %}{{ c }}", "BIENVENUE20", ("fact", "code", "")),
        ("{% set c %}{{ facts.code }}{% endset %}{{ c }}", "BIENVENUE20", ("fact", "code", "")),
        ("{% macro m(x) %}[{{ x }}]{% endmacro %}{{ m(facts.code) }}", "BIENVENUE20", ("fact", "code", "")),
        ("{% filter upper %}{{ facts.code }}{% endfilter %}", "BIENVENUE20", ("fact", "code", "")),
        ("{{ contact.first_name or 'x' }}", "Léa", ("contact", "first_name", "")),
        ("{{ facts.code if facts.code else '' }}", "BIENVENUE20", ("fact", "code", "")),
    ],
)
def test_what_a_template_makes_of_a_value_keeps_its_origin(
    loaded: Loaded, template: str, text: str, origin: tuple[str, ...]
) -> None:
    found = traced(loaded, "offre-bienvenue", "sms", templates={"sms.txt.j2": "{{ say.short }} " + template})
    assert {piece.text: piece.origin for piece in found.parts["body"][-3:]}[text] == origin
    assert "".join(piece.text for piece in found.parts["body"]) == found.rendered.parts["body"]


def test_a_page_in_lined_keeps_the_origin_of_values_in_attributes(loaded: Loaded) -> None:
    page = '<html><head><style>p { color: red }</style></head><body><p title="{{ facts.code }}">{{ say.body }} &nbsp;{{ contact.first_name or "" }}</p></body></html>'
    found = traced(loaded, "offre-bienvenue", "email", templates={"email.html.j2": page})
    html = found.parts["html"]
    assert "".join(piece.text for piece in html) == found.rendered.parts["html"]
    assert sum(piece.origin == ("fact", "code", "") for piece in html) == 2


@pytest.mark.parametrize("name", PAGES)
def test_no_template_is_too_odd_to_be_traced(tmp_path: Path, name: str) -> None:
    person = {"first_name": "O'Connor & <Fils>", "city": "\ue0000\ue001 Lyon", "interests": ["a", "b & c"], "points": 3}
    renderer = a_page(tmp_path, name)
    for channel in ("letter", "email"):
        renderer.sources.setdefault("email.html.j2", renderer.sources["letter.html.j2"])
        found = renderer.trace(a_job(a_campaign(), channel, contact=person))
        assert {part: "".join(piece.text for piece in pieces) for part, pieces in found.parts.items()} == dict(
            found.rendered.parts
        )
