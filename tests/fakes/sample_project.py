"""The sample project of this repository, as a folder of its own that a test may spoil: its files, without any store."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def copy_sample(folder: Path) -> Path:
    """Lay the sample's `omni.yaml`, campaigns and templates into the folder, and answer with it."""
    for name in ("campaigns", "templates"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "omni.yaml", folder)
    return folder
