"""A filled skeleton is the plain rendering, byte for byte, whatever the template does and whoever reads it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import SHIPPED, a_campaign, a_job, a_renderer, an_offer

from omnicli.render.forms import plain_spaces
from omnicli.render.renderer import Renderer, RenderFailure
from omnicli.render.skeleton import restore

HEAD = "<!DOCTYPE html><html lang=fr><body>"

#: HTML templates (the letter's is not in-lined, so its bytes are compared) with all that authors may use.
PAGES = {
    "words": "<p>{{ say.body }} {{ say.short }}</p>",
    "facts": "{{ facts.price }} {{ facts.deadline.short }} {{ facts.offer }}{{ facts.link.host }}",
    "contact": "<p title=\"{{ contact.first_name|default('toi') }}\">{{ contact.city|default('?') }}</p>",
    "if": "{% if contact.city %}à {{ contact.city }}{% elif contact.first_name %}{{ contact.first_name }}{% else %}rien{% endif %}",
    "loop": "{% for word in contact.interests %}<li>{{ loop.index }}/{{ loop.length }} {{ word }}</li>{% else %}rien{% endfor %}",
    "filters": "{{ say.short|truncate(20) }}|{{ contact.first_name|default('')|upper }}|{{ facts.code|lower }}|{{ brand.name|length }}",
    "macro": "{% macro cell(x, y='-') %}<td>{{ x }}{{ y }}</td>{% endmacro %}{{ cell(say.short) }}{{ cell(facts.price, contact.city|default('')) }}",
    "macro filtered": "{% macro cell(x) %}<b>{{ x }}</b>{% endmacro %}{{ cell(contact.first_name|default('&'))|upper }}",
    "caller": "{% macro box() %}<div>{{ caller() }}</div>{% endmacro %}{% call box() %}{{ say.body }} {{ contact.city|default('x') }}{% endcall %}",
    "set": "{% set who = contact.first_name|default('toi') %}{{ who }} et {{ who|title }}",
    "set block": "{% set block %}<i>{{ say.short }}{{ contact.city|default('') }}</i>{% endset %}{{ block }}{{ block }}",
    "set block filtered": "{% set block|upper %}<i>{{ say.short }}</i>{% endset %}{{ block }}",
    "set block used": "{% set block %}{{ contact.first_name|default('') }}{% endset %}{{ block|length }}{% if block %}oui{% endif %}",
    "filter block": "{% filter upper %}{{ say.short }} {{ contact.city|default('é') }}{% endfilter %}",
    "with": "{% with who = contact.city|default('<x>') %}{{ who }}{{ say.short }}{% endwith %}",
    "trims": "a  {%- if contact.city -%}  b {{- say.short -}} c {%- endif -%}  d",
    "recursive": "{% for w in contact.interests recursive %}{{ w }}{% if loop.depth < 3 %}<u>{{ loop(contact.interests) }}</u>{% endif %}{% endfor %}",
    "include": "<p>{% include 'part.html.j2' %}</p>{{ say.short }}",
    "import": "{% import 'macros.html.j2' as m %}{{ m.cell(contact.first_name|default('')) }}{{ m.cell(say.short) }}",
    "from import": "{% from 'macros.html.j2' import cell as c with context %}{{ c(contact.city|default('')) }}",
    "extends": "{% extends 'page.html.j2' %}{% block main %}{{ super() }}{{ say.body }}{{ contact.city|default('') }}{% endblock %}",
    "self block": "{% block x %}{{ contact.first_name|default('') }}{% endblock %}{{ self.x() }}",
    "sums": "{{ contact.points|default(0) + 1 }} {{ 'a' + contact.first_name|default('') }} {{ 7 // 2 }}",
    "comparisons": "{% if facts.price == '39,92\u00a0€' %}oui{% else %}non{% endif %}{% if 'BIEN' in facts.code %}oui{% endif %}",
    "addresses": "<a href=\"{{ link(facts.link) }}\">x</a><a href=\"{{ unsubscribe }}\">y</a>{{ preferences }}{{ web_version }}",
    "class": "<p class=\"{{ contact.city|default('rien') }}\">{{ say.short }}</p>",
    "style sheet": "<style>p { color: {{ contact.city|default('red') }} }</style><p>{{ say.short }}</p>",
    "escape": "{{ contact.first_name|default('')|e }}{{ brand.name|e }}",
    "persona": "{{ persona.title }}{% for need in persona.needs %}{{ need }}{% endfor %}{{ now }}{{ now.year }}{{ language }}",
    "picture": "<div>{{ qr(facts.link) }}</div>{{ say.short }}",
    "slices": "{{ say.short[:5] }}{{ language[:2] }}{{ facts.code[0] }}",
    "defaults": "{{ say.ps|default('sans ps') }}{{ (say.headline or say.short) }}{{ say.headline if say.headline is defined else 'h' }}",
}  # fmt: skip
OTHERS = {
    "part.html.j2": "<em>{{ contact.first_name|default('') }}{{ say.body }}</em>",
    "macros.html.j2": "{% macro cell(x) %}<td>{{ x }}{{ brand.name if brand is defined }}</td>{% endmacro %}",
    "page.html.j2": "<main>{% block main %}{{ facts.price }}{% endblock %}</main>{{ contact.city|default('') }}",
}

names = st.text(max_size=12) | st.sampled_from(
    ["O'Connor & <Fils>", "\ue0000\ue001", "\ue002x", "{{ 7*7 }}", "a\r\nBcc: b", "‮x", "👩‍👩‍👧", "=?utf-8?q?x?=", " "]
)
people = st.fixed_dictionaries(
    {}, optional={"first_name": names, "city": names, "interests": st.lists(names, max_size=3), "points": st.integers(-5, 2000)}
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp())
    yield path
    shutil.rmtree(path)


def a_page(folder: Path, name: str) -> Renderer:
    own = folder / name.replace(" ", "-")
    own.mkdir(exist_ok=True)
    sources = {
        "letter__html": HEAD + PAGES[name],
        **{key.removesuffix(".j2").replace(".", "__"): text for key, text in OTHERS.items()},
    }
    return a_renderer(own, **sources)


def outcome(renderer: Renderer, job: Any) -> Any:
    """The parts, or the reason why there are none."""
    found = renderer.batch([job])[0]
    return found if isinstance(found, RenderFailure) else dict(found.parts)


def plainly(renderer: Renderer, job: Any) -> Any:
    from omnicli.render.views import CannotRender

    try:
        return dict(renderer.plain_parts(job))
    except CannotRender:
        return None
    except Exception as error:  # a template's own mistake, e.g. adding a number to a text
        return type(error)


@pytest.mark.parametrize("name", PAGES)
def test_pages(folder: Path, name: str) -> None:
    renderer = a_page(folder, name)
    campaign = a_campaign()

    @settings(max_examples=8, deadline=None, database=None)
    @given(people)
    def every_reader(person: dict[str, Any]) -> None:
        job = a_job(campaign, "letter", contact=person)
        found, expected = outcome(renderer, job), plainly(renderer, job)
        if isinstance(found, RenderFailure):
            assert not isinstance(expected, dict), found.detail
        else:
            assert found == expected

    every_reader()


@settings(max_examples=24, deadline=None, database=None)
@given(
    people,
    st.sampled_from(["sms", "whatsapp", "messenger", "push", "voice", "task", "letter", "qr"]),
    st.sampled_from(["fr", "en"]),
)
def test_the_shipped_templates(person: dict[str, Any], channel: str, language: str) -> None:
    renderer, campaign = shipped()
    job = a_job(campaign, channel, contact=person, language=language)
    found, expected = outcome(renderer, job), renderer.plain_parts(job)
    for part, text in found.items():
        html = text.startswith("<!DOCTYPE")
        if channel == "sms":
            expected = {name: plain_spaces(one) for name, one in expected.items()}
        if html:
            assert text == expected[part]
        else:  # tidied before the values are filled in, so a value's own spaces stay
            assert text.split() == expected[part].split()


_shipped: list[Any] = []


def shipped() -> tuple[Renderer, Any]:
    if not _shipped:
        _shipped.extend((a_renderer(Path(tempfile.mkdtemp()), **{p.name.removesuffix(".j2").replace(".", "__"): p.read_text() for p in SHIPPED.glob("*.j2")}),
                         a_campaign(offre=an_offer())))  # fmt: skip
    return _shipped[0], _shipped[1]


def test_every_way_of_rendering_gives_the_same(folder: Path) -> None:
    """Marked, folded and straight: the first reader, the fiftieth and the hundredth."""
    renderer = a_page(folder, "if")
    campaign = a_campaign()
    for n in range(120):
        person = {"first_name": f"Lé{n}"} if n % 3 else {"city": f"<{n}>"}
        job = a_job(campaign, "letter", contact=person)
        assert outcome(renderer, job) == plainly(renderer, job)


def test_what_the_store_keeps_is_what_was_sent(folder: Path) -> None:
    for name in PAGES:
        renderer = a_page(folder, name)
        job = a_job(
            a_campaign(), "letter", contact={"first_name": "Léa & <b>", "city": "Lyon", "interests": ["lavande"], "points": 3}
        )
        rendered = renderer.render(job)
        skeleton = renderer.skeleton(rendered.skeleton)
        assert restore(skeleton.blob, renderer.pack(rendered)) == dict(rendered.parts), name


def test_many_readers_share_one_skeleton() -> None:
    renderer, campaign = shipped()
    found = renderer.batch([a_job(campaign, "email", contact={"first_name": f"Léa{n}"}, touch=f"{n:032x}") for n in range(30)])
    assert len({one.skeleton for one in found if not isinstance(one, RenderFailure)}) == 1
