"""The worked example of docs/language 1, lived through: Léa, 24, signs up from Instagram on Monday 4 January 2027 at 11:30."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import Stage, paris

OMNI = r"""
# yaml-language-server: $schema=.omni/schema/project.json
project: maison-lune
languages: [fr, en]                       # the first one is the default
countries: [FR, BE]                       # rule packs and public holidays
time_zone: Europe/Paris
currency: EUR
send_time: 10:00                          # when a date stands without a time of day

brand:
  name: Maison Lune
  legal_name: Maison Lune SAS
  address: 12 rue des Tisserands, 69004 Lyon
  privacy: https://www.maisonlune.example/vie-privee
  logo: assets/logo.png
  colours: {primary: "#2b2350", accent: "#e8b04a"}
  font: Georgia, serif

channels:
  email:    {provider: smtp,   from: "Maison Lune <bonjour@maisonlune.example>", price: 0.001 EUR, rate: 10 per second}
  sms:      {provider: twilio, from: LUNE, stop: 36180, price: 0.05 EUR, max_parts: 2}
  whatsapp: {provider: twilio, from: "+33639980012", price: 0.08 EUR}
  voice:    {provider: task,   team: conseil, price: 2.50 EUR}
  qr:       {provider: file,   size: 3 cm, price: 0.10 EUR}
  task:     {provider: task,   team: boutique, price: 1.20 EUR}

contacts:
  attributes:
    first_name: text
    age: number
    orders: {type: number, default: 0}
    store_visits: {type: number, default: 0}
    source: [instagram, tiktok, google, boutique]     # a list is a closed choice
    interests: list
    store_distance: distance
    basket: money EUR
    renewal: date

events:
  signup: {form: text}
  purchase: {value: money EUR, category: text, quantity: number}
  store_visit: {place: code}

guardrails:
  quiet_hours: [20:00-09:00, sunday, holidays]
  cap: {all: 3 per week, sms: 2 per month, voice: 1 per month}
  min_gap: 16 hours
  at_cap: wait up to 2 days, else skip

teams:
  conseil:  {members: [ines, paul], hours: [monday-friday 10:00-13:00, monday-friday 14:00-20:00], capacity: 30 per day}
  boutique: {members: [lyon, lille], hours: [tuesday-saturday 10:00-19:00]}

sla:
  complaint: {first_response: 30 minutes, resolve: 48 hours, team: conseil}
  question:  {first_response: 4 hours, team: conseil}

