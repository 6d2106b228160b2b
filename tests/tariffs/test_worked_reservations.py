"""The worked examples of the OCPI text with a reservation (2.3.0 mod_tariffs, tariffs 15 to 18)."""

from dataclasses import replace
from fractions import Fraction

import pytest

from tariffs.engine.pricing import price
from tariffs.engine.terms import Reservation, Restrictions

from .cast import MONDAY, component, element, session, tariff

PER_KWH = component("ENERGY", "0.25", "10")
START = component("FLAT", "0.50", "20")
RESERVED = {"reservation": Reservation.RESERVATION}
EXPIRED = {"reservation": Reservation.RESERVATION_EXPIRES}


@pytest.mark.parametrize(
    ("elements", "minutes", "excl", "incl"),
    [
        pytest.param([element(component("TIME", "5.00", "20", 60), **RESERVED)], 15, "6.75", "7.60", id="15"),
        pytest.param(
            [element(component("FLAT", "2.00", "20"), component("TIME", "5.00", "20", 300), **RESERVED)],
            13,
            "8.75",
            "10.00",
            id="16",
        ),
        pytest.param(
            [
                element(component("FLAT", "4.00", "20"), **EXPIRED),
                element(component("TIME", "2.00", "20", 600), **RESERVED),
            ],
            22,
            "6.50",
            "7.30",
            id="17",
        ),
        pytest.param(
            [
                element(component("TIME", "6.00", "20", 600), **EXPIRED),
                element(component("TIME", "3.00", "20", 600), **RESERVED),
            ],
            22,
            "7.00",
            "7.90",
            id="18",
        ),
    ],
)
def test_a_session_after_a_reservation_costs_what_the_text_says(elements, minutes, excl, incl):
    """Elements of a reservation never match the session; priced on their own, both parts make the total."""
    session_part = price(tariff(*elements, element(START, PER_KWH)), session(MONDAY, charge=(60, 20_000)))
    alone = [replace(e, restrictions=Restrictions()) for e in elements if e.restrictions == _only(RESERVED)]

    reservation_part = price(tariff(*alone), session(MONDAY, charge=(minutes, 0)))

    assert (session_part.total_excl, session_part.total_incl) == (Fraction("5.50"), Fraction("6.10"))
    assert session_part.total_excl + reservation_part.total_excl == Fraction(excl)
    assert session_part.total_incl + reservation_part.total_incl == Fraction(incl)


def _only(restrictions):
    return Restrictions(**restrictions)


@pytest.mark.parametrize(
    ("components", "minutes", "excl", "incl"),
    [
        # A fee for the expiry beside the reserved hour; then a dearer hour instead of the reserved one.
        ([component("FLAT", "4.00", "20"), component("TIME", "2.00", "20", 600)], 60, "6.00", "7.20"),
        ([component("TIME", "6.00", "20", 600)], 90, "9.00", "10.80"),
    ],
)
def test_an_expired_reservation_by_itself_has_the_figures_of_the_text(components, minutes, excl, incl):
    cost = price(tariff(element(*components)), session(MONDAY, charge=(minutes, 0)))

    assert (cost.total_excl, cost.total_incl) == (Fraction(excl), Fraction(incl))
