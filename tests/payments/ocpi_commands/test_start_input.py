"""START_SESSION: which connector is meant, and bodies that mean none."""

import pytest

from chargers.models import Command
from payments.models import Payment
from sessions_app.models import Session
from tests import builders
from tests.payments.ocpi_commands.platform import result_of, said, start_body, token


def nothing_is_held():
    return not Payment.objects.exists() and not Session.objects.exists() and not Command.objects.exists()


class TestPlaces:
    def test_a_place_that_is_not_there_and_one_of_somebody_else_are_told_the_same(self, cast, ptp):
        foreign = builders.site(country_code="DE", party_id="XYZ")
        builders.connector(at=builders.evse(at=builders.station(at=foreign)), tariff=cast.tariff_version)

        unknown = ptp.start(start_body(cast, location_id="NOWHERE")).json()
        somebodys = ptp.start(start_body(cast, location_id=foreign.location_id)).json()

        assert unknown["status_code"] == somebodys["status_code"] == 2003
        assert unknown["status_message"] == somebodys["status_message"]
        assert nothing_is_held()

    @pytest.mark.parametrize("fields", [{"evse_uid": "NOT-HERE"}, {"connector_id": "9"}])
    def test_an_evse_or_connector_that_is_not_there_is_an_unknown_location(self, cast, ptp, fields):
        assert said(ptp.start(start_body(cast, **fields)))[0] == 2003

    def test_an_evse_of_another_location_is_not_there(self, cast, ptp):
        elsewhere = builders.connector(tariff=cast.tariff_version)

        body = start_body(cast, evse_uid=elsewhere.evse.uid, connector_id=None)

        assert said(ptp.start(body))[0] == 2003

    def test_a_location_of_another_of_our_parties_than_the_headers_name_is_not_there(self, cast, ptp):
        ptp.connection.contracts.create(customer_reference="SUB", country_code="FI", party_id="SUB")
        headers = {"OCPI_to_country_code": "FI", "OCPI_to_party_id": "SUB"}

        assert said(ptp.start(start_body(cast), **headers))[0] == 2003

    def test_the_only_evse_need_not_be_named(self, cast, ptp):
        assert result_of(ptp.start(start_body(cast, evse_uid=None, connector_id=None))) == "ACCEPTED"

    def test_of_several_evses_one_must_be_named(self, cast, ptp):
        builders.connector(at=builders.evse(at=cast.station), tariff=cast.tariff_version)

        assert said(ptp.start(start_body(cast, evse_uid=None, connector_id=None)))[0] == 2002
        assert nothing_is_held()

    def test_an_evse_that_was_taken_away_does_not_count(self, cast, ptp):
        gone = builders.evse(at=cast.station, removed=True)
        builders.connector(at=gone, tariff=cast.tariff_version)

        assert result_of(ptp.start(start_body(cast, evse_uid=None, connector_id=None))) == "ACCEPTED"

    def test_of_several_connectors_one_must_be_named(self, cast, ptp):
        builders.connector(at=cast.evse, tariff=cast.tariff_version, connector_id="2")

        assert said(ptp.start(start_body(cast, connector_id=None)))[0] == 2002
        assert result_of(ptp.start(start_body(cast, connector_id="2"))) == "ACCEPTED"
        assert Session.objects.get().connector.connector_id == "2"

    def test_a_connector_without_its_evse_is_refused(self, cast, ptp):
        assert said(ptp.start(start_body(cast, evse_uid=None)))[0] == 2001


class TestBadInput:
    @pytest.mark.parametrize(
        "fields",
        [
            {"authorization_reference": None},
            {"authorization_reference": ""},
            {"authorization_reference": "x" * 37},
            {"authorization_reference": 7},
            {"authorization_reference": " padded "},
            {"authorization_reference": "pp-äö"},
            {"location_id": None},
            {"location_id": ["LOC1"]},
            {"location_id": "x" * 37},
            {"evse_uid": {"a": 1}},
            {"connector_id": True},
            {"token": None},
            {"token": "0e1f6cf8"},
            {"token": token(uid="x" * 37)},
            {"token": token(contract_id=None)},
            {"token": token(country_code="NLD")},
        ],
    )
    def test_a_body_with_a_fault_starts_nothing(self, cast, ptp, fields):
        assert said(ptp.start(start_body(cast, **fields)))[0] == 2001
        assert nothing_is_held()

    @pytest.mark.parametrize("language", ["xx", "x" * 500, 7, None, ["de"], ""])
    def test_a_language_that_we_do_not_speak_keeps_no_car_from_charging(self, cast, ptp, language):
        assert result_of(ptp.start(start_body(cast, token=token(language=language)))) == "ACCEPTED"

    def test_a_token_of_another_party_starts_nothing(self, cast, ptp):
        foreign = start_body(cast, token=token(party_id="XYZ"))

        assert said(ptp.start(foreign))[0] == 2001
        assert nothing_is_held()

    def test_a_token_of_another_role_of_the_platform_starts(self, cast, ptp):
        ptp.connection.roles = [{"role": "EMSP", "country_code": "de", "party_id": "Abc"}]
        ptp.connection.save()
        own = token(country_code="DE", party_id="ABC")

        assert result_of(ptp.start(start_body(cast, token=own))) == "ACCEPTED"

    def test_fields_that_nobody_knows_are_passed_over(self, cast, ptp):
        assert result_of(ptp.start(start_body(cast, colour="red", amount=1e20))) == "ACCEPTED"

    @pytest.mark.parametrize("place", ["../x", "%2e%2e", "' OR 1=1 --", "LOC1\u202e"])
    def test_strange_places_are_unknown_or_invalid(self, cast, ptp, place):
        assert said(ptp.start(start_body(cast, location_id=place)))[0] in (2001, 2003)

    def test_without_a_good_token_nothing_is_looked_at(self, cast, ptp):
        ptp.token = "another"

        assert said(ptp.start(start_body(cast)), 401)[0] == 2001
