"""Every segment of every address: what can be no id names nothing, and is never a fault of ours (OCPI 3000)."""

import json
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern

from payments.ocpi import connections
from payments.ocpi.server import urls
from sessions_app.models import CDR
from tests.builders import Cast
from tests.payments.ocpi_server.paying import charged
from tests.payments.ocpi_server.reader import Reader

# PostgreSQL stores no NUL and SQLite does, so there alone a segment that is looked up unseen is a fault.
ON_POSTGRES = pytest.param(True, marks=pytest.mark.postgres, id="postgres")
DATABASES = pytest.mark.parametrize("on_postgres", [pytest.param(False, id="any"), ON_POSTGRES])

ROUTES = {
    "locations/<location_id>": "GET",
    "locations/<location_id>/<evse_uid>": "GET",
    "locations/<location_id>/<evse_uid>/<connector_id>": "GET",
    "tariffs/<tariff_id>": "GET",
    "tariffs/<country_code>/<party_id>/<tariff_id>": "GET",
    "sessions/<country_code>/<party_id>/<session_id>": "GET",
    "cdrs/<cdr_id>": "GET",
    "cdrs/<country_code>/<party_id>/<cdr_id>": "GET",
    "commands/<command>": "POST",
    "tokens/<country_code>/<party_id>/<uid>": "GET PUT PATCH",
    "payments/terminals/<terminal_id>": "GET PUT PATCH",
    "payments/financial-advice-confirmations/<confirmation_id>": "GET",
}
NO_IDS = ["%00", "a%00b", "FI%00", "%ED%A0%80", "%FF", "%E2%80%AE", "a%0Ab", "x" * 300, "'", "%25"]


def segments() -> Iterator[tuple[str, str, str]]:
    """Method, route and the segment that is to be spoilt."""
    for route, methods in ROUTES.items():
        for segment in route.split("/"):
            if segment.startswith("<"):
                yield from ((method, route, segment) for method in methods.split())


def test_no_address_is_forgotten() -> None:
    routes = {str(each.pattern).rstrip("/") for each in urls._MODULES if isinstance(each, URLPattern)}

    assert {each.replace("<str:", "<") for each in routes if "<" in each} == set(ROUTES)


@DATABASES
@pytest.mark.parametrize(("method", "route", "segment"), segments())
def test_a_segment_that_can_be_no_id_names_nothing(
    cast: Cast, ptp: Reader, method: str, route: str, segment: str, on_postgres: bool
) -> None:
    real = _real(cast, ptp)

    for no_id in NO_IDS:
        http_status, status = _asked(ptp, method, _filled(route, real | {segment: no_id}))
        assert status < 3000, no_id
        assert http_status == 404 or method in ("PUT", "PATCH"), no_id  # these may name what is new


@pytest.mark.parametrize(
    "path",
    ["%0a", "versions%0a", "2.3.0%0a", "cpo/2.3.0/%0a", "cpo/2.3.0/sessions/%0a", "cpo/2.3.0%0a/sessions"],
)
def test_an_address_with_a_line_break_is_none_and_said_in_the_envelope(ptp: Reader, path: str) -> None:
    answer = ptp.get(f"/ocpi/{path}")

    assert (answer.http_status, answer.status) == (404, 2001)


@DATABASES
@pytest.mark.parametrize("route", ["sessions/FI/EMB/{session}", "cdrs/FI/EMB/{cdr}"])
def test_an_id_is_found_below_its_party_alone(cast: Cast, ptp: Reader, route: str, on_postgres: bool) -> None:
    real = _real(cast, ptp)
    path = route.format(session=real["<session_id>"], cdr=real["<cdr_id>"])

    assert _asked(ptp, "GET", path) == (200, 1000)
    for spoilt in ("%00/EMB", "FI/%00", "FI%00/EMB", "FI/EMB%00", "SE/EMB"):
        assert _asked(ptp, "GET", path.replace("FI/EMB", spoilt)) == (404, 2001)


def _real(cast: Cast, ptp: Reader) -> dict[str, str]:
    """What each segment is in an address that leads somewhere; tokens and terminals there are none."""
    payment = charged(cast, ptp)
    return {
        "<location_id>": cast.site.location_id,
        "<evse_uid>": cast.evse.uid,
        "<connector_id>": "1",
        "<tariff_id>": cast.tariff_version.tariff.tariff_id,
        "<country_code>": "FI",
        "<party_id>": "EMB",
        "<session_id>": str(payment.session_id),
        "<cdr_id>": str(CDR.objects.get(session=payment.session_id).pk),
        "<command>": "UNLOCK_CONNECTOR",
        "<uid>": "u-1",
        "<terminal_id>": "T-1",
        "<confirmation_id>": "fac-1",
    }


def _filled(route: str, real: dict[str, str]) -> str:
    return "/".join(real.get(segment, segment) for segment in route.split("/"))


def _asked(ptp: Reader, method: str, path: str) -> tuple[int, int]:
    """The HTTP status and OCPI's."""
    response = Client(raise_request_exception=False).generic(
        method,
        f"/ocpi/cpo/2.3.0/{path}",
        b"" if method == "GET" else json.dumps({"terminal_id": None}).encode(),
        content_type="application/json",
        headers={"authorization": connections.authorization_of(ptp.token)},
    )
    return response.status_code, response.json()["status_code"]
