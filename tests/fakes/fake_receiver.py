"""Somebody's webhook on loopback: takes any POST, and knows a message by its `Idempotency-Key: <touch>.<attempt>`."""

from __future__ import annotations

import hashlib

from fake_http import Answer, HttpFake, Request, as_process
from fake_log import touch_of


class FakeReceiver(HttpFake):
    """`fake.requests` is what was called; a key that came before is answered again and reaches nobody twice when `idempotent`."""

    name = "receiver"
    idempotent = False

    def answer(self, request: Request) -> Answer:
        key = request.headers.get("idempotency-key", "")
        touch, attempt = touch_of(key)
        if self.idempotent and any(line["key"] == key for line in self.log.lines):
            return Answer(200, {"again": True})
        line = {
            "touch": touch,
            "attempt": attempt,
            "to": request.path,
            "key": key,
            "hash": hashlib.sha256(request.body).hexdigest(),
        }
        return Answer(200, {"taken": True}, {}, [line] if request.method == "POST" else ())


if __name__ == "__main__":
    as_process(FakeReceiver)
