"""The goals (docs/performance), each as a line that a result can be held against: what is shown, what is judged, how much is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """`omni`, `floor` and `ratio` are formats over the result's keys; `judged` names the figure that may be at most `most` (at least,
    when `at_least`); without `judged` the line is shown and not judged. A line whose keys the result lacks is left out."""

    bench: str
    what: str
    omni: str
    floor: str = "–"
    ratio: str = "{ratio}"
    judged: str = "ratio"
    most: float | None = None
    goal: str = ""
    at_least: bool = False
    cpu: str = "{cpu_ratio}"
    peak: str = "peak_mb"

    def shown(self, result: Result) -> dict[str, str] | None:
        """The cells of the table, as text; None when this result says nothing about it."""
        try:
            omni, floor, ratio = (form.format(**result) for form in (self.omni, self.floor, self.ratio))
            met = self.met(result)
        except KeyError:
            return None
        return {"benchmark": self.what, "contacts": count(result), "omni": omni, "floor": floor, "ratio": ratio, "ratio of CPU": _or_dash(self.cpu, result),
                "goal": self.words, "met": met, "peak MB": _peak(result, self.peak)}  # fmt: skip

    @property
    def words(self) -> str:
        if self.goal or self.most is None:
            return self.goal or "–"
        return f"{'≥' if self.at_least else '≤'} {self.most:g}"

    def met(self, result: Result) -> str:
        if self.most is None:
            return ""
        figure = result[self.judged]
        if figure is None:
            raise KeyError(self.judged)
        return "yes" if (figure >= self.most if self.at_least else figure <= self.most) else "no"


def count(result: Result) -> str:
    return f"{result['contacts']:,}".replace(",", " ") if result.get("contacts") else "–"


def _or_dash(form: str, result: Result) -> str:
    try:
        return form.format(**result)
    except KeyError:
        return "–"


def _peak(result: Result, key: str) -> str:
    return str(round(result[key])) if result.get(key) else ""


US_TOUCH, FLOOR = "{us_a_touch} µs a touch", "{floor_us} µs"
SIGNED = ("{signed_us_a_touch} µs a touch", FLOOR, "{signed_ratio}", "signed_ratio")
TWO = ("{two_us_a_touch} µs a touch", FLOOR, "{two_ratio}", "two_ratio")

LINES = (
    Line("startup", "startup: omni --help", "{help_ms} ms", "{floor_ms} ms", "+ {help_over_ms} ms", "help_over_ms", 120, "≤ + 120 ms", cpu="+ {help_over_cpu_ms} ms"),
    Line("startup", "startup: omni lint, one file", "{lint_ms} ms", "{floor_ms} ms", "+ {lint_over_ms} ms", "lint_over_ms", 250, "≤ + 250 ms", cpu="+ {lint_over_cpu_ms} ms"),
    Line("startup", "startup: omni lint, the sample", "{lint_sample_ms} ms", "{floor_ms} ms", "–", "lint_sample_ms", 500, "< 500 ms", cpu="–"),
    Line("lint", "lint, 200 campaigns", "{many_ms} ms", "{many_floor_ms} ms (yaml.compose)", "{many_by_compose}", "many_ms", 1000, "≤ 1 s", cpu="–"),
    Line("lint", "lint, one of 3,000 lines", "{long_ms} ms", "{long_floor_ms} ms (yaml.compose)", "{long_by_compose}", "long_ms", 300, "≤ 0.3 s", cpu="–"),
    Line("import", "import", "{us_a_row} µs a row", FLOOR, most=1.5),
    Line("segment", "segment", "{omni_ms} ms", "{floor_ms} ms", most=1.2),
    Line("tick", "tick, due", "{us_a_pass} µs a pass", FLOOR, most=4),
    Line("tick", "tick, nothing due", "{empty_ms} ms", ratio="{empty_growth} × that of a hundredth", judged="empty_ms", most=5, goal="flat, ≤ 5 ms", cpu="–"),
    Line("render", "render, one process", "{us_a_mail} µs a mail", FLOOR, most=0.35),
    Line("render", "render, an SMS", "{us_an_sms} µs an SMS", "{sms_floor_us} µs", "{sms_ratio}", "sms_ratio", 0.35, cpu="{sms_cpu_ratio}"),
    Line("dispatch", "dispatch, one process", US_TOUCH, FLOOR, most=0.4),
    Line("dispatch", "dispatch, two processes", *TWO, 0.25, cpu="{two_cpu_ratio}", peak="two_peak_mb"),
    Line("dispatch", "dispatch, every link signed", *SIGNED, cpu="{signed_cpu_ratio}", peak=""),
    Line("e2e", "e2e, one process", US_TOUCH, FLOOR, most=0.75),
    Line("e2e", "e2e, two processes", *TWO, 0.5, cpu="{two_cpu_ratio}", peak="two_peak_mb"),
    Line("e2e", "e2e, every link signed", *SIGNED, cpu="{signed_cpu_ratio}", peak=""),
    Line("e2e", "e2e, of which dispatch", "{dispatch_us} µs a touch", FLOOR, "{dispatch_ratio}", "dispatch_ratio", cpu="–", peak=""),
    Line("e2e", "e2e, on disk", "{bytes_a_touch} bytes a touch", ratio="–", judged="bytes_a_touch", most=400, goal="≤ 400 bytes", cpu="–", peak=""),
    Line("growth", "e2e growth, µs a touch at the largest by that at a tenth", "{us_a_touch} µs a touch", "{tenth_us} µs", "{growth}", "growth", 1.3),
    Line("growth", "e2e growth, memory of the main process", "{main_mb} MB", ratio="{main_growth} × that at a tenth", judged="main_mb", most=250, goal="≤ 250 MB", cpu="–", peak="main_mb"),
    Line("growth", "e2e growth, memory of a rendering process", "{child_mb} MB", ratio="{child_growth} × that at a tenth", judged="child_mb", most=120, goal="≤ 120 MB", cpu="–", peak="child_mb"),
    Line("deliver", "deliver, the provider alone", US_TOUCH, "{floor_us} µs (one call a person)", most=0.02),
    Line("deliver", "deliver, calls", "{calls_per_500} calls for 500 people", ratio="–", judged="calls_per_500", most=1, cpu="–", peak=""),
    Line("smtp", "smtp", "{us_a_mail} µs a mail", "{mailmerge_us} µs (mailmerge)", most=0.2),
    Line("webhook", "webhook", "{us_an_event} µs an event", FLOOR, most=2),
    Line("webhook", "webhook, 300 requests a second", "p99 {p99_ms} ms", ratio="p50 {p50_ms} ms", judged="p99_ms", most=250, goal="p99 ≤ 250 ms", cpu="{cpu_ms_a_request} ms each", peak=""),
    Line("simulate", "simulate, 90 days", "{seconds} s, {us_a_step} µs a step", ratio="–", judged="seconds", most=60, goal="≤ 60 s at 100,000", cpu="–", peak="peak_mb_of_a_part"),
    Line("lives", "lives, the example file", "{file_ms} ms", ratio="–", judged="file_ms", most=100, goal="≤ 100 ms", cpu="–"),
    Line("scale", "scale, 2 workers", "{a_second_2} touches a second", "{a_second_1} (one worker)", "{share_2} of linear", "share_2", 0.85, at_least=True, cpu="–", peak=""),
    Line("scale", "scale, 4 workers", "{a_second_4} touches a second", "{a_second_1} (one worker)", "{share_4} of linear", "share_4", 0.85, at_least=True, cpu="–", peak=""),
)  # fmt: skip


def lines(bench: str, result: Result) -> list[dict[str, str]]:
    """What this result has to say about the goals of its benchmark."""
    made = [line.shown(_derived(bench, result)) for line in LINES if line.bench == bench]
    return [one for one in made if one is not None]


def _derived(bench: str, r: Result) -> dict[str, Any]:
    """The result and what follows from it."""
    found = dict(r)
    if bench == "startup" and "floor_cpu_ms" in r:
        for name in ("help", "lint"):
            found[f"{name}_over_cpu_ms"] = round(r[f"{name}_cpu_ms"] - r["floor_cpu_ms"], 1)
    if bench == "segment" and "conditions" in r:
        found["omni_ms"], found["floor_ms"] = (round(sum(c[key] for c in r["conditions"]), 1) for key in ("omni_ms", "floor_ms"))
    if bench == "e2e" and r.get("accepted"):
        found["dispatch_us"] = round(r["dispatch_s"] / r["accepted"] * 1e6, 1)
        found["dispatch_ratio"] = round(r["dispatch_s"] / r["floor_s"], 3)
    return found
