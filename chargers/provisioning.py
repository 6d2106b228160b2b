"""Secrets of charging stations: random keys, of which only a hash is kept."""

import hashlib
import secrets

from chargers.models import ChargingStation

SECRET_BYTES = 15  # 20 characters of base64url: OCPP 1.6 allows 16 to 20 bytes (security whitepaper, A00)


def generate_secret() -> str:
    """Return a new random password of 20 printable characters (120 bits)."""
    return secrets.token_urlsafe(SECRET_BYTES)


def hash_secret(secret: str | bytes) -> str:
    """Return the hash that is stored.

    One SHA-256 is sound for random keys and costs nothing when thousands of chargers reconnect at once; a
    slow password hash would take minutes of every core then (SAFETY.md section 0).
    """
    return hashlib.sha256(secret.encode() if isinstance(secret, str) else secret).hexdigest()


def set_secret(station: ChargingStation, password: str) -> None:
    """Give a station (saved or not yet) a new password; the caller saves it. Open connections stay."""
    station.secret_hash = hash_secret(password)
