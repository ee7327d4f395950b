"""Charts as SVG and plain HTML, without a script: bars, heat maps, histograms and intervals that read by day and by night.

Every chart is a picture with a text for those who do not see it; figures stand beside it as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

#: Of a chart's drawing, in its own units.
WIDTH = 720


def svg(width: float, height: float, body: str, *, label: str, css: str = "chart") -> str:
    return f'<svg class="{css}" viewBox="0 0 {_n(width)} {_n(height)}" role="img" aria-label="{escape(label)}">{body}</svg>'


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def heat(cells: Mapping[tuple[int, int], int], *, days: Sequence[str], label: str, most: int) -> str:
    """Seven rows of 24 hours; the darker, the more. `most` is what the darkest stands for."""
    size, gap, left, top = 24.0, 3.0, 44.0, 20.0
    parts = [
        f'<text class="ax" x="{_n(left + hour * (size + gap) + size / 2)}" y="13" text-anchor="middle">{hour}</text>'
        for hour in range(0, 24, 3)
    ]
    for day, name in enumerate(days):
        y = top + day * (size + gap)
        parts.append(f'<text class="ax" x="{_n(left - 8)}" y="{_n(y + size * 0.7)}" text-anchor="end">{escape(name)}</text>')
        for hour in range(24):
            n = cells.get((day, hour), 0)
            x = left + hour * (size + gap)
            shade = f' style="opacity:{_n(0.14 + 0.86 * (n / most) ** 0.5)}"' if n and most else ""
            title = f"<title>{escape(name)} {hour}:00 · {n}</title>" if n else ""
            parts.append(
                f'<rect class="{"c" if n else "e"}" x="{_n(x)}" y="{_n(y)}" width="{_n(size)}" height="{_n(size)}" rx="4"{shade}>{title}</rect>'
            )
    return svg(left + 24 * (size + gap), top + 7 * (size + gap), "".join(parts), label=label, css="chart heat")


def stacked(
    columns: Sequence[Sequence[tuple[str, float]]],
    *,
    names: Sequence[str],
    label: str,
    top: str,
    line: tuple[float, str] | None = None,
) -> str:
    """Columns of stacked parts (class, value); `top` says what the highest stands for; `line` a height with its name."""
    height, left, bottom = 190.0, 8.0, 22.0
    most = max((sum(v for _, v in column) for column in columns), default=0) or 1.0
    scale = max(most, line[0]) if line and line[0] < 2.5 * most else most
    wide = (WIDTH - left) / max(1, len(columns))
    parts = [
        f'<line class="grid" x1="0" x2="{WIDTH}" y1="{_n(height * k / 4 + 14)}" y2="{_n(height * k / 4 + 14)}"/>'
        for k in range(5)
    ]
    parts.append(f'<text class="ax" x="0" y="10">{escape(top)}</text>')
    for n, column in enumerate(columns):
        y = height + 14
        x = left + n * wide + wide * 0.12
        for kind, value in column:
            tall = value / scale * height
            y -= tall
            if tall > 0:
                parts.append(
                    f'<rect class="c {escape(kind)}" x="{_n(x)}" y="{_n(y)}" width="{_n(wide * 0.76)}" height="{_n(tall)}" rx="1.5"/>'
                )
        every = max(1, -(-len(columns) // 13))
        if n % every == 0:
            parts.append(
                f'<text class="ax" x="{_n(x + wide * 0.38)}" y="{_n(height + 31)}" text-anchor="middle">{escape(names[n])}</text>'
            )
    if line and scale == max(most, line[0]):
        y = 14 + height * (1 - line[0] / scale)
        parts.append(
            f'<line class="mark" x1="0" x2="{WIDTH}" y1="{_n(y)}" y2="{_n(y)}"/><text class="ax mark" x="{WIDTH}" y="{_n(y - 4)}" text-anchor="end">{escape(line[1])}</text>'
        )
    return svg(WIDTH, height + 14 + bottom, "".join(parts), label=label)


def intervals(rows: Sequence[tuple[str, float, float, float, str]], *, label: str, target: float | None = None) -> str:
    """(name, value, low, high, class) as dots with whiskers on one scale of per cent from zero; `target` a dashed line."""
    left, tall, bottom = 150.0, 34.0, 24.0
    most = max([high for _, _, _, high, _ in rows] + ([target] if target else [])) * 1.06 or 0.01
    wide = WIDTH - left - 16

    def x(value: float) -> float:
        return left + max(0.0, value) / most * wide

    height = tall * len(rows)
    step = next(s for s in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if most / s <= 8)
    parts = []
    for k in range(int(most / step) + 1):
        parts.append(f'<line class="grid" x1="{_n(x(k * step))}" x2="{_n(x(k * step))}" y1="4" y2="{_n(height + 4)}"/>')
        parts.append(
            f'<text class="ax" x="{_n(x(k * step))}" y="{_n(height + 20)}" text-anchor="middle">{_n(k * step * 100)} %</text>'
        )
    if target is not None:
        parts.append(f'<line class="mark" x1="{_n(x(target))}" x2="{_n(x(target))}" y1="4" y2="{_n(height + 4)}"/>')
    for n, (name, value, low, high, kind) in enumerate(rows):
        y = n * tall + tall / 2 + 4
        parts.append(f'<text class="name" x="{_n(left - 14)}" y="{_n(y + 4)}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<line class="whisk {kind}" x1="{_n(x(low))}" x2="{_n(x(high))}" y1="{_n(y)}" y2="{_n(y)}"/>')
        parts.append(f'<circle class="dot {kind}" cx="{_n(x(value))}" cy="{_n(y)}" r="6"/>')
    return svg(WIDTH, height + bottom, "".join(parts), label=label)


def bars(rows: Sequence[tuple[str, int, str]], *, kind: str = "") -> str:
    """Names with a bar and a text, longest first or as given: plain HTML, so that it wraps on a phone."""
    most = max((n for _, n, _ in rows), default=0) or 1
    items = "".join(
        f'<li><span class="name">{escape(name)}</span><span class="track"><span class="fill {kind}" style="width:{_n(max(0.6, 100 * n / most))}%"></span></span>'
        f'<span class="n">{escape(text)}</span></li>'
        for name, n, text in rows
    )
    return f'<ul class="bars">{items}</ul>'
