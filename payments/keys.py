"""API keys of PTPs: random, shown once, kept as SHA-256.

A random key of 256 bits needs no slow hash: there is nothing to guess (SAFETY.md section 0).
"""

import hashlib
import secrets

from django.utils import timezone

from payments.models import ApiKey, Ptp, Terminal

PREFIX_LENGTH = 8


def new_key() -> str:
    """Return a fresh API key."""
    return "ptp_" + secrets.token_urlsafe(32)


def hash_of(key: str) -> str:
    """Return what is stored of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def store_key(ptp: Ptp, key: str, terminal: Terminal | None = None) -> ApiKey:
    """Let `key` speak for the PTP (or for one terminal of it) from now on; storing it twice is storing it once."""
    found, _ = ApiKey.objects.get_or_create(
        key_hash=hash_of(key), defaults={"ptp": ptp, "terminal": terminal, "prefix": key[:PREFIX_LENGTH]}
    )
    return found


def find_key(key: str) -> ApiKey | None:
    """Return the living key that this text is, or None."""
    return (
        ApiKey.objects.select_related("ptp", "terminal")
        .filter(key_hash=hash_of(key), revoked_at__isnull=True)
        .first()
    )


def revoke_keys(ptp: Ptp, *, except_key: str) -> int:
    """Revoke every other key of the PTP; returns how many."""
    keys = ApiKey.objects.filter(ptp=ptp, terminal=None, revoked_at__isnull=True).exclude(
        key_hash=hash_of(except_key)
    )
    return keys.update(revoked_at=timezone.now())
