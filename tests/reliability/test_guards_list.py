"""The list of guards (docs/tests 4), entry by entry: which names stand for it, or why nothing there can be switched off."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from omnicli import guards
from omnicli.guards import GUARDS

ROOT = Path(__file__).parents[2]
NAME = re.compile(r'guards\.on\(\s*"([a-z0-9_]+)"\s*\)')


@dataclass(frozen=True)
class Built:
    """Holds by construction: there is no line to switch off. `because` says why, `witnesses` are the tests that would notice."""

    because: str
    witnesses: tuple[str, ...]


#: Area → entry of the list → the names in the registry.
LIST: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "doubles": {
        "index one_open_attempt": ("one_open_attempt",),
        "touch_key unique": ("touch_key",),
        "fence check in T3": ("fence_in_t3", "fence"),
        "sending never returns": ("sending_never_returns", "touch_move"),
        "content repeat check": ("content_repeat",),
        "wake time check before the first byte": ("wake_check",),
        "zero retries": ("defect_is_unknown",),
        "no redirects": ("no_redirects",),
    },
    "gate": {
        "opt-out": ("gate_reachable", "suppression"),
        "suppression": ("gate_reachable", "suppression"),
        "consent": ("gate_reachable", "consent"),
        "erasure": ("gate_erasure", "erasure"),
        "stop flag": ("stop_flag",),
        "exit rules": ("gate_exits", "exit_rules"),
        "quiet hours": ("gate_hours", "quiet_hours"),
        "pack days": ("gate_hours", "pack"),
        "cap slot": ("gate_caps", "cap"),
        "n-day count": ("n_day_count",),
        "minimum gap": ("min_gap",),
        "budget": ("gate_budget", "budget"),
        "stale data": ("stale_data",),
        "expiry": ("gate_expiry", "expiry"),
    },
    "batch": {
        "one address a request": ("one_address", "plain_address"),
        "nonce tags": ("tag_nonce",),
        "separate tags by part": ("tags_by_part",),
        "bisecting 400": ("bisect",),
        "slow start": ("slow_start",),
        "own event settles": ("own_event_settles",),
    },
    "unknown": {
        "path-alive condition": ("path_alive",),
        "waived before resend": ("waived_before_resend",),
        "park for marketing": ("park_marketing",),
    },
    "webhook": {
        "signature": ("sendgrid_signature", "twilio_signature", "twilio_fields"),
        "raw bytes": ("raw_bytes",),
        "both dedupe keys": ("dedup_key", "dedup_event_id"),
        "signed ids": ("signed_ids", "sendgrid_mark", "twilio_mark", "bounce_mark", "bounce_vouched"),
        "store before 2xx": ("stored_before_2xx", "bounce_stored_first"),
        "opt-out inside T4": ("opt_out_at_once",),
        "sticky flags": ("sticky_flags",),
    },
    "unsubscribe": {
        "POST only": ("post_only",),
        "purpose-bound token": ("token_purpose", "token_signature"),
        "no redirect": ("no_page_redirect", "web_targets"),
    },
    "time": {
        "jump guard": ("jump_guard",),
        "occurrence key": ("occurrence_key",),
        "catch-up limit": ("catch_up",),
        "spread": ("spread",),
    },
    "store": {
        "writer lock around commit and checkpoint": ("writer_lock",),
        "FULL": ("full_sync",),
        "foreign keys": ("foreign_keys",),
        "HOLD on epoch": ("hold",),
        "append-only triggers": ("append_only",),
        "touch_move": ("touch_move",),
    },
    "rendering": {
        "sandbox": ("sandbox",),
        "AST list": ("ast_list",),
        "output limit": ("output_limit",),
        "autoescape": ("autoescape",),
        "header guard": ("header_values", "header_line"),
        "StrictUndefined": ("strict_undefined",),
    },
    "operation": {
        "breaker": ("breaker",),
        "retry budget": ("retry_budget",),
        "canary": ("canary",),
        "approval": ("approval",),
        "disk floor": ("disk_floor",),
        "redaction of secrets": ("redaction", "quiet_clients"),
    },
}  # fmt: skip
#: Guards that came later than the list: the rules behind them are in the pages on delivery and on providers.
BEYOND = frozenset(
    {
        "complaint_open", "gate_complaint", "contradiction", "quality", "push_host", "whole_answer", "whatsapp_window", "whatsapp_limit",
        "country_list",
    }
)  # fmt: skip
#: Parts of entries that hold by construction.
BY_CONSTRUCTION: Mapping[str, Built] = {
    "zero retries, SendGrid": Built(
        "urllib without handlers for errors raises or answers; nothing in it repeats a request",
        ("tests/providers/test_sendgrid_wire.py::test_each_end_of_a_call_has_its_class_and_nothing_is_repeated",),
    ),
    "zero retries, Twilio": Built(
        "our transport under the SDK has no loop around a request; the SDK's own, which can repeat, is not used",
        (
            "tests/providers/test_twilio_sending.py::test_every_end_of_a_request_has_its_meaning_and_is_no_reason_for_a_second_one",
        ),
    ),
    "zero retries, push and calls": Built(
        "`posting.post` opens one connection, writes once, reads once",
        ("tests/providers/test_push.py::test_what_an_answer_means", "tests/providers/test_webhook.py::test_what_an_answer_means"),
    ),
    "zero retries, SMTP": Built(
        "a mail is one transaction; after its end nothing that was read leads back to its beginning",
        ("tests/providers/test_smtp_answers.py::test_each_mail_is_one_transaction_and_reaches_one_person_once",),
    ),
    "no redirects, Twilio": Built(
        "http.client follows none; the SDK's transport, which could, is not used",
        (
            "tests/providers/test_twilio_sending.py::test_every_end_of_a_request_has_its_meaning_and_is_no_reason_for_a_second_one",
        ),
    ),
    "no redirects, push and calls": Built(
        "http.client follows none",
        ("tests/providers/test_push.py::test_what_an_answer_means", "tests/providers/test_webhook.py::test_what_an_answer_means"),
    ),
    "raw bytes, Twilio": Built(
        "what Twilio signs are the parsed fields, in an order of its own: there are no raw bytes to keep to but for JSON, whose hash is in the URL",
        ("tests/providers/test_twilio_signature.py::test_whatever_twilio_signs_is_known_as_signed_and_nothing_else",),
    ),
    "no redirect, unsubscribe": Built(
        "the function that answers a POST makes pages only; the guard `no_page_redirect` is the router's own habit",
        ("tests/service/test_web_leaving.py::test_one_post_acts_at_once_and_a_second_is_fine_again",),
    ),
}


@cache
def asked() -> frozenset[str]:
    """Every name that a line of the package asks for."""
    return frozenset(name for path in (ROOT / "omnicli").rglob("*.py") for name in NAME.findall(path.read_text("utf-8")))


def claims() -> Iterator[str]:
    for path in (ROOT / "tests").rglob("test_*.py"):
        for names in re.findall(r"pytest\.mark\.guards\(([^)]*)\)", path.read_text("utf-8")):
            yield from re.findall(r'"([a-z0-9_]+)"', names)


def test_every_entry_of_the_list_has_its_guards_and_every_guard_its_entry() -> None:
    named = {name for entries in LIST.values() for names in entries.values() for name in names}
    assert all(names for entries in LIST.values() for names in entries.values())
    assert named | BEYOND == GUARDS, sorted((named | BEYOND) ^ GUARDS)
    assert not named & BEYOND


def test_every_guard_is_asked_by_a_line_and_no_line_asks_for_another() -> None:
    assert asked() == GUARDS, sorted(asked() ^ GUARDS)


def test_every_guard_is_claimed_by_a_test() -> None:
    missing = GUARDS - set(claims())
    assert not missing, sorted(missing)


@pytest.mark.parametrize("entry", BY_CONSTRUCTION)
def test_what_holds_by_construction_has_its_witnesses(entry: str) -> None:
    assert entry.partition(",")[0] in {entry for entries in LIST.values() for entry in entries}
    for witness in BY_CONSTRUCTION[entry].witnesses:
        file, _, function = witness.partition("::")
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, witness


def test_the_list_is_that_of_the_design() -> None:
    design = ROOT.parent / "shared/design/tests.md"
    if not design.exists():
        pytest.skip("no ../shared/design here")
    section = design.read_text("utf-8").partition("## 4.")[2].partition("## 5.")[0]
    rows = re.findall(r"^\| ([a-z]+) \| (.+) \|$", section, re.MULTILINE)
    found = {
        area: [re.sub(r'[`"“”]', "", e).strip() for e in re.split("[;,] " if area != "doubles" else "; ", cell)]
        for area, cell in rows
        if area != "area"
    }
    assert {area: list(entries) for area, entries in LIST.items()} == found


# --- nobody but a test can switch one off -----------------------------------------------------------------------------
def loaded() -> ModuleType:
    """The registry as a process finds it that starts now."""
    spec = importlib.util.spec_from_file_location("guards_of_now", guards.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_outside_of_a_test_every_guard_is_on_whatever_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNI_GUARDS_OFF", ",".join(GUARDS))
    monkeypatch.delenv("OMNI_TEST", raising=False)
    assert all(loaded().on(name) for name in GUARDS)
    monkeypatch.setenv("OMNI_TEST", "")
    assert all(loaded().on(name) for name in GUARDS)


def test_in_a_test_those_asked_for_are_off_and_one_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNI_TEST", "1")
    monkeypatch.setenv("OMNI_GUARDS_OFF", "consent,cap")
    assert {name for name in GUARDS if not loaded().on(name)} == {"consent", "cap"}
    monkeypatch.setenv("OMNI_GUARDS_OFF", "consent,capp")
    with pytest.raises(ValueError, match="capp"):
        loaded()
