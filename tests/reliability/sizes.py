"""How much a reliability test does: the table `tests/sizes.toml`, the profile of OMNI_SIZES (default ci)."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

PROFILE = os.environ.get("OMNI_SIZES", "ci")
SIZES: dict[str, Any] = tomllib.loads((Path(__file__).parents[1] / "sizes.toml").read_text())[PROFILE]
