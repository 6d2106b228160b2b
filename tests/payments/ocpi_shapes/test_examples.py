"""Example objects, accepted or refused as the text says.

`OCPI_EXAMPLES` names a folder with the JSON examples of the OCPI repository (`2.3.0/release/payments`, and
those of `release-2.2.1-bugfixes` in its subfolder `2.2.1`); they are not ours to copy. Without it only
our own examples run. What is not in `REFUSED` has to be accepted.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from payments import exact_json
from payments.ocpi.cdr_entries import parse_cdr
from payments.ocpi.commands import parse_start_session
from payments.ocpi.confirmations import parse_confirmation
from payments.ocpi.credentials import parse_credentials, parse_endpoints, parse_versions
from payments.ocpi.dialects import Version
from payments.ocpi.locations import parse_location
from payments.ocpi.reading import exact, merged
from payments.ocpi.sessions import parse_session
from payments.ocpi.tariffs import parse_tariff
from payments.ocpi.terminals import parse_terminal, parse_terminal_patch
from payments.ocpi.tokens import parse_token, patched_token
from tariffs.engine.errors import InvalidInput
from tests.emabler import network_files
from tests.payments.ocpi_shapes import cast

# Examples that break their own chapter. The EVSE that is PUT has a connector without its required power_type,
# max_voltage and max_amperage, and a number for physical_reference, which is a string.
REFUSED = {
    "location_put_example_add_evse": {
        "evses[0].physical_reference",
        "evses[0].connectors[0].power_type",
        "evses[0].connectors[0].max_voltage",
        "evses[0].connectors[0].max_amperage",
    },
    "ours_start_session_without_evse": {"evse_uid"},
}


def in_site(**fields: Any) -> object:
    return parse_location(exact(network_files.location(**fields)))


def patched_evse(patch: Any) -> object:
    return in_site(evses=[network_files.evse("E-1") | patch])


def patched_connector(patch: Any) -> object:
    return in_site(evses=[network_files.evse("E-1", connectors=[network_files.connector() | patch])])


def patched_session(patch: Any) -> object:
    return parse_session(merged(cast.documents(Version.V2_3_0)["session"][1], patch))


# By the beginning of the file's name; of several that fit, the longest. A part is read in its whole.
READERS: dict[str, Callable[[Any], object]] = {
    "cdr_": parse_cdr,
    "credentials_": parse_credentials,
    "location_": parse_location,
    "location_energymix_": lambda mix: in_site(**mix),
    "location_regularhours_": lambda hours: in_site(**hours),
    "location_hours_": lambda hours: in_site(opening_times=hours),
    "location_patch_example_location": lambda patch: in_site(**patch),
    "location_patch_example_remove_evse": patched_evse,
    "location_patch_example_status": patched_evse,
    "location_patch_example_tariff": patched_connector,
    "location_put_example_add_evse": lambda evse: in_site(evses=[evse]),
    "payment_financial_advice_confirmation_": parse_confirmation,
    "payment_terminal_": parse_terminal,
    "payment_terminal_activate": parse_terminal_patch,
    "payment_terminal_location_assignment": parse_terminal_patch,
    "payment_terminal_put_update": parse_terminal_patch,
    "session_": parse_session,
    "session_patch_": patched_session,
    "tariff": parse_tariff,
    "token_": parse_token,
    "token_patch_": lambda patch: patched_token(cast.token_sent(), patch),
    "transport_and_format_get_token_example": lambda answer: parse_token(answer["data"]),
    "transport_and_format_get_token_list_": lambda answer: [parse_token(item) for item in answer["data"]],
    "transport_and_format_version_details_": lambda answer: parse_endpoints(answer["data"]),
    "transport_and_format_version_info_": lambda answer: parse_versions(answer["data"]),
    "type_displaytext_": lambda text: parse_tariff(exact(network_files.tariff(tariff_alt_text=[text]))),
    "version_details_": parse_endpoints,
    "versions_info_": parse_versions,
    "ours_confirmation_": parse_confirmation,
    "ours_start_session_": parse_start_session,
    "ours_token_": parse_token,
}


def our_examples() -> Iterator[tuple[str, str, Any]]:
    """What a PTP sends us."""
    start = {
        "response_url": "https://ptp.example/42",
        "token": cast.token_sent(),
        "location_id": "HARBOUR",
        "connector_id": "1",
    }
    confirmation = cast.confirmation_sent(total_costs={"excl_vat": 4})
    yield "ours", "ours_confirmation_whole", cast.confirmation_sent()
    yield "ours", "ours_confirmation_without_vat", confirmation
    yield "ours", "ours_start_session_whole", start | {"evse_uid": "E-1"}
    yield "ours", "ours_start_session_without_evse", start
    yield "ours", "ours_token_whole", cast.token_sent()


def their_examples() -> Iterator[tuple[str, str, Any]]:
    """The files of the folder and of its subfolder."""
    folder = os.environ.get("OCPI_EXAMPLES")
    for path in sorted(Path(folder).rglob("*.json")) if folder else ():
        yield path.parent.name, path.stem, exact_json.loads(path.read_bytes())


EXAMPLES = [
    pytest.param(name, document, id=f"{where}-{name}")
    for where, name, document in (*our_examples(), *their_examples())
]


@pytest.mark.parametrize(("name", "document"), EXAMPLES)
def test_an_example_is_accepted_or_refused_as_the_text_says(name: str, document: Any) -> None:
    reader = READERS[max((start for start in READERS if name.startswith(start)), key=len)]
    refused: set[str] = set()

    try:
        reader(document)
    except InvalidInput as error:
        refused = {fault.path for fault in error.errors}

    assert refused == REFUSED.get(name, set())
