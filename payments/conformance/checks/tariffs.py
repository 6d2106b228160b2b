"""Tariffs, above all those for ad hoc payment (OCPI mod_tariffs, mod_payments)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from payments.conformance.bench import Bench
from payments.conformance.bodies import new_id
from payments.conformance.charging.target import hold_of
from payments.conformance.checks.locations import connectors
from payments.conformance.expectations import absent, accepted, accepted_list, follows
from payments.conformance.registry import V221, V230, check
from payments.conformance.rules.language import Aspect, moment_problem
from payments.conformance.rules.money import gross, net
from payments.conformance.rules.prices import tariff as tariff_rules
from payments.conformance.verdicts import Level, Untried, Weak, expect, expect_none
from payments.simulator.ocpi.wire import parse_time

OBJECT: Final = "mod_tariffs, Tariff Object"
HOLD: Final = (
    "mod_payments, Transaction; mod_tariffs, preauthorize_amount (2.2.1 with DirectPayment: max_price)"
)
MARKUP: Final = re.compile(r"<[A-Za-z/!][^>]*>|&[a-z]+;")
EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
LATEST: Final = datetime.max.replace(tzinfo=UTC)


def _ad_hoc(bench: Bench) -> list[tuple[str, dict[str, Any]]]:
    """The tariffs for card payments. Raises Untried."""
    found = [(name, item) for name, item in bench.named("tariffs") if item.get("type") == "AD_HOC_PAYMENT"]
    if not found:
        raise Untried("There is no tariff of the type AD_HOC_PAYMENT.")
    return found


@check("tariffs-01", "The list of tariffs is there and not empty", section="mod_tariffs, GET Method")
def tariffs_are_listed(bench: Bench) -> str:
    """Without a tariff nothing can be shown, nor reserved."""
    answer = bench.page("tariffs")
    expect(accepted_list(answer, "the list of tariffs"), "expected: at least one tariff; came: none", answer)
    return f"{len(bench.everything('tariffs'))} tariffs"


@check("tariffs-02", "Required fields are there", section=OBJECT)
def required_fields_are_there(bench: Bench) -> str:
    """On 2.3.0 also tax_included."""
    return follows(tariff_rules(bench.version), bench.named("tariffs"), Aspect.MISSING)


@check("tariffs-03", "Fields have the text's types", section=OBJECT)
def fields_have_their_types(bench: Bench) -> str:
    """Prices are JSON numbers; limits have the version's shape."""
    return follows(tariff_rules(bench.version), bench.named("tariffs"), Aspect.TYPE)


@check("tariffs-04", "Texts keep their length and letters", section=OBJECT + "; TariffRestrictions")
def texts_keep_their_limits(bench: Bench) -> str:
    """Ids, currency, languages, times of day like 13:30, dates like 2015-12-24."""
    return follows(tariff_rules(bench.version), bench.named("tariffs"), Aspect.TEXT)


@check("tariffs-05", "Enumerations are kept", section=OBJECT + ", Data types")
def enumerations_are_kept(bench: Bench) -> str:
    """Type, dimension, day of week, tax_included."""
    return follows(tariff_rules(bench.version), bench.named("tariffs"), Aspect.ENUM)


@check("tariffs-06", "Times are written as the text writes them", section="types, DateTime")
def times_are_written_well(bench: Bench) -> str:
    """last_updated, start_date_time, end_date_time."""
    return follows(tariff_rules(bench.version), bench.named("tariffs"), Aspect.TIME)


@check("tariffs-07", "Numbers have at most four decimals", section="types, number", level=Level.SHOULD)
def numbers_have_four_decimals(bench: Bench) -> str:
    """Unless mentioned otherwise, numbers use 4 decimals; 0.30000000000000004 is a float's noise."""
    return follows(tariff_rules(bench.version), bench.named("tariffs"), Aspect.DECIMALS)


@check("tariffs-08", "Values make sense", section=OBJECT + "; PriceComponent")
def values_make_sense(bench: Bench) -> str:
    """Steps of at least one, nothing below zero, an end after its start, a gross limit not below the net one."""
    return follows(tariff_rules(bench.version), bench.named("tariffs"), Aspect.SENSE)


