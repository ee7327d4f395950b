"""One POST on one fresh connection, and how far it came: `not_sent` before the connection stood, `unknown` until a whole answer came."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from urllib.parse import urlsplit

from omnicli.model.touch import Outcome
from omnicli.providers import exchange
from omnicli.providers.exchange import Answer

#: Bytes of an answer's body that are kept.
MOST = 65536


def post(url: str, body: bytes, headers: Mapping[str, str], *, connect: float, read: float) -> Answer | Outcome:
    """POST once. `connect` seconds to stand, then `read` seconds for everything; the Outcome is for what never came to an answer."""
    try:
        parts = urlsplit(url)
        connection = exchange.connect(parts.scheme, parts.hostname or "", parts.port, timeout=connect)
    except exchange.NotConnected as error:
        return Outcome("not_sent", code="tls" if error.trust else "connect", detail=str(error), halt=error.trust)
    except ValueError as error:  # an address that is none
        return Outcome("not_sent", code="connect", detail=exchange.named(error))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {**headers, "Content-Length": str(len(body)), "Connection": "close"}
    try:
        return exchange.ask(connection, "POST", path, sent, body, timeout=read, most=MOST)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Outcome("unknown", code="lost", detail=exchange.named(error))
    finally:
        connection.close()
