"""While batches of people are worked on, Python looks for garbage as often as there is a batch, not after every 700 values."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def seldom_collected() -> Iterator[None]:
    """A batch is thousands of small values that refer to no cycle: looking for cycles among them after every 700 costs a tenth
    of a round. They are looked for as often as there is a batch."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
