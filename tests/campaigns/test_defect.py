"""What a provider raises is told by its kind and place alone: its message may quote a person or a key."""

from __future__ import annotations

from queue import SimpleQueue

from omnicli import clock
from omnicli.campaigns.line import Call, Line


class Raising:
    name, channels, batch = "raising", ("email",), 1

    def send(self, handed: object, *, now: object) -> None:
        raise ValueError("personal@canary.example SG.CANARY")

    def close(self) -> None: ...


def test_a_defect_names_its_place_and_quotes_nothing() -> None:
    line, done = Line(Raising()), SimpleQueue[Call]()  # type: ignore[arg-type]
    line.begin(Call(line, [_Person()]), clock.awake(), clock.now(), done)  # type: ignore[list-item]
    call = done.get()
    assert call.defect is not None
    assert call.defect.startswith("raising: ValueError (test_defect.py:")
    assert "CANARY" not in call.defect + repr(call.outcomes)
    assert "canary" not in call.defect + repr(call.outcomes)


class _Person:
    def handed(self) -> str:
        return "handed"
