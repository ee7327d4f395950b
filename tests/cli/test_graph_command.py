"""The file's name says how a flow is drawn; a name that says nothing omni can draw is refused with what it can."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnicli.cli.graph import _format
from omnicli.errors import OmniError


def test_the_ending_chooses_the_format() -> None:
    assert (_format("term", Path("a.mmd")), _format("term", Path("a.png")), _format("term", None)) == ("mermaid", "png", "term")


def test_an_ending_nobody_draws_is_refused_with_those_that_are() -> None:
    with pytest.raises(OmniError, match=r"not drawn as \.pdf") as refused:
        _format("term", Path("a.pdf"))
    assert ".svg" in str(refused.value.hint)