tracking: {domain: https://go.maisonlune.example, clicks: yes, opens: aggregate}

segments:
  nouveaux: signup within 7 days and orders = 0
  joignables: reachable.email or reachable.sms or reachable.whatsapp

personas:
  camille:
    title: Camille, la curieuse
    match: source = instagram and orders = 0
    needs: [se faire plaisir sans se tromper]
    problems: [ne connaît pas les senteurs, budget serré]
    interests: [décoration, cadeaux]
    levers: [première commande avantageuse, avis de clientes]
    channels: [whatsapp, email, sms]
    tone: {address: tu, emoji: 2, exclamation: 1, avoid: ["cher client", "profitez vite"]}
  monsieur-h:
    title: Monsieur H., l'exigeant
    match: age >= 45 or store_visits > 0
    needs: [qualité, conseil]
    channels: [email, voice, sms]
    tone: {address: vous, emoji: 0, exclamation: 0, avoid: [hello, top]}
  default:
    title: Tous les autres
    channels: [email, sms]
    tone: {address: vous, emoji: 1, exclamation: 1}
"""

BIENVENUE = r"""
# yaml-language-server: $schema=../.omni/schema/campaign.json
campaign: bienvenue
title: Bienvenue chez Maison Lune
why: Turn a new sign-up into a first order within 30 days.
owner: ines
languages: [fr, en]

goal: {when: purchase, within: 30 days, target: 12 %}
holdout: 10 %                            # a tenth lives the flow in silence: the effect can be measured

enter:
  when: signup
  if: segment nouveaux and segment joignables
  again: after 180 days

exit:
  - {if: orders > 0, as: already customer}

guardrails:
  budget: 1500 EUR
  approve_above: 5000 sends
  max_delay: 3 days                      # longer than Saturday evening to the Tuesday after Easter

messages:
  offre-bienvenue:
    facts:                               # must reach the customer, identical, on every channel
      offer: 20 %
      code: BIENVENUE20
      was: 49.90 EUR
      price: 39.92 EUR
      deadline: 26 days after enter
      link: https://www.maisonlune.example/bienvenue
    omit:                                # left out on purpose, visible in review
      sms: [was]
      qr: [was]
      task: [link]                       # nobody reads a web address aloud
    approved: {fr/tu: offre_bienvenue_tu, fr/vous: offre_bienvenue_vous, en: offre_bienvenue_en}
    say:
      fr/tu:
        subject: "{first_name or \"Bonjour\"}, {offer} sur ta première bougie"
        preheader: "Le code {code} t'attend jusqu'au {deadline}."
        body: "Ta bougie Lune à {price} au lieu de {was} ({offer}) avec le code {code}, jusqu'au {deadline}."
        short: "{offer} sur ta 1re bougie: {price} avec {code} jusqu'au {deadline}"
        cta: J'en profite
      fr/vous:
        subject: "{first_name or \"Bonjour\"}, {offer} sur votre première bougie"
        preheader: "Le code {code} vous attend jusqu'au {deadline}."
        body: "Votre bougie Lune à {price} au lieu de {was} ({offer}) avec le code {code}, jusqu'au {deadline}."
        short: "{offer} sur votre 1re bougie: {price} avec {code} jusqu'au {deadline}"
        cta: Je découvre
      en:
        subject: "{first_name or \"Hello\"}, {offer} off your first candle"
        preheader: "Code {code} is yours until {deadline}."
        body: "Your Lune candle for {price} instead of {was} ({offer} off) with code {code}, until {deadline}."
        short: "{offer} off your 1st candle: {price} with {code} until {deadline}"
        cta: Shop now

  guide-senteurs:
    facts:
      link: {by_language: {fr: https://www.maisonlune.example/guide, en: https://www.maisonlune.example/en/guide}}
      duration: {type: text, value: 3 minutes}
    allow: {"100 %": "the wax is vegetable; not an offer"}
    channels: [email, sms]
    say:
      fr/tu:
        subject: Trouve ta senteur en {duration}
        body: "{duration} pour trouver la bougie qui te ressemble. La cire est 100 % végétale."
        short: "Ton guide des senteurs, {duration}"
        cta: Lire le guide
      fr/vous:
        subject: Trouvez votre senteur en {duration}
        body: "{duration} pour trouver la bougie qui vous ressemble. La cire est 100 % végétale."
        short: "Votre guide des senteurs, {duration}"
        cta: Lire le guide
      en:
        subject: Find your scent in {duration}
        body: "{duration} to find the candle that suits you. The wax is 100 % vegetable."
        short: "Your scent guide, {duration}"
        cta: Read the guide

flow:
  - send: offre-bienvenue
    id: j0
    by: email
    else: [whatsapp, sms]                # the first channel on which this person can be reached
    at: next 10:00

  - wait: up to 3 days
    id: reponse-j0
    for:
      clicked:
        - wait: 1 day
          id: reflexion
      replied:
        - send: offre-bienvenue
          id: appel
          by: task                       # a human calls back
          team: conseil
          due: 2 days
      nothing:                           # the wait ran out
        - split:
            whatsapp: {share: 45 %, do: [{send: offre-bienvenue, id: rappel-wa, by: whatsapp, else: [sms]}]}
            sms:      {share: 45 %, do: [{send: offre-bienvenue, id: rappel-sms, by: sms, else: [email]}]}
            temoin:   {share: 10 %, do: []}
          id: test-rappel
          measure: purchase

  - wait: 4 days
    id: respiration

  - send: guide-senteurs
    id: guide
    by: preferred                        # declared, else last answered, else the persona's order
    else: [email]
    at: best hour

  - wait: 4 days
    id: lecture

  - choose:
      - if: store_distance < 10 km
        do:
          - send: offre-bienvenue
            id: carte-boutique
            by: qr
          - wait: up to 6 days
            id: visite
            for:
              scanned: [{set: {store_visits: +1}}]
              nothing: []
      - else:
          - wait: 6 days
            id: pause

  - send: offre-bienvenue
    id: derniere-chance
    by: email
    at: 2 days before offre-bienvenue.deadline at 10:00
    if: not clicked offre-bienvenue
"""


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    stage = Stage(tmp_path, BIENVENUE, omni=OMNI)
    stage.now = paris("2027-01-04 11:30")
    return stage


def lea(stage: Stage, name: str = "lea", **changes: object) -> None:
    values: dict = {
        "consent": ("email", "sms"),
        "first_name": "Léa",
        "age": 24,
        "source": "instagram",
        "orders": 0,
        "store_distance": "3 km",
    }
    stage.person(name, **{**values, **changes})
    stage.says(name, "signup")


def people_in(stage: Stage, arm: str, **changes: object) -> str:
    """Somebody whom the hash puts into that arm and whom no hold-out keeps."""
    from omnicli.engine import chance
    from omnicli.model.ids import contact_uid
    from omnicli.model.literals import Percent

    shares = {"whatsapp": Percent.parse("45 %"), "sms": Percent.parse("45 %"), "temoin": Percent.parse("10 %")}
    for n in range(500):
        name, uid = f"lea{n}", contact_uid("maison-lune", f"lea{n}")
        out = chance.held_out("maison-lune", "bienvenue", uid, share=Percent.parse("10 %"))
        if not out and chance.arm(("maison-lune", "bienvenue", "test-rappel"), uid, 1, shares=shares) == arm:
            lea(stage, name, **changes)
            return name
    raise AssertionError(arm)


def held_out(stage: Stage) -> str:
    from omnicli.engine import chance
    from omnicli.model.ids import contact_uid
    from omnicli.model.literals import Percent

    name = next(f"h{n}" for n in range(500) if chance.held_out("maison-lune", "bienvenue", contact_uid("maison-lune", f"h{n}"),
                                                              share=Percent.parse("10 %")))  # fmt: skip
    lea(stage, name)
    return name


def test_she_is_camille_and_gets_the_offer_by_email_on_tuesday_at_ten(stage: Stage) -> None:
    who = people_in(stage, "sms")
    assert stage.run() == []
    assert stage.row("SELECT persona, language, held_out, entered_at FROM enrollment") == ("camille", "fr", 0, 1799058600000)
    assert stage.run("2027-01-05 09:59") == []
    assert stage.run("2027-01-05 10:00") == [f"{who} j0 email accepted 2027-01-05 10:00"]
    assert stage.run("2027-01-05 10:00") == []


def test_silence_until_friday_puts_her_into_the_arm_of_her_hash_and_the_story_ends_with_the_store_card(stage: Stage) -> None:
    who = people_in(stage, "sms")
    stage.run()
    stage.run("2027-01-05 10:00")
    assert stage.run("2027-01-08 10:00") == [f"{who} rappel-sms sms accepted 2027-01-08 10:00"]
    assert stage.passes() == [f"{who} bienvenue at respiration"]
    assert stage.run("2027-01-12 10:00") == []  # best hour: strictly after the step was reached
    assert stage.run("2027-01-13 10:00") == [f"{who} guide email accepted 2027-01-13 10:00"]
    assert stage.run("2027-01-17 10:00") == []  # a Sunday
    assert stage.passes() == [f"{who} bienvenue at carte-boutique held quiet_hours"]
    assert stage.run("2027-01-18 09:30") == [f"{who} carte-boutique qr accepted 2027-01-18 09:30"]
    stage.now = paris("2027-01-20 15:00")
    stage.says(who, "scanned")
    assert stage.run() == []
    assert stage.passes() == [f"{who} bienvenue at derniere-chance"]
    assert stage.row("SELECT a_store_visits FROM contact") == (1.0,)
    assert stage.run("2027-01-28 10:00") == [f"{who} derniere-chance email accepted 2027-01-28 10:00"]
    assert stage.passes() == [f"{who} bienvenue end"]


def test_a_click_means_a_day_to_think_and_no_reminder(stage: Stage) -> None:
    who = people_in(stage, "sms")
    stage.run()
    stage.run("2027-01-05 10:00")
    stage.says(who, "clicked", at="2027-01-06 18:00", channel="email", campaign="bienvenue")
    assert stage.run("2027-01-06 18:05") == []
    assert stage.passes() == [f"{who} bienvenue at reflexion"]
    assert stage.run("2027-01-08 10:00") == []
    assert stage.passes() == [f"{who} bienvenue at respiration"]


def test_an_answer_is_called_back_by_a_human(stage: Stage) -> None:
    who = people_in(stage, "sms")
    stage.run()
    stage.run("2027-01-05 10:00")
    stage.says(who, "replied", at="2027-01-06 12:00", channel="email", text="Une question !")
    assert stage.run("2027-01-06 12:01") == [f"{who} appel task accepted 2027-01-06 12:01"]
    assert stage.row("SELECT team, task_due FROM touch WHERE step = 'appel'") == ("conseil", 1799406060000)
    assert stage.passes() == [f"{who} bienvenue at respiration"]


def test_a_purchase_at_any_moment_on_any_channel_ends_it_all_and_counts(stage: Stage) -> None:
    who = people_in(stage, "sms")
    stage.run()
    stage.run("2027-01-05 10:00")
    stage.says(who, "purchase", at="2027-01-06 12:00", value="39.92 EUR")
    assert stage.run("2027-01-06 12:01") == []
    assert stage.passes() == [f"{who} bienvenue goal"]
    assert stage.row("SELECT converted_at FROM enrollment") == (1799233200000,)
    assert stage.run("2027-02-20 12:00") == []


def test_a_purchase_in_the_second_of_the_reminder_wins(stage: Stage) -> None:
    who = people_in(stage, "sms")
    stage.run()
    stage.run("2027-01-05 10:00")
    stage.says(who, "purchase", at="2027-01-08 10:00", value="39.92 EUR")
    assert stage.run("2027-01-08 10:00") == []
    assert stage.passes() == [f"{who} bienvenue goal"]


def test_held_out_she_lives_the_same_path_and_receives_nothing(stage: Stage) -> None:
    who = held_out(stage)
    stage.run()
    for day in ("01-05 10:00", "01-08 10:00", "01-12 10:00", "01-13 10:00", "01-18 09:30", "01-24 09:30", "01-28 10:00"):
        assert stage.run(f"2027-{day}") == []
    assert {line.split()[3] for line in stage.touches(who)} == {"held_out"}
    assert stage.touches(who)[0] == f"{who} j0 email held_out 2027-01-05 10:00"
    assert stage.passes() == [f"{who} bienvenue end"]
    assert stage.rows("SELECT * FROM cap_slot") == []
    stage.says(who, "purchase", at="2027-01-30 12:00", value="39.92 EUR")
    stage.run("2027-01-30 12:01")
    assert stage.row("SELECT converted_at IS NOT NULL FROM enrollment") == (1,)


def test_stop_a_minute_before_the_reminder_wins_and_the_email_takes_over(stage: Stage) -> None:
    who = people_in(stage, "sms")
    stage.run()
    stage.run("2027-01-05 10:00")
    stage.says(who, "replied", at="2027-01-08 09:59", channel="sms", text="STOP")
    assert stage.run("2027-01-08 10:00") == [f"{who} rappel-sms email accepted 2027-01-08 10:00"]


def test_a_public_holiday_moves_the_offer_to_the_next_morning_at_ten(stage: Stage) -> None:
    stage.now = paris("2027-03-27 11:30")  # Saturday; on Sunday the clocks change, Monday is Easter Monday
    who = people_in(stage, "sms")
    stage.run()
    assert stage.run("2027-03-28 10:00") == []
    assert stage.passes() == [f"{who} bienvenue at j0 held quiet_hours"]
    assert stage.run("2027-03-29 10:00") == []
    assert stage.run("2027-03-30 10:00") == [f"{who} j0 email accepted 2027-03-30 10:00"]


def test_everything_that_was_decided_is_written_down(stage: Stage) -> None:
    who = people_in(stage, "sms")
    stage.run()
    stage.run("2027-01-05 10:00")
    stage.run("2027-01-08 10:00")
    told = [(line["step"], line["rule"], line["answer"]) for line in stage.why(who)]
    assert told[:4] == [
        ("", "enter when", "entered"),
        ("j0", "at", "next 10:00"),
        ("j0", "send", "email"),
        ("reponse-j0", "wait", "up to 3 days"),
    ]
    assert ("test-rappel", "split", "sms") in told
