"""Family J: templates and placeholders: readable, known, escaped, with a word for what may be missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from omnicli.lint.ground import Chapter, Ground, Path_, rename
from omnicli.lint.rule import rule
from omnicli.lint.steps import say_names
from omnicli.model.finding import Edit, Finding, Fix, Place
from omnicli.model.written import unknown
from omnicli.text import did_you_mean, nearest
from omnicli.texts import language, t

if TYPE_CHECKING:
    from jinja2 import nodes

#: What a template sees (docs/language 5.6), and the fields of each.
SEEN = (
    "say", "facts", "link", "contact", "brand", "persona", "message", "language", "unsubscribe", "preferences", "stop",
    "web_version", "qr", "landing", "pixel", "now", "touch", "direction", "channel", "campaign",
)  # fmt: skip
BRAND = ("name", "legal_name", "address", "privacy", "logo", "colours", "font")
PERSONA = ("name", "title", "needs", "problems", "interests", "levers", "channels")


@lru_cache(maxsize=256)
def _tree(ground: Ground, file: str) -> tuple[nodes.Template | None, Finding | None]:
    """The syntax tree of a template, or the finding about why there is none (J001, J006); read once a lint."""
    from jinja2 import TemplateSyntaxError
    from jinja2.exceptions import SecurityError

    from omnicli.render.sandbox import Refused, Sandbox, check_source, check_tree

    source = ground.templates[file]
    try:
        check_source(source, file)
        tree = Sandbox.__mro__[1](autoescape=False).parse(source, file)  # jinja's own parser: positions without our hooks
        check_tree(tree, file)
    except Refused as error:
        place = _line(ground, file, error.lineno, getattr(error, "construct", ""))
        text = t("{construct} is not allowed (sandbox)", "{construct} : interdit (bac à sable)", construct=f"'{error.construct}'")
        return None, ground.finding("J006", place, text)
    except TemplateSyntaxError as error:
        return None, ground.finding("J001", _line(ground, file, error.lineno, ""), _jinja_said(str(error.message)))
    except RecursionError:
        return None, ground.finding("J006", Place.at(file), t("'{construct}' is not allowed (sandbox)", "{construct} : interdit (bac à sable)",
                                                               construct=t("so deep a nesting", "une imbrication si profonde")))  # fmt: skip
    except SecurityError as error:
        return None, ground.finding("J006", Place.at(file), str(error))
    return tree, None


#: What jinja says, and how that is said in French; whatever else it may say is told as unreadable.
_JINJA = (
    (r".*innermost block that needs to be closed is '(.+?)'.*", "le bloc « {0} » n'est pas fermé"),
    (r"Unexpected end of template.*", "le gabarit se termine trop tôt"),
    (r"Encountered unknown tag '(.+?)'.*", "balise inconnue « {0} »"),
    (r"expected token '(.+?)', got '(.+?)'.*", "« {0} » attendu, « {1} » trouvé"),
    (r"unexpected char '?(.+?)'? at .*", "caractère inattendu : {0}"),
    (r"unexpected '(.+?)'.*", "« {0} » inattendu"),
    (r"unexpected end of template.*", "le gabarit se termine trop tôt"),
    (r"tag name expected.*", "un nom de balise est attendu"),
    (r"expected (?:.*expression).*", "une expression est attendue"),
    (r"block '(.+?)' (?:defined twice|already defined).*", "le bloc « {0} » est défini deux fois"),
    (r"can't assign to '(.+?)'.*", "rien ne peut être donné à « {0} »"),
)


def _jinja_said(words: str) -> str:
    """Jinja's own words in English; in French by the table."""
    if language() == "en":
        return words
    for pattern, french in _JINJA:
        if found := re.fullmatch(pattern, words, re.DOTALL):
            return french.format(*found.groups())
    return "Jinja ne lit pas ce gabarit"


def _line(ground: Ground, file: str, line: int, token: str) -> Place:
    lines = ground.templates[file].splitlines() or [""]
    text = lines[min(line, len(lines)) - 1]
    column = text.find(token) if token else -1
    if column < 0:
        column = len(text) - len(text.lstrip())
        token = text.strip()
    return Place.at(file, line, column + 1, len(token))


def _templates(ground: Ground) -> Iterator[tuple[str, nodes.Template]]:
    for file in ground.templates:
        tree, _ = _tree(ground, file)
        if tree is not None:
            yield file, tree


@lru_cache(maxsize=256)
def _below(tree: nodes.Template) -> dict[type[nodes.Node], list[Any]]:
    """Every node below the root by its type, in the order of the text: each tree is walked once for all rules."""
    found: dict[type[nodes.Node], list[Any]] = {}
    todo = [*tree.iter_child_nodes()][::-1]
    while todo:
        node = todo.pop()
        found.setdefault(type(node), []).append(node)
        todo += [*node.iter_child_nodes()][::-1]
    return found


