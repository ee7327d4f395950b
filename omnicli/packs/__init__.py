"""Country rules as data: every shipped pack in force on a day, with the source of each rule. This is not legal advice.

`checked_on` is the day on which a value was compared with the domain page (docs/rules) that names its source; a rule
without it has not been verified.
"""

from __future__ import annotations

from omnicli.packs.holiday import holidays_of
from omnicli.packs.read import PackError, load, missing, read, shipped

__all__ = ["PackError", "holidays_of", "load", "missing", "read", "shipped"]
