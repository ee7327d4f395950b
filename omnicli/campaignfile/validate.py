"""Positioned values to frozen models: every problem of one file in one go, as findings at exact places.

A value that fails becomes a finding, its place is filled with `UNKNOWN`, and the file is validated again, so that what
depends on it stays silent and what does not is still found (docs/language, section 2). Nothing is raised.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from omnicli.campaignfile.catalogue import finding
from omnicli.campaignfile.meanings import meaning
from omnicli.campaignfile.source import KeyPath, Map, Source, Span
from omnicli.model.finding import Edit, Finding, Fix, Place
from omnicli.model.written import UNKNOWN, Empty, Loose, shown
from omnicli.text import did_you_mean, nearest
from omnicli.texts import t

ROUNDS = 40

M = TypeVar("M", bound=BaseModel)

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def validate(
    model: type[M], source: Source, *, references: bool = False, currency: str = "EUR"
) -> tuple[M | None, list[Finding]]:
    """The file as a value of `model`, unknown where it failed, and what is wrong with it.

    `references`: `${NAME}` may stand where a typed value is wanted, and is taken from the environment (S008 when
    unset). `currency` is what S005 suggests. None when no round of validation went through.
    """
    work = _Work(source, {} if isinstance(source.root, Empty) else source.root, references=references, currency=currency)
    for _ in range(ROUNDS):
        try:
            return model.model_validate(work.data, by_alias=True, by_name=False), work.findings
        except ValidationError as error:
            if work.data is source.root:
                work.data = _copied(source.root)
            before = len(work.findings)
            work.moved = False
            for problem in error.errors(include_url=False, include_input=False):
                work.take(problem)
            if len(work.findings) == before and not work.moved:
                return None, work.findings
    return None, work.findings


def _copied(tree: Any) -> Any:
    """Plain containers that may be changed; the source keeps what was written."""
    if isinstance(tree, dict):
        return {key: _copied(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_copied(value) for value in tree]
    return tree


def dotted(path: Iterable[str | int]) -> str:
    """A key path as findings name it: `flow.3.send`."""
    return ".".join(str(part) for part in path)


@dataclass
class _Work:
    source: Source
    data: Any
    references: bool
    currency: str
    findings: list[Finding] = field(default_factory=list)
    seen: set[tuple[str, Place]] = field(default_factory=set)
    moved: bool = False

    def take(self, problem: Mapping[str, Any]) -> None:
        """One validation error: the finding, and the unknown in its place."""
        location, key = _clean(problem["loc"])
        context: dict[str, Any] = problem.get("ctx", {})
        code: str = problem["type"]
        path = self.real([*location, *context.get("at", ())])
        if code == "shape":
            self._shape(path, context)
        elif code == "extra_forbidden":
            self._unknown(path[:-1], str(path[-1]), context.get("expected", ()), 0)
        elif key or context.get("key"):
            self._bad_key(path, code, context)
        else:
            self._bad_value(path, code, context, problem["msg"])

    def real(self, location: Iterable[str | int]) -> KeyPath:
        """The path in the file: parts that only the long form has are left out."""
        here: Any = self.data
        path: list[str | int] = []
        for part in location:
            if isinstance(here, dict) and part in here:
                here = here[str(part)]
            elif isinstance(here, list) and isinstance(part, int) and part < len(here):
                here = here[part]
            else:
                continue
            path.append(part)
        return tuple(path)

    def put(self, path: KeyPath, value: Any) -> None:
        """Fill a place of the working copy."""
        self.moved = True
        if not path:
            self.data = value
            return
        self.inside(path[:-1])[path[-1]] = value

    def inside(self, path: KeyPath) -> Any:
        here = self.data
        for part in path:
            here = here[part]
        return here

    def add(self, code: str, place: Place, message: str, *, path: KeyPath, fix: Fix | None = None) -> None:
        if (code, place) not in self.seen:
            self.seen.add((code, place))
            self.findings.append(finding(code, place, message, path=dotted(path), fix=fix))

    def _shape(self, path: KeyPath, context: Mapping[str, Any]) -> None:
        here = self.inside(path)
        if not isinstance(here, dict):  # a short form: the missing key cannot be written into it
            self.put(path, UNKNOWN)
            return
        missing = list(context["missing"])
        free = [key for key in context["expected"] if key not in here]
        for old in context["unknown"]:
            taken = self._unknown(path, old, context["expected"], len(free), free=free, old=context["old"])
            if taken in missing:
                missing.remove(taken)
            if taken in free:
                free.remove(taken)
        for key in missing:
            self._missing(path, key, context["meanings"].get(key, ""))

    def _missing(self, path: KeyPath, key: str, means: str) -> None:
        at = self.source.span(path) if path else Span(0, 0, 0, 1, "")
        message = t(
            "{where} needs '{key}' ({meaning})",
            "{where} : il manque « {key} » ({meaning})",
            where=self.where(path),
            key=key,
            meaning=meaning(means),
        )
        node = self.source.find(path)
        if isinstance(node, Map) and key in node.keys_at:
            message = t(
                "'{k}' has nothing behind it ({meaning})", "« {k} » n'a pas de valeur ({meaning})", k=key, meaning=meaning(means)
            )
            self.add("S001", self.source.place((*path, key)), message, path=(*path, key))
        else:
            self.add("S001", self._head(path, at), message, path=(*path, key))
        self.put((*path, key), UNKNOWN)

    def _head(self, path: KeyPath, at: Span) -> Place:
        if not path:
            root = self.source.root
            at = next(iter(root.keys_at.values())) if isinstance(root, Map) and root.keys_at else at
        return self.source.at(at)

    def _unknown(
        self, path: KeyPath, name: str, expected: Iterable[str], _left: int, *, free: Iterable[str] = (), old: Mapping[str, Any] | None = None
    ) -> str | None:  # fmt: skip
        """S002 (or S006 for a key of an earlier language); gives the key that was meant when one is sure."""
        here = self.inside(path)
        span = self.source.span((*path, name), key=True)
        place = self.source.at(span)
        value = here.pop(name)
        self.moved = True
        if old and name in old:
            new, since, gone = old[name]
            message = t("'{k}' is now '{new}' (since {since}, gone in {gone})", "« {k} » s'appelle désormais « {new} » (depuis {since}, supprimé en {gone})",
                        k=name, new=new, since=since, gone=gone)  # fmt: skip
            self.add("S006", place, message, path=(*path, name), fix=self.rename(span, new))
            here.setdefault(new, value)
            return str(new)
        close = nearest(name, free)
        message = t("unknown key '{k}' in {where}. Expected: {keys}.", "clé inconnue « {k} » dans {where}. Attendu : {keys}.",
                    k=shown(name), where=self.where(path), keys=", ".join(expected))  # fmt: skip
        if close:
            message += did_you_mean(name, [close])
            here[close] = value
            self._note_renamed(path, name, close)
        self.add("S002", place, message, path=(*path, name), fix=self.rename(span, close) if close else None)
        return close

    def _note_renamed(self, path: KeyPath, name: str, close: str) -> None:
        """The value now stands under the right key: later findings about it still know its place."""
        node = self.source.find(path)
        if isinstance(node, Map) and name in node.keys_at and close not in node.keys_at:
            node.keys_at[close], node.values_at[close] = node.keys_at[name], node.values_at[name]

    def rename(self, span: Span, new: str) -> Fix | None:
        """A safe fix that writes `new` over a scalar, in the quotes that it had."""
        if span.style in ("|", ">", "block", "{", "[") or span.line != span.end_line:
            return None
        text = _quoted(new, span.style)
        return Fix(t("write '{x}'", "écrire « {x} »", x=new), (Edit(self.source.exact(span), text),))

    def _bad_key(self, path: KeyPath, code: str, context: Mapping[str, Any]) -> None:
        span = self.source.span(path, key=True)
        name = str(path[-1]) if path else ""
        fix = context.get("fix") or ""
        if code == "S002" and fix:
            message = t("unknown key '{k}' in {where}. Expected: {keys}.", "clé inconnue « {k} » dans {where}. Attendu : {keys}.",
                        k=shown(name), where=context.get("where", ""), keys=context["wanted"])  # fmt: skip
            self.add("S002", self.source.at(span), message + did_you_mean(name, [fix]), path=path, fix=self.rename(span, fix))
            here = self.inside(path[:-1])
            here[fix] = here.pop(name)
            self._note_renamed(path[:-1], name, fix)
            self.moved = True
            return
        if code == "S007":
            self.add("S007", self.source.at(span), context["message"], path=path[:-1])
            here = self.inside(path[:-1])  # go on with what the first verb may have
            self.put(path[:-1], {key: value for key, value in here.items() if key in context["keep"]})
            return
        message = t(
            "'{k}' is no name: {wanted}", "« {k} » n'est pas un nom : {wanted}", k=shown(name), wanted=context.get("wanted", "")
        )
        self.add(
            "S003" if code not in ("S001", "S004") else code,
            self.source.at(span),
            message,
            path=path,
            fix=self.rename(span, fix) if fix else None,
        )
        here = self.inside(path[:-1])
        renewed = {(Loose(key) if key == name else key): value for key, value in here.items()}
        here.clear()
        here.update(renewed)
        self.moved = True

    def _bad_value(self, path: KeyPath, code: str, context: Mapping[str, Any], text: str) -> None:
        value = self.inside(path)
        if self.references and isinstance(value, str) and (found := _REFERENCE.fullmatch(value.strip())):
            self._reference(path, found[1])
            return
        if code[:1] not in "STYAF" or not code[1:].isdigit():
            code, context = "S003", {"wanted": text, "got": shown(value)}
        span = self.source.span(path)
        place = self._head(path, span)
        name = next((str(part) for part in reversed(path) if isinstance(part, str)), self.source.file)
        message, fix_text, safe = self._words(code, name, context)
        fix = None
        if fix_text and (made := self.rename(span, fix_text)):
            fix = Fix(made.title, made.edits, safe=safe)
        self.add(code, place, message, path=path, fix=fix)
        self.put(path, UNKNOWN)

    def _words(self, code: str, name: str, context: Mapping[str, Any]) -> tuple[str, str, bool]:
        wanted, got, note = context.get("wanted", ""), context.get("got", ""), context.get("note", "")
        fix = context.get("fix") or ""
        if "message" in context:
            return context["message"], fix, True
        if code == "S001":
            return (
                t(
                    "'{k}' has nothing behind it; it wants {wanted}",
                    "« {k} » n'a pas de valeur ; il faut {wanted}",
                    k=name,
                    wanted=wanted,
                ),
                "",
                True,
            )
        if code == "S004":
            message = t("'{v}' is not one of {known}.", "« {v} » ne fait pas partie de : {known}.", v=got, known=wanted)
            return message + (t(" Did you mean '{x}'?", " Vouliez-vous dire « {x} » ?", x=fix) if fix else ""), fix, True
        if code == "S005":
            asked = note or t("which currency?", "quelle devise ?")
            asked = asked.replace("EUR", self.currency)
            mended = f"{got} {self.currency}"
            return t("'{v}': {asked}", "« {v} » : {asked}", v=got, asked=asked), mended, False
        if code == "T003":
            return t("'{v}': it wants {wanted}", "« {v} » : il faut {wanted}", v=got, wanted=wanted), fix, True
        message = t("'{k}' wants {wanted}, got '{v}'", "« {k} » demande {wanted}, et non « {v} »", k=name, wanted=wanted, v=got)
        return message + (f"; {note}" if note else ""), fix, True

    def _reference(self, path: KeyPath, name: str) -> None:
        set_to = os.environ.get(name)
        if set_to is None or _REFERENCE.search(set_to):
            message = t("${{{name}}} is not set", "${{{name}}} n'est pas définie", name=name)
            self.add("S008", self.source.place(path), message, path=path)
            self.put(path, UNKNOWN)
        else:
            self.put(path, set_to)

    def where(self, path: KeyPath) -> str:
        """A mapping as messages name it."""
        if path:
            return f"'{dotted(path)}'"
        return self.source.file.rsplit("/", 1)[-1]


def _clean(location: Iterable[str | int]) -> tuple[list[str | int], bool]:
    """The location without the tags of unions; whether it is the key that failed."""
    parts = [part for part in location if not (isinstance(part, str) and part.startswith("<") and part.endswith(">"))]
    if parts and parts[-1] == "[key]":
        return parts[:-1], True
    return parts, False


def _quoted(text: str, style: str) -> str:
    if style == "'":
        return "'" + text.replace("'", "''") + "'"
    if style == '"':
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text
