"""What the kit keeps of what it was given."""

from payments.conformance.mirror import Mirror

LOCATION = "/ocpi/ptp/2.3.0/locations/FI/EMB/HARBOUR"


def harbour() -> Mirror:
    mirror = Mirror()
    connectors = [{"id": "1", "standard": "IEC_62196_T2"}]
    evses = [
        {"uid": "A", "status": "AVAILABLE", "connectors": connectors},
        {"uid": "B", "status": "AVAILABLE"},
    ]
    assert mirror.put(LOCATION, {"id": "HARBOUR", "evses": evses})
    return mirror


def test_an_evse_is_patched_inside_its_location() -> None:
    mirror = harbour()

    assert mirror.patch(f"{LOCATION}/a", {"status": "CHARGING"})

    assert [evse["status"] for evse in mirror.get(LOCATION)["evses"]] == ["CHARGING", "AVAILABLE"]


def test_evses_and_connectors_are_put_into_what_they_belong_to() -> None:
    mirror = harbour()

    assert not mirror.put(f"{LOCATION}/B", {"uid": "B", "status": "REMOVED"})
    assert mirror.put(f"{LOCATION}/C", {"uid": "C"})
    assert mirror.put(f"{LOCATION}/A/2", {"id": "2"})

    evses = {evse["uid"]: evse for evse in mirror.get(LOCATION)["evses"]}
    assert sorted(evses) == ["A", "B", "C"]
    assert evses["B"]["status"] == "REMOVED"
    assert [connector["id"] for connector in evses["A"]["connectors"]] == ["1", "2"]
    assert mirror.get(f"{LOCATION}/A/1")["standard"] == "IEC_62196_T2"


def test_what_is_not_there_cannot_be_patched() -> None:
    mirror = harbour()

    assert not mirror.patch(f"{LOCATION}/X", {"status": "CHARGING"})
    assert not mirror.patch("/ocpi/ptp/2.3.0/locations/FI/EMB/ELSEWHERE/A", {"status": "CHARGING"})


def test_an_evse_without_its_location_is_kept_by_itself() -> None:
    mirror = Mirror()

    assert mirror.put(f"{LOCATION}/A", {"uid": "A", "status": "AVAILABLE"})
    assert mirror.patch(f"{LOCATION}/A", {"status": "CHARGING"})

    assert mirror.get(f"{LOCATION}/A") == {"uid": "A", "status": "CHARGING"}


def test_what_came_is_not_changed_by_what_comes_later() -> None:
    mirror, body = Mirror(), {"id": "1", "charging_periods": [{"start_date_time": "a"}]}
    mirror.put("/sessions/1", body)

    assert mirror.patch("/sessions/1", {"kwh": 2, "charging_periods": [{"start_date_time": "b"}]})

    assert body == {"id": "1", "charging_periods": [{"start_date_time": "a"}]}
    begins = [period["start_date_time"] for period in mirror.get("/sessions/1")["charging_periods"]]
    assert begins == ["a", "b"]
