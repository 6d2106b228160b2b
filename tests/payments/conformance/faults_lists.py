"""Faults in what a provider reads: locations, tariffs, pages."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from payments.simulator.ocpi.wire import Reply
from tests.payments.conformance import cpo as scripted
from tests.payments.conformance.cpo import ScriptedCpo
from tests.payments.conformance.faults import (
    Fault,
    asks,
    coded,
    data,
    drop,
    header,
    http,
    on,
    put,
    refuse,
    status,
    success,
)


def _first(change: Any) -> Any:
    return lambda cpo: change(cpo.locations[0])


def _evse(change: Any) -> Any:
    return lambda cpo: [change(evse) for location in cpo.locations for evse in location["evses"]]


def _plug(change: Any) -> Any:
    return _plugs_of(change)


def _plugs_of(change: Any) -> Any:
    def setup(cpo: ScriptedCpo) -> None:
        for location in cpo.locations:
            for evse in location["evses"]:
                for connector in evse["connectors"]:
                    change(connector)

    return setup


LATE = "2026-12-31T00:00:00Z"
PLACES = [
    Fault("locations-01", "no locations", setup=lambda cpo: cpo.locations.clear()),
    Fault("locations-02", "no city", setup=_first(drop("city"))),
    Fault("locations-03", "publish as a text", setup=_first(put(publish="yes"))),
    Fault("locations-04", "a country of two letters", setup=_first(put(country="FI"))),
    Fault("locations-05", "MCS on 2.2.1", setup=_plug(put(standard="MCS")), version="2.2.1"),
    Fault(
        "locations-06", "times with an offset", setup=_first(put(last_updated="2026-01-01T00:00:00+00:00"))
    ),
    Fault("locations-07", "a party of nobody", setup=_first(put(party_id="ZZZ"))),
    Fault("locations-08", "one uid for all EVSEs", setup=_evse(put(uid="EVSE-1"))),
    Fault("locations-09", "a zone of its own", setup=_first(put(time_zone="GMT+2:00"))),
    Fault("locations-10", "an EVSE newer than its location", setup=_evse(put(last_updated=LATE))),
    Fault("locations-11", "another location comes", on("GET", "/locations/LOC-1$", data(put(id="LOC-2")))),
    Fault(
        "locations-12", "an EVSE without status", on("GET", "/locations/LOC-1/EVSE-1$", data(drop("status")))
    ),
    Fault("locations-13", "a connector without tariff", on("GET", "/EVSE-1/1$", data(drop("tariff_ids")))),
    Fault(
        "locations-14", "absent EVSEs are 1000", on("GET", "/locations/LOC-1/", success({}), when=status(404))
    ),
    Fault("locations-15", "EVSEs are everywhere", habit="EVSEs are everywhere"),
    Fault(
        "locations-16", "nothing can be started", setup=_evse(put(capabilities=["CONTACTLESS_CARD_SUPPORT"]))
    ),
    Fault(
        "locations-17", "no word of a terminal", setup=_evse(put(capabilities=["REMOTE_START_STOP_CAPABLE"]))
    ),
    Fault("locations-18", "a tariff that is gone", setup=_plug(put(tariff_ids=["T-GONE"]))),
    Fault("locations-19", "an evse_id of its own", setup=_evse(put(evse_id="1"))),
    Fault("locations-20", "a slash in a uid", setup=_evse(put(uid="A/1"))),
]


def _tariffs(change: Any) -> Any:
    return lambda cpo: [change(item) for items in cpo.tariffs.values() for item in items]


def _parts(**fields: Any) -> Any:
    return _tariffs(
        lambda item: [part.update(fields) for e in item["elements"] for part in e["price_components"]]
    )


PRICES = [
    Fault("tariffs-01", "no tariffs", setup=lambda cpo: cpo.tariffs.update({"2.3.0": []})),
    Fault("tariffs-02", "no tax_included on 2.3.0", setup=_tariffs(drop("tax_included"))),
    Fault("tariffs-03", "a price as a text", setup=_parts(price="0.40")),
    Fault(
        "tariffs-04",
        "a time of day with a dot",
        setup=_tariffs(lambda t: t["elements"][0]["restrictions"].update(start_time="22.00")),
    ),
    Fault("tariffs-05", "tax_included MAYBE", setup=_tariffs(put(tax_included="MAYBE"))),
    Fault(
        "tariffs-06",
        "a time with an offset",
        setup=_tariffs(put(start_date_time="2026-01-01T00:00:00+02:00")),
    ),
    Fault("tariffs-07", "a float's noise", setup=_parts(price=Decimal("0.30000000000000004"))),
    Fault("tariffs-08", "a step of nothing", setup=_parts(step_size=0)),
    Fault("tariffs-09", "no tariff for cards", setup=_tariffs(put(type="REGULAR"))),
    Fault("tariffs-10", "no preauthorize_amount", setup=_tariffs(drop("preauthorize_amount"))),
    Fault("tariffs-10", "no max_price on 2.2.1", setup=_tariffs(drop("max_price")), version="2.2.1"),
    Fault("tariffs-11", "half a cent to reserve", setup=_tariffs(put(preauthorize_amount=Decimal("60.005")))),
    Fault(
        "tariffs-12", "a limit without VAT", setup=_tariffs(put(max_price={"excl_vat": 50})), version="2.2.1"
    ),
    Fault("tariffs-13", "a tariff without words", setup=_tariffs(drop("tariff_alt_text"))),
    Fault(
        "tariffs-14",
        "markup for the terminal",
        setup=_tariffs(lambda t: t["tariff_alt_text"][0].update(text="<b>Free</b>")),
    ),
    Fault("tariffs-15", "a tariff that nobody uses", setup=_plug(put(tariff_ids=["T-AC"]))),
    Fault("tariffs-16", "two tariffs of a type", setup=_plug(put(tariff_ids=["T-AC", "T-NIGHT"]))),
    Fault("tariffs-17", "prices without VAT", setup=_parts(vat=None)),
    Fault("tariffs-18", "no tariff by its id", on("GET", "/tariffs/FI/", http(404))),
    Fault("tariffs-19", "an absent tariff is 1000", on("GET", "/tariffs/FI/", success({}), when=status(404))),
    Fault("tariffs-20", "no default by day", setup=_tariffs(lambda t: t["elements"].pop())),
]


def _counts_the_page(reply: Reply) -> Reply:
    return header("X-Total-Count", str(len(reply.data or [])))(reply)


def _limit_is_the_count(reply: Reply) -> Reply:
    return header("X-Limit", str(len(reply.data or [])))(reply)


def _bare_link(reply: Reply) -> Reply:
    link = reply.headers.get("Link", "")
    return header("Link", link.partition("?")[0] + '?offset=1&limit=1>; rel="next"')(reply) if link else reply


def _out_of_order() -> Any:
    calls: list[int] = []

    def turn(reply: Reply) -> Reply:
        calls.append(1)
        return replace(reply, data=list(reversed(reply.data or []))) if len(calls) % 2 else reply

    return turn


def _keeps_no_upper_bound(patch: Any) -> None:
    patch.setattr(
        scripted, "_inside", lambda at, low, high: (low is None or at >= low) and (high is None or at <= high)
    )


def _is_exclusive(patch: Any) -> None:
    patch.setattr(
        scripted, "_inside", lambda at, low, high: (low is None or at > low) and (high is None or at < high)
    )


def _knows_no_dates(patch: Any) -> None:
    patch.setattr(scripted, "_inside", lambda at, low, high: True)


LISTS = r"/(locations|tariffs|sessions|cdrs)/?$"
FOLLOWING = '<http://127.0.0.1/more>; rel="next"'
PAGES = [
    Fault("pagination-01", "the total is the page's", on("GET", LISTS, _counts_the_page)),
    Fault("pagination-02", "no X-Limit", on("GET", LISTS, header("X-Limit", "none"))),
    Fault("pagination-03", "X-Limit is the count", on("GET", LISTS, _limit_is_the_count)),
    Fault(
        "pagination-04",
        "two for one",
        on("GET", LISTS, lambda r: replace(r, data=(r.data or []) * 2), when=asks(limit="1")),
    ),
    Fault("pagination-05", "no link", on("GET", LISTS, header("Link", ""))),
    Fault("pagination-06", "the link forgets the filters", on("GET", LISTS, _bare_link)),
    Fault(
        "pagination-07",
        "a link beyond the end",
        on("GET", LISTS, header("Link", FOLLOWING), when=lambda q, r: not r.data),
    ),
    Fault(
        "pagination-08",
        "one object on every page",
        on("GET", LISTS, data(put(id="SAME")), when=asks(limit="1")),
    ),
    Fault(
        "pagination-09",
        "offset leads elsewhere",
        on("GET", LISTS, data(put(id="OTHER")), when=asks(offset="1", limit="1")),
    ),
    Fault("pagination-10", "null beyond the end", on("GET", LISTS, success(), when=asks(offset="1000000"))),
    Fault(
        "pagination-11",
        "no limit at all",
        on("GET", LISTS, header("X-Limit", "10000000"), when=asks(limit="10000000")),
    ),
    Fault("pagination-12", "date_from is exclusive", patch=_is_exclusive),
    Fault("pagination-13", "date_to is inclusive", patch=_keeps_no_upper_bound),
    Fault("pagination-14", "dates are ignored", patch=_knows_no_dates),
    Fault("pagination-15", "words for numbers are taken", on("GET", LISTS, success([]), when=coded(2001))),
    Fault("pagination-16", "any date is taken", on("GET", LISTS, success([]), when=coded(2001))),
    Fault(
        "pagination-17",
        "Z is required",
        on("GET", LISTS, refuse(), when=lambda q, _: not q.query.get("date_from", "Z").endswith("Z")),
    ),
    Fault("pagination-18", "another order each time", on("GET", LISTS, _out_of_order())),
    Fault("pagination-19", "the newest first", setup=lambda cpo: cpo.cdrs["2.3.0"].reverse()),
    Fault(
        "pagination-20",
        "an empty range crashes",
        on("GET", LISTS, http(500, 3000), when=asks(date_from="2999-01-01T00:00:00Z")),
    ),
]

LISTED = [*PLACES, *PRICES, *PAGES]
