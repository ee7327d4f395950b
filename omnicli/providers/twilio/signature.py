"""Knows whether a request was signed by Twilio for our public address; the official validator does the arithmetic.

Source: X-Twilio-Signature, and for shared keys X-Twilio-Webhooks-Signature-Settings (docs/providers 3.3). The address comes from
`public_url`, never from Host. Two tokens may hold at once while one is being changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from omnicli.model.response import Incoming
from omnicli.providers.twilio.account import REPEATS

HEADER, SETTINGS = "x-twilio-signature", "x-twilio-webhooks-signature-settings"


def signed(incoming: Incoming, fields: Mapping[str, str] | str, tokens: Sequence[str]) -> bool:
    """True when one of the tokens signed this. `fields` are those of a form, or the text of a JSON body (then the address must
    carry its hash). A missing, repeated or broken signature is False."""
    signature = incoming.headers.get(HEADER, "")
    if not signature.isascii() or not 20 <= len(signature) <= 64:
        return False
    if isinstance(fields, str) and "bodySHA256=" not in urlsplit(incoming.url).query:
        return False
    algorithm = incoming.headers.get(SETTINGS, "")
    return any(_signed(url, fields, signature, algorithm, token) for token in tokens for url in _addresses(incoming.url))


def _signed(url: str, fields: Mapping[str, str] | str, signature: str, settings: str, token: str) -> bool:
    from twilio import request_validator

    validator = request_validator.RequestValidator(token)
    said = fields if isinstance(fields, str) else dict(fields)
    if not settings:
        return bool(validator.validate(url, said, signature))
    algorithm = getattr(request_validator, "get_signature_algorithm", None)
    return bool(algorithm and validator.validate(url, said, signature, algorithm(settings)))


def _addresses(url: str) -> tuple[str, ...]:
    """The address as it was asked for, and with the fragment that omni put behind it: whether that is signed is not documented."""
    bare = url.partition("#")[0]
    return (bare, bare + REPEATS)
