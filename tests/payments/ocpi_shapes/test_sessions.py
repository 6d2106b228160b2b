"""Sessions as a PTP sees them."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from payments.ocpi.dialects import Version
from payments.ocpi.prices import price_of
from payments.ocpi.sessions import (
    SessionStatus,
    SessionValues,
    kwh,
    ocpi_session_status,
    parse_session,
    patch_document,
    session_document,
)
from sessions_app.states import FINAL, LIVE, SessionState
from tests.payments.ocpi_shapes import cast
from tests.payments.ocpi_shapes.faults import faults

PERIOD = {
    "start_date_time": "2026-05-04T12:00:00Z",
    "dimensions": [{"type": "ENERGY", "volume": Decimal("1.5")}],
    "tariff_id": "HARBOUR-2026",
}


def sent(version: Version = Version.V2_3_0, **fields: Any) -> dict[str, Any]:
    document: dict[str, Any] = cast.as_sent(session_document(cast.session_values(**fields), version))
    return document


def received(**changes: Any) -> dict[str, Any]:
    """A Session of which fields differ; `None` leaves one out."""
    return {name: value for name, value in (sent() | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("REQUESTED", "PENDING"),
        ("STARTING", "PENDING"),
        ("CHARGING", "ACTIVE"),
        ("SUSPENDED", "ACTIVE"),
        ("STOPPING", "ACTIVE"),
        ("ENDED", "COMPLETED"),
        ("REJECTED", "INVALID"),
        ("EXPIRED", "INVALID"),
        ("CANCELLED", "INVALID"),
    ],
)
def test_each_state_has_its_status(state: str, expected: str) -> None:
    assert ocpi_session_status(state, nothing_charged=False) == expected


@pytest.mark.parametrize("state", sorted(LIVE | FINAL))
def test_an_end_without_a_bill_is_invalid_and_nothing_else_changes_by_it(state: str) -> None:
    billed, unbilled = (ocpi_session_status(state, nothing_charged=free) for free in (False, True))

    assert unbilled == ("INVALID" if state == SessionState.ENDED else billed)


@pytest.mark.parametrize("version", cast.VERSIONS)
def test_a_session_is_read_as_it_was_written(version: Version) -> None:
    values = cast.session_values(
        start_at=cast.NOON.replace(microsecond=0),
        updated_at=cast.NOON.replace(microsecond=0),
        end_at=cast.NOON.replace(microsecond=0) + timedelta(hours=1),
        charging_periods=(PERIOD,),
        meter_id="M-1",
    )

    read = parse_session(cast.as_sent(session_document(values, version)))

    assert replace(read, total=None) == replace(values, total=None)
    assert read.total is not None
    assert (read.total.excl, read.total.incl) == (Decimal("5.80"), Decimal("7.28"))


def test_the_cost_so_far_includes_vat_in_both_versions() -> None:
    assert sent(Version.V2_2_1)["total_cost"] == {"excl_vat": Decimal("5.80"), "incl_vat": Decimal("7.28")}
    assert sent()["total_cost"] == {
        "before_taxes": Decimal("5.80"),
        "taxes": [{"name": "VAT", "amount": Decimal("1.48")}],
    }


def test_what_nobody_knows_is_left_out_and_zero_is_told() -> None:
    document = sent(total=None, energy_kwh=kwh(0), authorization_reference="")

    assert document["kwh"] == 0
    assert {
        "total_cost",
        "authorization_reference",
        "end_date_time",
        "meter_id",
        "charging_periods",
    }.isdisjoint(document)


def test_the_token_is_copied_and_the_method_is_a_command() -> None:
    document = sent()

    assert document["cdr_token"] == cast.TOKEN
    assert document["auth_method"] == "COMMAND"
    assert document["authorization_reference"] == "pp-2026-0000000001"


class TestPatch:
    @pytest.mark.parametrize("version", cast.VERSIONS)
    def test_a_patch_holds_scalars_that_may_arrive_twice(self, version: Version) -> None:
        values = cast.session_values(charging_periods=(PERIOD,))

        patch = patch_document(values, version)

        assert patch.keys() == {"kwh", "total_cost", "status", "last_updated"}
        whole = session_document(values, version)
        assert patch == {name: whole[name] for name in patch}

    def test_the_last_one_tells_the_end(self) -> None:
        values = cast.session_values(status=SessionStatus.COMPLETED, end_at=cast.NOON)

        assert patch_document(values, Version.V2_3_0)["end_date_time"] == "2026-05-04T12:00:00Z"


class TestReading:
    @pytest.mark.parametrize(
        "name",
        [
            "country_code",
            "party_id",
            "id",
            "status",
            "start_date_time",
            "kwh",
            "cdr_token",
            "auth_method",
            "location_id",
            "evse_uid",
            "connector_id",
            "currency",
            "last_updated",
        ],
    )
    def test_a_missing_field_is_named(self, name: str) -> None:
        assert faults(parse_session, received(**{name: None})) == [(name, "required")]

    def test_a_token_of_a_later_version_and_fields_of_the_peer_are_taken(self) -> None:
        token = cast.TOKEN | {"type": "PALM_VEIN"}

        read = parse_session(received(cdr_token=token, x_theirs={"a": 1}, total_cost=None))

        assert read.cdr_token["type"] == "PALM_VEIN"
        assert read.total is None

    @pytest.mark.parametrize(
        ("changes", "path"),
        [
            ({"status": "STARTED"}, "status"),
            ({"kwh": -1}, "kwh"),
            ({"start_date_time": "2026-05-04 12:00"}, "start_date_time"),
            ({"id": "x" * 37}, "id"),
            ({"id": "Jyväskylä"}, "id"),
            ({"cdr_token": {"uid": "1"}}, "cdr_token.country_code"),
            ({"total_cost": {"excl_vat": -1}}, "total_cost.excl_vat"),
            (
                {"charging_periods": [{"start_date_time": "x", "dimensions": []}]},
                "charging_periods[0].dimensions",
            ),
        ],
    )
    def test_a_fault_is_named(self, changes: dict[str, Any], path: str) -> None:
        assert path in [found for found, _ in faults(parse_session, received(**changes))]

    def test_a_list_is_no_session(self) -> None:
        assert faults(parse_session, []) == [("", "invalid")]


def test_values_are_plain_facts() -> None:
    free = SessionValues(
        country_code="FI",
        party_id="EMB",
        session_id="s",
        status=SessionStatus.INVALID,
        start_at=cast.NOON,
        energy_kwh=kwh(5),
        cdr_token=cast.TOKEN,
        location_id="L",
        evse_uid="E",
        connector_id="1",
        currency="JPY",
        total=price_of(0, 0, "JPY"),
        updated_at=cast.NOON,
    )

    document = session_document(free, Version.V2_2_1)

    assert document["total_cost"] == {"excl_vat": 0, "incl_vat": 0}
    assert document["kwh"] == Decimal("0.005")
