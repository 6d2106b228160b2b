"""Whose: every address that can be read, for those who may read it and for those who may not."""

import pytest

from payments.models import Payment
from sessions_app.models import CDR
from tests.builders import Cast
from tests.payments.ocpi_server.paying import LONG_AGO, charged
from tests.payments.ocpi_server.reader import Reader, contract, reader

# --- Whose ----------------------------------------------------------------------------------------

PATHS = [
    "locations",
    "locations/{location}",
    "locations/{location}/{evse}",
    "locations/{location}/{evse}/1",
    "tariffs",
    "tariffs/{tariff}",
    "tariffs/{party}/{tariff}",
    "sessions?date_from=" + LONG_AGO,
    "sessions/{party}/{session}",
    "cdrs?date_from=" + LONG_AGO,
    "cdrs/{cdr}",
    "cdrs/{party}/{cdr}",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("slash", ["", "/"])
def test_nobody_sees_what_another_platform_paid_for(cast: Cast, ptp: Reader, path: str, slash: str) -> None:
    """Sites and tariffs of the same party are for both; sessions and CDRs for the one that paid."""
    same_party, other_party = reader(), reader(party=("SE", "OTH"))
    address = _address(path, cast, charged(cast, ptp), slash)
    assert _sees(ptp, address)
    public = path.startswith(("locations", "tariffs"))

    assert _sees(same_party, address) is public
    assert not _sees(other_party, address)


@pytest.mark.parametrize("path", PATHS)
def test_contracts_keep_the_tenants_of_a_platform_apart(cast: Cast, ptp: Reader, path: str) -> None:
    tenant = ("SE", "OTH")
    address = _address(path, cast, charged(cast, ptp))
    contract(ptp, tenant)

    assert _sees(ptp, address, to=("FI", "EMB"))
    assert not _sees(ptp, address, to=tenant)


@pytest.mark.parametrize("path", PATHS)
def test_what_a_platform_paid_for_stays_its_own_once_the_contract_has_ended(
    cast: Cast, ptp: Reader, path: str
) -> None:
    """It holds the driver's money: without the CDR it could neither capture nor let go."""
    address = _address(path, cast, charged(cast, ptp))
    ptp.connection.our_party_id = "OTH"
    ptp.connection.save()

    assert _sees(ptp, address) is not path.startswith(("locations", "tariffs"))
    assert not _sees(ptp, address, to=("FI", "OTH"))


def test_a_party_that_is_none_of_the_platforms_is_refused(cast: Cast, ptp: Reader) -> None:
    for path in ("locations", "tariffs", "cdrs", f"sessions?date_from={LONG_AGO}"):
        answer = ptp.get(path, to=("DE", "XYZ"))
        assert (answer.http_status, answer.status, answer.data) == (200, 2001, None)


@pytest.mark.parametrize("path", ["sessions/FI/EMB/{}", "cdrs/{}", "cdrs/FI/EMB/{}"])
def test_what_cannot_be_an_id_names_nothing(cast: Cast, ptp: Reader, path: str) -> None:
    payment = charged(cast, ptp)
    known = ptp.get("cdrs").data[0]["id"] if path.startswith("cdrs") else str(payment.session_id)
    assert ptp.get(path.format(known.upper())).http_status == 200

    for name in (known.replace("-", ""), f"{{{known}}}", "1", "x" * 300, "%00", "%F0%9F%94%8C", "-1"):
        answer = ptp.get(path.format(name))
        assert (answer.http_status, answer.status, answer.data) == (404, 2001, None), name


def _address(path: str, cast: Cast, payment: Payment, slash: str = "") -> str:
    route, mark, query = path.partition("?")
    filled = route.format(
        location=cast.site.location_id,
        evse=cast.evse.uid,
        tariff=cast.tariff_version.tariff.tariff_id,
        party="FI/EMB",
        session=payment.session_id,
        cdr=CDR.objects.get(session=payment.session_id).pk,
    )
    return f"{filled}{slash}{mark}{query}"


def _sees(ptp: Reader, address: str, *, to: tuple[str, str] | None = None) -> bool:
    answer = ptp.get(address, to=to)
    if answer.http_status == 404:
        assert answer.status in (2001, 2003)
        assert answer.data is None
        return False
    assert (answer.http_status, answer.status) == (200, 1000)
    return bool(answer.data)
