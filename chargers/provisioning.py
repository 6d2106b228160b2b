"""Secrets of charging stations: random keys, of which only a hash is kept."""

import hashlib
import secrets
import string

from chargers.models import ChargingStation

# OCPP 1.6 allows 16 to 20 bytes (security whitepaper, A00): 20 letters and digits are 119 bits.
SECRET_LENGTH = 20
SECRET_ALPHABET = string.ascii_letters + string.digits


def generate_secret() -> str:
    """Return a new random password of 20 letters and digits.

    No sign among them: a password that begins with a dash is taken for an option by every command line, and
    people type these into chargers' menus.
    """
    return "".join(secrets.choice(SECRET_ALPHABET) for _ in range(SECRET_LENGTH))


def hash_secret(secret: str | bytes) -> str:
    """Return the hash that is stored.

    One SHA-256 is sound for random keys and costs nothing when thousands of chargers reconnect at once; a
    slow password hash would take minutes of every core then (SAFETY.md section 0).
    """
    return hashlib.sha256(secret.encode() if isinstance(secret, str) else secret).hexdigest()


def set_secret(station: ChargingStation, password: str) -> None:
    """Give a station (saved or not yet) a new password; the caller saves it. Open connections stay."""
    station.secret_hash = hash_secret(password)
