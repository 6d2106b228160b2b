"""What guards doors counts in Redis for all processes, and goes on counting here when Redis is gone."""

import uuid
from collections.abc import Iterator

import pytest

from emabler.shared_cache import SharedCache
from tests.servers import free_port, redis_url


@pytest.fixture(autouse=True)
def _together_again() -> Iterator[None]:
    SharedCache._apart_until = 0.0
    yield
    SharedCache._apart_until = 0.0


def cache_at(url: str) -> SharedCache:
    return SharedCache(url, {"OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1}})


def a_key() -> str:
    """A key of this test alone: all tests of a run share one Redis, whose keys outlive them."""
    return uuid.uuid4().hex


@pytest.mark.redis
def test_two_processes_count_together() -> None:
    one, other = cache_at(redis_url()), cache_at(redis_url())
    key = a_key()

    one.add(key, 0, timeout=60)
    one.incr(key)
    other.incr(key)

    assert one.get(key) == 2


def test_without_redis_a_process_counts_for_itself() -> None:
    alone = cache_at(f"redis://127.0.0.1:{free_port()}/0")

    alone.add("alone", 0, timeout=60)
    alone.incr("alone")
    alone.incr("alone")

    assert alone.get("alone") == 2
    assert alone.delete("alone")


def test_what_was_not_counted_here_is_missing_and_no_fault() -> None:
    alone = cache_at(f"redis://127.0.0.1:{free_port()}/0")

    with pytest.raises(ValueError, match="missing"):
        alone.incr("missing")


@pytest.mark.redis
def test_redis_is_left_alone_after_a_failure_and_asked_again_later() -> None:
    shared = cache_at(redis_url())
    apart, together = a_key(), a_key()
    cache_at(f"redis://127.0.0.1:{free_port()}/0").get("anything")

    shared.set(apart, 1)
    SharedCache._apart_until = 0.0
    shared.set(together, 2)

    assert shared.get(apart) is None
    assert cache_at(redis_url()).get(together) == 2
