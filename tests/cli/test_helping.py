"""Help pages on a terminal: nothing is cut, words stay whole, whatever the width."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from omnicli.cli.frame import folded
from omnicli.cli.helping import _block


@pytest.mark.parametrize("width", [48, 80, 120])
def test_options_are_told_whole_at_every_width(width: int) -> None:
    out = StringIO()
    rows = [
        ("--fix", "apply safe fixes"),
        ("--format full|concise|json|jsonl|github|markdown", "a file for the format that stands before it"),
    ]
    _block(Console(file=out, width=width, force_terminal=True, no_color=True), "Options", rows)
    lines = out.getvalue().splitlines()
    assert all(len(line) <= max(width, 52) for line in lines)
    words = " ".join(out.getvalue().split())
    assert "--fix apply safe fixes" in words
    assert "jsonl|github|markdown a file for the format that stands before it" in words


class Terminal:
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_talk_is_broken_at_blanks_on_a_terminal_and_commands_stay_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnicli.cli.frame.sys.stderr", Terminal())
    monkeypatch.setenv("COLUMNS", "24")
    assert folded("omni: nobody is called like that here", indent=6) == "omni: nobody is called\n      like that here"
    command = "  → omni campaign plan bienvenue --until 7d"
    assert folded(command) == command
