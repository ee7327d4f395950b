"""Family M, addresses: every link leads where its fact says, and a message asks one thing of its reader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from omnicli.lint.coherence.causes import Causes
from omnicli.lint.coherence.grid import Reading
from omnicli.lint.coherence.links import Target, normalised, targets
from omnicli.lint.coherence.visible import Seen
from omnicli.lint.coherence.where import place_of
from omnicli.lint.ground import Ground, Path_
from omnicli.lint.rule import rule
from omnicli.lint.rules.typed import astray, typed
from omnicli.model.finding import Finding, Place
from omnicli.texts import t


def _links(reading: Reading) -> dict[str, str]:
    """The address facts of this reader, normalised."""
    return {name: normalised(value) for name, (kind, value) in reading.facts.items() if kind == "url" and value is not None}


@rule("M005")
def link_differs(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "M005")
    for reading in ground.renderings():
        links = _links(reading)
        _scanned(ground, causes, reading, links)
        for seen in reading.seen.values():
            found = list(targets(reading, seen))
            for target in found:
                wanted = _should_lead_to(reading, target, found, links)
                if wanted is None:
                    continue
                place, path = place_of(ground, reading, target.piece, target.inner, target.width)
                text = t("leads to {url}, not {link} (tracking ignored)", "mène à {url}, pas à {link} (hors mesure)",
                         url=target.address, link=reading.facts[wanted][1])  # fmt: skip
                help = t("print {link}", "imprimez {link}", link="{{ link(facts." + wanted + ") }}")
                causes.add(place, text, reading.cells, path=path, fact=wanted, help=help)
        for address, fact, (place, path) in _astray(ground, reading, links):
            text = t("leads to {url}, not {link} (tracking ignored)", "mène à {url}, pas à {link} (hors mesure)",
                     url=address, link=reading.facts[fact][1])  # fmt: skip
            causes.add(place, text, reading.cells, path=path, fact=fact)
    yield from causes.findings()


def _astray(ground: Ground, reading: Reading, links: dict[str, str]) -> Iterator[tuple[str, str, tuple[Place, Path_]]]:
    """Addresses typed into plain text in the place of the message's own: (address, the fact it should be, place)."""
    for one in typed(ground, reading):
        if astray(reading, one) and links and normalised(str(one.mention.value)) not in links.values():
            yield one.mention.text, next(iter(links)), place_of(ground, reading, one.piece, one.start, one.width)


def _scanned(ground: Ground, causes: Causes, reading: Reading, links: dict[str, str]) -> None:
    """Codes to scan that lead elsewhere than the address facts."""
    for piece in (piece for pieces in reading.draft.parts.values() for piece in pieces):
        match piece.origin:
            case ("picture", _, int(number)) if links and normalised(reading.draft.links[number].address) not in links.values():
                place, path = place_of(ground, reading, piece, 0, 0)
                wanted = next(iter(links))
                text = t("leads to {url}, not {link} (tracking ignored)", "mène à {url}, pas à {link} (hors mesure)",
                         url=reading.draft.links[number].address, link=reading.facts[wanted][1])  # fmt: skip
                causes.add(place, text, reading.cells, path=path, fact=wanted, help="{{ qr(facts." + wanted + ") }}")


def _should_lead_to(reading: Reading, target: Target, others: list[Target], links: dict[str, str]) -> str | None:
    """The address fact that this link should lead to and does not; None when it is right, or another thing."""
    address = normalised(target.address)
    if not links or address in links.values():
        return None
    if target.fact is not None:
        return target.fact if target.fact in links and (not target.whole or address != links[target.fact]) else None
    asks = any(piece.slot == "cta" for piece in target.labels)
    alone = all(other.fact is None for other in others)
    return next(iter(links)) if asks or alone else None


@dataclass(frozen=True, slots=True)
class _Second:
    """A second thing that a rendering asks for."""

    target: Target
    count: int


@rule("M009")
def two_ctas(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "M009")
    for reading in ground.renderings():
        for seen in reading.seen.values():
            second = _second(reading, seen)
            if second is None:
                continue
            place, path = place_of(ground, reading, second.target.piece, second.target.inner, second.target.width)
            text = t("{n} competing calls to action; this one leads to {url}", "{n} appels à l'action se concurrencent ; celui-ci mène à {url}",
                     n=second.count, url=second.target.address)  # fmt: skip
            causes.add(place, text, reading.cells, path=path)
    yield from causes.findings()


def _second(reading: Reading, seen: Seen) -> _Second | None:
    """The second distinct address that is asked for; links below the last words and facts are the house's (social pages)."""
    links = _links(reading)
    first: dict[str, Target] = {}
    found = list(targets(reading, seen))
    for target in found:
        if _should_lead_to(reading, target, found, links) is not None and target.fact is None:
            continue
        if not _in_the_foot(seen, target):
            first.setdefault(normalised(target.address), target)
    if len(first) < 2:
        return None
    declared = [target for target in first.values() if target.fact is not None and target.whole]
    others = [target for target in first.values() if target not in declared]
    return _Second(others[0] if others else declared[1], len(first))


def _in_the_foot(seen: Seen, target: Target) -> bool:
    """True behind the house's legal name, address or the link to unsubscribe: nobody is asked for anything there."""
    for piece, start in zip(seen.pieces, seen.starts, strict=False):
        if start >= target.at:
            return False
        if piece.origin in (("address", "unsubscribe"), ("brand", "legal_name"), ("brand", "address")) and target.fact is None:
            return True
    return False


@rule("M010")
def cta_differs(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "M010")
    for reading in ground.renderings():
        words = _cta(reading)
        if words is None:
            continue
        for seen in reading.seen.values():
            for target in targets(reading, seen):
                typed = [i for i in range(*target.label_at) if _typed_letter(seen, i)]
                if target.fact is None or not typed or any(piece.slot for piece in target.labels):
                    continue
                number, inner = seen.at(typed[0])
                width = seen.offsets[typed[-1]] - seen.offsets[typed[0]] + 1
                place, path = place_of(ground, reading, seen.pieces[number], inner, width)
                text = t(
                    "{c} says '{x}', the others '{y}'",
                    "{c} dit « {x} », les autres « {y} »",
                    c=reading.channel,
                    x=target.label,
                    y=words,
                )
                causes.add(place, text, reading.cells, path=path)
    yield from causes.findings()


def _typed_letter(seen: Seen, index: int) -> bool:
    return seen.text[index].isalpha() and seen.pieces[seen.at(index)[0]].origin == ("template",)


def _cta(reading: Reading) -> str | None:
    """What `say.cta` asks in this language and register."""
    from omnicli.render.renderer import look_up

    return look_up(reading.message, reading.language, reading.register).get("cta")
