"""From whom and to whom our calls go, where a platform has several parties and sells for several of ours."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from chargers.models import Site
from payments.models import Contract, OcpiCommand, Payment
from payments.ocpi import results
from payments.ocpi.push import terminals
from payments.settlement import OCPI_CDR, OCPI_SESSION
from payments.simulator.ocpi.wire import Request
from tests import builders
from tests.builders import Cast
from tests.payments.ocpi_commands.platform import token
from tests.payments.ocpi_push.platform import LOST, Platform, deliver, deliver_all, platform

ROLES = [{"role": "PTP", "country_code": "NL", "party_id": party} for party in ("PTP", "PT2")]


@pytest.fixture
def ptp(cast: Cast) -> Iterator[Platform]:
    """NL*PTP, which is NL*PT2 too, at a site of our FI*SUB; our main party is FI*EMB."""
    Site.objects.filter(pk=cast.site.pk).update(party_id="SUB")
    with platform(cast, payments=True, roles=ROLES) as running:
        Contract.objects.create(
            connection=running.connection, customer_reference="Quay", country_code="FI", party_id="SUB"
        )
        yield running


def route(request: Request) -> tuple[str, str]:
    """From whom to whom, without their country."""
    return request.headers["OCPI-from-party-id"], request.headers["OCPI-to-party-id"]


class TestOfAPayment:
    def paid(self, ptp: Platform, **fields: str) -> Payment:
        """A payment with a token of NL*PT2 that is over, and a START_SESSION whose result is due."""
        ago = timezone.now() - timedelta(minutes=30)
        payment = ptp.payment(token=token(**{"party_id": "PT2"} | fields), now=ago)
        command = OcpiCommand.objects.create(
            connection=ptp.connection,
            kind=OcpiCommand.Kind.START,
            payment=payment,
            response_url=f"{ptp.server.url}/ocpi/results/1",
            deadline_at=timezone.now(),
        )
        builders.start(payment, at=ago).end(energy_wh=10_000, after_seconds=1200)
        assert results.settle_command(command.pk, now=timezone.now())
        assert deliver(ptp, results.TOPIC, command.pk)
        assert deliver(ptp, OCPI_SESSION, payment.pk)
        return payment

    def test_they_go_from_who_sold_to_whose_token_paid(self, ptp: Platform) -> None:
        payment = self.paid(ptp)
        ptp.answers = [LOST]
        assert not deliver(ptp, OCPI_CDR, payment.pk)
        assert deliver(ptp, OCPI_CDR, payment.pk)

        assert [call.split("/")[0] for call in ptp.calls] == [
            "POST results",
            "PUT sessions",
            "POST cdrs",
            "GET cdrs",
        ]
        assert {route(each) for each in ptp.server.received} == {("SUB", "PT2")}

    def test_a_party_is_the_same_in_any_case(self, ptp: Platform) -> None:
        self.paid(ptp, country_code="nl", party_id="pt2")

        assert {route(each) for each in ptp.server.received} == {("SUB", "PT2")}

    def test_where_it_is_none_of_theirs_any_more_they_go_to_the_first(self, ptp: Platform) -> None:
        ptp.connection.roles = ROLES[:1]
        ptp.connection.save()

        self.paid(ptp)

        assert {route(each) for each in ptp.server.received} == {("SUB", "PTP")}


class TestOfATerminal:
    def test_they_come_from_who_it_sells_for(self, ptp: Platform) -> None:
        terminal = ptp.cast.terminal
        ptp.objects[f"/ocpi/payments/terminals/{terminal.terminal_id}"] = {}
        terminal.customer_reference = "QUAY"
        terminal.save()
        terminals.tell_assigned([terminal.pk])
        deliver_all(ptp)
        terminals.deactivate(terminal, now=timezone.now())
        terminals.activate(ptp.connection, reference="SN-1", customer_reference="quay", now=timezone.now())

        assert ptp.methods == ["PATCH", "PUT", "POST", "POST"]
        assert {route(each) for each in ptp.server.received} == {("SUB", "PTP")}

    @pytest.mark.parametrize("reference", ["", "of nobody"])
    def test_without_a_contract_that_we_know_they_come_from_our_main_party(
        self, ptp: Platform, reference: str
    ) -> None:
        terminals.activate(ptp.connection, reference="SN-1", customer_reference=reference, now=timezone.now())

        assert route(ptp.last) == ("EMB", "PTP")
