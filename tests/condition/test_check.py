"""What a condition gets: the table of the language's section 6.5, and what lies around it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from omnicli.condition.check import Checked, check, check_event
from omnicli.condition.problem import Problem
from omnicli.model.literals import Duration
from omnicli.model.vocabulary import BUILT_IN_KINDS, RESPONSE_FIELDS, Kind, Vocabulary
from omnicli.texts import use

EUR = Kind("money", "EUR")


@pytest.fixture(autouse=True)
def _english() -> None:
    use("en")


def a_vocabulary(**changes: object) -> Vocabulary:
    """The words of Maison Lune, in campaign `bienvenue`."""
    known = Vocabulary(
        attributes={
            **BUILT_IN_KINDS, "city": Kind("text"), "home_city": Kind("text"), "postcode": Kind("code"), "age": Kind("number"),
            "orders": Kind("number"), "visits": Kind("number"), "interests": Kind("list"), "basket": EUR, "rate": Kind("percent"),
            "source": Kind("choice", choices=("instagram", "tiktok", "google", "boutique")), "renewal": Kind("date"),
            "signed_up": Kind("time"), "store_distance": Kind("distance"), "stay": Kind("duration"), "vip": Kind("yes or no"),
            "health": Kind("text", sensitive=True),
        },
        events={
            "clicked": RESPONSE_FIELDS, "replied": RESPONSE_FIELDS, "signup": {"form": Kind("text")},
            "purchase": {"value": EUR, "category": Kind("text"), "quantity": Kind("number"), "due": Kind("date")},
        },
        channels=frozenset({"email", "sms", "whatsapp"}), segments={"nouveaux": "signup within 7 days and orders = 0"},
        personas={"camille": "source = instagram", "default": None},
        campaigns={"bienvenue": frozenset({"offre-bienvenue"}), "panier": frozenset({"rappel"})}, campaign="bienvenue",
        messages=frozenset({"offre-bienvenue"}), steps=frozenset({"j0"}), time_zone="Europe/Paris",
    )  # fmt: skip
    return replace(known, **changes)  # type: ignore[arg-type]


def problems(text: str, **kw: str) -> tuple[Problem, ...]:
    return check(text, a_vocabulary(), **kw).problems


def the_problem(text: str, **kw: str) -> Problem:
    found = problems(text, **kw)
    assert len(found) == 1, found
    return found[0]


def shown(problem: Problem, text: str) -> tuple[str, str, str]:
    """(code, the words it is about, the message)."""
    return problem.code, text[problem.column - 1 : problem.column - 1 + problem.width], problem.message


# --- section 6.5, row by row ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "code", "about", "message"),
    [
        ("orders =", "A001", "", "the condition stops too early; expected a value"),
        ("orders == 0", "A001", "==", "write '=' once"),
        ("orders <> 0", "A001", "<>", "write '!='"),
        ("a && b", "A001", "&&", "write 'and'"),
        ("basket > 39,92 EUR", "A001", ",", "decimals take a point: 39.92"),
        ("purchase within 3 dyas", "A001", "dyas", "did you mean 'days'?"),
        ("age between 20 and 30", "A001", "between", "write x >= 20 and x <= 30"),
        ("signed_up < 30 days ago", "A001", "ago", "dates are compared with 'before' and 'after'"),
        ("city = 'Lyon", "A001", "'Lyon", "the quote is not closed"),
        ("city = «Lyon»", "A001", "«Lyon»", "use straight quotes"),
        ("age", "A002", "age", "age is a number: compare it with something"),
        ("orders = oui", "A002", "oui", "orders is a number; 'oui' is a text"),
        ("basket > 50", "S005", "50", "which currency? write 50 EUR"),
        ("basket > 50 USD", "A002", "50 USD", "basket is in EUR"),
        ("sum(purchase) > 3", "A002", "purchase", "sum of what? name a field: sum(purchase.value)"),
        ("interests = bougies", "A002", "=", "a list is asked with 'contains'"),
        ("source = instagarm", "A002", "instagarm",
         "'instagarm' is not one of instagram, tiktok, google, boutique; did you mean 'instagram'?"),
        ("ordres = 0", "R005", "ordres", "contacts have no attribute 'ordres'; did you mean 'orders'?"),
        ("click within 3 days", "R009", "click", "no event or yes/no attribute called 'click'; did you mean 'clicked'?"),
        ("clicked ofre-bienvenue", "R001", "ofre-bienvenue",
         "no message or step called 'ofre-bienvenue'; did you mean 'offre-bienvenue'?"),
        ("consent.fax", "R003", "fax", "channel 'fax' is not set up"),
        ("clicked since enter", "A007", "since enter", "'since enter' has no meaning here: nobody has entered yet"),
    ],
)  # fmt: skip
def test_a_bad_condition_gets_its_code_its_column_and_advice(text: str, code: str, about: str, message: str) -> None:
    assert shown(the_problem(text), text) == (code, about, message)


def test_a_condition_that_stops_too_early_is_marked_behind_its_last_letter() -> None:
    assert the_problem("orders =").column == 9
    assert the_problem("orders =   ").column == 9


def test_a_segment_that_uses_itself_is_a_circle_with_its_path() -> None:
    known = a_vocabulary(segments={"a": "segment b", "b": "orders = 0 or segment a"})
    assert [(p.code, p.message) for p in check("segment a", known).problems] == [("A008", "segment a uses itself: a > b > a")]
    own = check("segment b", known, within="segment a").problems
    assert [(p.code, p.message) for p in own] == [("A008", "segment a uses itself: a > b > a")]


def test_a_persona_that_asks_for_a_later_one_is_a_circle_too() -> None:
    known = a_vocabulary(personas={"one": "persona two", "two": "vip"})
    assert [p.code for p in check("persona one", known).problems] == ["A008"]


# --- more slips -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("orders == 0", "orders = 0"), ("orders <> 0", "orders != 0"), ("vip && vip", "vip and vip"), ("vip || vip", "vip or vip"),
        ("orders => 3", "orders >= 3"), ("orders > = 3", "orders >= 3"), ("basket > 39,92 EUR", "basket > 39.92 EUR"),
        ("purchase within 3 dyas", "purchase within 3 days"), ("purchase within 3d", "purchase within 3 days"),
        ("purchase within 3 jours", "purchase within 3 days"), ("purchase withn 3 days", "purchase within 3 days"),
        ("city = 'Lyon", "city = 'Lyon'"), ("city = «Saint Malo»", 'city = "Saint Malo"'), ("city = New York", 'city = "New York"'),
        ("city is null", "city is missing"), ("city is not missing", "city is known"), ("city like Ly", "city contains Ly"),
        ("city starts Ly", "city starts with Ly"), ("(orders = 0", "(orders = 0)"), ("orders = 0)", "orders = 0"),
        ("basket > 50", "basket > 50 EUR"), ("basket > 50 €", "basket > 50 EUR"), ("basket > 50€", "basket > 50 EUR"),
        ("basket > 50 eur", "basket > 50 EUR"), ("last(purchase) before 30 days", "last(purchase) before 30 days ago"),
        ("store_distance < 10 kms", "store_distance < 10 km"), ("ordres = 0", "orders = 0"), ("interests = x", "interests contains x"),
        ("renewal < 2027-01-01", "renewal before 2027-01-01"), ("orders = visits", "orders = contact.visits"), ("vip = true", "vip = yes"),
        ("rate > 20", "rate > 20 %"), ("city = in", 'city = "in"'), ("source = instagarm", "source = instagram"),
        ("segment nouvaux", "segment nouveaux"), ("persona camile", "persona camille"), ("enrolled panir", "enrolled panier"),
        ("clicked panier/rapel", "clicked panier/rappel"), ("consent.emial", "consent.email"),
        ("purchase where (valeu > 3 EUR)", "purchase where (value > 3 EUR)"), ("orders = 1 500", "orders = 1500"),
        ("count(purchase.value) > 3", "count(purchase) > 3"), ("vip et vip", "vip and vip"), ("orders = 1 ou vip", "orders = 1 or vip"),
        ("cuont(purchase) > 3", "count(purchase) > 3"),
        ("vip or orders = 0 and age > 3", "vip or (orders = 0 and age > 3)"),
    ],
)  # fmt: skip
def test_the_fix_of_a_slip_makes_a_condition_that_can_be_asked(text: str, fixed: str) -> None:
    problem = problems(text)[0]
    assert problem.fix is not None
    mended = text[: problem.column - 1] + problem.fix + text[problem.column - 1 + problem.width :]
    assert mended == fixed
    assert check(mended, a_vocabulary()).tree is not None


@pytest.mark.parametrize(
    ("text", "code", "about"),
    [
        ("", "A001", ""), ("   ", "A001", ""), ("city = a #b", "A001", "#b"), ("3 < orders", "A001", "3"), ("city in Lyon", "A001", "Lyon"),
        ("city in ()", "A001", ")"), ("purchase where value > 3", "A001", "value"), ("today = 3", "A001", "today"),
        ("purchase within 0 days", "A001", "0 days"), ("purchase within 1.5 days", "A001", "1.5 days"),
        ("purchase within 99999999999 years", "A001", "99999999999 years"), ("renewal = 2027-02-30", "A001", "2027-02-30"),
        ("renewal before 2027-01-01 25:00", "A001", "2027-01-01 25:00"), ("orders = 12345678901234567890", "A002", "12345678901234567890"),
        ("purchase > 3", "A002", "purchase"), ("purchase.value > 3 EUR", "A002", "purchase.value"), ("renewal", "A002", "renewal"),
        ("vip within 3 days", "A002", "within 3 days"), ("purchase within next 3 days", "A002", "within next 3 days"),
        ("signed_up before contact.renewal", "A002", "contact.renewal"), ("renewal after last(purchase)", "A002", "last(purchase)"),
        ("basket = 39.925 EUR", "A002", "39.925 EUR"), ("sum(purchase.quantity) = 3", "A002", "="),
        ("sum(purchase.category) > 3", "A002", "purchase.category"), ("city > Lyon", "A002", ">"), ("city = contact.orders", "A002", "contact.orders"),
        ("orders in (1, deux)", "A002", "deux"), ("interests in (a, b)", "A002", "interests in (a, b)"), ("vip = peut-être", "A002", "peut-être"),
        ("purchase where (age > 3)", "A002", "age"), ("purchase where (clicked)", "R005", "clicked"),
        ("purchase where (segment nouveaux)", "A002", "segment nouveaux"), ("purchase where (count(clicked) > 1)", "A002", "count(clicked)"),
        ("signed_up before 3 months after last(purchase)", "A002", "3 months"), ("renewal != 2027-01-01", "A002", "!="),
        ("signed_up = 2027-01-01 10:00", "A002", "2027-01-01 10:00"), ("clicked panir/rappel", "R010", "panir"),
        ("enrolled nirgendwo", "R010", "nirgendwo"), ("health = x", "L010", "health"), ("seen after enter", "R005", "seen"), ("avg(purchase.value) > 3", "A001", "avg"),
        ("signed_up after enter", "A007", "enter"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_told_at_its_own_words(text: str, code: str, about: str) -> None:
    first = problems(text)[0]
    assert (first.code, text[first.column - 1 : first.column - 1 + first.width]) == (code, about)
    assert check(text, a_vocabulary()).tree is None


def test_every_problem_of_a_condition_is_told_at_once() -> None:
    assert [(p.code, p.column) for p in problems("ordres = 0 and basket > 50 and clicked ofre-bienvenue")] == [
        ("R005", 1),
        ("S005", 25),
        ("R001", 40),
    ]


def test_the_advice_is_said_in_french_to_those_who_read_french() -> None:
    use("fr")
    assert the_problem("orders == 0").message == "écrire « = » une seule fois"
    assert the_problem("age").message == "age est un nombre : le comparer à quelque chose"


# --- what is right ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text",
    [
        "purchase within 90 days", "count(purchase, 90 days) >= 2", "sum(purchase.value, 12 months) > 300 EUR",
        "last(purchase) before 30 days ago", "not purchase within 30 days", "purchase where (category = bougies and value > 100 EUR) within 90 days",
        "signup within 7 days and orders = 0", "source in (instagram, tiktok) and not consent.email", "renewal within next 30 days",
        "segment nouveaux and (vip or persona camille)", "orders=0AND vip", "city = 'In-Store'", "clicked j0",
        "clicked bienvenue/offre-bienvenue", "clicked panier", "replied where (keyword in (oui, yes, 1))", "postcode = 01000", 'postcode = "1E10"',
        "enrolled panier", "reachable.sms and not suppressed.email and address.whatsapp", "renewal before 2 weeks after contact.renewal",
        "purchase where (at after first(clicked where (campaign = first-frost)) and at before 7 days after first(clicked where (campaign = first-frost)))",
        "min(purchase.due) after today", "last(purchase.category) = bougies", "stay >= 90 minutes", "rate < 12.5 %", "NOT vip Or orders IS missing",
    ],
)  # fmt: skip
def test_the_examples_of_the_page_can_be_asked(text: str) -> None:
    checked = check(text, a_vocabulary())
    assert (checked.errors, checked.tree is not None) == ((), True)


def test_a_word_that_is_an_attribute_is_read_as_a_text_and_reported() -> None:
    found = the_problem("city = home_city")
    assert (found.code, found.fix, found.error) == ("A014", "contact.home_city", False)


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("not everyone", "false"), ("everyone or vip", "true"), ("count(purchase) >= 0", "true"), ("count(purchase) < 0", "false"),
        ("orders > 5 and orders < 3", "false"), ("orders = 1 and orders = 2", "false"), ("vip or not vip", "true"), ("vip and not vip", "false"),
        ("count(purchase) > 2 or count(purchase) <= 2", "true"), ("count(purchase) > 0 and count(purchase) < 1", "false"),
        ("address.email is missing", "false"), ("created is known", "true"), ("last(purchase) after now", "false"),
        ("source = instagram and source = tiktok", "false"), ("source not in (instagram, tiktok, google, boutique)", "false"),
        ("(vip and orders = 0) and not vip", "false"), ("purchase where (at after today)", "false"),
    ],
)  # fmt: skip
def test_a_condition_that_is_always_the_same_is_reported(text: str, truth: str) -> None:
    assert [(p.code, p.message) for p in problems(text)] == [("A003", f"this condition is always {truth}")]
    assert check(text, a_vocabulary()).tree is not None


@pytest.mark.parametrize(
    "text", ["orders > 3 or orders <= 3", "orders >= 3 and orders <= 3", "sum(purchase.value) >= 0 EUR", "everyone", "vip", "last(purchase) after 3 days ago",
             "consent.email is missing", "orders > 2 and orders < 3", "source = instagram or source = tiktok"],
)  # fmt: skip
def test_what_depends_on_the_base_is_not_called_always_the_same(text: str) -> None:
    assert problems(text) == ()


def test_and_beside_or_without_parentheses_is_legal_and_reported() -> None:
    text = "vip or orders = 0 and age > 3"
    found = the_problem(text)
    assert shown(found, text) == ("A009", "orders = 0 and age > 3", "'and' binds before 'or'; parentheses make it sure")
    assert problems("vip or (orders = 0 and age > 3)") == ()


def test_more_than_four_aggregates_are_costly() -> None:
    four = " and ".join(f"count(purchase, {n} days) > 0" for n in range(1, 5))
    assert problems(four) == ()
    assert [p.code for p in problems(f"{four} and count(clicked) > 0")] == ["A013"]


# --- limits -----------------------------------------------------------------------------------------------------------
def test_the_limits_hold_at_their_edge_and_break_one_beyond() -> None:
    def terms(n: int) -> str:
        return " and ".join(["vip"] * n)

    def deep(n: int) -> str:
        return "(" * n + "vip" + ")" * n

    def nots(n: int) -> str:
        return "not " * n + "vip"

    def values(n: int) -> str:
        return f"orders in ({','.join('1' for _ in range(n))})"

    for make, most in ((terms, 200), (deep, 50), (nots, 50), (values, 500)):
        assert not check(make(most), a_vocabulary()).errors
        assert [p.code for p in check(make(most + 1), a_vocabulary()).errors] == ["A001"]
    long = f'city = "{"x" * 1991}"'
    assert len(long) == 2000
    assert not check(long, a_vocabulary()).errors
    assert [p.code for p in check(long + " ", a_vocabulary()).errors] == ["A001"]


def test_segments_that_double_and_double_are_stopped() -> None:
    doubling = {f"s{n}": f"segment s{n - 1} or segment s{n - 1}" for n in range(1, 40)} | {"s0": "orders = 0"}
    found = check("segment s39", a_vocabulary(segments=doubling))
    assert found.tree is None
    assert {p.code for p in found.problems} == {"A001"}


# --- the flow, events, uses -------------------------------------------------------------------------------------------
def test_an_event_without_a_window_means_since_enter_in_the_flow_and_ever_elsewhere() -> None:
    here = check("clicked", a_vocabulary(), where="flow").tree
    there = check("clicked", a_vocabulary()).tree
    assert (here.term.since.kind, there.term.since.kind) == ("enter", "ever")  # type: ignore[union-attr]


def test_a_segment_means_the_same_wherever_it_is_used() -> None:
    known = a_vocabulary(segments={"acheteurs": "purchase and persona camille"})
    assert check("segment acheteurs", known, where="flow").tree == check("segment acheteurs", known).tree


def test_an_event_term_stands_without_a_window() -> None:
    known = a_vocabulary()
    assert check_event("clicked j0 where (link = A1)", known).term is not None
    for text in ("clicked within 3 days", "clicked ever", "orders = 0", "clicked and replied", "not clicked"):
        assert [p.code for p in check_event(text, known).problems] == ["A002"], text
    assert [p.code for p in check_event("clickd", known).problems] == ["R009"]


def test_a_broken_segment_silences_what_uses_it() -> None:
    found = check("segment faux and vip", a_vocabulary(segments={"faux": "ordres = 0"}))
    assert (found.tree, found.problems) == (None, ())


def test_uses_name_everything_that_a_condition_speaks_of_its_segments_included() -> None:
    uses = check(
        "segment nouveaux and clicked offre-bienvenue within 36 hours and city != Lyon and consent.sms", a_vocabulary()
    ).uses
    assert uses.attributes == {"orders", "city"}
    assert uses.events == {"signup", "clicked"}
    assert (uses.segments, uses.messages, uses.channels, uses.leaves_out) == (
        {"nouveaux"},
        {"offre-bienvenue"},
        {"sms"},
        {"city"},
    )
    assert (uses.speaks_of_time, uses.finest) == (True, Duration(36, "hour"))


@pytest.mark.parametrize(("text", "speaks"), [("vip", False), ("purchase", False), ("renewal = today", True), ("renewal before 2027-01-01", True),
                                              ("signed_up before now", True), ("last(purchase) is known", False)])  # fmt: skip
def test_a_condition_says_whether_it_speaks_of_time(text: str, speaks: bool) -> None:
    assert check(text, a_vocabulary()).uses.speaks_of_time is speaks


def test_checking_the_same_text_twice_gives_the_same_answer() -> None:
    def once() -> Checked:
        return check("segment nouveaux and (vip or persona camille)", a_vocabulary())

    assert once() == once()
