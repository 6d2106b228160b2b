"""Token buckets: how often a charger may knock, and how fast a connected one may talk.

A throttle delays, it never locks out: locking an identity out would be a gift to whoever knows it. Pure
but for the clock that the caller brings (monotonic seconds).
"""

from collections import OrderedDict
from dataclasses import dataclass, field

MOST_BUCKETS = 50_000  # remembered at once; the least recently used are forgotten first
MOST_KNOWN = 20_000

# Refills are per second. Failures: five a minute for one identity from one address; the wider ones have room
# for a site of many chargers behind one address. Knocks: a whole network may reconnect at once.
FAILURES_OF_PAIR = (5, 5 / 60)
FAILURES_OF_IDENTITY = (30, 30 / 60)
FAILURES_OF_ADDRESS = (120, 60 / 60)
KNOCKS_OF_ADDRESS = (3000, 200.0)


@dataclass(slots=True)
class Bucket:
    """Holds `burst` tokens at most and gains `per_second`."""

    burst: float
    per_second: float
    tokens: float
    at: float

    @classmethod
    def full(cls, burst: float, per_second: float, now: float) -> "Bucket":
        return cls(burst, per_second, burst, now)

    def refill(self, now: float) -> None:
        """Add what has come in since the last look."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.per_second)
        self.at = now

    def take(self, now: float) -> float:
        """Take a token; returns the seconds to wait for it, 0 when there was one."""
        self.refill(now)
        self.tokens -= 1
        return max(0.0, -self.tokens / self.per_second)

    def try_take(self, now: float) -> bool:
        """Take a token if there is one."""
        self.refill(now)
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def seconds_until_one(self, now: float) -> float:
        """Return how long until there is a token, without taking it."""
        self.refill(now)
        return max(0.0, (1 - self.tokens) / self.per_second)


@dataclass(slots=True)
class DoorThrottle:
    """Who may knock now, before any database work."""

    buckets: OrderedDict[tuple[str, str, str], Bucket] = field(default_factory=OrderedDict)
    known: OrderedDict[tuple[str, str], None] = field(default_factory=OrderedDict)

    def seconds_to_wait(self, identity: str, address: str, now: float) -> float:
        """Return 0 when this knock may be looked at, else the seconds to wait before the next."""
        wait = self._bucket("knocks", "", address, KNOCKS_OF_ADDRESS, now).take(now)
        if wait:
            return wait
        watched = [self._bucket("pair", identity, address, FAILURES_OF_PAIR, now)]
        if (identity, address) not in self.known:
            # Whoever has proved itself from this address does not suffer from its neighbours' failures.
            watched.append(self._bucket("identity", identity, "", FAILURES_OF_IDENTITY, now))
            watched.append(self._bucket("address", "", address, FAILURES_OF_ADDRESS, now))
        return max(bucket.seconds_until_one(now) for bucket in watched)

    def note_failure(self, identity: str, address: str, now: float) -> None:
        """Count a wrong secret or unknown identity."""
        self._bucket("pair", identity, address, FAILURES_OF_PAIR, now).take(now)
        self._bucket("identity", identity, "", FAILURES_OF_IDENTITY, now).try_take(now)
        self._bucket("address", "", address, FAILURES_OF_ADDRESS, now).try_take(now)

    def note_success(self, identity: str, address: str) -> None:
        """Remember an address from which this identity has proved itself."""
        self.known[identity, address] = None
        self.known.move_to_end((identity, address))
        if len(self.known) > MOST_KNOWN:
            self.known.popitem(last=False)

    def _bucket(
        self, kind: str, identity: str, address: str, rate: tuple[float, float], now: float
    ) -> Bucket:
        key = (kind, identity, address)
        bucket = self.buckets.get(key)
        if bucket is None:
            bucket = self.buckets[key] = Bucket.full(*rate, now)
            if len(self.buckets) > MOST_BUCKETS:
                self.buckets.popitem(last=False)
        else:
            self.buckets.move_to_end(key)
        return bucket
