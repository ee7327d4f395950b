"""Languages that fall behind: one is deleted, one of its texts, or a fact that only the others still say."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from omnicli.campaignfile import KeyPath
from omnicli.campaigns.mutate.edit import PLACEHOLDER, without_key
from omnicli.campaigns.mutate.field import Field, Words
from omnicli.campaigns.mutate.kinds.typed import at_placeholder, placeholders
from omnicli.campaigns.mutate.seed import At, Candidate, Seed
from omnicli.campaigns.mutate.sowing import in_file


def deleted_language(field: Field) -> Iterator[Candidate]:
    for words in _once(field, depth=4):
        say = ("messages", words.reading.message, "say")
        yield Candidate(_name(words, 4), partial(_deleted, field, words, words.path[:4], (say,)))


def deleted_slot(field: Field) -> Iterator[Candidate]:
    for words in _once(field, depth=5):
        say = ("messages", words.reading.message, "say")
        yield Candidate(_name(words, 5), partial(_deleted, field, words, words.path, (say, words.path[:4])))


def lost_placeholder(field: Field) -> Iterator[Candidate]:
    """A fact that one language no longer says in a slot: the first of its placeholders, where it is the only one."""
    for words in _once(field, depth=5):
        for n, (fact, _) in enumerate(placeholders(field, words)):
            if [found[1] for found in PLACEHOLDER.finditer(words.text)].count(fact) == 1:
                yield Candidate(f"{_name(words, 5)} {fact}", partial(_lost, field, words, n))


def _once(field: Field, *, depth: int) -> Iterator[Words]:
    """Each place of `say` once, whoever prints it."""
    seen: set[KeyPath] = set()
    for words in field.all_words():
        place = (words.reading.campaign, *words.path[:depth])
        if place not in seen and len(field.message(words.reading).say) > 1:
            seen.add(place)
            yield words


def _name(words: Words, depth: int) -> str:
    return f"{words.reading.campaign}/{words.reading.message} {'.'.join(map(str, words.path[3:depth]))}"


def _deleted(field: Field, words: Words, path: KeyPath, places: tuple[KeyPath, ...]) -> Seed:
    edited = without_key(field.loaded.sources[words.file], path)
    return Seed(words.reading, {words.file: edited}, ("I001",), tuple(At(words.file, place) for place in places), alone=False)


def _lost(field: Field, words: Words, n: int) -> Seed:
    say = field.message(words.reading).say
    pair = tuple((*words.path[:3], key, words.slot) for key in say if words.slot in say[key])
    seed = in_file(field, words.reading, {words.path: at_placeholder(field, words, n, "")}, "I002", places=pair)
    return Seed(words.reading, seed.edits, seed.codes, seed.places, alone=False)
