"""A bug, told without personal data: what omni was, what it was asked, where it broke; ready to paste."""

from __future__ import annotations

import platform
import sys
import traceback

from omnicli import __version__
from omnicli.cli import frame
from omnicli.errors import OmniError
from omnicli.texts import t


def report(error: BaseException, argv: list[str]) -> int:
    """Print the paste-ready report to stderr (frames only, no values); exit code 1."""
    if frame.current().options.json:
        frame.tell_error(OmniError(t("bug: {it}", "défaut d'omni : {it}", it=type(error).__name__), code="bug", exit=1))
    lines = [
        frame.folded(
            t("This is a bug in omni, not in your files. Nothing is half done: running again is safe.",
              "C'est un défaut d'omni, pas de vos fichiers. Rien n'est fait à moitié : recommencer est sans risque.")),
        "",
        f"omni {__version__} · Python {platform.python_version()} · {platform.system()}",
        t("command: {it}", "commande : {it}", it="omni " + " ".join(word for word in argv[:2] if "@" not in word)),
        t("error:   {it}", "erreur :   {it}", it=type(error).__name__),
    ]  # fmt: skip
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    lines += [f"  omnicli{entry.filename.rpartition('omnicli')[2]}:{entry.lineno} {entry.name}" for entry in frames]
    print("\n".join(lines), file=sys.stderr)
    if frame.current().options.verbose:
        traceback.print_exception(error)
    return 1
