"""Help pages on a terminal: nothing is cut, words stay whole, whatever the width."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

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
    assert "--fix apply safe fixes" in words and "jsonl|github|markdown a file for the format that stands before it" in words
