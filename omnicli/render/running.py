"""Runs the templates of a message for one person after the other, and finds ever shorter ways for those who come later.

The first reader runs the templates and makes a skeleton; from the eighth on what is the same for everybody is folded, from the
fiftieth the folded templates are compiled; a message that turns out straight runs no template any more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from jinja2 import Template, nodes

from omnicli import guards
from omnicli.render import finish
from omnicli.render.facts import certain, fixed_facts
from omnicli.render.finished import check_address, finished, finished_whole, weighed
from omnicli.render.fold import Fold, is_straight
from omnicli.render.program import Program, program_of
from omnicli.render.said import Said
from omnicli.render.sandbox import MAX_CHUNKS, Sandbox, TooMuch
from omnicli.render.sheet import Made, Sheet
from omnicli.render.shelf import Shelf
from omnicli.render.skeleton import OPEN, Recorder, Skeleton
from omnicli.render.views import CannotRender
from omnicli.texts import t

_POISON = 20
_SOME, _MANY = 8, 50

#: A skeleton, and those of its values that must be addresses.
Known = tuple[Skeleton, tuple[int, ...]]


@dataclass(slots=True)
class Runner:
    """`said`: what this renderer's skeletons say, by their hash."""

    shelf: Shelf
    recorder: Recorder
    said: dict[str, Said] = field(default_factory=dict)

    def values(self, sheet: Sheet) -> tuple[Said, tuple[str, ...]]:
        """Skeleton and values for the person that the sheet's reader is turned to."""
        if sheet.program is not None:
            return sheet.program.said, sheet.program.values()
        if sheet.whole is None:
            sheet.readers += 1
            if sheet.readers in (_SOME, _MANY):
                self._quicken(sheet)
            found = self._marked(sheet)
            if found is not None:
                return self._saying(found[0]), found[1]
        skeleton, values = self._as_a_whole(sheet)
        return self._saying(skeleton), values

    def plainly(self, sheet: Sheet) -> dict[str, str]:
        """What the templates print, unfinished."""
        self.recorder.begin(sheet.reader, marking=False)
        key = self._chunks(sheet, self.shelf.plain)
        return {made.part.name: "".join(chunks) for made, chunks in zip(sheet.made, key, strict=True)}

    def _saying(self, skeleton: Skeleton) -> Said:
        found = self.said.get(skeleton.hash)
        if found is None:
            found = self.said[skeleton.hash] = Said.of(skeleton)
        return found

    # -- marked ------------------------------------------------------------------------------------------------------
    def _marked(self, sheet: Sheet) -> tuple[Skeleton, tuple[str, ...]] | None:
        """Skeleton and values; None when the values show that the text must be rendered whole."""
        recorder = self.recorder
        recorder.begin(sheet.reader, marking=True)
        key = self._chunks(sheet, self.shelf.marking)
        values = recorder.values
        known = sheet.skeletons.get((key, tuple(recorder.targets)) if recorder.targets else key)
        if known is None:
            known = self._new_skeleton(sheet)
            if known is None:
                return None
        skeleton, addresses = known
        joined = "".join(values)
        weighed(skeleton, len(joined))
        if not joined.isascii() and (OPEN in joined or "\ue002" in joined):
            sheet.misses += 1
            if sheet.misses >= _POISON:
                sheet.whole = "its values contain marks"
            return None
        for n in addresses:
            check_address(values[n])
        return skeleton, skeleton.complete(values)

    def _chunks(self, sheet: Sheet, environment: Sandbox) -> tuple[Any, ...]:
        """What each part's template yields, as tuples of chunks."""
        environment.begin()
        return tuple([self._run(made, sheet, environment) for made in sheet.made])

    def _run(self, made: Made, sheet: Sheet, environment: Sandbox) -> tuple[str, ...]:
        part = made.part
        if part.slot is not None:
            slot = sheet.variables["say"].look(part.slot)
            return (environment.hook_text(slot),)
        marking = environment is self.shelf.marking
        template = made.template if marking else made.plain
        if template is None:
            return ()
        context = made.context if marking else None
        if context is None:
            context = template.new_context(sheet.variables, shared=True)
            if marking and self.shelf.reusable(template.name or ""):
                made.context = context
        if part.block is not None and part.block in template.blocks:
            stream = template.blocks[part.block](context)
        elif part.ext is None:
            return (sheet.variables["brand"].values_["name"],)
        else:
            stream = template.root_render_func(context)
        chunks = tuple(islice(stream, MAX_CHUNKS + 1))
        if len(chunks) > MAX_CHUNKS and guards.on("output_limit"):
            raise TooMuch(t("the message grows too long", "le message devient trop long"))
        return chunks

    def _new_skeleton(self, sheet: Sheet) -> Known | None:
        """Looks at a skeleton for the first time: runs once more with its origins, checks, finishes and keeps it."""
        recorder = self.recorder
        recorder.begin(sheet.reader, marking=True, tracing=True)
        key = self._chunks(sheet, self.shelf.marking)
        texts = {made.part.name: finish.strip_captured(list(chunks)) for made, chunks in zip(sheet.made, key, strict=True)}
        addresses = self._places(sheet, texts)
        if sheet.whole:
            return None
        skeleton = finished(sheet, texts, list(recorder.origins or ()), tuple(recorder.targets))
        safe = {n for n, origin in enumerate(recorder.origins or ()) if origin and origin[0] in ("link", "address")}
        known = skeleton, tuple(n for n in addresses if n not in safe)
        if sheet.straight:
            sheet.program = self._program(sheet, known)
        if len(sheet.skeletons) > 2_000:
            sheet.skeletons.clear()
        sheet.skeletons[(key, tuple(recorder.targets)) if recorder.targets else key] = known
        return known

    def _places(self, sheet: Sheet, texts: dict[str, str]) -> list[int]:
        """The values that must be addresses; says `whole` of a sheet whose marks stand where mark-up is decided."""
        addresses: list[int] = []
        for made in sheet.made:
            if made.part.kind != "html":
                continue
            text = texts[made.part.name]
            try:
                found = finish.places(text)
            except finish.UnsafePlace as error:
                raise CannotRender("render_failed", f"{sheet.name}: {error}") from None
            sheet.whole = found.whole or finish.depends_on_values(text) or sheet.whole
            addresses += found.addresses
        return addresses

    def _as_a_whole(self, sheet: Sheet) -> tuple[Skeleton, tuple[str, ...]]:
        """The message rendered without marks: each part is one value."""
        return finished_whole(sheet, self.plainly(sheet), tuple(self.recorder.targets))

    # -- shorter ways ------------------------------------------------------------------------------------------------
    def _program(self, sheet: Sheet, known: Known) -> Program | None:
        fixed = fixed_facts(sheet.reader.message, sheet.persona, sheet.language)
        return program_of(sheet.reader, self._saying(known[0]), known[1], [name for name, (_, text) in fixed.items() if text])

    def _quicken(self, sheet: Sheet) -> None:
        """What pays off once a message has several readers: folding; and once it has many: compiling what was folded."""
        if sheet.readers == _MANY:
            self._compile_folded(sheet)
            return
        self._fold(sheet)
        if sheet.straight and len(sheet.skeletons) == 1:
            sheet.program = self._program(sheet, next(iter(sheet.skeletons.values())))

    def _fold(self, sheet: Sheet) -> None:
        """Decides once what is the same for all readers of this message. A straight one runs no template from now on; of
        the others the folded templates are compiled once there are readers enough."""
        self.recorder.person = sheet.reader
        sure = certain(sheet.reader.message, sheet.persona, sheet.language) - sheet.reader.facts_view.omitted
        statics = {name: value for name, value in sheet.variables.items() if name not in ("contact", "touch")}
        straight = True
        for made in sheet.made:
            if made.template is None:
                continue
            fold = Fold(self.shelf.marking, statics, sure, made.part.name)
            tree = fold.template(self.shelf.own_tree(made.template.name or ""))
            if tree is None:
                straight = False
                continue
            blocks = {block.name: block.body for block in tree.find_all(nodes.Block)}
            straight = straight and is_straight(blocks.get(made.part.block or "", tree.body), fold.views)
            made.folded = tree, fold.views
        sheet.straight = straight

    def _compile_folded(self, sheet: Sheet) -> None:
        for made in sheet.made:
            if made.template is None or made.folded is None:
                continue
            tree, views = made.folded
            name = made.template.name or ""
            code = self.shelf.marking.compile(tree, name, f"templates/{name}")
            made.template = Template.from_code(self.shelf.marking, code, {}, None)
            sheet.variables.update(views)
            made.folded, made.context = None, None
