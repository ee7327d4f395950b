"""What a renderer promises: the right words, the right failures, addresses that are a touch's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from messages import TOUCH, a_campaign, a_fact, a_job, a_project, a_renderer, an_offer, words

from omnicli.errors import OmniError
from omnicli.model.campaign import Message
from omnicli.model.project import Channel, Tracking, Utm
from omnicli.render.links import Signing, open_token
from omnicli.render.renderer import Renderer, RenderFailure, chain, look_up
from omnicli.render.skeleton import targets
from omnicli.render.views import CannotRender


# --- words ------------------------------------------------------------------------------------------------------------
def test_words_are_looked_up_slot_by_slot_and_never_in_the_other_register() -> None:
    assert chain("fr-CA", "tu") == ("fr-CA/tu", "fr-CA", "fr/tu", "fr")
    message = Message(say={"fr": {"a": "fr", "b": "fr"}, "fr/tu": {"b": "fr/tu"}, "fr/vous": {"c": "vous"}, "fr-CA": {"d": "ca"}})
    assert look_up(message, "fr-CA", "tu") == {"a": "fr", "b": "fr/tu", "d": "ca"}
    assert look_up(message, "fr", None) == {"a": "fr", "b": "fr"}
    assert look_up(message, "de", None) == {}


@pytest.mark.parametrize(
    ("template", "written", "reason"),
    [
        ("{{ say.body }}", {"body"}, None),
        ("{{ say.body }}", {"short"}, "no_words"),
        ("{{ say['body'] }}", {"short"}, "no_words"),
        ("{% if say.body %}{{ say.body }}{% endif %}", set(), None),
        ("{% if say.body is defined %}{{ say.body }}{% endif %}", set(), None),
        ("{% if say.body is undefined %}-{% else %}{{ say.body }}{% endif %}", set(), None),
        ("{% if not say.body %}-{% elif say.short %}{{ say.body }}{{ say.short }}{% endif %}", set(), None),
        ("{{ say.body if say.body is defined else say.short }}", {"short"}, None),
        ("{{ say.body if say.body is defined else say.short }}", {"body"}, None),
        ("{{ say.body if say.body is defined else say.short }}", set(), "no_words"),
        ("{{ say.body or say.short }}", {"short"}, None),
        ("{{ say.body or say.short }}", set(), "no_words"),
        ("{{ say.body|default('rien') }}", set(), None),
        ("{% if say.ps and say.cta %}{{ say.ps }}{% endif %}", set(), None),
        ("{% if contact.first_name %}{{ say.body }}{% endif %}", set(), "no_words"),
        ("{% if say.ps %}{{ say.body }}{% endif %}", {"ps"}, "no_words"),
        ("{% if say.ps %}{{ say.body }}{% endif %}", set(), None),
        ("{% macro m() %}{{ say.body }}{% endmacro %}{{ m() }}", set(), "no_words"),
        ("{% include 'other.txt.j2' %}", set(), "no_words"),
    ],
)
def test_the_template_says_which_slots_it_needs(tmp_path: Path, template: str, written: set[str], reason: str | None) -> None:
    renderer = a_renderer(tmp_path, sms__txt=template, other__txt="{{ say.body }}")
    assert renderer.usable(Message(say={"fr": dict.fromkeys(written, "x")}), "sms", "fr") == reason


def test_a_channel_without_a_template_is_not_usable(tmp_path: Path) -> None:
    renderer = a_renderer(tmp_path, sms__txt="x")
    assert renderer.usable(an_offer(), "whatsapp", "fr", "tu") == "no template"
    assert renderer.usable(an_offer(), "sms", "fr", "tu") is None


def test_an_email_needs_its_subject(tmp_path: Path) -> None:
    renderer = a_renderer(tmp_path, email__html="{{ say.body }}")
    assert renderer.usable(Message(say={"fr": {"body": "x"}}), "email", "fr") == "no_words"
    assert renderer.usable(Message(say={"fr": {"body": "x", "subject": "y"}}), "email", "fr") is None


def test_the_campaign_s_own_template_wins(tmp_path: Path) -> None:
    renderer = a_renderer(tmp_path, sms__txt="all", sms__bienvenue__txt="own {{ say.ps }}")
    assert renderer.template("sms", "txt", "bienvenue") == "sms.bienvenue.txt.j2"
    assert renderer.template("sms", "txt", "autre") == "sms.txt.j2"
    assert renderer.usable(an_offer(), "sms", "fr", "tu", campaign="bienvenue") == "no_words"


@pytest.mark.parametrize(
    ("text", "contact", "language", "read"),
    [
        ("{first_name or \"Bonjour\"} !", {}, "fr", "Bonjour !"),
        ("{first_name or \"Bonjour\"} !", {"first_name": ""}, "fr", "Bonjour !"),
        ("{first_name or \"Bonjour\"} !", {"first_name": "Léa"}, "fr", "Léa !"),
        ("{points} {points | one=point | other=points}", {"points": 1}, "fr", "1 point"),
        ("{points} {points | one=point | other=points}", {"points": 0}, "fr", "0 point"),
        ("{points} {points | one=point | other=points}", {"points": 0}, "en", "0 points"),
        ("{points} {points | one=point | other=points}", {"points": 1500.0}, "en", "1,500 points"),
        ("{basket}", {"basket": 4990}, "en", "€49.90"),
        ("{renewal:short}", {"renewal": "2027-03-01"}, "fr", "01/03"),
        ("{interests}", {"interests": '["figue", "rose"]'}, "fr", "figue et rose"),
        ("{vip}", {"vip": 1}, "fr", "oui"),
        ('{city or "là"}', {"city": "  "}, "fr", "là"),
        ("{near}", {"near": 2500.0}, "fr", "2,5 km"),
        ("{near}", {"near": 800.0}, "en", "800 m"),
        ("{delay}", {"delay": 2880}, "fr", "2 jours"),
        ("{delay}", {"delay": 90}, "en", "90 minutes"),
        ("{city or \"\"}{{x}}", {}, "fr", "{x}"),
    ],
)  # fmt: skip
def test_placeholders(tmp_path: Path, text: str, contact: dict[str, object], language: str, read: str) -> None:
    renderer = a_renderer(tmp_path, whatsapp__txt="{{ say.body }}")
    campaign = a_campaign(m=Message(say={language: {"body": text}}))
    found = renderer.render(a_job(campaign, "whatsapp", contact=contact, language=language, persona=None))
    assert found.parts["body"].replace("\u202f", " ").replace("\u00a0", " ") == read


# --- failures ---------------------------------------------------------------------------------------------------------
def test_who_cannot_be_written_to_does_not_stop_the_others(tmp_path: Path) -> None:
    renderer = a_renderer(tmp_path, sms__txt="{{ say.short }}")
    campaign = a_campaign(m=Message(say=words("Bonjour {first_name}")))
    found = renderer.batch(
        [a_job(campaign, "sms", contact=person) for person in ({"first_name": "Léa"}, {}, {"first_name": "Paul"})]
    )
    assert [one.reason if isinstance(one, RenderFailure) else one.parts["body"] for one in found] == [
        "Bonjour Léa",
        "render_failed",
        "Bonjour Paul",
    ]
    failure = found[1]
    assert isinstance(failure, RenderFailure)
    assert "first_name" in failure.detail


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ contact.city }}", "contact.city is missing"),
        ("{{ contact.cyti }}", "no attribute 'cyti'"),
        ("{% if contact.cyti %}x{% endif %}", "no attribute 'cyti'"),
        ("{{ nonsense }}", "'nonsense' is undefined"),
        ("{{ facts.nonsense }}", "no fact 'nonsense'"),
        ("{{ facts.price.tiny }}", "no form 'tiny'"),
        ("{{ link(facts.price) }}", "web address"),
        ("{{ link(facts.nonsense) }}", "no fact 'nonsense'"),
        ("{{ none }}", "empty"),
        ("{{ 1 // 0 }}", "zero"),
        ("{{ touch.nonsense }}", "touch.nonsense"),
    ],
)
@pytest.mark.guards("strict_undefined")
def test_what_is_missing_is_named(tmp_path: Path, template: str, says: str) -> None:
    renderer = a_renderer(tmp_path, sms__txt=template)
    with pytest.raises(CannotRender, match=says) as caught:
        renderer.render(a_job(a_campaign(), "sms"))
    assert caught.value.reason == "render_failed"


def test_missing_words_have_their_own_reason(tmp_path: Path) -> None:
    renderer = a_renderer(tmp_path, sms__txt="{% set s = say %}{{ s.nonsense }}")
    with pytest.raises(CannotRender) as caught:
        renderer.render(a_job(a_campaign(), "sms"))
    assert caught.value.reason == "no_words"


def test_a_template_with_an_error_is_named_with_its_line(tmp_path: Path) -> None:
    renderer = a_renderer(tmp_path, sms__txt="a\n{{ b")
    with pytest.raises(OmniError, match=r"templates/sms\.txt\.j2:2"):
        renderer.usable(an_offer(), "sms", "fr", "tu")


# --- facts ------------------------------------------------------------------------------------------------------------
def test_what_was_told_is_printed(tmp_path: Path) -> None:
    from omnicli.render.facts import ResolvedFacts

    renderer = a_renderer(tmp_path, sms__txt="{{ facts.price }} {{ facts.deadline }}")
    campaign = a_campaign()
    job = a_job(
        campaign,
        "sms",
        facts=ResolvedFacts.from_json({**renderer.resolve(a_job(campaign, "sms")).as_dict(), "price": ["money", "44.90 EUR"]}),
    )
    assert renderer.render(job).parts["body"] == "44,90 € 30/01"
    assert renderer.render(a_job(campaign, "sms")).parts["body"] == "39,92 € 30/01"


def test_a_fact_left_out_on_purpose_is_not_there_for_the_template(tmp_path: Path) -> None:
    renderer = a_renderer(tmp_path, sms__txt="{% if facts.was is defined %}{{ facts.was }}{% endif %}-{{ facts.price }}")
    campaign = a_campaign(m=an_offer(omit={"sms": ("was",)}))
    assert renderer.render(a_job(campaign, "sms")).parts["body"] == "-39,92 €"


def test_a_fact_that_this_person_lacks_is_false(tmp_path: Path) -> None:
    renderer = a_renderer(tmp_path, sms__txt="{% if facts.basket %}{{ facts.basket }}{% else %}vide{% endif %}")
    campaign = a_campaign(m=Message(facts={"basket": a_fact("", "money", **{"from": "contact.basket"})}, say=words("x")))
    assert [renderer.render(a_job(campaign, "sms", contact=who)).parts["body"] for who in ({}, {"basket": 1250})] == [
        "vide",
        "12,50 €",
    ]


# --- addresses --------------------------------------------------------------------------------------------------------
def test_links_are_tracked_by_a_token_that_leads_back(tmp_path: Path) -> None:
    renderer = a_renderer(tmp_path, sms__txt="{{ link(facts.link) }}")
    rendered = renderer.render(a_job(a_campaign(), "sms"))
    head, _, token = rendered.parts["body"].rpartition("/")
    assert head == "https://go.maisonlune.example/c"
    keys = {0: Signing.of_sandbox("maison-lune").key}
    opened = open_token(token, "click", keys)
    assert opened is not None
    assert bytes.fromhex(TOUCH).startswith(opened.touch_prefix)
    assert rendered.links[opened.number] == "https://www.maisonlune.example/bienvenue"
    assert open_token(token, "unsubscribe", keys) is None
    assert open_token(token, "click", {0: b"another key"}) is None


def test_a_token_with_any_letter_changed_opens_nothing(tmp_path: Path) -> None:
    renderer = a_renderer(tmp_path, sms__txt="{{ unsubscribe }}")
    token = renderer.render(a_job(a_campaign(), "sms")).parts["body"].rpartition("/")[2]
    keys = {0: Signing.of_sandbox("maison-lune").key}
    assert open_token(token, "unsubscribe", keys) is not None
    for n, letter in enumerate(token):
        changed = token[:n] + ("A" if letter != "A" else "B") + token[n + 1 :]
        found = open_token(changed, "unsubscribe", keys)
        assert found is None
    for odd in ("", "é" * 24, token[:-1], token + "A", "%" * 24):
        assert open_token(odd, "unsubscribe", keys) is None


def test_without_tracking_the_link_is_the_author_s_with_its_utm_words(tmp_path: Path) -> None:
    project = a_project(
        tracking=Tracking(
            clicks=False, domain="https://go.maisonlune.example", utm=Utm(source="Maison Lune", mediums={"sms": "texto"})
        )
    )
    renderer = a_renderer(tmp_path, project, sms__txt="{{ link(facts.link) }}")
    message = Message(
        facts={"link": a_fact("https://www.maisonlune.example/a?b=%C3%A9&utm_source=own#top", "url")}, say=words("x")
    )
    assert renderer.render(a_job(a_campaign(m=message), "sms")).parts["body"] == (
        "https://www.maisonlune.example/a?b=%C3%A9&utm_source=own&utm_medium=texto&utm_campaign=bienvenue&utm_content=m&utm_id=j0#top"
    )


def test_a_personal_link_is_kept_with_the_values(tmp_path: Path) -> None:
    renderer = a_renderer(tmp_path, sms__txt="{{ link(facts.own) }} {{ link(facts.link) }} {{ link(facts.own) }}")
    message = Message(
        facts={"own": a_fact("", "url", **{"from": "contact.website"}), "link": a_fact("https://a.example/", "url")},
        say=words("x"),
    )
    campaign = a_campaign(m=message)
    found = [renderer.render(a_job(campaign, "sms", contact={"website": f"https://b.example/{n}"})) for n in range(3)]
    assert len({one.skeleton for one in found}) == 1
    skeleton = renderer.skeleton(found[2].skeleton)
    assert targets(skeleton.blob, renderer.pack(found[2])) == ("https://b.example/2", "https://a.example/")


def test_unsubscribing_is_offered_in_marketing_only(tmp_path: Path) -> None:
    renderer = a_renderer(tmp_path, sms__txt="{% if unsubscribe %}{{ unsubscribe }}{% else %}-{% endif %} {{ stop }}")
    campaign = a_campaign()
    assert renderer.render(a_job(campaign, "sms")).parts["body"].endswith("STOP au 36180")
    assert renderer.render(a_job(campaign, "sms", purpose="transactional")).parts["body"] == "-"


def test_without_a_host_unsubscribing_is_a_mail(tmp_path: Path) -> None:
    renderer = a_renderer(tmp_path, a_project(tracking=Tracking()), sms__txt="{{ unsubscribe }}{% if preferences %}!{% endif %}")
    assert renderer.render(a_job(a_campaign(), "sms")).parts["body"] == "mailto:bonjour@maisonlune.example?subject=unsubscribe"


def test_the_token_values_are_told_apart(tmp_path: Path) -> None:
    renderer = a_renderer(tmp_path, sms__txt="{{ say.short }} {{ link(facts.link) }} {{ unsubscribe }}")
    campaign = a_campaign()
    one, other = (renderer.render(a_job(campaign, "sms", touch=touch)) for touch in ("00" * 16, "11" * 16))
    skeleton = renderer.skeleton(one.skeleton)
    differ = [n for n, (a, b) in enumerate(zip(one.values, other.values, strict=True)) if a != b]
    assert differ == list(skeleton.tokens)


# --- media ------------------------------------------------------------------------------------------------------------
def test_an_sms_has_plain_spaces_and_its_parts_are_counted(tmp_path: Path) -> None:
    renderer = a_renderer(tmp_path, sms__txt="{{ say.short }}\u00a0!")
    campaign = a_campaign(m=an_offer(say=words("{price}\u202f: {first_name}")))
    rendered = renderer.render(a_job(campaign, "sms", contact={"first_name": "Lé\u2003a"}))
    assert rendered.parts["body"] == "39,92 € : Lé a !"
    assert rendered.sms_parts == 1
    long = a_campaign(m=Message(say=words("a" * 161)))
    assert renderer.render(a_job(long, "sms")).sms_parts == 2


def test_an_email_without_a_text_template_gets_its_text_from_the_page(tmp_path: Path) -> None:
    page = "<html><head><title>t</title><style>p{color:red}</style></head><body><div style='display:none'>caché</div><p>{{ say.body }}</p>" \
           "<ul><li>un</li><li>{{ facts.price }}</li></ul><p><a href=\"{{ link(facts.link) }}\">{{ say.cta }}</a></p></body></html>"  # fmt: skip
    renderer = a_renderer(tmp_path, email__html=page)
    campaign = a_campaign(m=an_offer(say=words("Léa & {first_name}", cta="J'y vais")))
    rendered = renderer.render(a_job(campaign, "email", contact={"first_name": "<b>O'Connor"}))
    link = rendered.parts["text"].rpartition(" ")[2]
    assert rendered.parts["text"] == f"Léa & <b>O'Connor\n\n- un\n- 39,92\u00a0€\n\nJ'y vais: {link}"
    assert link.startswith("https://go.maisonlune.example/c/")
    assert '<p style="color: red;">Léa &amp; &lt;b&gt;O&#39;Connor</p>' in rendered.parts["html"]


def test_a_push_has_title_and_body(tmp_path: Path) -> None:
    renderer = a_renderer(
        tmp_path,
        push__txt="{% block title %}{{ contact.first_name }}{% endblock %} {% block body %}{{ say.short }}{% endblock %}",
    )
    rendered = renderer.render(a_job(a_campaign(m=Message(say=words("corps"))), "push", contact={"first_name": "Lé\na"}))
    assert dict(rendered.parts) == {"title": "Lé a", "body": "corps"}


def test_what_the_touch_says_besides(tmp_path: Path) -> None:
    renderer = a_renderer(
        tmp_path, letter__html="{% for line in touch.address %}<i>{{ line }}</i>{% endfor %}{{ touch.due|default('-') }}"
    )
    campaign = a_campaign()
    found = renderer.render(a_job(campaign, "letter", extra={"address": "Léa <Martin>\n69003 LYON", "due": "demain"}))
    assert found.parts["html"] == "<i>Léa &lt;Martin&gt;</i><i>69003 LYON</i>demain"
    assert renderer.render(a_job(campaign, "letter", extra={"address": "A\nB"})).parts["html"] == "<i>A</i><i>B</i>-"


def test_a_renderer_reads_only_inside_the_templates_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.txt.j2").write_text("secret")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "leak.txt.j2").symlink_to(tmp_path / "secret.txt.j2")
    renderer = Renderer(tmp_path, a_project())
    assert "leak.txt.j2" not in renderer.sources
    renderer = a_renderer(tmp_path, sms__txt="{% include '../secret.txt.j2' %}")
    with pytest.raises(CannotRender, match="secret"):
        renderer.render(a_job(a_campaign(), "sms"))


def test_the_size_of_a_code_is_the_channel_s(tmp_path: Path) -> None:
    from omnicli.model import literals as lit

    project = a_project(channels={"qr": Channel(provider="file", size=lit.Distance.parse("3 cm"))})
    assert a_renderer(tmp_path, project, qr__html="{{ touch.size }}").render(a_job(a_campaign(), "qr")).parts["card"] == "30mm"


def test_live_links_stand_on_the_host_of_the_live_environment(tmp_path: Path) -> None:
    from omnicli.model.project import Environment, EnvironmentTracking

    project = a_project(
        environments={"live": Environment(tracking=EnvironmentTracking(domain="https://link.maisonlune.example/"))}
    )
    assert a_renderer(tmp_path, project).own == "https://go.maisonlune.example"
    assert Renderer(tmp_path, project, live=True).own == "https://link.maisonlune.example"
