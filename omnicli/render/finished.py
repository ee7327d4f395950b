"""From texts with marks to a finished skeleton: style sheets in-lined, lines tidied, a plain text beside every page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from omnicli import guards
from omnicli.channels import Medium
from omnicli.render import finish
from omnicli.render.facts import fixed_facts
from omnicli.render.forms import plain_spaces
from omnicli.render.links import with_utm
from omnicli.render.sandbox import MAX_OUTPUT, TooMuch
from omnicli.render.sheet import Sheet
from omnicli.render.skeleton import MARK, OPEN, Origin, Skeleton, build, escape
from omnicli.render.views import CannotRender
from omnicli.texts import t


def finished_parts(medium: Medium, texts: Mapping[str, str]) -> dict[str, str]:
    """The parts as they are sent: style sheets in-lined, lines tidied."""
    out: dict[str, str] = {}
    for part in medium.parts:
        if part.name not in texts:
            continue
        text = texts[part.name]
        if part.kind == "html":
            out[part.name] = finish.inline_css(text) if medium.name == "email" else text
        elif part.kind == "line":
            out[part.name] = finish.one_line(text) if guards.on("header_line") else text
        else:
            tidy = finish.tidy_markdown(text) if part.ext == "md" else finish.tidy_text(text)
            out[part.name] = "\n".join(map(plain_spaces, tidy.split("\n"))) if medium.plain_spaces else tidy
    return out


def finished(sheet: Sheet, texts: Mapping[str, str], origins: Sequence[Origin], targets: Sequence[str]) -> Skeleton:
    """The skeleton of these texts, whose marks stand for values of these origins."""
    html_parts = {part.name for part in sheet.medium.parts if part.kind == "html"}
    escaped = [False] * len(origins)
    for name in html_parts & texts.keys():
        for mark in MARK.finditer(texts[name]):
            escaped[int(mark[1])] = True
    parts = finished_parts(sheet.medium, texts)
    made: dict[int, int] = {}
    if sheet.medium.name == "email" and "text" not in parts:
        pictures = {n for n, origin in enumerate(origins) if origin and origin[0] == "picture"}
        seen = MARK.sub(lambda mark: "" if int(mark[1]) in pictures else mark[0], parts["html"])
        parts["text"], made = finish.renumber(finish.to_text(seen), len(origins))
    return build(
        sheet.medium.name,
        sheet.name,
        parts,
        origins=origins,
        html=escaped,
        made=made,
        usual=_usual(sheet, origins),
        links=targets,
    )


def finished_whole(sheet: Sheet, texts: Mapping[str, str], targets: Sequence[str]) -> tuple[Skeleton, tuple[str, ...]]:
    """A message whose parts are its values."""
    if sum(map(len, texts.values())) > MAX_OUTPUT and guards.on("output_limit"):
        raise TooMuch(t("the message grows too long", "le message devient trop long"))
    parts = finished_parts(sheet.medium, texts)
    if sheet.medium.name == "email" and "text" not in parts:
        parts["text"] = finish.to_text(parts["html"])
    names = tuple(parts)
    found = sheet.skeletons.get(("whole", names, tuple(targets)))
    if found is None:
        whole = {name: f"{OPEN}{n}\ue001" for n, name in enumerate(names)}
        skeleton = build(
            sheet.medium.name, sheet.name, whole, origins=[None] * len(names), html=[False] * len(names), made={}, usual={},
            links=tuple(targets),
        )  # fmt: skip
        found = sheet.skeletons[("whole", names, tuple(targets))] = skeleton, ()
    return found[0], tuple(parts.values())


def _usual(sheet: Sheet, origins: Sequence[Origin]) -> dict[tuple[Origin, bool], str]:
    """What the message's facts read for everybody who was not told otherwise: the sample that values are kept against."""
    usual: dict[tuple[Origin, bool], str] = {}
    fixed = fixed_facts(sheet.reader.message, sheet.persona, sheet.language)
    for origin in origins:
        if not origin or origin[0] not in ("fact", "url"):
            continue
        kind, value = fixed.get(origin[1], ("", None))
        if value is None:
            continue
        text = with_utm(value, sheet.reader.utm) if origin[0] == "url" else sheet.reader.formed(kind, value, origin[2])
        usual[(origin, False)], usual[(origin, True)] = text, escape(text)
    return usual


def weighed(skeleton: Skeleton, values: int) -> None:
    """TooMuch for a message longer than any mail program shows; `values` is the length of its values."""
    constants, often = skeleton.weight
    if constants + often * values > MAX_OUTPUT and guards.on("output_limit"):
        raise TooMuch(t("the message grows too long", "le message devient trop long"))


def check_address(text: str) -> None:
    """CannotRender when a value that stands where an address must stand is none."""
    if not finish.is_address(text):
        raise CannotRender(
            "render_failed",
            t("a value used as an address is not a web address", "une valeur servant d'adresse n'est pas une adresse web"),
        )
