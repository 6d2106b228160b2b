"""`manage.py price`: the bill as JSON, CDRs, and any nonsense answered by one line. No database is touched."""

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
from django.core.management import call_command
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

Document = dict[str, Any]


def tariff(*components: Document, restrictions: Document | None = None, **fields: Any) -> Document:
    """An OCPI 2.3.0 tariff of one element; 0.59 per kWh including 25.5 % VAT unless told otherwise."""
    given = components or ({"type": "ENERGY", "price": 0.59, "vat": 25.5, "step_size": 1},)
    element: Document = {"price_components": list(given)}
    if restrictions:
        element["restrictions"] = restrictions
    return {
        "country_code": "FI",
        "party_id": "DEM",
        "id": "T",
        "currency": "EUR",
        "tax_included": "YES",
        "elements": [element],
        "last_updated": "2026-01-01T00:00:00Z",
    } | fields


def segment(start: str = "08:00", end: str = "09:00", energy_kwh: Any = "5", **fields: Any) -> Document:
    """An hour of charging on 2 November 2026; times are UTC."""
    return {
        "start": f"2026-11-02T{start}:00Z",
        "end": f"2026-11-02T{end}:00Z",
        "energy_kwh": energy_kwh,
        "state": "CHARGING",
    } | fields


def usage(*segments: Document, **fields: Any) -> Document:
    return {"time_zone": "Europe/Helsinki", "segments": list(segments) or [segment()]} | fields


def cdr(*periods: Document, end: str = "09:00", **fields: Any) -> Document:
    """A CDR from 08:00 UTC on; periods as `period` gives them."""
    return {
        "start_date_time": "2026-11-02T08:00:00Z",
        "end_date_time": f"2026-11-02T{end}:00Z",
        "cdr_location": {"id": "L", "country": "FIN"},
        "charging_periods": list(periods),
    } | fields


