"""What the option parser refused, told as omni tells things: in the language in use, with the nearest word."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from omnicli.cli.helping import placeholder
from omnicli.errors import Exit, OmniError
from omnicli.text import nearest
from omnicli.texts import t


def of_parser(error: Exception) -> OmniError | None:
    """The OmniError for an exception of the option parser; None for anything else. Help without a verb has no message."""
    name = type(error).__name__
    if name == "NoArgsIsHelpError":
        return OmniError("", code="usage")
    if name == "Abort":
        return OmniError(t("nothing was done", "rien n'a été fait"), code="refused", exit=Exit.REFUSED)
    if not hasattr(error, "format_message"):
        return None
    context = getattr(error, "ctx", None)
    command = getattr(context, "command", None)
    message, hint = _said(error, name, command)
    if not hint and context is not None:
        hint = f"{context.command_path} --help"
    return OmniError(message, hint=hint, code="usage")


def meant(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?`, or nothing."""
    found = nearest(word, known)
    return t("did you mean '{found}'?", "vouliez-vous dire « {found} » ?", found=found) if found else ""


def _said(error: Any, name: str, command: Any) -> tuple[str, str]:
    """(message, hint) of what the parser refused, by the kind of its refusal; its own words are English."""
    words = str(error.format_message())
    verbs = list(getattr(command, "commands", {}) or ())
    option = str(getattr(error, "option_name", ""))
    match name:
        case "NoSuchOption":
            known = [o for p in getattr(command, "params", ()) for o in p.opts]
            return t("no option '{option}'", "pas d'option « {option} »", option=option), meant(option, known)
        case "NoSuchCommand" | "UsageError" if verbs and "'" in words:
            verb = words.split("'")[1]
            there = t("there are: {known}", "il y a : {known}", known=", ".join(verbs))
            return t("no command '{word}'", "pas de commande « {word} »", word=verb), meant(verb, verbs) or there
        case "MissingParameter":
            return t("'{p}' is missing", "il manque « {p} »", p=_name(error)), ""
        case "BadOptionUsage" if "does not take" in words:
            return t("'{option}' takes no value", "« {option} » ne prend pas de valeur", option=option), ""
        case "BadOptionUsage":
            return t("'{option}' wants a value", "« {option} » veut une valeur", option=option), ""
        case "BadParameter":
            return _bad(error), ""
        case "UsageError" if "(" in words:
            extra = words.rpartition("(")[2].rstrip(")")
            return t("too many words: {extra}", "trop de mots : {extra}", extra=extra), ""
    return t("wrong usage: {words}", "emploi incorrect : {words}", words=words), ""


def _name(error: Any) -> str:
    parameter = getattr(error, "param", None)
    written = getattr(parameter, "metavar", None) if getattr(parameter, "param_type_name", "") == "argument" else None
    return placeholder(written or (parameter.opts[0] if parameter is not None and parameter.opts else "") or "?")


def _bad(error: Any) -> str:
    """A value that does not fit: every typed parameter of omni is a whole number, with or without bounds."""
    kind = error.param if hasattr(error.param, "min") else getattr(error.param, "type", None)
    least, most = getattr(kind, "min", None), getattr(kind, "max", None)
    if least is not None and most is not None:
        return t(
            "'{p}' wants a whole number from {n} to {m}",
            "« {p} » veut un nombre entier de {n} à {m}",
            p=_name(error),
            n=least,
            m=most,
        )
    if least is not None:
        return t("'{p}' wants a whole number, {n} or more", "« {p} » veut un nombre entier, {n} ou plus", p=_name(error), n=least)
    return t("'{p}' wants a whole number", "« {p} » veut un nombre entier", p=_name(error))
