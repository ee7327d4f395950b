"""Addresses that lead elsewhere: another host, another page, no encryption, a second one, a fragment that is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import urlsplit, urlunsplit

from omnicli.campaignfile import KeyPath
from omnicli.campaigns.mutate.edit import Print, put
from omnicli.campaigns.mutate.field import Field
from omnicli.campaigns.mutate.seed import At, Candidate, Reading, Seed
from omnicli.campaigns.mutate.sowing import at_print, in_file, link_prints, title

#: An address → another one.
Change = Callable[[str], str]


def other_host(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"boutique-{parts.netloc.removeprefix('www.')}"))


def other_path(url: str) -> str:
    return urlunsplit((parts := urlsplit(url))._replace(path=f"{parts.path.rstrip('/')}-d-hiver"))


def unencrypted(url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(scheme="http"))


def typed(change: Change, *codes: str) -> Callable[[Field], Iterator[Candidate]]:
    """The kind that writes a changed address where the template printed the fact's: bare, and through `link(…)`."""

    def candidates(field: Field) -> Iterator[Candidate]:
        for reading, file, found, url in every_link(field):
            call = found.expression.partition("(")[0]
            for name, text in (("bare", "{url}"), (call, f'{{{{{{{{ {call}("{{url}}") }}}}}}}}')):
                if name == "bare" and call == "qr":
                    continue
                full = f"{title(reading)} {file}:{found.line}:{found.column} {name}"
                yield Candidate(full, partial(at_print, field, reading, file, found, text.format(url=change(url)), *codes))

    return candidates


def second(field: Field) -> Iterator[Candidate]:
    """Another address beside the fact's: two calls to action compete."""
    for reading, file, found, url in every_link(field):
        if found.expression.startswith("link"):
            yield Candidate(
                f"{title(reading)} {file}:{found.line}:{found.column}",
                partial(_second, field, reading, file, found, other_path(url)),
            )


def lost_fragment(field: Field) -> Iterator[Candidate]:
    """The fact leads to a place in the page; the template's own address to its top."""
    for reading, file, found, url in every_link(field):
        path = _written(field, reading, found.facts[0])
        if path is not None and "#" not in url:
            yield Candidate(
                f"{title(reading)} {file}:{found.line}:{found.column}", partial(_fragment, field, reading, file, found, url, path)
            )


def every_link(field: Field) -> Iterator[tuple[Reading, str, Print, str]]:
    for reading in field.voices:
        for file, fact, found in link_prints(field, reading):
            kind, url = field.resolved(reading, fact)
            if kind == "url":
                yield reading, file, found, url


def _second(field: Field, reading: Reading, file: str, found: Print, url: str) -> Seed:
    text = field.texts[file]
    end = text.find("</a>", found.end) if ".html" in file else -1
    at = end + len("</a>") if end >= 0 else found.end
    more = f' <a href="{{{{ link("{url}") }}}}">Voir aussi</a>' if end >= 0 else f' {{{{ link("{url}") }}}}'
    lines = dict.fromkeys((found.line, text.count("\n", 0, at) + 1))
    return Seed(reading, {file: put(text, at, at, more)}, ("M009", "M005"), tuple(At(file, line=line) for line in lines))


def _written(field: Field, reading: Reading, fact: str) -> KeyPath | None:
    """Where the address of this reading is written in `facts`; None when it comes from elsewhere."""
    path: KeyPath = ("messages", reading.message, "facts", fact)
    tries = (path, (*path, "value"), (*path, "by_language", reading.language))
    source = field.loaded.sources[field.file(reading)]
    return next((one for one in tries if source.scalar(one) is not None), None)


def _fragment(field: Field, reading: Reading, file: str, found: Print, url: str, path: KeyPath) -> Seed:
    call = found.expression.partition("(")[0]
    seed = at_print(field, reading, file, found, f'{{{{ {call}("{url}") }}}}', "M005")
    return Seed(reading, {**seed.edits, **in_file(field, reading, {path: f"{url}#offre"}).edits}, seed.codes, seed.places)
