"""Settings that are not in the files: `${NAME}` references and secrets, which are never shown."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from omnicli import guards
from omnicli.errors import OmniError
from omnicli.texts import t

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Secret:
    """A value whose text is `***`; `reveal()` hands it to the one place that needs it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __str__(self) -> str:
        return "***" if guards.on("redaction") else self._value

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def reference(value: str) -> str | None:
    """The NAME of a whole-value `${NAME}`, else None."""
    found = _REFERENCE.fullmatch(value.strip())
    return found[1] if found else None


def resolve(value: str, environment: Mapping[str, str] | None = None) -> str | Secret:
    """The value itself, or the Secret behind `${NAME}`; an unset name is an OmniError (S008)."""
    name = reference(value)
    if name is None:
        return value
    found = (
        (os.environ if environment is None else environment).get(name, "").strip("\r\n")
    )  # of the file that it was copied from
    if not found:
        raise OmniError(
            t("${{{name}}} is not set", "${{{name}}} n'est pas définie", name=name),
            hint=t("export {name}=… and try again", "export {name}=… puis recommencez", name=name), code="S008",
        )  # fmt: skip
    return Secret(found)


def text(value: str | Secret) -> str:
    """The plain text of a setting that may be secret; call it where it is used, nowhere else."""
    return value.reveal() if isinstance(value, Secret) else value