def _all(tree: nodes.Template, kind: type[nodes.Node]) -> list[Any]:
    return _below(tree).get(kind, [])


def _undeclared(tree: nodes.Template) -> list[str]:
    """Names that neither the template nor omni gives; Jinja's own (slower) analysis is asked only when one is in question."""
    from jinja2 import meta, nodes

    if all(name.ctx != "load" or name.name in SEEN for name in _all(tree, nodes.Name)):
        return []
    return sorted(name for name in meta.find_undeclared_variables(tree) if name not in SEEN)


@rule("J001")
def template_syntax(ground: Ground) -> Iterator[Finding]:
    for file in ground.templates:
        _, finding = _tree(ground, file)
        if finding is not None and finding.code == "J001":
            yield finding


@rule("J006")
def template_cost(ground: Ground) -> Iterator[Finding]:
    for file in ground.templates:
        _, finding = _tree(ground, file)
        if finding is not None and finding.code == "J006":
            yield finding


@rule("J002")
def unknown_variable(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        yield from _placeholders(ground, chapter)
    known = _known_fields(ground)
    for file, tree in _templates(ground):
        yield from _unknown_in_template(ground, file, tree, known)


def _placeholders(ground: Ground, chapter: Chapter) -> Iterator[Finding]:
    attributes = chapter.names.attributes
    for name, message in chapter.campaign.messages.items():
        for key, texts in message.say.items():
            for slot, text in texts.items():
                for word, offset in () if unknown(text) or unknown(message.facts) else say_names(text):
                    bare = word.removeprefix("contact.")
                    if word not in message.facts and bare not in attributes:
                        path = ("messages", name, "say", key, slot)
                        known = [*message.facts, *attributes]
                        place = _inside(ground, chapter.file, path, text, offset, word)
                        near = nearest(bare, known)
                        fix = None
                        if near and place != ground.place(chapter.file, path):
                            fix = rename(place, near, title=t("rename it to '{near}'", "le renommer « {near} »", near=near))
                        said = t("no '{name}' here (known: {known}).", "pas de {name} ici (connus : {known}).", name="{" + word + "}",
                                 known=", ".join([*list(message.facts)[:8], *list(attributes)[:8]]))  # fmt: skip
                        yield ground.finding("J002", place, said + did_you_mean(bare, known), path=path, fix=fix)


def _inside(ground: Ground, file: str, path: Path_, text: str, offset: int, word: str) -> Place:
    """The place of a placeholder's name inside its text, by column when the text stands on one line as it is."""
    place = ground.place(file, path)
    if place.line != place.end_line:
        return place
    raw = ground.loaded.sources[file].lines[place.line - 1][place.column - 1 : place.end_column - 1]
    for match in re.finditer(r"\{\s*" + re.escape(word) + r"(?![\w.-])", raw):
        if raw[: match.start()].count("{") == text[:offset].count("{") - 1:
            start = place.column + match.end() - len(word)
            return Place(file, place.line, start, place.line, start + len(word))
    return place


def _known_fields(ground: Ground) -> dict[str, tuple[str, ...]]:
    messages = [m for c in ground.chapters for m in c.campaign.messages.values()]
    slots = dict.fromkeys(slot for m in messages for texts in m.say.values() for slot in texts)
    usual = ("subject", "preheader", "headline", "body", "short", "cta", "script", "ps")
    return {
        "say": (*usual, *(s for s in slots if s not in usual)),
        "facts": tuple(dict.fromkeys(fact for m in messages for fact in m.facts)),
        "contact": tuple(ground.names.attributes), "brand": BRAND, "persona": PERSONA, "message": ("name",),
    }  # fmt: skip


def _unknown_in_template(ground: Ground, file: str, tree: nodes.Template, known: dict[str, tuple[str, ...]]) -> Iterator[Finding]:
    from jinja2 import nodes

    for name in _undeclared(tree):
        found = re.search(rf"\b{re.escape(name)}\b", _code_only(ground.templates[file]))
        line, column = _position(ground.templates[file], found.start() if found else 0)
        place = Place.at(file, line, column, len(name))
        near = nearest(name, SEEN)
        fix = rename(place, near, title=t("rename it to '{near}'", "le renommer « {near} »", near=near)) if near else None
        text = t(
            "no '{name}' here (known: {known}).",
            "pas de « {name} » ici (connus : {known}).",
            name=name,
            known=", ".join(SEEN),
        )
        yield ground.finding("J002", place, text + did_you_mean(name, SEEN), fix=fix)
    guarded = {(n.node.node.name, n.node.attr) for n in _all(tree, nodes.Test)
               if n.name in ("defined", "undefined") and isinstance(n.node, nodes.Getattr) and isinstance(n.node.node, nodes.Name)}  # fmt: skip
    for node in _all(tree, nodes.Getattr):
        if not isinstance(node.node, nodes.Name) or node.node.name not in known:
            continue
        owner, field = node.node.name, node.attr
        if field in known[owner] or (owner, field) in guarded or (owner == "facts" and not known[owner]):
            continue
        if owner == "facts" and (owner, field) not in guarded and field in ("link",):
            continue
        place = _line(ground, file, node.lineno, f"{owner}.{field}")
        near = nearest(field, known[owner])
        fix = (
            rename(place, f"{owner}.{near}", title=t("rename it to '{near}'", "le renommer « {near} »", near=near))
            if near
            else None
        )
        text = t(
            "no '{name}' here (known: {known}).",
            "pas de « {name} » ici (connus : {known}).",
            name=f"{owner}.{field}",
            known=", ".join(known[owner][:10]),
        )
        yield ground.finding("J002", place, text + did_you_mean(field, known[owner]), fix=fix)


def _code_only(source: str) -> str:
    """The source with everything outside `{{ }}` and `{% %}` blanked, positions kept."""
    out = [" " if c != "\n" else c for c in source]
    for match in re.finditer(r"\{\{.*?\}\}|\{%.*?%\}", source, re.S):
        out[match.start() : match.end()] = list(match[0])
    return "".join(out)


def _position(source: str, offset: int) -> tuple[int, int]:
    return source.count("\n", 0, offset) + 1, offset - source.rfind("\n", 0, offset)


_SAFE = re.compile(r"\|\s*safe\b")


@rule("J003")
def unescaped(ground: Ground) -> Iterator[Finding]:
    for file, source in ground.templates.items():
        for block in re.finditer(r"\{\{.*?\}\}", source, re.S):
            found = _SAFE.search(block[0])
            if found and re.search(r"\b(contact|say|facts)\b", block[0]):
                line, column = _position(source, block.start() + found.start())
                place = Place.at(file, line, column, len(found[0]))
                what = re.search(r"\b(?:contact|say|facts)(?:\.\w+)?", block[0])
                text = t(
                    "'|safe' on {x} lets customers write HTML",
                    "« |safe » sur {x} laisse les clients écrire du HTML",
                    x=what[0] if what else "contact",
                )
                yield ground.finding("J003", place, text, fix=Fix(t("take '|safe' out", "enlever « |safe »"), (Edit(place, ""),)))


@rule("J004")
def persona_logic(ground: Ground) -> Iterator[Finding]:
    from jinja2 import nodes

    for file, tree in _templates(ground):
        tests = [(n.test, n.lineno) for n in (*_all(tree, nodes.If), *_all(tree, nodes.CondExpr))]
        for test, line in tests:
            compares = [test] if isinstance(test, nodes.Compare) else list(test.find_all(nodes.Compare))
            if any(name.name == "persona" for compare in compares for name in compare.find_all(nodes.Name)):
                text = t("'if persona …': put the words into say or tone", "« if persona … » : mettez les mots dans say ou tone")
                yield ground.finding("J004", _line(ground, file, line, "persona"), text)


@rule("J005")
def nullable(ground: Ground) -> Iterator[Finding]:
    """`{{ contact.first_name }}` bare: no default filter, no `or`, no `is defined` around it."""
    from jinja2 import nodes

    certain = {name for name, a in ground.project.contacts.attributes.items() if a.default is not None} | {
        "id",
        "language",
        "created",
    }
    for file, tree in _templates(ground):
        for output in _all(tree, nodes.Output):
            for printed in output.nodes:
                if not (
                    isinstance(printed, nodes.Getattr) and isinstance(printed.node, nodes.Name) and printed.node.name == "contact"
                ):
                    continue
                if printed.attr in certain or _tested(tree, printed):
                    continue
                place = _line(ground, file, printed.lineno, f"contact.{printed.attr}")
                fix = rename(place, f"contact.{printed.attr} or ''", title=t("give a default", "donner une valeur par défaut"))
                text = t(
                    "'contact.{a}' can be missing: give a default",
                    "« contact.{a} » peut manquer : donnez une valeur par défaut",
                    a=printed.attr,
                )
                yield ground.finding("J005", place, text, fix=fix)


def _tested(tree: nodes.Template, printed: Any) -> bool:
    from jinja2 import nodes

    for branch in _all(tree, nodes.If):
        inside = any(node is printed for node in branch.find_all(nodes.Getattr))
        asks = any(node.attr == printed.attr for node in branch.test.find_all(nodes.Getattr)) or (
            isinstance(branch.test, nodes.Getattr) and branch.test.attr == printed.attr
        )
        if inside and asks:
            return True
    return False
