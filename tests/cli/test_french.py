"""A French run prints no English sentence, an English run no French one; every help page begins with an example (cli 9)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_smtp import FakeSmtp

from omnicli import texts
from omnicli.cli.main import run as omni

ROOT = Path(__file__).resolve().parents[2]

#: Words that no sentence of the other language can do without; none of them is a word of both.
ENGLISH = """
the not with people nothing nobody everybody and is are was were has have this that from for by must cannot every only without which who when
where what it its of an to be been will would no yes sent held waits wait until next due cost never there did you mean missing first last more
less they their than then here again always already lines line rows written wrote begin begins left stands required show
error warning open ago today
""".split()  # noqa: SIM905
FRENCH = """
le la les des du une est sont pas dans avec pour sur rien personne personnes aucun aucune et qui que sans au aux ce cette ces il elle ils
envoi envois campagne étape réponse réponses jamais déjà jour jours heure heures ligne lignes manque faut veut plus moins emploi obligatoire
erreur avertissement fait dû dus était lun mar mer jeu ven sam dim janv févr avr juil août déc nommé « »
""".split()  # noqa: SIM905

#: Prints every help page; a process of its own, since a command's help is spoken when its module is loaded.
PAGES = """
import importlib, sys, typer.main
from omnicli import texts
from omnicli.cli.main import NOUNS, run
texts.use(sys.argv[1])
for noun, entry in NOUNS.items():
    app = importlib.import_module(f"omnicli.cli.{entry.module}").app
    for name in ("", *getattr(typer.main.get_command(app), "commands", {})):
        print("###", noun, name, flush=True)
        run(["--lang", sys.argv[1], *filter(None, (noun, name)), "--help"])
"""


def pages(language: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", PAGES, language], capture_output=True, text=True, check=True, env=plain_environment()
    )
    assert not done.stderr
    parts = done.stdout.split("### ")[1:]
    return {part.partition("\n")[0].strip(): part.partition("\n")[2] for part in parts}


def plain_environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in ("OMNI_LANG", "LC_ALL", "LC_MESSAGES", "LANG")} | {
        "PYTHONIOENCODING": "utf-8"
    }


def strangers(said: str, words: list[str], *, known: tuple[str, ...] = ()) -> list[str]:
    """Words of the other language in what was said, outside of quotations, codes, commands and what the project wrote itself."""
    for text in known:
        said = said.replace(text, " ")
    french = words is ENGLISH
    said = re.sub(r"«[^»\n]*»" if french else r"(?<!\w)'[^'\n]*'", " ", said)
    said = re.sub(r"`[^`\n]*`|\"[^\"\n]*\"|\([a-z_]+\)|https?://\S+|file://\S+|\S*/\S*", " ", said)
    said = re.sub(r"\b[a-z0-9]+(-[a-z0-9]+)+\b", " ", said)
    said = re.sub(r"\bomni( [a-z-]+)+.*$|--?[a-z][\w-]*(?:[ =][A-ZÉ][\w|…-]*)?|\S*[a-z]\|\S*", " ", said, flags=re.MULTILINE)
    said = re.sub(r"\w+[_.=:]\w+|= (yes|no)\b", " ", said)
    found = re.findall(r"(?<![\w'’-])[\w«»]+(?![\w-])", said.lower())
    return [word for word in found if word in set(words)]


def complain(said: str, language: str, *, known: tuple[str, ...] = ()) -> list[str]:
    """The lines of `said` that are not in the language."""
    words = ENGLISH if language == "fr" else FRENCH
    return [line for line in said.splitlines() if strangers(line, words, known=known)]


# --- help -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_help_page_begins_with_an_example_and_is_in_one_language(language: str) -> None:
    found = pages(language)
    assert len(found) > 45
    usage = {"en": "Usage  omni", "fr": "Emploi  omni"}[language]
    for name, page in found.items():
        example, what, *_ = filter(None, page.splitlines())
        assert example.startswith(f"  omni {name}"), name
        assert what.endswith("."), name
        assert usage in page, name
        assert not complain(re.sub(r"^  [a-z-]+  ", "", page, flags=re.MULTILINE), language), name


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_option_and_argument_says_what_it_is(language: str) -> None:
    for name, page in pages(language).items():
        for line in page.splitlines():
            if re.match(r"  -", line):
                assert re.search(r"  \S", line.strip()), f"{name}: {line}"


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_the_front_page_is_in_one_language(language: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert omni(["--lang", language, "--help"]) == 0
    assert not complain(capsys.readouterr().out, language)


def test_the_front_page_loads_no_option_parser() -> None:
    asked = "import sys; from omnicli.cli.main import run; run(['--help']); sys.exit('typer' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=False, env=plain_environment())
    assert done.returncode == 0


# --- a life ---------------------------------------------------------------------------------------------------------
@pytest.fixture(autouse=True)
def _english_again() -> Iterator[None]:
    yield
    texts.use("en")


class Shop:
    """The sample project with a few of its people; `said` is what a command printed on both streams."""

    def __init__(self, root: Path, language: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.language, self._capsys = root, language, capsys
        shutil.copy(ROOT / "omni.yaml", root)
        for folder in ("campaigns", "templates"):
            shutil.copytree(ROOT / folder, root / folder)
        people = (ROOT / "samples" / "people.csv").read_text("utf-8").splitlines()
        (root / "people.csv").write_text("\n".join(people[:45]) + "\n", "utf-8")
        shutil.copy(ROOT / "samples" / "people.map.yaml", root)
        shutil.copy(ROOT / "samples" / "events.jsonl", root)
        self.known = tuple(sorted(set(self._written()), key=len, reverse=True))

    def _written(self) -> Iterator[str]:
        """Everything that the project's files say themselves: titles, conditions, reasons."""
        for path in (self.root / "omni.yaml", *(self.root / "campaigns").glob("*.yaml")):
            yield from (text for text in scalars(yaml.safe_load(path.read_text("utf-8"))) if len(text) > 3)

    def said(self, *words: str) -> str:
        omni(["--lang", self.language, "-C", str(self.root), *words])
        found = self._capsys.readouterr()
        return found.out + found.err

    def first(self, *words: str, field: str) -> str:
        import json

        omni(["--lang", self.language, "-C", str(self.root), *words, "--json"])
        found = json.loads(self._capsys.readouterr().out)["result"]
        rows = next(value for value in found.values() if isinstance(value, list))
        return str(rows[0][field])

    def refuses_strangers(self, *words: str) -> None:
        said = self.said(*words)
        said = re.split(r"^── ", said, flags=re.MULTILINE)[0]  # what a message says is in the language of its reader
        own = "\n".join(
            line
            for line in said.splitlines()
            if not re.search(
                r"[├└]─|^ (enter|holdout|goal|exit|facts|faits) |^ +offre-bienvenue  |→ orders = 0 and x|^ *\d+ \| ", line
            )
        )
        wrong = complain(own, self.language, known=self.known)
        assert not wrong, f"omni {' '.join(words)}:\n" + "\n".join(wrong)


