"""Words of the command line become texts, paths and whole numbers without pydantic, which newer versions of typer load for it.

Anything that does not fit is left to typer, which says what is wrong with it; so is every version of typer that works otherwise.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_NUMBER = re.compile(r"[0-9]{1,15}")


def read_plainly(command: Any) -> None:
    """Let the parameters of a command of the option parser, and of those below it, be read by `Plain`."""
    for param in command.params:
        _plain(param)
    helps = command.get_help_option  # made when it is first asked for
    command.get_help_option = lambda context: _plain(helps(context))
    for inner in getattr(command, "commands", {}).values():
        read_plainly(inner)


def _plain(param: Any) -> Any:
    if getattr(param, "_runtime_param", param) is None and hasattr(param, "type_descriptor"):
        param._runtime_param = Plain()
    return param


class Plain:
    """How one parameter is read (typer's `RuntimeParam`): what a value becomes, None for an option that was not given."""

    __slots__ = ()

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        descriptor = param.type_descriptor
        words = list(value) if several and isinstance(value, list | tuple) else [value]
        read = [_one(word, descriptor) for word in words]
        if any(one is None for one in read):
            return self._by_typer(value, param, ctx)
        return read if several else read[0]

    def _by_typer(self, value: Any, param: Any, ctx: Any) -> Any:
        from typer._coercion import build_runtime_param

        param._runtime_param = build_runtime_param(param.type_descriptor)
        return param._runtime_param.coerce(value, param=param, ctx=ctx)


def _one(word: Any, descriptor: Any) -> Any:
    """The value of one word by its annotation; None for what is left to typer."""
    wanted, how = descriptor.annotation, descriptor.parameter_info
    if how.parser is not None:
        return None
    if wanted in (str, list[str]):
        return word if isinstance(word, str) else None
    if wanted in (Path, list[Path]):
        return Path(word) if isinstance(word, str | Path) and not (how.exists or how.resolve_path) else None
    if wanted is int and (isinstance(word, int) or _NUMBER.fullmatch(word)):
        number = int(word)
        return number if (how.min is None or number >= how.min) and (how.max is None or number <= how.max) else None
    if wanted is bool and isinstance(word, bool):
        return word
    return None
