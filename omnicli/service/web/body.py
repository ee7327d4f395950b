"""No request takes more of this process than it may: so many bytes, within so many seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request

#: A webhook's body (docs/delivery 15), a received mail's with what is attached to it, a form's; in bytes.
WEBHOOK, MAIL, FORM = 1_000_000, 31_000_000, 16_384
#: How long a body may take to arrive, in seconds; a mail has longer.
WITHIN, MAIL_WITHIN = 20.0, 60.0
#: What all bodies that are arriving may weigh together; whoever comes above is asked to come again.
TOGETHER = 128_000_000


class Scales:
    """What the bodies weigh that are being read or understood at this moment."""

    def __init__(self) -> None:
        self.load = 0

    @asynccontextmanager
    async def weighing(self, request: Request, most: int = WEBHOOK) -> AsyncIterator[bytes]:
        """The raw bytes. HTTPException 413 when they are more than `most` (said or sent), 408 when they come too slowly, 503 when
        too much is arriving already."""
        said = request.headers.get("content-length", "")
        if said.isdigit() and int(said[:12]) > most:
            raise HTTPException(413)
        found: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(WITHIN if most <= WEBHOOK else MAIL_WITHIN):
                async for chunk in request.stream():
                    size += len(chunk)
                    self.load += len(chunk)
                    if size > most:
                        raise HTTPException(413)
                    if self.load > TOGETHER:
                        raise HTTPException(503, headers={"Retry-After": "5"})
                    found.append(chunk)
            yield b"".join(found)
        except TimeoutError:
            raise HTTPException(408) from None
        finally:
            self.load -= size


async def read_body(request: Request, most: int) -> bytes:
    """The raw bytes of something small."""
    async with request.app.state.scales.weighing(request, most) as body:
        return bytes(body)


async def read_form(request: Request) -> dict[str, list[str]]:
    """The fields of a small form, urlencoded or multipart; whatever else was posted has none."""
    body = await read_body(request, FORM)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        try:
            return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=200)
        except ValueError:
            return {}
    return await _multipart(request, body) if kind == "multipart/form-data" else {}


async def _multipart(request: Request, body: bytes) -> dict[str, list[str]]:
    async def again() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    found: dict[str, list[str]] = {}
    try:
        form = await Request(request.scope, again).form(max_files=0, max_fields=200, max_part_size=FORM)
    except Exception:  # whatever a broken form makes the parser say: it has no fields
        return {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            found.setdefault(name, []).append(value)
    return found
