"""`manage.py price`: the bill as JSON, validity, CDRs. No database is touched."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.emabler.price_files import Document, Run, cdr, period, price_files, segment, tariff, usage


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the command with two documents; returns exit status and the printed object."""

    def call(first: Any, second: Any, *options: str) -> tuple[int, Document]:
        return price_files(tmp_path, lambda: capsys.readouterr().out, first, second, options=options)

    return call


# --- The bill -------------------------------------------------------------------------------------


def test_a_bill_has_exactly_these_fields_all_as_text(run: Run) -> None:
    status, bill = run(tariff(), usage(segment("08:00", "12:00", "400")))

    assert status == 0
    assert bill == {
        "currency": "EUR",
        "total_excl_vat": "188.05",
        "total_incl_vat": "236.00",
        "exact_excl_vat": "47200/251",
        "exact_incl_vat": "236",
        "lines": [
            {
                "dimension": "ENERGY",
                "volume": "400",
                "unit": "kWh",
                "price": "0.59",
                "vat": "25.5",
                "excl_vat": "188.05",
                "incl_vat": "236.00",
            }
        ],
    }


def test_the_footnote_of_ocpi_on_a_step_of_one_wh(run: Run) -> None:
    per_kwh = {"type": "ENERGY", "price": 0.25, "step_size": 1}

    _, bill = run(tariff(per_kwh, tax_included="NO"), usage(segment(energy_kwh="0.1152")))

    assert (bill["exact_excl_vat"], bill["lines"][0]["volume"]) == ("0.029", "0.116")
    assert bill["taxes_unknown"] is True
    assert bill["lines"][0]["vat"] is None


def test_each_dimension_has_its_unit_and_what_does_not_end_is_cut(run: Run) -> None:
    components = [
        {"type": kind, "price": 3.0, "step_size": 0} for kind in ("FLAT", "TIME", "PARKING_TIME", "ENERGY")
    ]
    parked = segment("08:20", "08:30", 0, state="PARKED")

    _, bill = run(tariff(*components), usage(segment("08:00", "08:20"), parked))

    assert [(line["dimension"], line["volume"], line["unit"]) for line in bill["lines"]] == [
        ("ENERGY", "5", "kWh"),
        ("TIME", "0.333333333333", "h"),
        ("PARKING_TIME", "0.166666666667", "h"),
        ("FLAT", "1", "session"),
    ]
    assert bill["exact_incl_vat"] == "19.5"


def test_limits_add_one_line_and_lines_sum_to_the_totals(run: Run) -> None:
    limits = {"before_taxes": 10, "after_taxes": 11}
    per_kwh = {"type": "ENERGY", "price": 1, "vat": 20, "step_size": 1}

    _, bill = run(tariff(per_kwh, tax_included="NO", max_price=limits), usage(segment(energy_kwh=20)))

    adjustment = bill["lines"][-1]
    assert (bill["total_excl_vat"], bill["total_incl_vat"]) == ("10.00", "11.00")
    assert (adjustment["dimension"], adjustment["excl_vat"], adjustment["incl_vat"]) == (
        "ADJUSTMENT",
        "-10.00",
        "-13.00",
    )
    assert sum(Decimal(line["incl_vat"]) for line in bill["lines"]) == Decimal("11.00")


@pytest.mark.parametrize(("currency", "total"), [("JPY", "3"), ("EUR", "2.95"), ("KWD", "2.950")])
def test_totals_have_the_digits_of_the_currency(run: Run, currency, total) -> None:
    assert run(tariff(currency=currency), usage())[1]["total_incl_vat"] == total


def test_a_tariff_of_2_2_1_excludes_vat(run: Run) -> None:
    old = tariff(
        {"type": "ENERGY", "price": 0.25, "vat": 10.0, "step_size": 1},
        min_price={"excl_vat": 2, "incl_vat": 2.2},
    )
    del old["tax_included"]

    _, bill = run(old, usage())

    assert (bill["exact_excl_vat"], bill["exact_incl_vat"]) == ("2", "2.2")


def test_numbers_and_text_order_and_repetition_make_no_difference(run: Run) -> None:
    first = segment("08:00", "08:30", 2.5, current_a=16, power_kw=11)
    as_text = segment("08:00", "08:30", "2.50", current_a="16", power_kw="11.0")
    second = segment("08:30", "09:00", "1e0")

    bills = [run(tariff(), usage(*order)) for order in ([first, second], [second, as_text, first, second])]

    assert bills[0] == bills[1]
    assert bills[0][1]["exact_incl_vat"] == "2.065"


def test_restrictions_follow_the_clock_of_the_site(run: Run) -> None:
    night = tariff(restrictions={"start_time": "10:30", "end_time": "11:00"})

    bills = [run(night, usage(time_zone=zone))[1]["lines"] for zone in ("Europe/Helsinki", "UTC")]

    assert [line["volume"] for line in bills[0]] == ["2.5"]
    assert bills[1] == []


# --- Validity -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "status", "path"),
    [
        ("2026-06-30T23:59:59Z", 0, None),
        ("2026-01-01T00:00:00Z", 0, None),
        ("2025-12-31T23:59:59Z", 2, "start_date_time"),
        ("2026-07-01T00:00:00Z", 2, "end_date_time"),
        ("yesterday", 2, "--tariff-at"),
    ],
)
def test_validity_is_checked_when_it_is_asked_for(run: Run, at, status, path) -> None:
    dated = tariff(start_date_time="2026-01-01T00:00:00Z", end_date_time="2026-06-30T23:59:59Z")

    found, printed = run(dated, usage(), "--tariff-at", at)

    assert (found, printed.get("path")) == (status, path)
    assert run(dated, usage())[0] == 0


