"""Whatever people are called, they stay text: no new element, no new line in a header, nothing that a carrier misreads."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from messages import a_campaign, a_job, a_project, a_renderer, torture

from omnicli.model.campaign import Message
from omnicli.render.renderer import Renderer, RenderFailure
from omnicli.render.views import CannotRender


class Shape(HTMLParser):
    """The elements and attribute names of a page: what a field must not change."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))


def shape(html: str) -> list[tuple[str, tuple[str, ...]]]:
    parser = Shape()
    parser.feed(html)
    parser.close()
    return parser.found


def strings() -> list[str]:
    extra = torture("omni-extra/inputs.json")
    return [text for text in (*torture("blns/blns.json"), *extra["text_values"], *extra["csv_formula"]) if len(text) < 20_000]


def test_a_name_as_long_as_a_book_is_one_failure(renderer: Renderer) -> None:
    found = renderer.batch(
        [
            a_job(a_campaign(), "sms", contact={"first_name": "x"}),
            a_job(a_campaign(), "email", contact={"first_name": "x" * 300_000}),
        ]
    )
    assert [isinstance(one, RenderFailure) for one in found] == [False, True]


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    page = "<html><head><title>{{ say.subject }}</title></head><body><p title='{{ contact.first_name|default(\"\") }}'>{{ say.body }}" \
           "<!-- {{ contact.city|default('') }} --><a href=\"{{ link(facts.link) }}\">{{ contact.city|default('') }}</a></p></body></html>"  # fmt: skip
    return a_renderer(
        tmp_path_factory.mktemp("naughty"),
        email__html=page,
        sms__txt="{{ say.short }}",
        push__txt="{% block title %}{{ say.subject }}{% endblock %}",
    )


def test_no_field_writes_html(renderer: Renderer) -> None:
    from messages import an_offer, words

    campaign = a_campaign(
        m=an_offer(say=words('Bonjour {first_name or "toi"} de {city or "là"}', subject='{first_name or "Bonjour"}, {offer}'))
    )
    plain = shape(renderer.render(a_job(campaign, "email", contact={"first_name": "Léa", "city": "Lyon"})).parts["html"])
    jobs = [a_job(campaign, "email", contact={"first_name": text, "city": text}) for text in strings()]
    for job, found in zip(jobs, renderer.batch(jobs), strict=True):
        assert not isinstance(found, RenderFailure), (job.contact, found)
        assert shape(found.parts["html"]) == plain, job.contact
        assert_header(found.parts["subject"])
        json.dumps(dict(found.parts)).encode("utf-8")
        "".join(found.parts.values()).encode("utf-8")  # no lone surrogate is left


def test_no_field_adds_a_header_line(renderer: Renderer) -> None:
    campaign = a_campaign(m=Message(say={"fr": {"subject": '{first_name or "x"} !', "body": "b", "short": "s", "cta": "c"}}))
    for text in [*strings(), *torture("injection/crlf.txt")]:
        found = renderer.render(a_job(campaign, "push", contact={"first_name": text}))
        assert_header(found.parts["title"])


def assert_header(text: str) -> None:
    assert len(text.splitlines()) <= 1
    assert not any(ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0 or letter in "\u2028\u2029" for letter in text), text
    assert "=?" not in text


@pytest.mark.guards("output_limit")
@pytest.mark.parametrize("who", ["x" * 30_000, "Léa"])
def test_no_message_is_longer_than_any_mail_program_shows(tmp_path: Path, who: str) -> None:
    """Values that are long, and words that are repeated: neither makes a mail above 256 KB."""
    page = "<p>{{ contact.first_name }}</p>" * 10 if len(who) > 9 else "<p>{{ say.body }}</p>" * 200
    renderer = a_renderer(tmp_path, letter__html=page)
    campaign = a_campaign(m=Message(say={"fr": {"subject": "s", "body": "Bonjour " * 300, "short": "s", "cta": "c"}}))
    with pytest.raises(CannotRender):
        renderer.render(a_job(campaign, "letter", contact={"first_name": who}))


