"""Receipt links: the token is derived from the session's id, never stored, not guessable.

The token is the id itself and 128 bits of an HMAC over it, so that a token can be checked without a table
of tokens, and knowing ids (they are in logs and APIs) opens nothing.
"""

import base64
import hashlib
import hmac
import uuid

from django.conf import settings

MAC_BYTES = 16  # 128 bits


def token_for(session_id: uuid.UUID) -> str:
    """Return the token of a session's page, 43 URL-safe characters."""
    return base64.urlsafe_b64encode(session_id.bytes + _mac(session_id)).rstrip(b"=").decode()


def session_of(token: str) -> uuid.UUID | None:
    """Return the session that a token opens, None when it opens nothing."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        return None
    if len(raw) != 16 + MAC_BYTES:
        return None
    session_id = uuid.UUID(bytes=raw[:16])
    # Base64 reads several last letters as the same bytes; only the one that we wrote opens a page.
    return session_id if hmac.compare_digest(token.encode(), token_for(session_id).encode()) else None


def page_url(session_id: uuid.UUID) -> str:
    """Return the absolute address of a session's page, as printed in its QR code."""
    return f"{settings.PUBLIC_URL}/r/{token_for(session_id)}"


def _mac(session_id: uuid.UUID) -> bytes:
    key = settings.RECEIPT_TOKEN_KEY.encode()
    return hmac.new(key, session_id.bytes, hashlib.sha256).digest()[:MAC_BYTES]
