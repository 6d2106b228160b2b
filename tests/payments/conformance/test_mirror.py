"""What the kit keeps of what it was given."""

from typing import Any

import pytest

from payments.conformance.mirror import Mirror
from payments.conformance.ptp_side import PtpSide
from payments.simulator.ocpi.wire import Party

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


def test_ids_come_percent_encoded() -> None:
    mirror = Mirror()
    mirror.put(LOCATION, {"evses": [{"uid": "FI*EMB*E1", "status": "AVAILABLE"}]})

    assert mirror.patch(f"{LOCATION}/FI%2AEMB%2AE1", {"status": "CHARGING"})
    assert not mirror.put(f"{LOCATION}/fi*emb*e1", {"uid": "FI*EMB*E1", "status": "BLOCKED"})

    assert mirror.get(LOCATION) == {"evses": [{"uid": "FI*EMB*E1", "status": "BLOCKED"}]}


@pytest.mark.parametrize(
    "body", [{"evses": 5}, {"evses": {"uid": "A"}}, {"evses": ["A", None]}, {"charging_periods": 5}]
)
def test_nonsense_is_kept_as_it_came(body: dict[str, Any]) -> None:
    mirror = Mirror()

    assert mirror.put(LOCATION, body)
    assert mirror.get(f"{LOCATION}/A") is None
    assert not mirror.patch(f"{LOCATION}/A", {"status": "CHARGING"})
    assert mirror.patch(LOCATION, {"charging_periods": {"a": 1}})


def test_what_was_pushed_stands_against_what_is_read() -> None:
    side = PtpSide(host="127.0.0.1", port=0, public_url="", party=Party("NL", "PTC"), role="PTP")
    read = {
        "country_code": "FI",
        "party_id": "EMB",
        "id": "HARBOUR",
        "evses": [{"uid": "A", "status": "AVAILABLE"}],
    }

    assert side.mirrored("2.3.0", read) == read
    assert side.mirror.patch(f"{LOCATION}/A", {"status": "CHARGING"})

    assert side.mirrored("2.3.0", read)["evses"] == [{"uid": "A", "status": "CHARGING"}]
    assert side.mirrored("2.2.1", read) == read


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
