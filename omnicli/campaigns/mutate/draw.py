"""Which mutants are made, and in which order: by a hash of seed and names, the same in every process, on every day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from omnicli.campaigns.mutate.field import Field
from omnicli.campaigns.mutate.kinds import KINDS
from omnicli.campaigns.mutate.seed import Candidate
from omnicli.model.ids import digest


def candidates(field: Field, messages: Sequence[str] = (), kinds: Sequence[str] = ()) -> Mapping[str, Sequence[Candidate]]:
    """Kind → its candidates, of all clean messages or of these (`campaign/message`), of all kinds or of these."""
    found: dict[str, list[Candidate]] = {}
    for kind in kinds or KINDS:
        known = {one.name: one for one in KINDS[kind].candidates(field)}
        found[kind] = [
            one for one in known.values() if not messages or "/".join(one.name.split(" ")[0].split("/")[:2]) in messages
        ]
    return found


def order(found: Mapping[str, Sequence[Candidate]], seed: str) -> Iterator[tuple[str, Candidate]]:
    """All candidates, a kind after the other in turn, each kind's own in the order of their hashes."""
    shuffled = {kind: sorted(all_, key=lambda one: digest(seed, kind, one.name)) for kind, all_ in found.items()}
    for n in range(max(map(len, shuffled.values()), default=0)):
        for kind, all_ in shuffled.items():
            if n < len(all_):
                yield kind, all_[n]
