"""Whether a request was signed by SendGrid: ECDSA over P-256 with SHA-256, of the timestamp and the raw bytes (docs/providers 2.2).

Whatever is missing, malformed or foreign means "no"; nothing here raises.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

#: Unix seconds. Nothing separates it from the body in what is signed, so a part of the body must not pass for a part of it.
_STAMP = re.compile(r"[0-9]{10,11}")
SIGNATURE, TIMESTAMP = "x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp"


@lru_cache(maxsize=16)
def public_key(text: str) -> EllipticCurvePublicKey | None:
    """The key behind base64 DER, as SendGrid shows it (PEM lines around it are tolerated); None when it is none on P-256."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    bare = "".join(line.strip() for line in text.splitlines() if "-----" not in line)
    try:
        key = load_der_public_key(base64.b64decode(bare, validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1" else None


def signed(keys: Sequence[str], headers: Mapping[str, str], body: bytes) -> bool:
    """Whether one of the keys (two while they are being exchanged) signed this body; header names are lower case."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    stamp = headers.get(TIMESTAMP) or ""
    if _STAMP.fullmatch(stamp) is None:
        return False
    try:
        signature = base64.b64decode(headers.get(SIGNATURE) or "", validate=True)
    except ValueError:  # binascii.Error and UnicodeError are
        return False
    said = stamp.encode("ascii") + body
    for key in filter(None, map(public_key, keys)):
        try:
            key.verify(signature, said, ec.ECDSA(hashes.SHA256()))
            return True
        except InvalidSignature:
            continue
    return False
