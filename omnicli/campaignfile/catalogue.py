"""The rules that reading a file can break, families Y and S: code → name, severity, fix class (docs/rules).

Lint's registry takes them from here, so that no code is described twice.
"""

from __future__ import annotations

from typing import NamedTuple

from omnicli.model.finding import Finding, Fix, Place, Severity


class Rule(NamedTuple):
    """`fix` is `s` (safe), `u` (unsafe) or empty."""

    name: str
    severity: Severity
    fix: str


RULES: dict[str, Rule] = {
    "Y001": Rule("yaml-syntax", "error", ""),
    "Y002": Rule("tab", "error", "s"),
    "Y003": Rule("duplicate-key", "error", ""),
    "Y004": Rule("alias", "error", ""),
    "Y005": Rule("file-name", "error", "s"),
    "Y006": Rule("no-schema-line", "info", "s"),
    "Y007": Rule("tag", "error", ""),
    "Y008": Rule("two-documents", "error", ""),
    "Y009": Rule("control-character", "error", "s"),
    "Y010": Rule("too-big", "error", ""),
    "S001": Rule("missing-key", "error", "u"),
    "S002": Rule("unknown-key", "error", "s"),
    "S003": Rule("wrong-kind", "error", "s"),
    "S004": Rule("unknown-value", "error", "s"),
    "S005": Rule("money-without-currency", "error", "u"),
    "S006": Rule("old-key", "warning", "s"),
    "S007": Rule("two-verbs", "error", ""),
    "S008": Rule("unset-environment", "error", ""),
    "S009": Rule("other-currency", "error", ""),
    "S010": Rule("no-price", "info", ""),
    # Told while reading, because only the reader knows: a condition cut by ` #`, an occurrence that cannot be read.
    "A001": Rule("condition-syntax", "error", "s"),
    "F002": Rule("no-silence-branch", "error", "s"),
    "F006": Rule("shares", "error", ""),
    "T003": Rule("bad-occurrence", "error", ""),
}


def finding(code: str, place: Place, message: str, *, path: str = "", help: str = "", fix: Fix | None = None) -> Finding:
    """A finding of this catalogue."""
    rule = RULES[code]
    return Finding(code, rule.name, rule.severity, place, message, path=path, help=help, fix=fix)
