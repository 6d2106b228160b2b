"""The cache that counts for all processes: Redis, and this process's own memory while Redis does not answer.

What is kept here guards doors (requests per key, failed logins); no payment may wait for it or fail with it.
While Redis is away each process counts for itself, as it does where there is no Redis at all.
"""

import logging
import time
from typing import Any

import redis
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache

logger = logging.getLogger(__name__)

APART_SECONDS = 5.0  # how long Redis is left alone after it failed, so that not every request waits for it


class SharedCache(RedisCache):
    """Django's Redis cache, limited to what does not fail: get, set, add, incr, touch and delete fall back."""

    # Of the process: Django makes one object per thread.
    _apart_until = 0.0

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._own = LocMemCache(
            f"instead of {server}", {key: params[key] for key in params if key != "OPTIONS"}
        )

    def get(self, *arguments: Any, **options: Any) -> Any:
        return self._ask("get", *arguments, **options)

    def set(self, *arguments: Any, **options: Any) -> Any:
        return self._ask("set", *arguments, **options)

    def add(self, *arguments: Any, **options: Any) -> Any:
        return self._ask("add", *arguments, **options)

    def incr(self, *arguments: Any, **options: Any) -> Any:
        return self._ask("incr", *arguments, **options)

    def touch(self, *arguments: Any, **options: Any) -> Any:
        return self._ask("touch", *arguments, **options)

    def delete(self, *arguments: Any, **options: Any) -> Any:
        return self._ask("delete", *arguments, **options)

    def _ask(self, name: str, *arguments: Any, **options: Any) -> Any:
        if time.monotonic() >= SharedCache._apart_until:
            try:
                return getattr(super(), name)(*arguments, **options)
            except (redis.ConnectionError, redis.TimeoutError) as error:
                SharedCache._apart_until = time.monotonic() + APART_SECONDS
                logger.warning("Redis does not answer, this process counts for itself: %s", error)
        return getattr(self._own, name)(*arguments, **options)
