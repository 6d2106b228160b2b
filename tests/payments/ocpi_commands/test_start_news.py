"""START_SESSION just after the platform got another price or hold, and with ids spelled in another case."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from chargers.models import EVSE, Connector, Site
from payments.models import OcpiCommand, Payment
from payments.ocpi.seen import Shown, note_tariffs
from tariffs.engine.terms import Dimension, PriceComponent, PriceLimit, TariffElement
from tariffs.versions import save_tariff
from tests import builders
from tests.payments.ocpi_commands.platform import HOST, platform, result_of, said, start_body, token


def acknowledged(ptp, version, *, hold_minor, at=None):
    """The platform acknowledges a version with its hold, now or at another time."""
    shown = Shown(version.pk, hold_minor)
    note_tariffs(ptp.connection, {version.tariff_id: shown}, now=at or timezone.now())


class TestNews:
    def test_what_was_acknowledged_between_the_tap_and_the_start_raises_neither_hold_nor_price(
        self, cast, ptp
    ):
        old = cast.tariff_version
        element = TariffElement((PriceComponent(Dimension.ENERGY, Decimal("0.99"), builders.VAT),))
        dearer = save_tariff(replace(old.terms(), elements=(element,), preauthorize_amount=Decimal(120)))
        acknowledged(ptp, dearer, hold_minor=12000)

        ptp.start(start_body(cast))

        payment = Payment.objects.get()
        assert (payment.session.tariff_version, payment.authorized_minor) == (old, 6000)
        assert payment.session.limit_minor == 6000

    def test_a_hold_that_was_lowered_a_moment_ago_is_the_limit(self, cast, ptp):
        acknowledged(ptp, cast.tariff_version, hold_minor=12000)
        acknowledged(ptp, cast.tariff_version, hold_minor=3000)

        ptp.start(start_body(cast))

        assert Payment.objects.get().authorized_minor == 3000

    def test_of_two_changes_within_the_grace_the_first_price_and_the_lowest_hold_count(self, cast, ptp):
        terms = cast.tariff_version.terms()
        for hold, fee in ((9000, "1"), (12000, "2")):
            version = save_tariff(replace(terms, min_price=PriceLimit(Decimal(fee))))
            acknowledged(ptp, version, hold_minor=hold)

        ptp.start(start_body(cast))

        payment = Payment.objects.get()
        assert (payment.session.tariff_version, payment.authorized_minor) == (cast.tariff_version, 6000)

    def test_another_hold_alone_is_no_other_price(self, cast, ptp):
        newer = save_tariff(replace(cast.tariff_version.terms(), preauthorize_amount=Decimal(80)))
        acknowledged(ptp, newer, hold_minor=8000)

        ptp.start(start_body(cast))

        payment = Payment.objects.get()
        assert (payment.session.tariff_version, payment.authorized_minor) == (newer, 6000)

    def test_once_every_terminal_must_have_the_news_they_count(self, cast, ptp, settings):
        newer = save_tariff(replace(cast.tariff_version.terms(), min_price=PriceLimit(Decimal(1))))
        long_ago = timezone.now() - timedelta(seconds=settings.PRICE_CHANGE_GRACE_SECONDS + 1)
        acknowledged(ptp, newer, hold_minor=12000, at=long_ago)

        ptp.start(start_body(cast))

        payment = Payment.objects.get()
        assert (payment.session.tariff_version, payment.authorized_minor) == (newer, 12000)


class TestAnyCase:
    def test_a_place_is_found_by_ids_in_another_case(self, cast, ptp):
        Site.objects.update(location_id="Loc-A")
        EVSE.objects.update(uid="Evse-A")
        Connector.objects.update(connector_id="One")

        body = start_body(cast, location_id="LOC-a", evse_uid="EVSE-a", connector_id="ONE")

        assert result_of(ptp.start(body)) == "ACCEPTED"

    def test_of_two_places_whose_ids_differ_in_case_the_one_that_is_spelled_is_meant(self, cast, ptp):
        EVSE.objects.update(uid="evse-a")
        other = builders.evse(at=cast.station, uid="EVSE-A")
        builders.connector(at=other, tariff=cast.tariff_version)

        ptp.start(start_body(cast, evse_uid="evse-a"))

        assert Payment.objects.get().session.evse == cast.evse

    def test_a_reference_in_another_case_is_the_same_hold(self, cast, ptp):
        body = start_body(cast, authorization_reference="Hold-ABC")
        first = said(ptp.start(body))

        again = said(ptp.start(body | {"authorization_reference": "hold-abc", "response_url": f"{HOST}/new"}))

        assert again == first
        assert Payment.objects.get().authorization_reference == "Hold-ABC", "as it was given"
        assert OcpiCommand.objects.get().response_url == f"{HOST}/new"

    def test_a_reference_in_another_case_is_not_free_for_another_start(self, cast, ptp):
        body = start_body(cast, authorization_reference="hold-abc")
        ptp.start(body)

        other = body | {"authorization_reference": "HOLD-ABC", "token": token(uid="another")}

        assert said(ptp.start(other))[0] == 2001
        assert Payment.objects.count() == 1

    def test_another_platform_may_use_the_same_reference(self, cast, ptp):
        body = start_body(cast, authorization_reference="hold-abc")
        ptp.start(body)
        theirs = builders.cast()
        other = platform(of=theirs, party_id="OTR")

        started = start_body(theirs, authorization_reference="HOLD-ABC", token=token(party_id="OTR"))

        assert result_of(other.start(started)) == "ACCEPTED"
        assert Payment.objects.count() == 2
