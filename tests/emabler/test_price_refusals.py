"""`manage.py price` answers any nonsense with one JSON line and exit status 2, never with a traceback."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.emabler.price_files import Document, Run, cdr, period, price_files, segment, tariff, usage


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the command with two documents; returns exit status and the printed object."""

    def call(first: Any, second: Any, *options: str) -> tuple[int, Document]:
        return price_files(tmp_path, lambda: capsys.readouterr().out, first, second, options=options)

    return call


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
def test_an_invalid_usage_is_refused_with_its_path(run: Run, document, path) -> None:
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
def test_an_invalid_tariff_is_refused_with_its_path(run: Run, document, path) -> None:
    status, printed = run(document, usage())

    assert (status, printed["path"]) == (2, path)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"\xff\xfe", b"null", b"[]", b'"x"', b"1e999999999", b"[" * 100_000, b'{"a":' * 5_000, b"{}"],
)
def test_any_file_gets_an_answer(run: Run, tmp_path, raw) -> None:
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
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data(), which=st.sampled_from(sorted(_mutable)), nonsense=_json)
def test_nonsense_anywhere_is_priced_or_refused_but_never_a_traceback(
    run: Run, data, which, nonsense
) -> None:
    path = data.draw(st.sampled_from(_paths(_mutable[which])))
    broken = _replaced(_mutable[which], path, nonsense)

    status, printed = run(broken, usage()) if which == "tariff" else run(tariff(), broken)

    assert status in (0, 2)
    assert ("error" in printed) == (status == 2)
