"""A new project: files that lint clean, in the languages and for the country asked for; nothing is overwritten."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import resources

ZONES = {"FR": "Europe/Paris", "BE": "Europe/Brussels", "GB": "Europe/London", "CA": "America/Toronto", "US": "America/New_York",
         "DE": "Europe/Berlin", "CH": "Europe/Zurich", "ES": "Europe/Madrid", "IT": "Europe/Rome", "AU": "Australia/Sydney"}  # fmt: skip
CURRENCIES = {"GB": "GBP", "CA": "CAD", "US": "USD", "CH": "CHF", "AU": "AUD"}
GITIGNORE = ".omni/\noutbox/\ncontacts/\n"
USUAL = {"first_name": "{type: text, example: Léa}", "orders": "{type: number, default: 0}"}


def starter(name: str, *, languages: Sequence[str], country: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """Relative path → text of every file of a new project, templates included.

    `attributes` (name → type) are written as guessed; `first_name` and `orders` are always there, the campaign needs them.
    """
    folder = resources.files("omnicli.campaignfile") / "starter"
    lines = [f"    {key}: {kind}\n" for key, kind in USUAL.items()]
    lines += [f"    {key}: {kind}    # guessed\n" for key, kind in attributes.items() if key not in USUAL]
    project = (folder / "omni.yaml").read_text("utf-8").format(
        name=slug(name), title=name.replace("-", " ").title(), languages=f"[{', '.join(languages)}]", countries=f"[{country}]",
        time_zone=ZONES.get(country, "Europe/Paris"), currency=CURRENCIES.get(country, "EUR"), attributes="".join(lines),
    )  # fmt: skip
    campaign = _words((folder / "bienvenue.yaml").read_text("utf-8"), languages).replace("{name}", slug(name))
    stories = (folder / "bienvenue.test.yaml").read_text("utf-8").format(
        language=languages[0], country=country, time_zone=ZONES.get(country, "Europe/Paris"), currency=CURRENCIES.get(country, "EUR"),
    )  # fmt: skip
    files = {
        "omni.yaml": project, "campaigns/bienvenue.yaml": campaign, "campaigns/bienvenue.test.yaml": stories, ".gitignore": GITIGNORE,
    }  # fmt: skip
    shipped = resources.files("omnicli") / "render" / "shipped"
    for entry in shipped.iterdir():
        if entry.name.endswith(".j2"):
            files[f"templates/{entry.name}"] = entry.read_text("utf-8")
    return files


def _words(text: str, languages: Sequence[str]) -> str:
    """Keep the words of the languages asked for; a language without words of its own starts with the English ones."""
    french = re.search(r"      \{fr\}\n((?:        .*\n)+)", text)
    english = re.search(r"      \{en\}\n((?:        .*\n)+)", text)
    assert french is not None
    assert english is not None
    blocks = [f"      {language}:\n{(french if language.startswith('fr') else english)[1]}" for language in languages]
    return text[: french.start()] + "".join(blocks) + text[english.end() :]


def slug(name: str) -> str:
    """A project's name from a folder's."""
    from omnicli.text import fold

    found = re.sub(r"[^a-z0-9]+", "-", fold(name)).strip("-")
    return found if found[:1].isalpha() else f"projet-{found}".rstrip("-")


def guess_attributes(header: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, str]:
    """Attribute types from a table's header and first rows; columns that are addresses, consents or built in are left out."""
    found: dict[str, str] = {}
    for index, column in enumerate(header):
        key = re.sub(r"[^a-z0-9]+", "_", column.strip().lower()).strip("_")
        if not key or not key[0].isalpha() or _is_own(key):
            continue
        values = [row[index].strip() for row in rows if index < len(row) and row[index].strip()]
        found[key] = _kind(values)
    return found


def _is_own(key: str) -> bool:
    known = ("id", "email", "mail", "e_mail", "mobile", "phone", "tel", "telephone", "language", "langue", "country", "pays", "time_zone", "timezone",
             "preferred_channel", "place", "created", "street", "postcode", "zip", "address", "landline", "messenger_id", "push_token")  # fmt: skip
    return key in known or "consent" in key


def _kind(values: Sequence[str]) -> str:
    if values and all(re.fullmatch(r"-?\d+(\.\d+)?", value) for value in values):
        return "code" if any(value.startswith("0") and len(value) > 1 and value.isdigit() for value in values) else "number"
    if values and all(re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) for value in values):
        return "date"
    if values and all(value in ("yes", "no") for value in values):
        return "yes or no"
    return "text"
