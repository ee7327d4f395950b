"""Draws QR codes that a phone reads from paper: dark on light, a quiet zone of four modules (docs/rules QR-01)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

QUIET = 4


@lru_cache(maxsize=64)
def modules(text: str, *, print_quality: bool = True) -> int:
    """Modules along one side, quiet zone included."""
    return int(_made(text, print_quality).symbol_size(border=QUIET)[0])


@lru_cache(maxsize=64)
def qr_svg(text: str, *, print_quality: bool = True) -> str:
    """Inline SVG that fills its box; error correction Q for print, M for screens. No personal data but the address."""
    code = _made(text, print_quality)
    side = code.symbol_size(border=QUIET)[0]
    path: list[str] = []
    for y, row in enumerate(code.matrix_iter(border=QUIET)):
        x = 0
        cells = list(row)
        while x < side:
            if cells[x]:
                end = x
                while end < side and cells[end]:
                    end += 1
                path.append(f"M{x} {y}h{end - x}v1H{x}z")
                x = end
            else:
                x += 1
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" width="100%" height="100%" role="img" '
        f'aria-label="QR" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{side}v{side}H0z"/>'
        f'<path fill="#000" d="{"".join(path)}"/></svg>'
    )


def _made(text: str, print_quality: bool) -> Any:
    import segno

    return segno.make_qr(text, error="q" if print_quality else "m", boost_error=False)
