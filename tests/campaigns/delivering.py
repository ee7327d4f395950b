"""A stage whose delivery is real: templates, a renderer, providers, and `send` as `omni campaign run` does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from stage import OMNI, Stage, a_campaign, paris

from omnicli.campaigns.dispatch import DispatchReport, dispatch
from omnicli.model.touch import Handed, Outcome, Provider
from omnicli.render.renderer import Renderer

TEMPLATES = {
    "email.html.j2": "<html><body><p>{{ contact.first_name or 'Bonjour' }}, {{ say.body }}</p></body></html>",
    "sms.txt.j2": "{{ say.body }}", "whatsapp.txt.j2": "{{ say.body }}", "voice.txt.j2": "{{ say.body }}",
    "letter.html.j2": "<p>{{ say.body }}</p>", "qr.html.j2": "<p>{{ say.body }}</p>", "task.md.j2": "# {{ say.body }}",
}  # fmt: skip
SENDS = "- {send: offre, by: email, id: j0}\n- {wait: 1 day, id: repos}\n- {send: offre, by: email, id: j1}"

__all__ = ["OMNI", "SENDS", "Delivery", "Recorder", "a_campaign", "paris"]

Answer = Callable[[Handed], Outcome]


def accepted(one: Handed) -> Outcome:
    return Outcome("accepted", ref=f"ref-{one.touch[:8]}-{one.attempt}")


@dataclass
class Recorder:
    """A provider that keeps what it was handed and answers as it is told: the only judge of doubles."""

    answer: Answer = accepted
    name: str = "recorder"
    channels: tuple[str, ...] = ("email", "sms", "whatsapp", "voice", "letter", "qr", "task", "webhook")
    batch: int = 100
    in_flight: int = 1
    repeatable: bool = False
    account: str = "test"
    handed: list[Handed] = field(default_factory=list)
    calls: int = 0
    before: Callable[[Sequence[Handed]], None] = lambda _handed: None

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]:
        self.calls += 1
        self.before(handed)
        self.handed += handed
        return [self.answer(one) for one in handed]

    def close(self) -> None:
        """Nothing is open."""

    def reached(self) -> list[str]:
        """`contact step` of every message that left, in order."""
        return [f"{one.contact} {one.step}" for one in self.handed]


class Delivery(Stage):
    def __init__(
        self,
        folder: Path,
        *campaigns: str,
        templates: Mapping[str, str] = TEMPLATES,
        provider: Provider | None = None,
        **options: Any,
    ) -> None:
        (folder / "templates").mkdir(parents=True, exist_ok=True)
        for name, text in templates.items():
            (folder / "templates" / name).write_text(text)
        super().__init__(folder, *campaigns, **options)
        self.provider: Any = provider or Recorder()
        self.renderer = Renderer(folder, self.loaded.project)

    @property
    def providers(self) -> dict[str, Provider]:
        return dict.fromkeys((*self.loaded.project.channels, "webhook"), self.provider)

    def decide(self) -> None:
        self.fold()
        self.enter()
        self.turn()

    def dispatch(self, **options: Any) -> DispatchReport:
        return dispatch(self.store, self.loaded, self.renderer, self.providers, now=self.now, **options)

    def send(self, at: str | None = None, **options: Any) -> DispatchReport:
        """One instant: fold, enter, decide, deliver, until nothing moves; the report of the last round that did something."""
        if at is not None:
            self.now = paris(at)
        found = DispatchReport()
        for _ in range(10):
            self.decide()
            report = self.dispatch(**options)
            if not report.accepted + report.rejected + report.skipped + report.unknown:
                return found
            found = report
        raise AssertionError("it does not come to rest")

    def sign_up(self, *names: str, **values: Any) -> None:
        for name in names:
            self.person(name, **{"first_name": name.title(), **values})
            self.says(name, "signup")
