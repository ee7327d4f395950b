"""The templates of one project by name: read from the disk once, parsed once, compiled when they are first needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Template, TemplateSyntaxError, nodes

from omnicli.channels import MEDIA
from omnicli.errors import Exit, OmniError
from omnicli.render import required
from omnicli.render.sandbox import Sandbox, Templates
from omnicli.render.skeleton import Recorder
from omnicli.texts import t

#: Name and text of a template → its syntax tree, which nobody changes.
_TREES: dict[tuple[str, str], nodes.Template] = {}


class Shelf:
    """`sources`: path below `templates/` → text. `marking` leaves marks in the place of values, `plain` prints them."""

    def __init__(self, sources: Mapping[str, str], recorder: Recorder) -> None:
        self.sources = dict(sources)
        self.loader = Templates(self.sources)
        self.marking = Sandbox(self.loader, recorder, marking=True)
        self.plain = Sandbox(self.loader, recorder, marking=False)
        self._trees: dict[str, nodes.Template] = {}
        self._wholes: dict[str, str | None] = {}
        self._needs: dict[tuple[str, ...], tuple[required.Use, ...] | None] = {}

    def template(self, channel: str, ext: str, campaign: str = "") -> str | None:
        """The file that makes this part: the campaign's own, else the channel's; None without one."""
        for name in (f"{channel}.{campaign}.{ext}.j2", f"{channel}.{ext}.j2"):
            if name in self.sources:
                return name
        return None

    def needs(self, channel: str, campaign: str = "") -> tuple[required.Use, ...] | None:
        """The slots that the channel's templates need; None when a template is missing (R008)."""
        medium = MEDIA.get(channel)
        parts = medium.parts if medium is not None else ()  # two campaigns without templates of their own need the same
        key = (channel, *(self.template(channel, part.ext, campaign) or "" for part in parts if part.ext is not None))
        if key not in self._needs:
            self._needs[key] = self._read_needs(channel, campaign)
        return self._needs[key]

    def _read_needs(self, channel: str, campaign: str) -> tuple[required.Use, ...] | None:
        medium = MEDIA.get(channel)
        if medium is None:
            return None
        found: list[required.Use] = []
        for part in medium.parts:
            if part.slot:
                found.append(required.Use(part.slot, frozenset(), 1))
            if part.ext is None:
                continue
            name = self.template(channel, part.ext, campaign)
            if name is None:
                if part.required:
                    return None
                continue
            found += required.uses(
                self.tree(name), name=name, include=lambda other: self.tree(other) if other in self.sources else None
            )
        return tuple(found)

    def tree(self, name: str) -> nodes.Template:
        """The syntax tree of a template; OmniError with its place when it cannot be read."""
        if name not in self._trees:
            key = (name, self.sources[name])
            try:
                found = _TREES.get(key) or self.plain.parse(self.sources[name], name, name)
            except TemplateSyntaxError as error:
                raise _refused(name, error) from None
            if len(_TREES) >= 256:
                _TREES.clear()
            self._trees[name] = _TREES[key] = found
        return self._trees[name]

    def own_tree(self, name: str) -> nodes.Template:
        """A syntax tree that may be changed."""
        return self.marking.parse(self.sources[name], name, name)

    def compiled(self, name: str) -> tuple[Template, Template]:
        """The template that marks values, and the one that prints them; OmniError with its place when it is refused."""
        try:
            return self.marking.get_template(name), self.plain.get_template(name)
        except TemplateSyntaxError as error:
            raise _refused(name, error) from None

    def whole(self, names: Sequence[str]) -> str | None:
        """Why messages of these templates must be rendered whole, or None; whatever they include is compiled with them, before
        the hook listens."""
        return next(filter(None, map(self._rendered_whole, self._closure(names))), None)

    def _rendered_whole(self, name: str) -> str | None:
        if name not in self._wholes:
            self._wholes[name] = required.rendered_whole(self.tree(name))
        return self._wholes[name]

    def _closure(self, names: Sequence[str]) -> list[str]:
        todo = list(names)
        found: list[str] = []
        while todo:
            name = todo.pop()
            if name in found:
                continue
            found.append(name)
            for node in self.tree(name).find_all((nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)):
                other = required.named(node)
                if other in self.sources:
                    self.marking.get_template(other)
                    self.plain.get_template(other)
                    todo.append(other)
        return found

    def reusable(self, name: str) -> bool:
        """True when a template leaves nothing behind in its context, so that one context serves everybody."""
        kinds = (nodes.Extends, nodes.Assign, nodes.AssignBlock, nodes.Import, nodes.FromImport, nodes.Macro)
        return next(self.tree(name).find_all(kinds), None) is None


def read_templates(root: Path) -> dict[str, str]:
    """The texts of `templates/**/*.j2` by their path below it; links that lead out of the folder are not followed (S29)."""
    folder = root / "templates"
    found: dict[str, str] = {}
    if not folder.is_dir():
        return found
    inside = folder.resolve()
    for path in sorted(folder.rglob("*.j2")):
        if path.is_file() and path.resolve().is_relative_to(inside):
            found[path.relative_to(folder).as_posix()] = path.read_bytes().decode("utf-8", "replace")
    return found


def _refused(name: str, error: TemplateSyntaxError) -> OmniError:
    return OmniError(
        t("templates/{name}:{line}: {what}", "templates/{name}:{line} : {what}", name=name, line=error.lineno, what=error.message),
        hint=t("`omni lint` shows the place", "« omni lint » montre l'endroit"), code="template", exit=Exit.FINDINGS,
    )  # fmt: skip