@pytest.mark.guards("autoescape")
@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x>', "a & b", "' onclick='x", "<b>Léa</b>"])
def test_what_a_field_says_is_text_in_a_page(tmp_path: Path, text: str) -> None:
    page = "<p title='{{ contact.first_name }}'>{{ contact.first_name|upper }}{{ contact.first_name }}</p>"
    renderer = a_renderer(tmp_path, letter__html=page)
    campaign = a_campaign()
    plain = shape(renderer.render(a_job(campaign, "letter", contact={"first_name": "Léa"})).parts["html"])
    for _ in range(60):  # the template as it stands, then folded, then compiled
        assert shape(renderer.render(a_job(campaign, "letter", contact={"first_name": text})).parts["html"]) == plain


@pytest.mark.guards("header_line")
@pytest.mark.parametrize("between", ["\n", "\r\n", "\r", "\n\n", " \n\tBcc: x@example.com\n"])
def test_a_subject_is_one_line_however_it_is_written(tmp_path: Path, between: str) -> None:
    title = "{% block title %}{{ say.subject }}" + between + "{{ contact.first_name }}{% endblock %}"
    renderer = a_renderer(tmp_path, push__txt=title)
    campaign = a_campaign(m=Message(say={"fr": {"subject": "Bonjour", "body": "b", "short": "s", "cta": "c"}}))
    assert_header(renderer.render(a_job(campaign, "push", contact={"first_name": "Léa"})).parts["title"])


def test_an_address_from_a_field_must_be_one(tmp_path: Path) -> None:
    renderer = a_renderer(tmp_path, letter__html='<a href="{{ contact.website }}">x</a>')
    campaign = a_campaign()
    assert (
        renderer.render(a_job(campaign, "letter", contact={"website": "https://a.example/?a=1&b=2"})).parts["html"].count("&amp;")
        == 1
    )
    for bad in (
        "javascript:alert(1)",
        "data:text/html,x",
        "JaVaScript:x",
        " javascript:x",
        "\x01javascript:x",
        "//evil.example",
        "vbscript:x",
    ):
        with pytest.raises(CannotRender, match="address"):
            renderer.render(a_job(campaign, "letter", contact={"website": bad}))


@pytest.mark.parametrize(
    "page",
    [
        "<p {{ contact.first_name }}>", "<p title={{ contact.first_name }}>", "<{{ contact.first_name }}>", "<p on{{ contact.first_name }}='x'>",
        "<script>{{ contact.first_name }}</script>", "<p onclick=\"{{ contact.first_name }}\">", "<iframe srcdoc='{{ contact.first_name }}'></iframe>",
        "<p title=\"x\" {{ contact.first_name }}", "<style>{{ contact.first_name }}</style", "</{{ contact.first_name }}>",
    ],
)  # fmt: skip
def test_places_where_no_value_may_stand(tmp_path: Path, page: str) -> None:
    renderer = a_renderer(tmp_path, letter__html=page)
    if page.startswith("<style>"):
        return
    with pytest.raises(CannotRender, match="a value"):
        renderer.render(a_job(a_campaign(), "letter"))


def test_a_colour_of_the_house_cannot_leave_its_style_sheet(tmp_path: Path) -> None:
    from omnicli.model.project import Brand

    brand = Brand(name="x", colours={"primary": "red}</style><script>"}, font="x;}</style>")
    renderer = a_renderer(
        tmp_path,
        a_project(brand=brand),
        letter__html="<style>p { color: {{ brand.colours.primary }}; font-family: {{ brand.font }} }</style>",
    )
    assert (
        renderer.render(a_job(a_campaign(), "letter")).parts["html"]
        == "<style>p { color: #2f3437; font-family: sans-serif }</style>"
    )
