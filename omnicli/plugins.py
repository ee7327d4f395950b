"""One registry of what can be plugged in: built-ins in literal tables, others by entry point, loaded on demand."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any

from omnicli.errors import OmniError
from omnicli.text import did_you_mean
from omnicli.texts import t


@dataclass
class Registry:
    """Names → `module:attribute`. Entry points of `omnicli.<kind>` add to the built-ins and never replace them."""

    kind: str
    built_in: dict[str, str]
    _found: dict[str, str] | None = field(default=None, repr=False)

    def names(self) -> tuple[str, ...]:
        return tuple(self._all())

    def load(self, name: str) -> Any:
        """The object behind the name; OmniError with the nearest name when there is none."""
        known = self._all()
        if name not in known:
            raise OmniError(
                t("no {kind} called '{name}'.", "aucun {kind} nommé « {name} ».", kind=self.kind, name=name)
                + did_you_mean(name, known),
                code="R015",
            )
        module, _, attribute = known[name].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def _all(self) -> dict[str, str]:
        if self._found is None:
            from importlib.metadata import entry_points

            others = {point.name: point.value for point in entry_points(group=f"omnicli.{self.kind}")}
            self._found = {**others, **self.built_in}
        return self._found
