"""Tokens: kept as they came, patched field by field."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from payments.ocpi.tokens import parse_token, patched_token, token_document
from tests.payments.ocpi_shapes import cast
from tests.payments.ocpi_shapes.faults import faults

TOUCHED = "2026-06-01T08:00:00Z"


def stored(**fields: Any) -> dict[str, Any]:
    return parse_token(cast.token_sent(**fields)).document


def test_a_token_comes_back_as_it_was_sent() -> None:
    sent = cast.token_sent(energy_contract={"supplier_name": "Tuuli"}, x_score=Decimal("0.1"))

    assert cast.as_sent(token_document(parse_token(sent).document)) == sent


def test_its_names_and_validity_are_known() -> None:
    token = parse_token(cast.token_sent(valid=False))

    assert (token.uid, token.type, token.contract_id) == (
        cast.TOKEN["uid"],
        "AD_HOC_USER",
        cast.TOKEN["contract_id"],
    )
    assert token.valid is False
    assert token.updated_at == datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["RFID", "EMAID", "APP_USER", "OTHER", "PALM_VEIN"])
def test_the_type_is_an_open_list(kind: str) -> None:
    assert parse_token(cast.token_sent(type=kind)).type == kind


@pytest.mark.parametrize(
    "name",
    [
        "country_code",
        "party_id",
        "uid",
        "type",
        "contract_id",
        "issuer",
        "valid",
        "whitelist",
        "last_updated",
    ],
)
def test_a_missing_field_is_named(name: str) -> None:
    assert faults(parse_token, cast.token_sent(**{name: None})) == [(name, "required")]


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"uid": "x" * 37}, "uid", "too_large"),
        ({"uid": " 1"}, "uid", "invalid"),
        ({"uid": 1}, "uid", "invalid"),
        ({"valid": "yes"}, "valid", "invalid"),
        ({"language": "english"}, "language", "too_large"),
        ({"last_updated": "today"}, "last_updated", "invalid"),
    ],
)
def test_a_fault_is_named(changes: dict[str, Any], path: str, code: str) -> None:
    assert faults(parse_token, cast.token_sent() | changes) == [(path, code)]


class TestPatch:
    def test_given_fields_replace_the_old_ones(self) -> None:
        token = patched_token(stored(), {"valid": False, "last_updated": TOUCHED})

        assert token.valid is False
        assert token.document == stored() | {"valid": False, "last_updated": TOUCHED}

    def test_a_patch_without_its_time_is_refused(self) -> None:
        assert faults(patched_token, stored(), {"valid": False}) == [("last_updated", "required")]

    def test_what_names_the_token_cannot_be_patched(self) -> None:
        patch = {"uid": "another", "type": cast.TOKEN["type"], "last_updated": TOUCHED}

        assert faults(patched_token, stored(), patch) == [("uid", "invalid")]

    def test_the_result_has_to_be_a_token(self) -> None:
        patch = {"valid": 1, "last_updated": TOUCHED}

        assert faults(patched_token, stored(), patch) == [("valid", "invalid")]

    def test_null_leaves_a_field_as_it_is(self) -> None:
        patch = {"issuer": None, "last_updated": TOUCHED}

        assert patched_token(stored(), patch).document["issuer"] == "Example Payments"
