"""The picture as pixels, drawn by the browser of this machine: it knows the type and the colours that the SVG asks for."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from omnicli.errors import Exit, OmniError
from omnicli.texts import t

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
#: Pixels of the screen to one of the picture, and seconds that a browser may take.
SCALE, SECONDS = 2, 60


def png(svg: str) -> bytes:
    """The picture of an SVG that says its width and height; OmniError (exit 4) where no browser is installed."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise OmniError(t("a png is drawn by Chromium or Chrome, and none is installed", "un png est dessiné par Chromium ou Chrome, et aucun n'est installé"),
                        hint="--format svg", code="no-browser", exit=Exit.REFUSED)  # fmt: skip
    width, height = (int(float(found)) + 1 for found in re.findall(r'(?:width|height)="([\d.]+)"', svg)[:2])
    with tempfile.TemporaryDirectory() as folder:
        page, picture = Path(folder) / "flow.html", Path(folder) / "flow.png"
        page.write_text(f"<!doctype html><style>body{{margin:0;background:#fff}}</style>{svg}", encoding="utf-8")
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--force-device-scale-factor={SCALE}",
                   f"--user-data-dir={folder}/profile", f"--window-size={width},{height}", f"--screenshot={picture}", page.as_uri()]  # fmt: skip
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
        if done.returncode or not picture.exists():
            raise OmniError(t("the browser could not draw it", "le navigateur n'a pas pu le dessiner"), hint="--format svg", code="no-picture",
                            exit=Exit.REFUSED)  # fmt: skip
        return picture.read_bytes()
