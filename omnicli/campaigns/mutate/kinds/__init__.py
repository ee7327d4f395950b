"""The closed list of mutations: each kind has a name, the place where it is seeded and the codes of which one must answer.

A fault found in the field becomes a kind. The rows are those of docs/coherence, in its order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from omnicli.campaigns.mutate.field import Field
from omnicli.campaigns.mutate.kinds import (
    budgets,
    cuts,
    drops,
    forms,
    gaps,
    hiding,
    languages,
    links,
    promises,
    registers,
    roles,
    tone,
    typed,
    wrong,
)
from omnicli.campaigns.mutate.seed import Candidate


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the public table. `where`: what is edited."""

    where: str
    codes: tuple[str, ...]
    candidates: Callable[[Field], Iterator[Candidate]]


_M005 = ("M005",)

KINDS: Mapping[str, Kind] = {
    "drop-in-say": Kind("say", ("M001",), drops.in_say),
    "drop-in-template": Kind("template", ("M001",), drops.in_template),
    "typed-in-say": Kind("say", ("M002",), typed.in_say),
    "typed-in-template": Kind("template", ("M002",), typed.in_template),
    "typed-foreign-in-say": Kind("say", ("M002",), typed.foreign_in_say),
    "typed-foreign-in-template": Kind("template", ("M002",), typed.foreign_in_template),
    "typed-in-attribute": Kind("template", ("M002",), typed.disguised(typed.in_attribute)),
    "typed-beside-comment": Kind("template", ("M002",), typed.disguised(typed.beside_comment)),
    "typed-in-cell": Kind("template", ("M002",), typed.disguised(typed.in_cell)),
    "typed-in-capitals": Kind("template", ("M002",), typed.disguised(typed.in_capitals, page=False)),
    "typed-narrow-space": Kind("template", ("M002",), typed.disguised(typed.narrow_space, page=False)),
    "off-by-one": Kind("say, template", ("M003",), wrong.numbers("off-by-one")),
    "off-by-a-tenth": Kind("say, template", ("M003",), wrong.numbers("off-by-a-tenth")),
    "digits-exchanged": Kind("say, template", ("M003",), wrong.numbers("digits-exchanged")),
    "digit-dropped": Kind("say, template", ("M003",), wrong.numbers("digit-dropped")),
    "another-day": Kind("say, template", ("M003",), wrong.days),
    "day-and-month-exchanged": Kind("say", ("M003",), wrong.days_and_months),
    "year-dropped": Kind("say, template", ("M003", "M002"), wrong.years),
    "prices-swapped": Kind("say, template", ("M008", "M007"), roles.swapped),
    "figure-changed-alone": Kind("facts", ("M007",), roles.alone),
    "form-by-hand": Kind("template", ("M004", "I004"), forms.by_hand),
    "link-other-host": Kind("template", _M005, links.typed(links.other_host, *_M005)),
    "link-other-path": Kind("template", _M005, links.typed(links.other_path, *_M005)),
    "link-unencrypted": Kind("template", ("K003", "M005"), links.typed(links.unencrypted, "K003", "M005")),
    "second-link": Kind("template", ("M009", "M005"), links.second),
    "lost-fragment": Kind("template", _M005, links.lost_fragment),
    "truncated": Kind("template", ("M006",), cuts.cut(cuts.truncated)),
    "sliced": Kind("template", ("M006",), cuts.cut(cuts.sliced)),
    "wrapped": Kind("template", ("M006",), cuts.wrapped),
    "hidden-by-style": Kind("template", ("M001",), hiding.hidden(hiding.STYLES, "M001")),
    "hidden-in-comment": Kind("template", ("M001",), hiding.hidden(hiding.COMMENTS, "M001")),
    "alt-only": Kind("template", ("M013", "M001"), hiding.hidden(hiding.PICTURES, "M013", "M001")),
    "registers-swapped": Kind("say", ("P002",), registers.swapped),
    "other-pronoun": Kind("say", ("P002",), registers.one_word(registers.PRONOUNS)),
    "other-possessive": Kind("say", ("P002",), registers.one_word(registers.POSSESSIVES)),
    "other-imperative": Kind("say", ("P002",), registers.imperatives),
    "avoided-word": Kind("say", ("P001",), tone.avoided),
    "emoji-over-budget": Kind("say", ("P003",), tone.emoji),
    "exclamation-over-budget": Kind("say", ("P004",), tone.exclamation),
    "in-capitals": Kind("say", ("P004",), tone.capitals),
    "language-deleted": Kind("say", ("I001",), languages.deleted_language),
    "slot-deleted": Kind("say", ("I001",), languages.deleted_slot),
    "placeholder-of-one-language": Kind("say", ("I002",), languages.lost_placeholder),
    "substitute-removed": Kind("say", ("M011",), gaps.without_substitute),
    "over-length": Kind("say", ("C001", "C010", "C020", "C030", "C040"), budgets.too_long),
    "dear-letter": Kind("say", ("C011",), budgets.dear_letter),
    "promise-elsewhere": Kind("facts, say", ("M015",), promises.elsewhere),
}
