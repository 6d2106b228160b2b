"""Limits for the pages that anyone can open: wrong links per address, visits per link.

A right link is never closed by somebody else's wrong ones from the same address (carriers put thousands of
phones behind one). The counts live in the cache; losing them loses nothing.
"""

import hashlib
import time

from django.core.cache import cache

WINDOW_SECONDS = 60
MISSES_PER_MINUTE = 30  # a person mistypes a few; 2^128 tokens are not found at this rate
VISITS_PER_MINUTE = 120  # a page asks every 3 s, and a link may be open on several devices
GUESSES_PER_HOUR = 5  # four digits are then found in six weeks at best
GUESS_WINDOW_SECONDS = 3600


def miss_allowed(address: str) -> bool:
    """Count a wrong link from an address and say whether it is still answered."""
    return _count("miss", address) <= MISSES_PER_MINUTE


def visit_allowed(token: str) -> bool:
    """Count a visit of a right link and say whether it is still answered."""
    return _count("visit", token) <= VISITS_PER_MINUTE


def guess_allowed(reference: str) -> bool:
    """Count an answer to what only the payer of a guessable reference knows, and say whether it is looked at."""
    return _count("guess", reference, seconds=GUESS_WINDOW_SECONDS) <= GUESSES_PER_HOUR


def _count(kind: str, subject: str, *, seconds: int = WINDOW_SECONDS) -> int:
    window = int(time.time()) // seconds
    digest = hashlib.sha256(subject.encode()).hexdigest()[:32]
    key = f"receipts:{kind}:{digest}:{window}"
    cache.add(key, 0, timeout=2 * seconds)
    try:
        return int(cache.incr(key))
    except ValueError:  # evicted between the two calls
        return 1
