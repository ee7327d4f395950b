"""One rule: code, name, severity, fix class, and its page; and the registry, which is the only list there is.

Pages stand in `pages/<family>.yaml` in English and French; `omni rules`, `omni explain`, the docs and the schema of
`lint.ignore` are made from them. The checks stand in `rules/<family>.py`, one generator a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from omnicli.model.finding import Finding, Severity

if TYPE_CHECKING:
    from omnicli.lint.ground import Ground

SEVERITY: Mapping[str, Severity] = {"E": "error", "W": "warning", "I": "info"}


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the catalogue. `fix` is `s` safe, `u` unsafe or empty; `needs` is `n` (a store), `o` (online) or empty.
    The texts are by language: `what` it does, `why` it matters to the customer; `bad` and `good` are YAML or templates."""

    code: str
    name: str
    severity: Severity
    fix: str
    needs: str
    what: Mapping[str, str]
    why: Mapping[str, str]
    bad: str
    good: str
    configure: Mapping[str, str]

    @property
    def family(self) -> str:
        return self.code.rstrip("0123456789")


@cache
def catalogue() -> Mapping[str, Rule]:
    """Every rule by code, in the order of the families' files."""
    import yaml

    found: dict[str, Rule] = {}
    folder = resources.files("omnicli.lint") / "pages"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for page in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if page.name.endswith(".yaml"):
            for code, row in yaml.load(page.read_text("utf-8"), Loader=loader).items():
                found[code] = _rule(code, row)
    return found


def _rule(code: str, row: Mapping[str, Any]) -> Rule:
    configure = row.get("configure") or {
        "en": f"`# omni: ignore[{code}] because: …` on the line, or `lint.ignore` in omni.yaml.",
        "fr": f"`# omni: ignore[{code}] because: …` sur la ligne, ou `lint.ignore` dans omni.yaml.",
    }
    return Rule(
        code, row["name"], SEVERITY[row["severity"]], row.get("fix", ""), row.get("needs", ""),
        row["what"], row["why"], row["bad"], row["good"], configure,
    )  # fmt: skip


def named(word: str) -> Rule | None:
    """The rule of a code or a name, or None."""
    rules = catalogue()
    if word.upper() in rules:
        return rules[word.upper()]
    return next((rule for rule in rules.values() if rule.name == word), None)


Check = Callable[["Ground"], Iterator[Finding]]
CHECKS: dict[str, Check] = {}


def rule(code: str) -> Callable[[Check], Check]:
    """Register the check of a rule; one function a code."""

    def register(check: Check) -> Check:
        if code in CHECKS:
            raise ValueError(f"two checks for {code}")
        CHECKS[code] = check
        return check

    return register
