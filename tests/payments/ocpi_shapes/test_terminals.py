"""Terminals: a PTP tells as much as it likes, and we tell it where they stand."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from payments.ocpi.terminals import (
    InvoiceCreator,
    TerminalEntry,
    activation_document,
    assignment_document,
    parse_terminal,
    parse_terminal_patch,
    terminal_document,
    update_document,
)
from tests.payments.ocpi_shapes import cast
from tests.payments.ocpi_shapes.faults import faults

AT = "2026-05-04T12:00:00Z"


def sent(**fields: Any) -> dict[str, Any]:
    document: dict[str, Any] = cast.as_sent(terminal_document(cast.terminal()) | fields)
    return document


def test_an_id_alone_is_a_terminal() -> None:
    assert parse_terminal({"terminal_id": "T-1"}) == TerminalEntry("T-1")


def test_a_terminal_comes_back_as_it_was_sent() -> None:
    assert parse_terminal(sent(x_theirs=1)) == cast.terminal()


def test_lists_are_written_even_when_empty() -> None:
    document = terminal_document(TerminalEntry("T-1"))

    assert document == {"terminal_id": "T-1", "location_ids": [], "evse_uids": []}


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"terminal_id": None}, "terminal_id", "required"),
        ({"terminal_id": ""}, "terminal_id", "invalid"),
        ({"terminal_id": "x" * 37}, "terminal_id", "too_large"),
        ({"customer_reference": "Öljy"}, "customer_reference", "invalid"),
        ({"invoice_creator": "BANK"}, "invoice_creator", "invalid"),
        ({"location_ids": "HARBOUR"}, "location_ids", "invalid"),
        ({"evse_uids": [""]}, "evse_uids[0]", "invalid"),
        ({"evse_uids": ["x" * 37]}, "evse_uids[0]", "too_large"),
        ({"coordinates": {"latitude": "91", "longitude": "0"}}, "coordinates.latitude", "invalid"),
        ({"last_updated": "now"}, "last_updated", "invalid"),
    ],
)
def test_a_fault_is_named(changes: dict[str, Any], path: str, code: str) -> None:
    assert faults(parse_terminal, sent() | changes) == [(path, code)]


class TestPatch:
    def test_only_what_is_given_changes(self) -> None:
        changes = parse_terminal_patch(cast.as_sent({"location_ids": ["A", "B"], "last_updated": AT}))

        changed = replace(cast.terminal(), **changes)

        assert changed == cast.terminal(location_ids=("A", "B"))
        assert changes.keys() == {"location_ids", "updated_at"}

    def test_an_empty_list_takes_everything_away(self) -> None:
        assert parse_terminal_patch({"evse_uids": []}) == {"evse_uids": ()}

    def test_places_and_creators_are_read_too(self) -> None:
        changes = parse_terminal_patch(
            {"coordinates": {"latitude": "1.00000", "longitude": "2.00000"}, "invoice_creator": "PTP"}
        )

        assert changes == {
            "latitude": Decimal(1),
            "longitude": Decimal(2),
            "invoice_creator": InvoiceCreator.PTP,
        }

    def test_faults_are_named(self) -> None:
        assert faults(parse_terminal_patch, {"reference": 7}) == [("reference", "invalid")]


class TestOurMessages:
    def test_an_assignment_names_both_lists(self) -> None:
        assert assignment_document(["A"], []) == {"location_ids": ["A"], "evse_uids": []}
        assert assignment_document([], ["E"], changed_at=cast.NOON) == {
            "location_ids": [],
            "evse_uids": ["E"],
            "last_updated": AT,
        }

    def test_an_update_names_contract_and_invoices(self) -> None:
        document = update_document(
            customer_reference="EMB", invoice_base_url="https://cpo.example/r/", changed_at=cast.NOON
        )

        assert document == {
            "customer_reference": "EMB",
            "invoice_base_url": "https://cpo.example/r/",
            "last_updated": AT,
        }
        assert parse_terminal_patch(document)["customer_reference"] == "EMB"

    def test_an_activation_is_found_by_its_reference(self) -> None:
        document = activation_document(
            reference="SN-0042", location_ids=["A"], evse_uids=[], changed_at=cast.NOON
        )

        assert document == {
            "reference": "SN-0042",
            "location_ids": ["A"],
            "evse_uids": [],
            "last_updated": AT,
        }
