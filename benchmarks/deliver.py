"""E-mail to a local stand-in of SendGrid: omni's provider in batches, against a loop that makes one call a person.

The touches are real: rendered, gated and recorded by a round of dispatch over a base of invented people, which is measured too
(`dispatch_*`). Then the provider alone is given as many touches as asked, made out of those, with an address and an id each; only
its calls are timed. The floor posts each of the same messages whole, over one kept connection.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from http.client import HTTPConnection
from typing import Any

from benchmarks.base import NOW, stand
from benchmarks.ground import Watch, peak_mb, project
from benchmarks.sink import sink, stats
from omnicli.model.touch import Handed, Outcome

BATCH, IN_FLIGHT = 500, 4
#: Dispatch renders and keeps every message: so many show its pace. The floor's is seen after fewer.
DISPATCHED, FLOOR, KEPT, STEPS = 20_000, 3_000, 2_000, 10


def measure(contacts: int) -> dict[str, Any]:
    """`ratio` is omni's time a touch by the floor's, measured by turns, so that both have the same neighbours; `calls_per_500` counts
    what arrived at the stand-in."""
    with sink() as url:
        through, kept = _dispatched(min(contacts, DISPATCHED), url)
        own, floor = Watch(), Watch()
        calling, posting = _provider_alone(kept, contacts, url, own), _floor(kept, min(contacts, FLOOR), url, floor)
        before, posted, peak_before = stats(url), 0, peak_mb()
        for posts in posting:
            posted += posts
            next(calling, None)
        for _ in calling:
            pass
        after = stats(url)
    calls, touches = after["requests"] - before["requests"] - posted, after["touches"] - before["touches"] - posted
    floor_s, own_s = floor.seconds / posted, own.seconds / contacts
    return {
        "goal": "≤ 0.02 (50 × the touches a second), ≤ 1 call for 500 people", "contacts": contacts,
        "ratio": round(own_s / floor_s, 4), "calls_per_500": round(calls / touches * 500, 3), "touches": touches, "calls": calls,
        "touches_a_second": round(1 / own_s), "floor_touches_a_second": round(1 / floor_s), "us_a_touch": round(own_s * 1e6, 2),
        "floor_us": round(floor_s * 1e6, 1), "cpu_us_a_touch": round(own.cpu / contacts * 1e6, 2),
        "floor_cpu_us": round(floor.cpu / posted * 1e6, 1), **through, "peak_mb": peak_mb(), "peak_mb_before": peak_before,
    }  # fmt: skip


# --- omni ---------------------------------------------------------------------------------------------------------------
class _Watched:
    """The provider as dispatch sees it, but for a look at what it is handed."""

    def __init__(self, provider: Any) -> None:
        self.provider = provider
        self.kept: list[Handed] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.provider, name)

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]:
        if len(self.kept) < KEPT:
            self.kept += [one for one in handed if one.language == "fr"]
        outcomes: list[Outcome] = self.provider.send(handed, now=now)
        return outcomes


def _provider(url: str) -> Any:
    from omnicli.providers.base_url import Base
    from omnicli.providers.sendgrid.provider import SendGrid
    from omnicli.providers.sendgrid.wishes import Wishes
    from omnicli.settings import Secret

    return SendGrid(
        Wishes(api_key=Secret("SG.bench"), base=Base(url), batch=BATCH, in_flight=IN_FLIGHT, allow_blind_batches=True)
    )


def _dispatched(contacts: int, url: str) -> tuple[dict[str, Any], list[Handed]]:
    """One round of dispatch over the stand-in: its figures, and touches as it handed them over."""
    from omnicli.app import open_project, open_store
    from omnicli.campaigns.dispatch import dispatch
    from omnicli.campaigns.turn import turn
    from omnicli.render.renderer import Renderer

    with project() as root:
        loaded = open_project(root)
        assert loaded.project is not None
        store = open_store(loaded, live=False)
        stand(store, loaded, contacts, due=10, step="j0")
        renderer = Renderer(root, loaded.project)
        turn(store, loaded, now=NOW, usable=renderer.usable)
        provider = _Watched(_provider(url))
        with Watch() as watch:
            report = dispatch(store, loaded, renderer, {"email": provider}, now=NOW)
        seen = stats(url)
        store.close()
    found = {
        "dispatch_accepted": report.accepted, "dispatch_calls_per_500": round(seen["requests"] / max(1, seen["touches"]) * 500, 3),
        "dispatch_touches_a_second": round(report.accepted / watch.seconds), "dispatch_unknown": report.unknown,
    }  # fmt: skip
    return found, _one_skeleton(provider.kept)


def _one_skeleton(kept: Sequence[Handed]) -> list[Handed]:
    """Those of the most usual skeleton, as dispatch would put them into one call."""
    by: dict[str, list[Handed]] = {}
    for one in kept:
        assert one.rendered is not None
        by.setdefault(one.rendered.skeleton, []).append(one)
    return max(by.values(), key=len)


def _many(kept: Sequence[Handed], count: int) -> Iterator[Handed]:
    """`count` touches out of those: another address, id and pair of tokens each."""
    for n in range(count):
        one = kept[n % len(kept)]
        touch = f"{n:032x}"
        yield replace(one, touch=touch, address=f"p{n}@example.com", mark=f"{touch}.1.00000000000000")


def _provider_alone(kept: Sequence[Handed], count: int, url: str, watch: Watch) -> Iterator[int]:
    """The calls alone are watched, `IN_FLIGHT` at a time as dispatch makes them; a tenth of them at each step, and never more touches
    in memory than are in flight."""
    gc.set_threshold(100_000, 20, 100)  # as dispatch has it
    provider, touches = _provider(url), _many(kept, count)
    left, step = count, max(BATCH * IN_FLIGHT, count // STEPS)
    while left:
        part = min(left, step)
        left -= part
        for size in _groups(part):
            group = [next(touches) for _ in range(size)]
            calls = [group[i : i + BATCH] for i in range(0, size, BATCH)]
            with watch, ThreadPoolExecutor(IN_FLIGHT) as pool:
                for outcomes in pool.map(lambda call: provider.send(call, now=NOW), calls):
                    assert all(outcome.outcome == "accepted" for outcome in outcomes), outcomes[0]
        yield part


def _groups(count: int) -> list[int]:
    """So many touches as the sizes of groups that are in flight together."""
    whole, rest = divmod(count, BATCH * IN_FLIGHT)
    return [BATCH * IN_FLIGHT] * whole + [rest] * bool(rest)


# --- the floor ------------------------------------------------------------------------------------------------------------
def _floor(kept: Sequence[Handed], count: int, url: str, watch: Watch) -> Iterator[int]:
    """One request a person over one kept connection, the message whole; a tenth of them at each step."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=30)
    touches = [(one, dict(one.rendered.parts)) for one in _many(kept, count) if one.rendered is not None]
    headers = {"Authorization": "Bearer SG.bench", "Content-Type": "application/json"}
    step = max(1, count // STEPS)
    for first in range(0, count, step):
        with watch:
            for one, parts in touches[first : first + step]:
                body = json.dumps({
                    "personalizations": [{"to": [{"email": one.address}], "custom_args": {"omni": one.mark}, "headers": {
                        "List-Unsubscribe": f"<mailto:unsubscribe+{one.mark}@maisonlune.example>", "List-Id": one.extra["list_id"]}}],
                    "from": {"email": "bonjour@maisonlune.example", "name": "Maison Lune"}, "subject": parts["subject"],
                    "content": [{"type": "text/plain", "value": parts["text"]}, {"type": "text/html", "value": parts["html"]}],
                })  # fmt: skip
                connection.request("POST", "/v3/mail/send", body.encode(), headers)
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 202
        yield len(touches[first : first + step])
    connection.close()
