"""Whatever we send: our own parser takes it back, in both versions, and its form is that of the wire."""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from payments import exact_json
from payments.ocpi.cdr_entries import parse_cdr
from payments.ocpi.confirmations import parse_confirmation
from payments.ocpi.credentials import parse_credentials
from payments.ocpi.dialects import Version
from payments.ocpi.locations import parse_location
from payments.ocpi.sessions import parse_session
from payments.ocpi.tariffs import parse_tariff
from payments.ocpi.terminals import parse_terminal
from tests.payments.ocpi_shapes import cast

Parser = Callable[[object], object]


def in_site(evses: list[Any]) -> object:
    return parse_location(cast.documents(Version.V2_3_0)["site"][1] | {"evses": evses})


PARSERS: dict[str, Parser] = {
    "Location": parse_location,
    "Evse": lambda evse: in_site([evse]),
    "Connector": lambda connector: in_site([{"uid": "E-1", "connectors": [connector]}]),
    "Tariff": parse_tariff,
    "Session": parse_session,
    "Cdr": parse_cdr,
    "Terminal": parse_terminal,
    "FinancialAdviceConfirmation": parse_confirmation,
    "Credentials": parse_credentials,
}
TIME = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]{1,4})?")
SENT = [
    pytest.param(version, name, id=f"{version}-{name}")
    for version in cast.VERSIONS
    for name in cast.documents(version)
]


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no object and no list, with the name of its field."""
    if isinstance(value, dict):
        for field, item in value.items():
            yield from leaves(item, field)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, name)
    else:
        yield name, value


def keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(keys(item) for item in value.values()))
    return set().union(*(keys(item) for item in value)) if isinstance(value, list) else set()


@pytest.mark.parametrize(("version", "name"), SENT)
def test_our_own_parser_takes_what_we_send(version: Version, name: str) -> None:
    kind, document = cast.documents(version)[name]
    if kind in ("CommandResponse", "CommandResult"):
        assert document["result"]
    else:
        assert PARSERS[kind](document)


@pytest.mark.parametrize(("version", "name"), SENT)
def test_numbers_have_at_most_four_decimals_and_times_end_in_z(version: Version, name: str) -> None:
    _, document = cast.documents(version)[name]

    for field, value in leaves(document):
        if isinstance(value, Decimal | int) and not isinstance(value, bool):
            assert NUMBER.fullmatch(exact_json.dumps(value)), field
        if field in ("last_updated", "start_date_time", "end_date_time"):
            assert TIME.fullmatch(value), field
        assert value is not None, field
        assert value != "", field


@pytest.mark.parametrize("name", list(cast.documents(Version.V2_2_1)))
def test_nothing_of_2_3_0_goes_out_on_2_2_1_nor_the_other_way(name: str) -> None:
    _, old = cast.documents(Version.V2_2_1)[name]
    _, new = cast.documents(Version.V2_3_0)[name]

    only_new = {"before_taxes", "after_taxes", "taxes", "tax_included", "preauthorize_amount", "help_phone"}
    assert keys(old).isdisjoint(only_new | {"parking_places", "hub_party_id"})
    assert keys(new).isdisjoint({"excl_vat", "incl_vat"})


@pytest.mark.parametrize("version", cast.VERSIONS)
def test_an_object_keeps_its_values_through_write_and_read(version: Version) -> None:
    sent = cast.documents(version)

    terminal = parse_terminal(sent["terminal"][1])
    confirmation = parse_confirmation(sent["confirmation"][1])
    bill = parse_cdr(sent["CDR"][1])

    assert terminal == cast.terminal()
    assert confirmation == cast.confirmation()
    assert (bill.total.excl, bill.total.incl) == (Decimal("9.40"), Decimal("11.80"))
    assert bill.costs["total_energy_cost"].incl == Decimal("11.80")
    assert (bill.energy_kwh, bill.hours) == (Decimal(20), Decimal("0.6667"))
    assert bill.cdr_token == cast.TOKEN
