"""What every command shares: the global options, the session, how results are shown and questions asked.

Results go to stdout, talk to stderr. With `--json` one object stands on stdout and nothing else (docs/cli). rich is
imported when something is drawn, never before.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from omnicli import clock
from omnicli.errors import Exit, OmniError
from omnicli.text import printable
from omnicli.texts import t

if TYPE_CHECKING:
    from rich.console import Console

    from omnicli.campaignfile import Loaded
    from omnicli.cli.options import AsOf, DryRun, Yes
    from omnicli.store.connection import Store

FORMAT_VERSION = "1.0"

__all__ = ["AsOf", "DryRun", "Yes", "begin", "current", "plain", "session", "split_options", "tell_error"]


def __getattr__(name: str) -> Any:
    """`AsOf`, `DryRun`, `Yes` come from `options`, so that the front page is drawn without typer."""
    if name in ("AsOf", "DryRun", "Yes"):
        from omnicli.cli import options

        return getattr(options, name)
    raise AttributeError(name)


@dataclass
class Options:
    """The closed set that every command takes, in any position."""

    project: Path | None = None
    live: bool = False
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    no_color: bool = False
    no_input: bool = False
    lang: str | None = None


_FLAGS = {
    "--live": "live", "--json": "json", "--quiet": "quiet", "-q": "quiet", "--verbose": "verbose", "-v": "verbose",
    "--no-color": "no_color", "--no-input": "no_input",
}  # fmt: skip
_VALUES = {"--project": "project", "-C": "project", "--lang": "lang"}


def split_options(argv: Sequence[str]) -> tuple[Options, list[str]]:
    """The global options wherever they stand before `--`, and the words that remain."""
    options, words = Options(), []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word == "--":
            words += [word, *rest]
            break
        name, equals, value = word.partition("=")
        if word in _FLAGS:
            setattr(options, _FLAGS[word], True)
        elif name in _VALUES and (equals or word == name):
            if not equals:
                if not rest:
                    raise OmniError(t("'{name}' wants a value", "« {name} » veut une valeur", name=name), code="usage")
                value = rest.pop(0)
            setattr(options, _VALUES[name], Path(value) if _VALUES[name] == "project" else value)
        else:
            words.append("--help" if word == "-h" else word)
    if options.lang not in (None, "en", "fr"):
        raise OmniError(t("'--lang' is en or fr", "« --lang » vaut en ou fr"), code="usage")
    return options, words


@dataclass
class Session:
    """One command being carried out. `as_of` is the instant shown in the JSON object once it is known."""

    options: Options
    command: str = ""
    as_of: datetime | None = None
    warnings: list[str] = field(default_factory=list)
    _loaded: Loaded | None = None
    _store: Store | None = None

    # --- what the command works on ----------------------------------------------------------------------------------
    @property
    def live(self) -> bool:
        return self.options.live

    @property
    def json(self) -> bool:
        return self.options.json

    @property
    def environment(self) -> str:
        return "live" if self.options.live else "sandbox"

    def root(self) -> Path:
        """The project's folder: `--project`, else the nearest one upwards with `omni.yaml`."""
        from omnicli.app import find_root

        return find_root(self.options.project)

    def loaded(self) -> Loaded:
        """The project's files, read once."""
        if self._loaded is None:
            from omnicli.app import open_project

            self._loaded = open_project(self.root())
        return self._loaded

    def store(self, *, create: bool = True) -> Store:
        """The environment's store, opened once; created and upgraded in the sandbox."""
        if self._store is None:
            from omnicli.app import open_store

            self._store = open_store(self.loaded(), live=self.options.live, create=create)
        return self._store

    def now(self, as_of: str | None = None, *, changes: bool = False) -> datetime:
        """The instant of this command (cli 1, Time): `--as-of`, else the sandbox's clock or now, whichever is later."""
        from omnicli.app import instant

        self.as_of, said = instant(self.loaded(), self._store, live=self.live, as_of=as_of, changes=changes)
        if said:
            self.talk(said)
        return self.as_of

    @property
    def store_path(self) -> str | None:
        """Where the environment's store is, as far as the files of the project say; for error messages, so never with a password."""
        if self._loaded is None:
            return None
        from omnicli.app import place

        try:
            return place(self._loaded, live=self.options.live).said
        except OmniError:
            return None

    # --- talk -------------------------------------------------------------------------------------------------------
    def console(self, *, stderr: bool = False) -> Console:
        """A rich console: plain in a pipe, with NO_COLOR, `--no-color` or TERM=dumb."""
        from rich.console import Console

        stream = sys.stderr if stderr else sys.stdout
        plain = self.options.no_color or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb" or not stream.isatty()
        width = None if stream.isatty() else 200
        return Console(file=stream, no_color=plain, highlight=False, soft_wrap=not stream.isatty(), width=width,
                       emoji=False, markup=False, force_terminal=None if not plain else False)  # fmt: skip

    def talk(self, text: str) -> None:
        """A line for people, on stderr; silent with `-q`."""
        if not self.options.quiet:
            print(printable(text), file=sys.stderr)

    def warn(self, text: str) -> None:
        """A line that counts: on stderr even with `-q`, and in the JSON object."""
        self.warnings.append(text)
        if not self.json:
            print(printable(text), file=sys.stderr)

    def finish(self, result: dict[str, Any], *, show: Callable[[Console], None] | None = None, exit: int = Exit.FINE) -> NoReturn:
        """Show the result (JSON object or `show`), close the store, leave with the exit code."""
        if self.json:
            print(json.dumps(self._object(result, exit), ensure_ascii=False, indent=2, default=plain))
        elif show is not None:
            show(self.console())
        self.close()
        from typer import Exit as Leave

        raise Leave(exit)

    def _object(self, result: dict[str, Any] | None, exit: int, error: OmniError | None = None) -> dict[str, Any]:
        found: dict[str, Any] = {
            "format_version": FORMAT_VERSION, "command": self.command, "environment": self.environment,
            "as_of": clock.iso(self.as_of) if self.as_of else None,
        }  # fmt: skip
        if result is not None:
            found["result"] = result
        if error is not None:
            found["error"] = {"code": error.code, "message": error.message, "hint": same_environment(error.hint, live=self.live)}
        return {**found, "warnings": self.warnings, "exit": exit}

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    # --- questions --------------------------------------------------------------------------------------------------
    def _asks(self) -> bool:
        return not self.options.no_input and not self.json and sys.stdin.isatty() and sys.stderr.isatty()

    def confirm_yes(self, question: str, *, yes: bool) -> None:
        """Go on after `--yes` or a typed yes; otherwise exit 4."""
        if yes:
            return
        if not self._asks():
            raise OmniError(question, hint=t("answer with --yes", "répondez par --yes"), code="refused", exit=Exit.REFUSED)
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes", "o", "oui"):
            raise OmniError(t("nothing was done", "rien n'a été fait"), code="refused", exit=Exit.REFUSED)

    def confirm_name(self, name: str, *, confirm: str | None, question: str) -> None:
        """Go on when `--confirm NAME` or the typed text equals the name; otherwise exit 4."""
        given = confirm
        if given is None and self._asks():
            print(f"{question} ({name}): ", end="", file=sys.stderr, flush=True)
            given = sys.stdin.readline().strip()
        if given != name:
            raise OmniError(question, hint=t("--confirm {name} says so", "--confirm {name} le confirme", name=name),
                            code="refused", exit=Exit.REFUSED)  # fmt: skip

    @contextmanager
    def progress(self, what: str, *, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """A bar on a terminal, one line a minute elsewhere, nothing with `-q`; the callable takes steps done since."""
        if self.options.quiet or self.json:
            yield lambda _n: None
        elif sys.stderr.isatty():
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            with Progress(*columns, console=self.console(stderr=True), transient=True) as bar:
                task = bar.add_task(what, total=total)
                yield lambda n: bar.advance(task, n)
        else:
            yield _a_line_a_minute(what, total)


def _a_line_a_minute(what: str, total: int | None) -> Callable[[int], None]:
    done, said = 0, time.monotonic()

    def step(n: int) -> None:
        nonlocal done, said
        done += n
        if time.monotonic() - said > 60:
            said = time.monotonic()
            print(f"{what}: {done}" + (f"/{total}" if total else ""), file=sys.stderr)

    return step


def plain(value: object) -> object:
    """JSON for what json does not know: instants as UTC text, ids as text, sets sorted."""
    if isinstance(value, datetime):
        return clock.iso(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


_session: Session | None = None


def begin(options: Options) -> Session:
    """Start the session of this process's command."""
    global _session
    _session = Session(options)
    return _session


def current() -> Session:
    """The session, even before options were read (an error in them is told too)."""
    return _session or begin(Options(json="--json" in sys.argv))


def session() -> Session:
    """The session, for commands."""
    return current()


def tell_error(error: OmniError) -> None:
    """One line and a hint on stderr; with `--json` the error object on stdout."""
    s = current()
    if s.json:
        print(json.dumps(s._object(None, error.exit, error), ensure_ascii=False, indent=2, default=plain))
    else:
        print(folded(f"omni: {error.message}", indent=6), file=sys.stderr)
        if hint := same_environment(error.hint, live=s.live):
            print(folded(f"  → {hint}", indent=4), file=sys.stderr)
    s.close()


def folded(text: str, *, indent: int = 0) -> str:
    """Talk broken at blanks where stderr is a terminal, never in a pipe; a line that holds a command stays whole: it is copied."""
    import shutil
    from textwrap import wrap

    text = printable(text)
    if not sys.stderr.isatty() or re.search(r"\bomni [a-z]", text):
        return text
    return "\n".join(wrap(text, shutil.get_terminal_size().columns, subsequent_indent=" " * indent, break_long_words=False,
                          break_on_hyphens=False, drop_whitespace=True)) or text  # fmt: skip


def same_environment(hint: str, *, live: bool) -> str:
    """A hint that is a command asks the environment that was asked: without `--live` the sandbox would answer, and all is well there.
    Help is the same for both."""
    about_people = hint.startswith(
        ("omni campaign ", "omni contact ", "omni touch ", "omni db ", "omni response ", "omni doctor")
    )
    asks = about_people and not hint.endswith("--help")
    return f"{hint} --live" if live and asks and "--live" not in hint else hint
