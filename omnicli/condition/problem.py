"""What is wrong with a condition: a value with a code of the catalogue, a place inside the text, and advice."""

from __future__ import annotations

from dataclasses import dataclass

#: Codes that do not stop a condition from being asked; every other code is an error (docs/lint, families A and R).
MILD = frozenset({"A003", "A009", "A010", "A013", "A014"})


@dataclass(frozen=True, slots=True)
class Problem:
    """`column` from 1 in code points inside the condition, `width` in code points (0 at its end). `fix`, where there is
    one, replaces exactly that span."""

    code: str
    column: int
    width: int
    message: str
    fix: str | None = None

    @property
    def error(self) -> bool:
        return self.code not in MILD

    def __str__(self) -> str:
        return f"{self.code} col {self.column}: {self.message}"


class ConditionError(Exception):
    """A text that is no condition; `problem` says where and why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem
