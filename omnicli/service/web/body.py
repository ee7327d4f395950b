"""No request takes more of this process than it may: so many bytes, within so many seconds."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request

#: A webhook's body (docs/delivery 15), a form's, and how long either may take to arrive, in seconds.
WEBHOOK, FORM, WITHIN = 1_000_000, 16_384, 20.0


async def read_body(request: Request, most: int = WEBHOOK) -> bytes:
    """The raw bytes. HTTPException 413 when they are more than `most` (said or sent), 408 when they come too slowly."""
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said[:12]) > most:
        raise HTTPException(413)
    found, size = [], 0
    try:
        async with asyncio.timeout(WITHIN):
            async for chunk in request.stream():
                size += len(chunk)
                if size > most:
                    raise HTTPException(413)
                found.append(chunk)
    except TimeoutError:
        raise HTTPException(408) from None
    return b"".join(found)


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