@check("tariffs-09", "There is a tariff for ad hoc payment", section="mod_tariffs, TariffType AD_HOC_PAYMENT")
def an_ad_hoc_tariff_exists(bench: Bench) -> str:
    """The one that a card terminal may use."""
    found = [item for _, item in bench.named("tariffs") if item.get("type") == "AD_HOC_PAYMENT"]
    expect(found, "expected: a tariff of the type AD_HOC_PAYMENT; came: none")
    return f"{len(found)}"


@check("tariffs-10", "Ad hoc tariffs say what to reserve", section=HOLD)
def ad_hoc_tariffs_say_what_to_reserve(bench: Bench) -> None:
    """preauthorize_amount on 2.3.0; on 2.2.1 the DirectPayment extension reserves max_price."""
    name = "max_price" if bench.version == V221 else "preauthorize_amount"
    wrong = []
    for told, item in _ad_hoc(bench):
        hold = hold_of(item, bench.version)
        if hold is None or hold <= 0:
            wrong.append(f"{told}: a {name} above zero was expected, {item.get(name)} came")
    expect_none(wrong)


@check("tariffs-11", "The amount to reserve can be paid: whole cents", section=HOLD, level=Level.SAFETY)
def holds_are_whole_cents(bench: Bench) -> None:
    """A payment provider reserves minor units."""
    holds = [(name, hold_of(item, bench.version)) for name, item in _ad_hoc(bench)]
    wrong = [f"{name}: {hold} has more than two decimals" for name, hold in holds if hold and hold * 100 % 1]
    expect_none(wrong)


@check(
    "tariffs-12",
    "A limit tells its amount with VAT",
    section="mod_payments: consumer prices; mod_tariffs, max_price",
    level=Level.SHOULD,
    versions=(V221,),
)
def limits_tell_the_gross(bench: Bench) -> None:
    """What is reserved on a card is what the driver pays, with VAT."""
    wrong = [
        f"{name}: max_price has no incl_vat"
        for name, item in _ad_hoc(bench)
        if net(item.get("max_price")) is not None and gross(item.get("max_price")) is None
    ]
    expect_none(wrong)


@check(
    "tariffs-13",
    "Every ad hoc tariff speaks at least one language",
    section="mod_tariffs, tariff_alt_text; a terminal offers the languages of its tariff",
    level=Level.SHOULD,
)
def ad_hoc_tariffs_speak(bench: Bench) -> str:
    """One entry a language."""
    silent = [
        f"{name}: no tariff_alt_text" for name, item in _ad_hoc(bench) if not item.get("tariff_alt_text")
    ]
    expect_none(silent)
    return ", ".join(
        sorted({text["language"] for _, item in _ad_hoc(bench) for text in item["tariff_alt_text"]})
    )


@check("tariffs-14", "No language stands twice, no text has markup", section="types, DisplayText")
def texts_are_plain(bench: Bench) -> None:
    """Text to be displayed to an end user; no markup, html etc. allowed."""
    wrong = []
    for name, item in bench.named("tariffs"):
        texts = [text for text in item.get("tariff_alt_text") or [] if isinstance(text, dict)]
        languages = [str(text.get("language")) for text in texts]
        wrong += [
            f"{name}: {word} stands twice" for word in sorted(set(languages)) if languages.count(word) > 1
        ]
        wrong += [f"{name}: markup in {t['text']!r}" for t in texts if MARKUP.search(str(t.get("text")))]
    expect_none(wrong)


@check(
    "tariffs-15",
    "Ad hoc tariffs are used by a connector",
    section="mod_locations, Connector.tariff_ids",
    level=Level.SHOULD,
)
def ad_hoc_tariffs_are_used(bench: Bench) -> None:
    """Otherwise no terminal will ever show them."""
    used = {str(tariff).lower() for _, (_, c) in connectors(bench) for tariff in c.get("tariff_ids") or []}
    idle = [
        f"{name} is named by no connector"
        for name, item in _ad_hoc(bench)
        if str(item.get("id")).lower() not in used
    ]
    expect_none(idle)