def scalars(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for value in tree.values():
            yield from scalars(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from scalars(value)
    else:
        yield str(tree)


@pytest.fixture(params=texts.LANGUAGES)
def shop(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shop:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return Shop(tmp_path, request.param, capsys)


ALL = ("bienvenue", "panier-abandonne", "reconquete")


def test_a_life_of_the_sample_shop_is_told_in_one_language(shop: Shop) -> None:
    see = shop.refuses_strangers
    see("lint")
    see("status")
    see("contact", "import", "people.csv", "--map", "people.map.yaml", "--as-of", "2027-01-04 09:00")
    see("response", "import", "events.jsonl", "--as-of", "2027-01-04 11:00")
    see("segment", "list")
    see("segment", "explain", "orders = 0 and reachable.email")
    see("campaign", "start", "bienvenue", "--since", "2026-12-29", "--as-of", "2027-01-04 11:30")
    see("campaign", "run", *ALL, "--as-of", "2027-01-04 11:30")
    see("campaign", "plan", "bienvenue", "--until", "14d", "--why", "--limit", "3")
    see("campaign", "plan", "bienvenue", "--until", "7d", "--by", "persona")
    see("campaign", "run", *ALL, "--as-of", "2027-01-05 10:00", "-n")
    see("campaign", "run", *ALL, "--as-of", "2027-01-05 10:00")
    someone = shop.first("touch", "list", "--state", "accepted", field="contact")
    see("response", "add", someone, "complained", "--at", "2027-01-05 18:00", "--as-of", "2027-01-05 18:30")
    see("campaign", "run", *ALL, "--as-of", "2027-01-08 11:00")
    see("campaign", "run", *ALL, "--as-of", "2027-01-18 21:30")
    see("campaign", "show", "bienvenue")
    see("campaign", "list")
    see("status")
    see("schedule", "next", "--limit", "8")
    see("schedule", "list")
    see("schedule", "tick", "--as-of", "2027-01-25 09:00")
    see("touch", "list", "--limit", "10")
    for state in ("accepted", "skipped", "held_out"):
        see("touch", "show", shop.first("touch", "list", "--state", state, field="touch"))
        contact = shop.first("touch", "list", "--state", state, field="contact")
        see("contact", "show", contact)
        see("contact", "why", contact)
    see("contact", "show", someone)
    see("contact", "why", someone, "--campaign", "bienvenue", "--step", "j0")
    see("contact", "list", "--limit", "3")
    see("contact", "consent", someone, "withdraw", "sms")
    see("contact", "suppress", "lea@example.com")
    see("campaign", "plan", "bienvenue", "--contact", someone)
    see("response", "list", "--limit", "3")
    see("touch", "unknown")
    see("task", "list")
    see("db", "check")
    see("campaign", "pause", "reconquete")
    see("campaign", "resume", "reconquete")
    see("campaign", "stop", "reconquete", "--confirm", "reconquete")
    see("explain", "capped")
    see("explain", "R001")
    see("rules")


@pytest.mark.slow
def test_what_is_proved_before_it_is_sent_is_told_in_one_language(shop: Shop) -> None:
    see = shop.refuses_strangers
    shop.said("contact", "import", "people.csv", "--map", "people.map.yaml", "--as-of", "2027-01-04 09:00")
    shop.said("response", "import", "events.jsonl", "--as-of", "2027-01-04 11:00")
    shop.said("campaign", "start", "bienvenue", "--since", "2026-12-29", "--as-of", "2027-01-04 11:30")
    for at in ("2027-01-04 11:30", "2027-01-05 10:00", "2027-01-08 11:00"):
        shop.said("campaign", "run", "bienvenue", "--as-of", at)
    see("campaign", "plan", "bienvenue", "--until", "7d", "--out", "p.plan")
    see("campaign", "run", "bienvenue", "--plan", "p.plan", "-n")
    see("campaign", "test", "--replay", "--keep", "people.jsonl")
    see("campaign", "test", "--replay", "--journal", "people.jsonl")
    see("campaign", "test", "--replay", "--journal", "people.csv")
    see("campaign", "test", "--journal", "people.jsonl")
    see("campaign", "test", "bienvenue", "--coverage", "-k", "achat")
    see("campaign", "graph", "bienvenue", "--format", "term", "--counts", "none")
    see("campaign", "simulate", "bienvenue", "--contacts", "20", "--days", "10", "-o", "s.html")
    see("campaign", "preview", "bienvenue", "--message", "guide-senteurs", "-o", "p.html")
    see("message", "check", "guide-senteurs")
    file = shop.root / "campaigns" / "bienvenue.yaml"
    file.write_text(file.read_text("utf-8").replace("offer: 20 %", "offer: 25 %").replace("39.92 EUR", "37.43 EUR"), "utf-8")
    see("campaign", "diff", "bienvenue")
    file.write_text(
        file.read_text("utf-8").replace("id: respiration", "id: pause"), "utf-8"
    )  # steps are told as the file writes them
    see("campaign", "migrate", "bienvenue", "-n")
    see("message", "check", "offre-bienvenue")


WRONG = (
    ("campaign", "plna"), ("campaign", "plan"), ("campaign", "plan", "bienvenue", "--limit", "abc"), ("campaign", "plan", "bienvenue", "--limit"),
    ("campaign", "plan", "bienvenue", "--nope"), ("campaign", "list", "x", "y"), ("campaign", "run", "bienvenue", "--dry-run=1"), ("cmapaign",),
    ("--lnag",), ("campaign", "run", "nope"), ("campaign", "plan", "bienvneue"), ("campaign", "plan", "bienvenue", "--until", "3y"),
    ("campaign", "plan", "bienvenue", "--by", "nope"), ("campaign", "pause", "bienvenue", "--people", "x"), ("campaign", "show", "bienvenue", "--version", "v9"),
    ("campaign", "run", "bienvenue", "--only", "x=1"), ("campaign", "start", "bienvenue", "--live"), ("campaign", "stop", "bienvenue"),
    ("contact", "show", "nobody-here"), ("contact", "import", "absent.csv"), ("contact", "import", ".", "--map", "guess"), ("contact", "import", "people.csv", "--map", "absent.yaml"),
    ("contact", "why", "1", "--campaign", "nope"), ("contact", "consent", "1", "gran", "email"), ("contact", "suppress", "zzz"),
    ("contact", "list", "--segment", "orders ="), ("segment", "count", "orders = 0 amd x"), ("segment", "count", "ordres = 0"),
    ("segment", "count", "purchase within 3 moons"), ("segment", "show", "segment nope"), ("status", "--as-of", "yesterday"),
    ("status", "--as-of", "2027-13-01"), ("response", "add", "1", "nope"), ("response", "import", "absent.jsonl"), ("task", "done", "99", "--outcome", "done"),
    ("task", "claim", "99"), ("task", "done", "99", "--outcome", "x"), ("touch", "show", "zzzz"), ("touch", "list", "--state", "x"),
    ("touch", "resolve", "abcd", "--accepted"), ("touch", "resolve", "abcd"), ("message", "render", "nope"),
    ("message", "render", "offre-bienvenue", "--channel", "fax"), ("message", "render", "offre-bienvenue", "--html"), ("schedule", "install"),
    ("schedule", "run", "--every", "3x"), ("schema", "nope"), ("explain", "nope"), ("lint", "--select", "Z999"), ("lint", "--format", "xml"),
    ("lint", "absent.yaml"), ("init", "."), ("init", "x", "--country", "FRA"), ("db", "reset"), ("db", "reset", "--live"),
)  # fmt: skip


def test_every_refusal_is_told_in_one_language(shop: Shop) -> None:
    shop.said("contact", "import", "people.csv", "--map", "people.map.yaml", "--as-of", "2027-01-04 09:00")
    for words in WRONG:
        shop.refuses_strangers(*words)


def test_findings_are_told_in_one_language(shop: Shop) -> None:
    spoilt = (
        ("campaigns/bienvenue.yaml", "when: signup", "when: singup"), ("campaigns/bienvenue.yaml", "- wait: 4 days", "- wait: 4 dyas"),
        ("campaigns/panier-abandonne.yaml", "owner:", "onwer:"), ("campaigns/reconquete.yaml", "\nflow:", "\n\tflow:"),
        ("omni.yaml", "time_zone: Europe/Paris", "time_zone: Europe/Pari"),
    )  # fmt: skip
    for file, old, new in spoilt:
        text = (shop.root / file).read_text("utf-8")
        assert old in text, (file, old)
        (shop.root / file).write_text(text.replace(old, new, 1), "utf-8")
    template = shop.root / "templates" / "email.html.j2"
    template = template if template.exists() else next((shop.root / "templates").glob("*.j2"))
    template.write_text(template.read_text("utf-8") + "{% if x %}", "utf-8")
    shop.refuses_strangers("lint", "--format", "concise")
    shop.refuses_strangers("campaign", "run", "bienvenue")


# --- live -----------------------------------------------------------------------------------------------------------
LIVE = """
project: atelier
languages: [fr]
countries: [FR]
time_zone: Europe/Paris
brand: {name: Maison Lune, legal_name: Maison Lune SAS, address: "12 rue des Tisserands, 69004 Lyon"}
channels: {email: {provider: smtp, from: "Maison Lune <bonjour@maisonlune.example>", price: 0.001 EUR}}
contacts: {attributes: {first_name: {type: text, default: ""}}}
events: {signup: {form: text}}
guardrails: {quiet_hours: [], cap: {all: 9 per day}}
teams: {conseil: {members: ["ines <ines@maisonlune.example>"]}}
"""
LIVE_CAMPAIGN = """
campaign: accueil
title: Accueil
why: "4711"
owner: ines
enter: {when: signup}
messages:
  offre: {say: {fr: {body: "Bonjour {first_name or \\"vous\\"}", subject: Bonjour, short: Bonjour, cta: Voir}}}
flow:
  - {send: offre, id: j0, by: email}
"""


class Atelier(Shop):
    """A live project of its own, whose mail goes to the stand-in."""

    def __init__(self, root: Path, language: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.language, self._capsys = root, language, capsys
        for folder in ("campaigns", "templates"):
            (root / folder).mkdir()
        (root / "omni.yaml").write_text(LIVE, "utf-8")
        (root / "campaigns" / "accueil.yaml").write_text(LIVE_CAMPAIGN.lstrip(), "utf-8")
        (root / "templates" / "email.html.j2").write_text(
            "<html><body><p>{{ say.body }} {{ unsubscribe }}</p></body></html>", "utf-8"
        )
        rows = "".join(f"{n},Léa,lea{n}@example.com,yes\n" for n in range(1, 5))
        (root / "people.csv").write_text("id,first_name,email,ok\n" + rows, "utf-8")
        (root / "map.yaml").write_text("id: id\nfirst_name: first_name\nemail: address.email\nok: consent.email\n", "utf-8")
        self.known = tuple(sorted(set(self._written()), key=len, reverse=True))


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_a_live_life_with_its_accidents_is_told_in_one_language(
    language: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    live = Atelier(tmp_path, language, capsys)
    see = live.refuses_strangers
    run = ("campaign", "run", "accueil", "--live", "--confirm", "accueil", "--no-input")
    see("campaign", "start", "accueil", "--live", "--yes")  # a relay is missing
    with FakeSmtp() as mail:
        monkeypatch.setenv("OMNI_SMTP_HOST", mail.host)
        monkeypatch.setenv("OMNI_SMTP_PORT", str(mail.port))
        see("doctor", "--live")
        see("contact", "import", str(tmp_path / "people.csv"), "--map", str(tmp_path / "map.yaml"), "--live", "--no-input")
        see("campaign", "start", "accueil", "--live", "--no-input")
        see("campaign", "start", "accueil", "--live", "--yes")
        see("message", "send-test", "offre", "--to", "ines", "--live")
        see("message", "send-test", "offre", "--to", "ines", "--live", "-n")
        see("message", "send-test", "offre", "--to", "bob", "--live")
        for person, reply in (("1", "550 5.1.1 x"), ("2", "<cut>"), ("3", "451 4.3.0 x")):
            mail.behave("dot", reply)
            live.said("response", "add", person, "signup", "--live")
            see(*run)
            see("touch", "list", "--live")
            mail.reset()
        mail.behave("connect", "554 5.7.1 x")
        live.said("response", "add", "4", "signup", "--live")
        see(*run)
        for words in (
            ("status",),
            ("doctor",),
            ("doctor", "--provider", "smtp"),
            ("doctor", "--fix"),
            ("doctor", "--domain", "example.com"),
        ):
            see(*words, "--live")
        mail.reset()
        see("schedule", "tick", "--live")
        see("touch", "unknown", "--live")
        doubt = live.first("touch", "unknown", "--live", field="touch")
        see("touch", "show", doubt, "--live")
        see("touch", "resolve", doubt, "--drop", "--live")
        see("touch", "resolve", doubt, "--drop", "--because", "4711", "--live")
        see("touch", "resolve", doubt, "--resend", "--because", "4711", "--live")
        see("response", "sync", "--live")
        see("response", "sync", "--provider", "nope", "--live")
        see("serve", "--live", "--host", "192.0.2.1")
        see("db", "check", "--live")
        see("db", "backup", "--live", "-o", str(tmp_path / "copy.db"))
        for end in ("", "-wal", "-shm"):
            (tmp_path / ".omni" / f"live.db{end}").unlink(missing_ok=True)
        shutil.copy(tmp_path / "copy.db", tmp_path / ".omni" / "live.db")
        for words in (
            run,
            ("status", "--live"),
            ("doctor", "--live"),
            ("db", "check", "--live"),
            ("db", "recover", "--live", "--no-input"),
        ):
            see(*words)
        see("db", "recover", "--live", "--yes")
        (tmp_path / ".omni" / "keys").unlink()
        see(*run)


def test_every_word_of_delivery_is_explained_in_both_languages(shop: Shop) -> None:
    from omnicli.lint import delivery_words
    from omnicli.model.decision import HOLDS, SKIP_REASONS
    from omnicli.model.spoken import word
    from omnicli.store.consents import STRENGTH
    from omnicli.store.holding import WHY

    for code in (*STRENGTH, *WHY, *HOLDS, *SKIP_REASONS, *(code for table, _, _ in delivery_words.KINDS for code in table)):
        shop.refuses_strangers("explain", code)
        for said in (code, word(code)):
            assert omni(["--lang", shop.language, "explain", said, "-q"]) == 0, said


def test_the_parts_that_differ_are_really_french(shop: Shop) -> None:
    """The guard of these tests: what they look for is found where it stands."""
    assert strangers("Nothing was due.", ENGLISH) == ["nothing", "was", "due"]
    assert strangers("Rien n'était dû.", FRENCH)[:1] == ["rien"]
    assert not strangers("Ensuite :  omni campaign run the-people", ENGLISH)
    said = shop.said("campaign", "list")
    assert ("brouillon" in said) == (shop.language == "fr")