def period(start: str, **volumes: Any) -> Document:
    dimensions = [{"type": kind, "volume": volume} for kind, volume in volumes.items()]
    return {"start_date_time": f"2026-11-02T{start}:00Z", "dimensions": dimensions, "tariff_id": "T"}


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Call the command with two documents (or bytes); returns exit status and the printed object."""

    def call(first: Any, second: Any, *options: str) -> tuple[int, Document]:
        names = []
        for name, content in (("tariff.json", first), ("usage.json", second)):
            raw = content if isinstance(content, bytes) else json.dumps(content).encode()
            (tmp_path / name).write_bytes(raw)
            names.append(str(tmp_path / name))
        status = 0
        try:
            call_command("price", *names, *options)
        except SystemExit as end:
            status = int(end.code or 0)
        out = capsys.readouterr().out
        assert out.count("\n") == 1
        return status, json.loads(out)

    return call


# --- The bill -------------------------------------------------------------------------------------


def test_a_bill_has_exactly_these_fields_all_as_text(run) -> None:
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


def test_the_footnote_of_ocpi_on_a_step_of_one_wh(run) -> None:
    per_kwh = {"type": "ENERGY", "price": 0.25, "step_size": 1}

    _, bill = run(tariff(per_kwh, tax_included="NO"), usage(segment(energy_kwh="0.1152")))

    assert (bill["exact_excl_vat"], bill["lines"][0]["volume"]) == ("0.029", "0.116")
    assert bill["taxes_unknown"] is True
    assert bill["lines"][0]["vat"] is None


def test_each_dimension_has_its_unit_and_what_does_not_end_is_cut(run) -> None:
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


def test_limits_add_one_line_and_lines_sum_to_the_totals(run) -> None:
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
def test_totals_have_the_digits_of_the_currency(run, currency, total) -> None:
    assert run(tariff(currency=currency), usage())[1]["total_incl_vat"] == total


def test_a_tariff_of_2_2_1_excludes_vat(run) -> None:
    old = tariff(
        {"type": "ENERGY", "price": 0.25, "vat": 10.0, "step_size": 1},
        min_price={"excl_vat": 2, "incl_vat": 2.2},
    )
    del old["tax_included"]

    _, bill = run(old, usage())

    assert (bill["exact_excl_vat"], bill["exact_incl_vat"]) == ("2", "2.2")


def test_numbers_and_text_order_and_repetition_make_no_difference(run) -> None:
    first = segment("08:00", "08:30", 2.5, current_a=16, power_kw=11)
    as_text = segment("08:00", "08:30", "2.50", current_a="16", power_kw="11.0")
    second = segment("08:30", "09:00", "1e0")

    bills = [run(tariff(), usage(*order)) for order in ([first, second], [second, as_text, first, second])]

    assert bills[0] == bills[1]
    assert bills[0][1]["exact_incl_vat"] == "2.065"


def test_restrictions_follow_the_clock_of_the_site(run) -> None:
    night = tariff(restrictions={"start_time": "10:30", "end_time": "11:00"})

    bills = [run(night, usage(time_zone=zone))[1]["lines"] for zone in ("Europe/Helsinki", "UTC")]

    assert [line["volume"] for line in bills[0]] == ["2.5"]
    assert bills[1] == []


# --- Validity -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "status", "path"),
    [
        ("2026-06-30T23:59:58Z", 0, None),
        ("2026-01-01T00:00:00Z", 0, None),
        ("2025-12-31T23:59:59Z", 2, "start_date_time"),
        ("2026-07-01T00:00:00Z", 2, "end_date_time"),
        ("yesterday", 2, "--tariff-at"),
    ],
)
def test_validity_is_checked_when_it_is_asked_for(run, at, status, path) -> None:
    dated = tariff(start_date_time="2026-01-01T00:00:00Z", end_date_time="2026-06-30T23:59:59Z")

    found, printed = run(dated, usage(), "--tariff-at", at)

    assert (found, printed.get("path")) == (status, path)
    assert run(dated, usage())[0] == 0


# --- CDRs -----------------------------------------------------------------------------------------


def test_the_last_period_of_a_cdr_ends_with_the_session(run) -> None:
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


def test_a_period_with_charging_and_parking_charges_first(run) -> None:
    parking = tariff(
        {"type": "PARKING_TIME", "price": 6, "step_size": 1}, restrictions={"max_duration": 2700}
    )

    _, bill = run(parking, cdr(period("08:00", ENERGY=4, TIME=0.5, PARKING_TIME=0.5)))

    assert bill["lines"][0]["volume"] == "0.25"


def test_the_time_of_a_reservation_is_no_part_of_the_session(run) -> None:
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
def test_current_of_a_cdr_decides_restrictions(run, volumes, lines) -> None:
    strong = tariff(restrictions={"min_current": 32})

    assert len(run(strong, cdr(period("08:00", ENERGY=5, TIME=1, **volumes)))[1]["lines"]) == lines


@pytest.mark.parametrize(
    ("volumes", "lines"), [({}, 0), ({"MIN_POWER": 7}, 1), ({"POWER": 8}, 1), ({"MAX_POWER": 4}, 0)]
)
def test_power_of_a_cdr_is_reported_or_averaged(run, volumes, lines) -> None:
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
def test_a_cdr_is_priced_by_the_clock_of_its_country(run, change, options, volume) -> None:
    morning = tariff(restrictions={"start_time": "10:00", "end_time": "11:00"})

    _, bill = run(morning, cdr(period("08:00", ENERGY=5, TIME=1), **change), *options)

    assert next((line["volume"] for line in bill["lines"]), None) == volume


def test_a_cdr_brings_its_own_tariff(run) -> None:
    record = cdr(period("08:00", ENERGY=5, TIME=1), tariffs=[tariff()])

    assert run(record, record)[1]["exact_incl_vat"] == "2.95"
    assert run(cdr(tariffs=[]), record)[1]["path"] == "tariffs"


# --- Nonsense -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (usage(segment(start="09:00", end="08:00")), "segments[0].end"),
        (usage(segment(), segment("08:30", "09:30")), "segments[1].start"),
        (usage(segment(energy_kwh=-1)), "segments[0].energy_kwh"),
        (usage(segment(energy_kwh="five")), "segments[0].energy_kwh"),
        (usage(segment(energy_kwh="NaN")), "segments[0].energy_kwh"),
        (usage(segment(energy_kwh="1" * 400)), "segments[0].energy_kwh"),
        (usage(segment(energy_kwh="1e99")), "segments[0].energy_kwh"),
        (usage(segment(energy_kwh=True)), "segments[0].energy_kwh"),
        (usage(segment(energy_kwh=None)), "segments[0].energy_kwh"),
        (usage(segment(state="SLEEPING")), "segments[0].state"),
        (usage(segment(state=["CHARGING"])), "segments[0].state"),
        (usage(segment() | {"start": "2026-02-31T08:00:00Z"}), "segments[0].start"),
        (usage(segment() | {"start": "0001-01-01T00:00:00+14:00"}), "segments[0].start"),
        (usage(segment() | {"end": "9999-12-31T23:59:59Z"}), "segments[0].end"),
        (usage(segment() | {"end": "2028-01-01T00:00:00Z"}), "segments[0].end"),
        (usage(segment() | {"start": 1_793_606_400}), "segments[0].start"),
        (usage(segment(current_a={})), "segments[0].current_a"),
        (usage(segment(power_kw=[11])), "segments[0].power_kw"),
        (usage(segments=[]), "segments"),
        (usage(segments={}), "segments"),
        (usage(segments=[1]), "segments[0]"),
        (usage(time_zone="Mars/Olympus"), "time_zone"),
        (usage(time_zone=None), "time_zone"),
        (usage(time_zone="../../etc/passwd"), "time_zone"),
        ({}, "time_zone"),
        (cdr(), "charging_periods"),
        (cdr(period("08:00")), "charging_periods[0].dimensions"),
        (cdr(period("10:00", ENERGY=1)), "end_date_time"),
        (cdr(period("08:00", ENERGY=-1)), "charging_periods[0].dimensions[0].volume"),
        (cdr(period("08:00", RESERVATION_TIME=1)), "charging_periods"),
        (cdr(period("08:00", TIME=3, PARKING_TIME=2)), "charging_periods[0].dimensions"),
        (cdr(period("08:00", ENERGY=1), end_date_time=None), "end_date_time"),
        (cdr(period("08:00", ENERGY=1), cdr_location=7, time_zone="Nowhere"), "time_zone"),
    ],
)
def test_an_invalid_usage_is_refused_with_its_path(run, document, path) -> None:
    status, printed = run(tariff(), document)

    assert (status, printed["path"]) == (2, path)
    assert printed.keys() == {"error", "path"}


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (tariff(currency="EURO"), "currency"),
        (tariff(currency="XXX"), "currency"),
        (tariff(elements=[]), "elements"),
        (tariff({"type": "ENERGY", "price": "0.59"}), "elements[0].price_components[0].price"),
        (tariff({"type": "ENERGY", "price": -1}), "elements[0].price_components[0].price"),
        (tariff({"type": "POWER", "price": 1}), "elements[0].price_components[0].type"),
        (tariff({"type": "TIME", "price": 1, "step_size": 1.5}), "elements[0].price_components[0].step_size"),
        (tariff(restrictions={"start_time": "25:00"}), "elements[0].restrictions.start_time"),
        (tariff(tax_included="MAYBE"), "tax_included"),
        (tariff(max_price={"before_taxes": 5, "after_taxes": 4}), "max_price.after_taxes"),
        (b'{"currency": NaN}', "currency"),
    ],
)
def test_an_invalid_tariff_is_refused_with_its_path(run, document, path) -> None:
    status, printed = run(document, usage())

    assert (status, printed["path"]) == (2, path)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"\xff\xfe", b"null", b"[]", b'"x"', b"1e999999999", b"[" * 100_000, b'{"a":' * 5_000, b"{}"],
)
def test_any_file_gets_an_answer(run, tmp_path, raw) -> None:
    for pair in ((raw, usage()), (tariff(), raw)):
        status, printed = run(*pair)
        assert status == 2
        assert printed["error"]


def test_a_file_that_is_not_there_gets_an_answer(capsys, tmp_path) -> None:
    with pytest.raises(SystemExit) as end:
        call_command("price", str(tmp_path / "no.json"), str(tmp_path))

    assert end.value.code == 2
    assert json.loads(capsys.readouterr().out)["path"] == str(tmp_path / "no.json")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=8), inside, max_size=3),
    max_leaves=8,
)
_mutable = {"tariff": tariff(), "usage": usage(), "cdr": cdr(period("08:00", ENERGY=5, TIME=1))}


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, item in inside for deeper in _paths(item, (*path, key)))]


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _replaced(value[path[0]], path[1:], new)
    return copy


@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), which=st.sampled_from(sorted(_mutable)), nonsense=_json)
def test_nonsense_anywhere_is_priced_or_refused_but_never_a_traceback(run, data, which, nonsense) -> None:
    path = data.draw(st.sampled_from(_paths(_mutable[which])))
    broken = _replaced(_mutable[which], path, nonsense)

    status, printed = run(broken, usage()) if which == "tariff" else run(tariff(), broken)

    assert status in (0, 2)
    assert ("error" in printed) == (status == 2)


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
