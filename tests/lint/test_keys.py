"""What only looks like a secret, a person or an open link is left alone; what is one is found in every shape."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_cases import a_project, report_of

from omnicli.lint.rules.keys import _FICTION, _PLAIN, _SHAPE, SHAPES, _hidden, _personal

KEYS = {
    "SendGrid": "SG." + "a" * 22 + "." + "b" * 43, "Twilio": "SK" + "0a" * 16, "Stripe": "sk_live_" + "a1" * 12, "AWS": "AKIA" + "A1" * 8, "GitHub": "ghp_" + "a" * 36, "GitLab": "glpat-" + "a" * 20,
    "Slack": "xoxb-" + "1" * 12, "Google": "AIza" + "a" * 35, "Brevo": "xkeysib-" + "0a" * 32 + "-abc", "Mailgun": "key-" + "0a" * 16, "Mailchimp": "0a" * 16 + "-us12", "private": "-----BEGIN RSA PRIVATE KEY-----",
    "JWT": "eyJ" + "a" * 12 + ".eyJ" + "b" * 12 + "." + "c" * 20,
}  # fmt: skip


@pytest.mark.parametrize("whose", [name for name, _ in SHAPES])
def test_each_provider_s_key_is_known_by_its_shape(whose: str) -> None:
    found = _SHAPE.search(f"api: {KEYS[whose]}")
    assert found is not None
    assert SHAPES[(found.lastindex or 1) - 1][0] == whose


@pytest.mark.parametrize(
    ("path", "text", "hidden"),
    [
        (("webhooks", "crm", "secret"), "correct-horse", "correct-horse"), (("webhooks", "crm", "secret"), "${CRM_SECRET}", ""), (("providers", "smtp", "password"), "hunter22", "hunter22"),
        (("database",), "postgresql://omni:hunter22@db/omni", "hunter22"), (("database",), "postgresql://omni:${PASS}@db/omni", ""), (("contacts", "attributes", "token", "example"), "abcdef", ""),
        (("messages", "m", "say", "fr", "body"), "votre mot de passe", ""), (("providers", "push", "token_url"), "https://a.example", ""),
    ],
)  # fmt: skip
def test_a_secret_is_what_stands_under_a_secret_s_name(path: tuple[str, ...], text: str, hidden: str) -> None:
    start, end = _hidden(path, text)
    assert text[start:end] == hidden


@pytest.mark.parametrize("number", ["+33639980012", "0639980012", "+15555550100", "+12025550123", "+447700900123", "0199001234"])
def test_numbers_of_fiction_are_nobody_s(number: str) -> None:
    assert _FICTION.fullmatch(number)
    assert list(_personal(number)) == []


@pytest.mark.parametrize(
    "text",
    [
        "jeanne@example.com",
        "bonjour@maisonlune.example",
        "p@gmail.example",
        "2027-01-31 10:00",
        "1234567890123",
        "12 rue 69004",
        "0.05 EUR",
    ],
)
def test_what_is_no_person_is_left_alone(text: str) -> None:
    assert list(_personal(text)) == []


@pytest.mark.parametrize("text", ["jeanne.durand@gmail.com", "06 12 34 56 78", "+33 6 12 34 56 78", "paul@orange.fr"])
def test_what_may_be_a_person_is_told(text: str) -> None:
    assert [text[start:end] for start, end, _ in _personal(text)] == [text]


@pytest.mark.parametrize(
    ("text", "open_"),
    [("http://www.sel.example", True), ("HTTP://a.example", True), ("https://a.example", False), ("http://localhost:8025/x", False), ("http://127.0.0.1", False), ("http://[::1]:80", False),
     ("http://www.w3.org/1999/xhtml", False), ("http://localhost.example", True)],
)  # fmt: skip
def test_only_this_machine_may_be_asked_without_encryption(text: str, open_: bool) -> None:
    assert bool(_PLAIN.search(text)) is open_


def test_the_finding_does_not_repeat_the_secret(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    file = root / "omni.yaml"
    file.write_text(file.read_text("utf-8").replace('"${CRM_SECRET}"', "correct-horse-battery"), "utf-8")
    found = [f for f in report_of(root).findings if f.code == "K001"]
    assert found
    assert all("horse" not in f.message + f.help for f in found)
