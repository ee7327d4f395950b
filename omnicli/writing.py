"""A file that omni writes stands whole or not at all; where it cannot be written a person is told so in a plain sentence."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from omnicli.errors import OmniError
from omnicli.text import system_said
from omnicli.texts import t


def write_whole(path: Path, content: str | bytes, *, mode: int | None = None, sync: bool = False) -> None:
    """Put the content there in one step; OSError when it cannot be. What stood there keeps its rights unless `mode` names others;
    with `sync` the content is on the disk when this returns. The folder must stand."""
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    scratch = f"{path.parent}/.{path.name}.{os.getpid()}"
    file = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666 if mode is None else mode)
    try:
        with os.fdopen(file, "wb") as opened:
            opened.write(raw)
            if sync:
                opened.flush()
                os.fsync(opened.fileno())
        if mode is None:
            with suppress(FileNotFoundError):
                os.chmod(scratch, path.stat().st_mode & 0o7777)
        os.replace(scratch, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(scratch)
        raise


def write(path: Path, content: str | bytes, *, sync: bool = False) -> None:
    """Put the content where the person said; OmniError (exit 2) when it cannot be written."""
    try:
        if path.exists() and not path.is_file():  # /dev/stdout and the like cannot be replaced
            path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
        else:
            write_whole(path, content, sync=sync)
    except OSError as error:
        raise unwritable(path, system_said(error)) from None


def unwritable(path: Path, why: str) -> OmniError:
    """What is said of a place that cannot be written."""
    return OmniError(
        t("cannot write {file}: {why}", "impossible d'écrire {file} : {why}", file=path, why=why),
        hint=t("name a file in a folder that is there and that is yours", "nommez un fichier dans un dossier qui existe et qui est à vous"),
        code="unwritable",
    )  # fmt: skip