# --- CDRs -----------------------------------------------------------------------------------------


def test_the_last_period_of_a_cdr_ends_with_the_session(run: Run) -> None:
    both = tariff(
        {"type": "ENERGY", "price": 0.5, "step_size": 1},
        {"type": "TIME", "price": 6, "step_size": 1},
        {"type": "PARKING_TIME", "price": 3, "step_size": 1},
    )
    record = cdr(
        period("08:30", ENERGY=1, TIME=0.25),
        period("08:00", ENERGY=4, TIME=0.5),
        period("08:45", ENERGY=0, PARKING_TIME=0.25),
    )

    _, bill = run(both, record)

    assert [(line["dimension"], line["volume"]) for line in bill["lines"]] == [
        ("ENERGY", "5"),
        ("TIME", "0.75"),
        ("PARKING_TIME", "0.25"),
    ]
    assert bill["exact_incl_vat"] == "7.75"


def test_a_period_with_charging_and_parking_charges_first(run: Run) -> None:
    parking = tariff(
        {"type": "PARKING_TIME", "price": 6, "step_size": 1}, restrictions={"max_duration": 2700}
    )

    _, bill = run(parking, cdr(period("08:00", ENERGY=4, TIME=0.5, PARKING_TIME=0.5)))

    assert bill["lines"][0]["volume"] == "0.25"


def test_the_time_of_a_reservation_is_no_part_of_the_session(run: Run) -> None:
    first_hour = tariff(restrictions={"max_duration": 3600})

    _, bill = run(
        first_hour, cdr(period("08:00", RESERVATION_TIME=0.5), period("08:30", ENERGY=5, TIME=1), end="09:30")
    )

    assert bill["lines"][0]["volume"] == "5"


@pytest.mark.parametrize(
    ("volumes", "lines"),
    [
        ({"MIN_CURRENT": 43}, 1),
        ({"MAX_CURRENT": 16}, 0),
        ({"MIN_CURRENT": 32, "MAX_CURRENT": 48}, 1),
        ({}, 0),
        ({"CURRENT": 32}, 1),
    ],
)
def test_current_of_a_cdr_decides_restrictions(run: Run, volumes, lines) -> None:
    strong = tariff(restrictions={"min_current": 32})

    assert len(run(strong, cdr(period("08:00", ENERGY=5, TIME=1, **volumes)))[1]["lines"]) == lines


@pytest.mark.parametrize(
    ("volumes", "lines"), [({}, 0), ({"MIN_POWER": 7}, 1), ({"POWER": 8}, 1), ({"MAX_POWER": 4}, 0)]
)
def test_power_of_a_cdr_is_reported_or_averaged(run: Run, volumes, lines) -> None:
    strong = tariff(restrictions={"min_power": 7})

    assert len(run(strong, cdr(period("08:00", ENERGY=5, TIME=1, **volumes)))[1]["lines"]) == lines


@pytest.mark.parametrize(
    ("change", "options", "volume"),
    [
        ({}, [], "5"),  # the country has one clock
        ({"time_zone": "UTC"}, [], None),
        ({}, ["--time-zone", "UTC"], None),
        ({"cdr_location": {"country": "USA"}}, [], None),  # too many clocks: UTC
    ],
)
def test_a_cdr_is_priced_by_the_clock_of_its_country(run: Run, change, options, volume) -> None:
    morning = tariff(restrictions={"start_time": "10:00", "end_time": "11:00"})

    _, bill = run(morning, cdr(period("08:00", ENERGY=5, TIME=1), **change), *options)

    assert next((line["volume"] for line in bill["lines"]), None) == volume


def test_a_cdr_brings_its_own_tariff(run: Run) -> None:
    record = cdr(period("08:00", ENERGY=5, TIME=1), tariffs=[tariff()])

    assert run(record, record)[1]["exact_incl_vat"] == "2.95"
    assert run(cdr(tariffs=[]), record)[1]["path"] == "tariffs"


def test_the_command_runs_without_a_database(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps(tariff()), encoding="utf-8")
    (tmp_path / "u.json").write_text(json.dumps(usage()), encoding="utf-8")
    nowhere = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "EMABLER_VAR_DIR": str(tmp_path / "var")}

    done = subprocess.run(
        [sys.executable, "manage.py", "price", str(tmp_path / "t.json"), str(tmp_path / "u.json")],
        cwd=settings.BASE_DIR,
        env=os.environ | nowhere | {"DJANGO_SETTINGS_MODULE": "emabler.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert Fraction(json.loads(done.stdout)["exact_incl_vat"]) == Fraction("2.95")


def test_a_tariff_that_has_no_name_yet_can_be_priced(run: Run) -> None:
    named = tariff({"type": "ENERGY", "price": 0.25, "vat": 20, "step_size": 1})
    unnamed = {k: v for k, v in named.items() if k not in ("country_code", "party_id", "id", "last_updated")}

    assert run(unnamed, usage(segment(energy_kwh="4"))) == run(named, usage(segment(energy_kwh="4")))
