"""Secrets that must be read back (webhook signing keys) are sealed at rest under SEALING_KEY."""

import base64
import hashlib

from cryptography.fernet import Fernet
from django.conf import settings


def seal(secret: str) -> str:
    """Return the secret, encrypted and authenticated."""
    return _box().encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """Return the secret that was sealed. Raises cryptography's InvalidToken under another key."""
    return _box().decrypt(sealed.encode()).decode()


def _box() -> Fernet:
    key = hashlib.sha256(settings.SEALING_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))
