"""Versions, Credentials, Token, Terminal, FinancialAdviceConfirmation, CommandResponse and CommandResult."""

from __future__ import annotations

from typing import Final

from payments.conformance.rules import enumerations as words
from payments.conformance.rules.enumerations import opened
from payments.conformance.rules.language import (
    Field,
    Kind,
    boolean,
    cistring,
    integer,
    moment,
    one_of,
    one_of_open,
    shape,
    string,
    url,
)  # fmt: skip
from payments.conformance.rules.money import price
from payments.conformance.rules.places import ALPHA_3, COORDINATES, DISPLAY_TEXT, business

VERSION: Final = shape({"version": Field(string(10), "1"), "url": Field(url, "1")})
DETAILS: Final = shape(
    {
        "version": Field(string(10), "1"),
        "endpoints": Field(
            shape(
                {
                    "identifier": Field(one_of_open(), "1"),
                    "role": Field(one_of("SENDER", "RECEIVER"), "1"),
                    "url": Field(url, "1"),
                }
            ),
            "+",
        ),
    }
)
COMMAND_RESPONSE: Final = shape(
    {
        "result": Field(one_of(*words.COMMAND_RESPONSE), "1"),
        "timeout": Field(integer(least=0), "1"),
        "message": Field(DISPLAY_TEXT, "*"),
    }
)
COMMAND_RESULT: Final = shape(
    {"result": Field(one_of(*words.COMMAND_RESULT), "1"), "message": Field(DISPLAY_TEXT, "*")}
)


def credentials(version: str) -> Kind:
    """A Credentials object."""
    # 2.2.1 knows the role HUB, 2.3.0 no longer does.
    roles = (*words.ROLE, "HUB") if version == "2.2.1" else words.ROLE
    role = shape(
        {
            "role": Field(one_of(*roles), "1"),
            "business_details": Field(business(version), "1"),
            "party_id": Field(cistring(3, pattern=r"[A-Za-z0-9]{3}"), "1"),
            "country_code": Field(cistring(2, pattern=r"[A-Za-z]{2}"), "1"),
        }
    )
    return shape(
        {
            "token": Field(string(64, pattern=r"[!-~]{1,64}"), "1"),
            "url": Field(url, "1"),
            "hub_party_id": Field(cistring(5)),
            "roles": Field(role, "+"),
        }
    )


def token(version: str) -> Kind:
    """A Token."""
    return shape(
        {
            "country_code": Field(cistring(2), "1"),
            "party_id": Field(cistring(3), "1"),
            "uid": Field(cistring(36), "1"),
            "type": Field(opened(version, *words.TOKEN_TYPE), "1"),
            "contract_id": Field(cistring(36), "1"),
            "visual_number": Field(string(64)),
            "issuer": Field(string(64), "1"),
            "group_id": Field(cistring(36)),
            "valid": Field(boolean, "1"),
            "whitelist": Field(one_of(*words.WHITELIST), "1"),
            "language": Field(string(2)),
            "last_updated": Field(moment, "1"),
        }
    )


TERMINAL: Final = shape(
    {
        "terminal_id": Field(cistring(36), "1"),
        "customer_reference": Field(cistring(36)),
        "party_id": Field(cistring(3)),
        "country_code": Field(cistring(2)),
        "address": Field(cistring(45)),
        "city": Field(cistring(45)),
        "postal_code": Field(cistring(10)),
        "state": Field(cistring(20)),
        "country": Field(cistring(3, pattern=ALPHA_3)),
        "coordinates": Field(COORDINATES),
        "invoice_base_url": Field(url),
        "invoice_creator": Field(one_of("CPO", "PTP")),
        "reference": Field(cistring(36)),
        "location_ids": Field(cistring(36), "*"),
        "evse_uids": Field(cistring(36), "*"),
        "last_updated": Field(moment, "1"),
    }
)


def confirmation(version: str) -> Kind:
    """A FinancialAdviceConfirmation; the text's example of a failure has no eft_data, so none is needed here."""
    return shape(
        {
            "id": Field(cistring(36), "1"),
            "authorization_reference": Field(cistring(36), "1"),
            "total_costs": Field(price(version), "1"),
            "currency": Field(cistring(3), "1"),
            "eft_data": Field(cistring(255), "*"),
            "capture_status_code": Field(one_of("SUCCESS", "PARTIAL_SUCCESS", "FAILED"), "1"),
            "capture_status_message": Field(cistring(255)),
            "last_updated": Field(moment, "1"),
        }
    )
