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
