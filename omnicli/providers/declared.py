"""A provider's section of `omni.yaml`, read key by key: what is missing, unknown or odd is an error that names it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from omnicli.errors import Exit, OmniError
from omnicli.model.literals import Duration, LiteralError
from omnicli.settings import Secret
from omnicli.settings import text as plain
from omnicli.text import did_you_mean
from omnicli.texts import t


@dataclass(frozen=True, slots=True)
class Declared:
    """The settings of `providers.<name>`, `${NAME}` resolved to secrets."""

    name: str
    values: Mapping[str, Any] = field(repr=False)

    def only(self, keys: Collection[str]) -> None:
        """OmniError S003 for the first key that is none of these."""
        for key in sorted(set(self.values) - set(keys)):
            raise self.odd(key, t("no such setting.{hint}", "ce réglage n'existe pas.{hint}", hint=did_you_mean(key, keys)))

    def word(self, key: str) -> str | None:
        """The plain text, or None where there is none."""
        return plain(found) if isinstance(found := self.values.get(key), Secret) else str(found) if found else None

    def words(self, key: str) -> tuple[str, ...]:
        found = self.values.get(key) or ()
        many = found if isinstance(found, list | tuple) else (found,)
        return tuple(one.reveal() if isinstance(one, Secret) else str(one) for one in many)

    def yes(self, key: str) -> bool:
        return str(self.values.get(key, "no")).lower() in ("yes", "true")

    def number(self, key: str, otherwise: Any) -> int:
        """A whole number of at least 1."""
        try:
            found = int(self.word(key) or otherwise)
        except (TypeError, ValueError):
            raise self.odd(key, t("is a number", "est un nombre")) from None
        if found < 1:
            raise self.odd(key, t("is at least 1", "vaut au moins 1"))
        return found

    def seconds(self, key: str, otherwise: str) -> float:
        """A duration such as `60 seconds`."""
        try:
            return Duration.timeout(self.word(key) or otherwise).about.total_seconds()
        except LiteralError:
            said = t("is a duration such as {example}", "est une durée comme {example}", example=otherwise)
            raise self.odd(key, said) from None

    def odd(self, key: str, what: str, *, code: str = "S003") -> OmniError:
        return OmniError(f"providers.{self.name}.{key} {what}", code=code, exit=Exit.REFUSED)
