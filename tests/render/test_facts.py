"""Facts are resolved for one person, and what was told stands."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from messages import ENTERED, a_fact, a_project, an_offer, words

from omnicli.model import literals as lit
from omnicli.model.campaign import Message
from omnicli.render.facts import ResolvedFacts, resolve_facts, spelled


def resolved(message: Message, **changes: object) -> ResolvedFacts:
    values: dict[str, object] = {
        "persona": "camille",
        "language": "fr",
        "entered_at": ENTERED,
        "zone": "Europe/Paris",
        "project": a_project(),
    }
    return resolve_facts(message, **{**values, **changes})  # type: ignore[arg-type]


def test_the_offer_of_the_worked_example() -> None:
    assert resolved(an_offer()).as_dict() == {
        "offer": ["percent", "20"], "code": ["code", "BIENVENUE20"], "was": ["money", "49.90 EUR"], "price": ["money", "39.92 EUR"],
        "deadline": ["date", "2027-01-30"], "link": ["url", "https://www.maisonlune.example/bienvenue"],
    }  # fmt: skip


def test_they_survive_json() -> None:
    facts = resolved(an_offer())
    again = ResolvedFacts.from_json(facts.as_json())
    assert again.facts == facts.facts
    assert again.key == facts.key
    assert again.day("deadline") == date(2027, 1, 30)
    assert again.day("price") is None


def test_a_day_is_counted_in_the_zone_of_the_contact() -> None:
    late = datetime(2027, 1, 4, 23, 30, tzinfo=UTC)
    message = Message(facts={"deadline": a_fact("1 day after enter")}, say=words("x"))
    assert resolved(message, entered_at=late, zone="America/New_York").day("deadline") == date(2027, 1, 5)
    assert resolved(message, entered_at=late, zone="Pacific/Auckland").day("deadline") == date(2027, 1, 6)


def test_what_was_told_wins_over_the_file() -> None:
    told = {"price": ["money", "44.90 EUR"], "deadline": ["date", "2027-01-20"]}
    facts = resolved(an_offer(), told=told)
    assert facts.facts["price"] == ("money", "44.90 EUR")
    assert facts.day("deadline") == date(2027, 1, 20)
    assert facts.facts["offer"] == ("percent", "20")


def test_a_live_fact_is_read_again() -> None:
    basket = a_fact("", "money", **{"from": "contact.basket"}, max_age=lit.Duration(2, "hour"))
    message = Message(facts={"basket": basket}, say=words("x"))
    facts = resolved(message, told={"basket": ["money", "1.00 EUR"]}, attributes={"basket": 4990})
    assert facts.facts["basket"] == ("money", "49.90 EUR")


@pytest.mark.parametrize(
    ("type", "source", "given", "value"),
    [
        ("money", "contact.basket", {"attributes": {"basket": 4990}}, "49.90 EUR"),
        ("money", "contact.basket", {"attributes": {"basket": lit.Money.parse("49.90 EUR")}}, "49.90 EUR"),
        ("money", "contact.basket", {"attributes": {}}, None),
        ("code", "event.number", {"event": {"number": "A-17"}}, "A-17"),
        ("money", "event.value", {"event": {"value": {"amount": "12.50", "currency": "EUR"}}}, "12.50 EUR"),
        ("place", "nearest", {"attributes": {"place": "lyon"}}, "lyon"),
        ("date", "contact.renewal", {"attributes": {"renewal": "2027-03-01"}}, "2027-03-01"),
        ("number", "contact.points", {"attributes": {"points": 12.0}}, "12"),
    ],
)
def test_facts_from_the_person_or_the_event(type: str, source: str, given: dict[str, object], value: str | None) -> None:
    message = Message(facts={"it": a_fact("", type, **{"from": source})}, say=words("x"))
    assert resolved(message, **given).facts["it"] == (type, value)


def test_by_persona_and_by_language() -> None:
    offer = a_fact("", "percent", by_persona={"camille": lit.Percent.parse("20 %"), "default": lit.Percent.parse("15 %")})
    link = a_fact("", "url", by_language={"fr": "https://a.example/fr", "en": "https://a.example/en"})
    message = Message(facts={"offer": offer, "link": link}, say=words("x"))
    assert resolved(message).facts["offer"] == ("percent", "20")
    assert resolved(message, persona="monsieur-h").facts["offer"] == ("percent", "15")
    assert resolved(message, persona=None).facts["offer"] == ("percent", "15")
    assert resolved(message, language="en").facts["link"] == ("url", "https://a.example/en")
    assert resolved(message, language="fr-CA").facts["link"] == ("url", "https://a.example/fr")


def test_a_date_counted_from_another_date_whatever_their_order() -> None:
    message = Message(
        facts={"reminder": a_fact("2 days before deadline"), "deadline": a_fact("26 days after enter")}, say=words("x")
    )
    assert resolved(message).day("reminder") == date(2027, 1, 28)


def test_a_date_of_another_message_comes_with_its_anchor() -> None:
    message = Message(facts={"reminder": a_fact("2 days before offre.deadline")}, say=words("x"))
    assert resolved(message, anchors={"offre.deadline": "2027-01-30"}).day("reminder") == date(2027, 1, 28)
    assert resolved(message).facts["reminder"] == ("date", None)


def test_a_circle_of_dates_is_nobody_s_date() -> None:
    message = Message(facts={"a": a_fact("1 day after b"), "b": a_fact("1 day after a")}, say=words("x"))
    assert resolved(message).facts == {"a": ("date", None), "b": ("date", None)}


def test_equal_people_share_their_facts() -> None:
    message = an_offer()
    assert resolved(message) is resolved(message, entered_at=datetime(2027, 1, 4, 22, tzinfo=UTC))
    assert resolved(message) is not resolved(message, entered_at=datetime(2027, 1, 4, 23, 30, tzinfo=UTC))  # tomorrow in Paris


def test_columns_are_spelled_plainly() -> None:
    paris = datetime.now(UTC).tzinfo
    assert paris is not None
    assert spelled("yes or no", 0, zone=paris) == "no"
    assert spelled("percent", 12.5, zone=paris) == "12.5"
    assert spelled("money", "nonsense", zone=paris) is None
    assert spelled("date", 1_800_000_000_000, zone=paris) == "2027-01-15"