@check(
    "tariffs-16",
    "One connector has one tariff of a type at a time",
    section="mod_locations, Connector.tariff_ids",
)
def tariffs_of_a_type_do_not_overlap(bench: Bench) -> None:
    """The same type only where start and end do not overlap: a terminal could not choose."""
    known = {str(item.get("id")).lower(): item for _, item in bench.named("tariffs")}
    wrong = []
    for _, (name, connector) in connectors(bench):
        found = [known[t] for t in (str(t).lower() for t in connector.get("tariff_ids") or []) if t in known]
        wrong += [f"{name}: {one['id']} and {two['id']} overlap" for one, two in _overlapping(found)]
    expect_none(wrong)


def _overlapping(tariffs: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for place, one in enumerate(tariffs):
        for two in tariffs[place + 1 :]:
            same = one.get("type") == two.get("type") and one.get("id") != two.get("id")
            if same and _begin(one) < _end(two) and _begin(two) < _end(one):
                yield one, two


def _begin(tariff: dict[str, Any]) -> datetime:
    told = tariff.get("start_date_time")
    return EARLIEST if moment_problem(told) else parse_time(str(told))


def _end(tariff: dict[str, Any]) -> datetime:
    told = tariff.get("end_date_time")
    return LATEST if moment_problem(told) else parse_time(str(told))


@check(
    "tariffs-17",
    "Prices tell their VAT",
    section="mod_tariffs, PriceComponent.vat; tax_included",
    level=Level.SHOULD,
)
def prices_tell_their_vat(bench: Bench) -> None:
    """A terminal shows prices with VAT; without a rate it cannot, unless tax_included is YES or N/A."""
    wrong = []
    for name, item in _ad_hoc(bench):
        if bench.version == V230 and item.get("tax_included") in ("YES", "N/A"):
            continue
        for place, element in enumerate(item.get("elements") or []):
            bare = [c["type"] for c in element["price_components"] if c.get("vat") is None and c.get("price")]
            wrong += [f"{name}.elements[{place}]: {what} has a price and no vat" for what in bare]
    expect_none(wrong)


@check(
    "tariffs-18",
    "A tariff can be read by its id",
    section="mod_payments, Transaction: 'with this id the tariff should be pulled'",
    level=Level.EXTENSION,
)
def a_tariff_can_be_read(bench: Bench) -> None:
    """The flow pulls one tariff; the module has a list alone. Peers serve …/{country}/{party}/{id}."""
    _, item = _ad_hoc(bench)[0]
    answer = bench.get("tariffs", f"/{item.get('country_code')}/{item.get('party_id')}/{item.get('id')}")
    data = accepted(answer, f"tariff {item.get('id')}")
    same = isinstance(data, dict) and data.get("id") == item.get("id")
    expect(same, f"expected: tariff {item.get('id')}; came: {data}", answer)


@check("tariffs-19", "An absent tariff gets 404", section="status_codes", level=Level.EXTENSION)
def an_absent_tariff_is_404(bench: Bench) -> None:
    """By an id that no tariff has."""
    _, item = _ad_hoc(bench)[0]
    absent(bench.get("tariffs", f"/{item.get('country_code')}/{item.get('party_id')}/{new_id()}"))


@check(
    "tariffs-20",
    "Energy and time have an element without restrictions",
    section="mod_tariffs, Tariff Object: 'always add a default'",
    level=Level.SHOULD,
)
def dimensions_have_a_default(bench: Bench) -> None:
    """Without it they are free whenever no restriction matches; a fee for idling may well be."""
    wrong = []
    for name, item in _ad_hoc(bench):
        bound: set[str] = set()  # by restrictions
        free: set[str] = set()
        for element in item.get("elements") or []:
            kinds = {str(part.get("type")) for part in element["price_components"]}
            target = bound if element.get("restrictions") else free
            target |= kinds
        wrong += [
            f"{name}: {kind} has no element without restrictions"
            for kind in sorted((bound - free) & {"ENERGY", "TIME"})
        ]
    if wrong:
        raise Weak("\n".join(wrong[:6]))
