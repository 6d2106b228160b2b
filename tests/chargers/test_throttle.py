"""Whoever fails waits; whoever has proved itself does not wait for others."""

from chargers.ocpp.throttle import MOST_BUCKETS, Bucket, DoorThrottle


def fail(door: DoorThrottle, times: int, identity: str, address: str, now: float = 0.0) -> None:
    for _ in range(times):
        door.note_failure(identity, address, now)


def test_the_sixth_failure_in_a_minute_waits() -> None:
    door = DoorThrottle()

    fail(door, 4, "CP-1", "10.0.0.1")
    assert door.seconds_to_wait("CP-1", "10.0.0.1", 0.0) == 0
    fail(door, 1, "CP-1", "10.0.0.1")
    assert door.seconds_to_wait("CP-1", "10.0.0.1", 0.0) > 0
    assert door.seconds_to_wait("CP-1", "10.0.0.1", 60.0) == 0


def test_failures_elsewhere_do_not_lock_out_a_station_that_proved_itself() -> None:
    door = DoorThrottle()
    door.note_success("CP-1", "10.0.0.1")

    fail(door, 100, "CP-1", "66.6.6.6")
    fail(door, 200, "CP-2", "10.0.0.1")

    assert door.seconds_to_wait("CP-1", "10.0.0.1", 0.0) == 0
    assert door.seconds_to_wait("CP-1", "66.6.6.6", 0.0) > 0


def test_guessing_identities_from_one_address_waits() -> None:
    door = DoorThrottle()

    for number in range(120):
        door.note_failure(f"CP-{number}", "66.6.6.6", 0.0)

    assert door.seconds_to_wait("CP-999", "66.6.6.6", 0.0) > 0


def test_a_thousand_stations_behind_one_address_come_in_at_once() -> None:
    door = DoorThrottle()

    assert all(door.seconds_to_wait(f"CP-{n}", "10.0.0.1", 0.0) == 0 for n in range(1000))


def test_the_throttle_forgets_rather_than_grows() -> None:
    door = DoorThrottle()

    for number in range(MOST_BUCKETS + 10):
        door.note_failure(f"CP-{number}", f"10.0.{number}", 0.0)

    assert len(door.buckets) == MOST_BUCKETS


def test_a_bucket_tells_how_long_to_wait() -> None:
    bucket = Bucket.full(2, 10.0, 0.0)

    assert [bucket.take(0.0) for _ in range(4)] == [0, 0, 0.1, 0.2]
