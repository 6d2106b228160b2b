"""How much one caller may ask: requests counted in the cache, in windows that begin with the minute.

The counts guard doors; losing them loses nothing. Two cache operations for each request.
"""

import time

from django.core.cache import cache

WINDOW_SECONDS = 60


def seconds_to_wait(caller: str, most: int) -> float:
    """Count one request of a caller; return 0 up to `most` in a minute, else the seconds to the next window."""
    now = time.time()
    window = int(now // WINDOW_SECONDS)
    name = f"{caller}:{window}"
    cache.add(name, 0, timeout=2 * WINDOW_SECONDS)
    try:
        count = cache.incr(name)
    except ValueError:
        return 0  # the cache dropped it between two breaths; this request passes
    return 0 if count <= most else (window + 1) * WINDOW_SECONDS - now
