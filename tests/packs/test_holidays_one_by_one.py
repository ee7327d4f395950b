"""A command that asks one country's holidays does not import those of 250."""

from __future__ import annotations

import json
import subprocess
import sys

_ASK = """
import json
from omnicli.packs.holiday import holidays_of
known = [len(holidays_of("FR", None, 2027)), len(holidays_of("PR", None, 2027)), len(holidays_of("FR", "67", 2027)), len(holidays_of("XX", None, 2027))]
alone = len(holidays_of("DE", None, 2027))
print(json.dumps([known, alone]))
"""
_FIRST = """
import sys
from omnicli.packs.holiday import holidays_of
holidays_of("FR", None, 2027)
print(sum(name.startswith("holidays.countries.") for name in sys.modules))
"""


def _said(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


def test_the_first_country_brings_none_of_the_others() -> None:
    assert int(_said(_FIRST)) <= 2


def test_countries_that_build_on_others_and_regions_are_found_all_the_same() -> None:
    (france, puerto_rico, alsace, nowhere), germany = json.loads(_said(_ASK))
    assert (france, nowhere) == (11, 0)
    assert puerto_rico > 10
    assert germany >= 9
    assert alsace == france + 2
