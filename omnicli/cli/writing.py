"""Files that a command writes where the person said: whole or not at all, and a plain sentence when it cannot be."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from omnicli.errors import OmniError
from omnicli.text import system_said
from omnicli.texts import t


def write(file: Path, content: str | bytes) -> None:
    """Put the content there, in place of what was there; OmniError (exit 2) when the file cannot be written."""
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    try:
        if file.exists() and not file.is_file():  # /dev/stdout and the like cannot be replaced
            file.write_bytes(raw)
            return
        handle, beside = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        try:
            with os.fdopen(handle, "wb") as open_file:
                open_file.write(raw)
            os.chmod(beside, 0o666 & ~_umask())
            os.replace(beside, file)
        except BaseException:
            with suppress(OSError):
                os.unlink(beside)
            raise
    except OSError as error:
        said = t("cannot write {file}: {why}", "impossible d'écrire {file} : {why}", file=file, why=system_said(error))
        raise OmniError(said, hint="-o", code="unwritable") from None


def _umask() -> int:
    """The mask of this process; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
