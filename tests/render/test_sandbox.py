"""No template gets out, burns time or fills memory: the public lists and our own bombs, 0 escapes."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import pytest
from messages import a_campaign, a_job, a_renderer, torture

from omnicli.errors import OmniError
from omnicli.render.views import CannotRender

ESCAPES = (
    "{{ ''.__class__ }}", "{{ ''['__class__'] }}", "{{ ''|attr('__class__') }}", "{{ say.__class__ }}", "{{ say._slots }}", "{{ say.slots }}",
    "{{ contact.recorder }}", "{{ facts.views }}", "{{ facts.price.recorder }}", "{{ link.__globals__ }}", "{{ link.for_templates }}",
    "{{ brand.values_ }}", "{{ brand.look }}", "{{ brand['__class__'] }}", "{{ self.__init__ }}", "{{ self._TemplateReference__context }}",
    "{{ cycler.__init__.__globals__ }}", "{{ joiner() }}", "{{ namespace() }}", "{{ range(3) }}", "{{ dict() }}", "{{ lipsum() }}",
    "{% set x = namespace(a=1) %}{% set x.a = 2 %}", "{{ 'a'.format }}", "{{ '{0.__class__}'.format(say) }}", "{{ '%s'|format(say) }}",
    "{{ say.short|map('attr', '__class__') }}", "{{ [say]|map(attribute='__class__')|list }}", "{{ say|pprint }}", "{{ say|tojson }}",
    "{{ {'a': 1}.pop('a') }}", "{{ [1].append(2) }}", "{{ contact.first_name.upper() }}", "{{ ('a' ~ 'b') }}", "{{ 2 ** 3 }}", "{{ '%s' % say }}",
    "{% autoescape false %}{{ contact.first_name }}{% endautoescape %}", "{{ contact.first_name|safe }}", "{{ '<b>'|safe }}",
    "{% for k in say %}{{ k }}{% endfor %}", "{{ say['_' + '_class_' + '_'] }}", "{{ brand[('__cla' + 'ss__')] }}", "{% include 'x' ignore missing %}{{ config }}",
    "{{ environment }}", "{{ context }}", "{{ now.recorder }}", "{{ loop }}", "{{ caller }}", "{{ super }}", "{{ varargs }}",
    "{% macro m() %}{{ varargs }}{{ m.name }}{{ m._func }}{% endmacro %}{{ m() }}", "{% block b %}{% endblock %}{{ self.b.__func__ }}",
    "{{ touch.size.escaped }}", "{{ qr.__class__ }}", "{{ (link).__call__ }}", "{{ [].__class__.__base__ }}", "{{ ().__class__ }}", "{{ 1 .__class__ }}",
)  # fmt: skip
SIGNS = (
    "<class",
    "__",
    "<built-in",
    "<function",
    "<bound method",
    "<Recorder",
    "object at 0x",
    "root:",
    "subclasses",
    "omnicli.",
)


@pytest.fixture(autouse=True)
def canary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNI_CANARY", "canary-of-the-environment")


def rendered(folder: Path, template: str) -> str | None:
    """What comes out of the template, or None when it was refused."""
    try:
        renderer = a_renderer(folder, whatsapp__txt=template)
        found = renderer.render(a_job(a_campaign(), "whatsapp", contact={"first_name": "Léa", "city": "Lyon"}))
        return found.parts["body"]
    except (CannotRender, OmniError):
        return None


@pytest.mark.parametrize("template", ESCAPES)
def test_our_own_attempts(tmp_path: Path, template: str) -> None:
    text = rendered(tmp_path, template)
    assert text is None or not any(sign in text for sign in SIGNS), text


@pytest.mark.parametrize("name", ["injection/ssti.txt", "ssti-payloadbox/ssti-payloads.txt"])
def test_the_public_lists(tmp_path: Path, name: str) -> None:
    for line in torture(name):
        text = rendered(tmp_path, line)
        if text is None or ("{{" not in line and "{%" not in line):
            continue  # refused, or no syntax of ours: printed as it stands
        assert "canary-of-the-environment" not in text
        assert not any(sign in text for sign in ("uid=", "root:", "<class", "<function", "<Config", "popen", "object at 0x")), (
            line,
            text,
        )


def test_a_field_that_looks_like_a_template_stays_a_text(tmp_path: Path) -> None:
    renderer = a_renderer(tmp_path, whatsapp__txt="{{ contact.first_name }}")
    campaign = a_campaign()
    for line in torture("injection/ssti.txt"):
        if line.isprintable():
            found = renderer.render(a_job(campaign, "whatsapp", contact={"first_name": line})).parts["body"]
            assert found.split() == line.split()


def test_bombs_are_refused_or_quick_and_fill_no_memory(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for bomb in (*torture("omni-extra/jinja_bombs.json"), *OUR_BOMBS):
        began = time.process_time()
        text = rendered(tmp_path, bomb)
        assert text is None or len(text) <= 256 * 1024
        assert time.process_time() - began < 3, bomb[:80]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before <= 64 * 1024  # kilobytes


LONG = "a" * 60_000
OUR_BOMBS = (
    "{% for a in [1]|list %}{% for x in [1,1] recursive %}{% if loop.depth < 40 %}{{ loop([1,1]) }}{% endif %}{% endfor %}{% endfor %}",
    "{% macro f(n) %}{% if n < 40 %}{{ f(n+1) }}{{ f(n+1) }}{% endif %}{% endmacro %}{{ f(0) }}",
    "{% set x = 'aaaaaaaaaa' %}" + "{% set x = x + x %}" * 40 + "{{ x|length }}",
    "{% set l = [1,1,1,1,1,1,1,1,1,1] %}" + "".join(f"{{% for i{n} in l %}}" for n in range(9)) + "x" + "{% endfor %}" * 9,
    "{{ ['" + LONG[:30_000] + "', 'b']|join('" + LONG[:30_000] + "') }}",
    "{{ '" + LONG[:30_000] + "'|replace('a', 'bbbbbbbbbb') }}",
    "{{ 1|round(1000000000) }}", "{{ '" + LONG[:20_000] + "'|wordwrap(1) }}", "{{ " + "(" * 200 + "1" + ")" * 200 + " }}",
    "{% if " + " and ".join(["1"] * 500) + " %}x{% endif %}", "{{ " + "-" * 5000 + "1 }}", "{{ " + "not " * 5000 + "1 }}",
    "{{ 99999999999999999 * 99999999999999999 }}", "x" * 70_000, "{% set b %}" + "{{ say.body }}" * 200 + "{% endset %}" + "{{ b }}" * 100,
    "{% for a in contact.first_name|list %}{{ a }}{% endfor %}" * 60,
)  # fmt: skip


def test_secrets_of_the_process_are_not_in_reach(tmp_path: Path) -> None:
    assert os.environ["OMNI_CANARY"]
    for template in (
        "{{ brand }}",
        "{{ say }}",
        "{{ contact }}",
        "{{ facts }}",
        "{{ persona }}",
        "{{ message }}",
        "{{ touch }}",
        "{{ link }}",
    ):
        text = rendered(tmp_path, template)
        assert text is None or not any(sign in text for sign in (*SIGNS, "canary")), (template, text)


@pytest.mark.guards("sandbox")
@pytest.mark.parametrize("template", [
    "{{ 'x'['__cla' + 'ss__']['__na' + 'me__'] }}", "{{ 'abc'['cou' + 'nt']('b') }}", "{{ [3][('cop') + 'y']() }}", "{{ (1.5)['re' + 'al'] }}",
])  # fmt: skip
def test_a_name_put_together_reaches_no_more_than_one_written_out(tmp_path: Path, template: str) -> None:
    assert rendered(tmp_path, template) is None


@pytest.mark.parametrize(
    ("template", "construct"),
    [("{{ a ~ b }}", "~"), ("{{ 'a'|format }}", "format"), ("{{ x is callable }}", "callable"), ("{{ x.__class__ }}", "__class__"),
     ("{% autoescape true %}{% endautoescape %}", "autoescape"), ("a\ue000", "U+E000"), ("{{ x['__class__'] }}", "__class__")],
)  # fmt: skip
@pytest.mark.guards("ast_list")
def test_the_refusal_names_the_construct(tmp_path: Path, template: str, construct: str) -> None:
    renderer = a_renderer(tmp_path, sms__txt=template)
    with pytest.raises(OmniError) as caught:
        renderer.needs("sms")
    assert construct in caught.value.message


def test_a_link_can_stand_inside_a_block_and_a_loop(tmp_path: Path) -> None:
    renderer = a_renderer(
        tmp_path, push__txt="{% block body %}{% for n in [1] %}{{ say.short }} {{ link(facts.link) }}{% endfor %}{% endblock %}"
    )
    assert "https://" in renderer.render(a_job(a_campaign(), "push")).parts["body"]
