"""Everything about one edition of a message that is the same for all its readers, kept while its renderer lives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jinja2 import Template, nodes

from omnicli.channels import Medium, Part
from omnicli.render.reader import Reader
from omnicli.render.skeleton import Skeleton
from omnicli.render.views import Fields

if TYPE_CHECKING:
    from omnicli.render.program import Program


@dataclass(slots=True)
class Made:
    """One part of a message and the compiled template that makes it. `folded`: its tree with what is the same for everybody
    decided, and the views that it names."""

    part: Part
    template: Template | None = None
    plain: Template | None = None
    context: Any = None
    folded: tuple[nodes.Template, Mapping[str, Any]] | None = None


@dataclass(slots=True)
class Sheet:
    """`skeletons`: chunks of text → the skeleton they make, and its values that must be addresses. `whole`: why the message is
    rendered without marks. `program` makes the values without running a template."""

    medium: Medium
    reader: Reader
    variables: dict[str, Any]
    made: list[Made]
    name: str
    extra: Fields
    persona: str | None
    language: str
    skeletons: dict[Any, tuple[Skeleton, tuple[int, ...]]] = field(default_factory=dict)
    whole: str | None = None
    misses: int = 0
    readers: int = 0
    straight: bool = False
    program: Program | None = None

    def say_besides(self, extra: Mapping[str, str | Sequence[str]]) -> None:
        """What this touch's templates see as `touch.<name>`; `size` stays."""
        if extra or len(self.extra.values_) > 1:
            self.extra.values_ = {
                "size": self.extra.values_["size"],
                **{name: _besides(name, text, self.reader) for name, text in extra.items()},
            }


def _besides(name: str, value: str | Sequence[str], reader: Reader) -> Any:
    """What the touch says besides: a text, or lines (an address always is)."""
    lines = tuple(reader.cleaned(line) for line in (value.splitlines() if isinstance(value, str) else value) if line.strip())
    if name == "address" or not isinstance(value, str) or "\n" in value:
        return lines
    return lines[0] if lines else ""
