"""Locations with their EVSEs and connectors (OCPI mod_locations)."""

from __future__ import annotations

import re
from typing import Any, Final
from zoneinfo import available_timezones

from payments.conformance.bench import Bench
from payments.conformance.bodies import new_id
from payments.conformance.expectations import absent, accepted, accepted_list, follows
from payments.conformance.registry import check
from payments.conformance.rules.enumerations import TERMINAL_CAPABILITY
from payments.conformance.rules.language import Aspect, faults, moment_problem
from payments.conformance.rules.places import connector as connector_rules
from payments.conformance.rules.places import evse as evse_rules
from payments.conformance.rules.places import location as location_rules
from payments.conformance.verdicts import Level, Untried, expect, expect_none
from payments.simulator.ocpi.wire import parse_time

OBJECT: Final = "mod_locations, Location Object, EVSE Object, Connector Object"
GET_OBJECT: Final = "mod_locations, GET Object"
# "E-mobility ID-codes": country, operator, E, outlet; the separators may be left out.
EVSE_ID: Final = re.compile(r"[A-Za-z]{2}\*?[A-Za-z0-9]{3}\*?[Ee][A-Za-z0-9][A-Za-z0-9*]{0,30}")

Named = tuple[str, dict[str, Any]]


def evses(bench: Bench) -> list[tuple[dict[str, Any], Named]]:
    """Every EVSE with its location and a name for messages."""
    return [
        (location, (f"{name}.evses[{evse.get('uid', place)}]", evse))
        for name, location in bench.named("locations")
        if isinstance(location, dict)
        for place, evse in enumerate(_listed(location.get("evses")))
    ]


def connectors(bench: Bench) -> list[tuple[dict[str, Any], Named]]:
    """Every connector with its EVSE and a name for messages."""
    return [
        (evse, (f"{name}.connectors[{connector.get('id', place)}]", connector))
        for _, (name, evse) in evses(bench)
        for place, connector in enumerate(_listed(evse.get("connectors")))
    ]


def _listed(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _some(bench: Bench) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A location with an EVSE and a connector of it. Raises Untried."""
    for location, (_, evse) in evses(bench):
        for connector in _listed(evse.get("connectors")):
            return location, evse, connector
    raise Untried("There is no EVSE with a connector.")


@check("locations-01", "The list of locations is there and not empty", section="mod_locations, GET List")
def locations_are_listed(bench: Bench) -> str:
    """A terminal shows what can be started; there must be something."""
    answer = bench.page("locations")
    found = accepted_list(answer, "the list of locations")
    expect(found, "expected: at least one location for this party; came: none", answer)
    return f"{len(bench.everything('locations'))} locations, {len(evses(bench))} EVSEs"


@check("locations-02", "Required fields are there", section=OBJECT)
def required_fields_are_there(bench: Bench) -> str:
    """Each object must contain all required fields, down to the connectors."""
    return follows(location_rules(bench.version), bench.named("locations"), Aspect.MISSING)


@check("locations-03", "Fields have the text's types", section=OBJECT)
def fields_have_their_types(bench: Bench) -> str:
    """Numbers as JSON numbers, lists as lists, flags as true and false."""
    return follows(location_rules(bench.version), bench.named("locations"), Aspect.TYPE, Aspect.SENSE)


@check("locations-04", "Texts keep their length and letters", section=OBJECT + "; types, CiString, string")
def texts_keep_their_limits(bench: Bench) -> str:
    """Ids are printable ASCII of at most 36, coordinates have five to seven decimals, countries three letters."""
    return follows(location_rules(bench.version), bench.named("locations"), Aspect.TEXT)


@check("locations-05", "Enumerations of the version are kept", section=OBJECT + ", Data types")
def enumerations_are_kept(bench: Bench) -> str:
    """2.2.1 closes what 2.3.0 opens: MCS and SAE_J3400 do not exist there."""
    return follows(location_rules(bench.version), bench.named("locations"), Aspect.ENUM)


@check("locations-06", "Times are written as the text writes them", section="types, DateTime")
def times_are_written_well(bench: Bench) -> str:
    """Z or nothing at the end, at most 25 characters."""
    return follows(location_rules(bench.version), bench.named("locations"), Aspect.TIME)


@check(
    "locations-07",
    "Locations belong to parties of the credentials",
    section="transport_and_format, Client Owned Objects",
    level=Level.SHOULD,
)
def locations_belong_to_known_parties(bench: Bench) -> None:
    """Objects of other parties may be ignored by the receiver."""
    registration = bench.connection.registration
    roles = registration.data.get("roles", []) if registration is not None and registration.data else []
    known = {(str(r.get("country_code")).upper(), str(r.get("party_id")).upper()) for r in roles}
    wrong = [
        f"{name}: {item.get('country_code')}-{item.get('party_id')} is no role of the credentials"
        for name, item in bench.named("locations")
        if (str(item.get("country_code")).upper(), str(item.get("party_id")).upper()) not in known
    ]
    expect_none(wrong)


@check("locations-08", "Ids are unique: locations, EVSEs, connectors of one EVSE", section=OBJECT)
def ids_are_unique(bench: Bench) -> None:
    """Without case, for they are CiStrings; an EVSE's uid in the whole platform."""
    places = [str(item.get("id")).lower() for _, item in bench.named("locations")]
    uids = [str(evse.get("uid")).lower() for _, (_, evse) in evses(bench)]
    plugs = [f"{evse.get('uid')}/{c.get('id')}".lower() for evse, (_, c) in connectors(bench)]
    wrong = [
        f"{what} {name} stands {names.count(name)} times"
        for what, names in (("location", places), ("EVSE", uids), ("connector", plugs))
        for name in sorted(set(names))
        if names.count(name) > 1
    ]
    expect_none(wrong)


@check("locations-09", "time_zone is one of the tz database", section=OBJECT + ", time_zone")
def time_zones_exist(bench: Bench) -> None:
    """Restrictions of tariffs are meant in this zone."""
    zones = available_timezones()
    wrong = [
        f"{name}: {item.get('time_zone')!r} is no zone"
        for name, item in bench.named("locations")
        if item.get("time_zone") not in zones
    ]
    expect_none(wrong)


@check(
    "locations-10",
    "last_updated of a part is not after that of the whole",
    section="mod_locations, GET List: Request Parameters",
)
def updates_reach_the_whole(bench: Bench) -> None:
    """If an EVSE or a connector is updated, so is its parent; polling by date_from lives on it."""
    pairs = [(f"{name} and its location", evse, location) for location, (name, evse) in evses(bench)]
    pairs += [(f"{name} and its EVSE", connector, evse) for evse, (name, connector) in connectors(bench)]
    expect_none([f"{what}: {problem}" for what, part, whole in pairs if (problem := _order(part, whole))])


def _order(part: dict[str, Any], whole: dict[str, Any]) -> str:
    stamps = (part.get("last_updated"), whole.get("last_updated"))
    if any(moment_problem(stamp) for stamp in stamps):
        return ""  # told by the check of times
    late = parse_time(str(stamps[0])) > parse_time(str(stamps[1]))
    return f"the part was updated at {stamps[0]}, the whole at {stamps[1]}" if late else ""


@check("locations-11", "A location can be read by its id", section=GET_OBJECT)
def a_location_can_be_read(bench: Bench) -> None:
    """The same object as in the list."""
    location, _, _ = _some(bench)
    answer = bench.get("locations", f"/{location['id']}")
    data = accepted(answer, f"location {location['id']}")
    expect_none(faults(location_rules(bench.version), [("Location", data)]), answer)
    expect(data["id"] == location["id"], f"expected: id {location['id']}; came: {data['id']}", answer)
    uids = {evse["uid"] for evse in data.get("evses") or []}
    wanted = {evse.get("uid") for evse in _listed(location.get("evses"))}
    expect(uids == wanted, f"expected: the EVSEs of the list, {wanted}; came: {uids}", answer)


@check("locations-12", "An EVSE can be read by its uid", section=GET_OBJECT)
def an_evse_can_be_read(bench: Bench) -> None:
    """The transaction flow pulls it before every start."""
    location, evse, _ = _some(bench)
    answer = bench.get("locations", f"/{location['id']}/{evse['uid']}")
    data = accepted(answer, f"EVSE {evse['uid']}")
    expect_none(faults(evse_rules(bench.version), [("EVSE", data)]), answer)
    expect(data["uid"] == evse["uid"], f"expected: uid {evse['uid']}; came: {data['uid']}", answer)


@check(
    "locations-13", "A connector can be read by its id", section=GET_OBJECT + "; mod_payments, Transaction"
)
def a_connector_can_be_read(bench: Bench) -> None:
    """The provider pulls the connector for its tariff_ids."""
    location, evse, connector = _some(bench)
    answer = bench.get("locations", f"/{location['id']}/{evse['uid']}/{connector['id']}")
    data = accepted(answer, f"connector {connector['id']}")
    expect_none(faults(connector_rules(bench.version), [("Connector", data)]), answer)
    same = (data["id"], data.get("tariff_ids")) == (connector["id"], connector.get("tariff_ids"))
    expect(same, f"expected: the connector of the list; came: {data}", answer)


@check(
    "locations-14",
    "Absent EVSEs and connectors get 404",
    section=GET_OBJECT + "; status_codes",
    level=Level.SHOULD,
)
def absent_parts_are_404(bench: Bench) -> None:
    """A known location, an unknown EVSE; a known EVSE, an unknown connector."""
    location, evse, _ = _some(bench)
    absent(bench.get("locations", f"/{location['id']}/{new_id()}"))
    absent(bench.get("locations", f"/{location['id']}/{evse['uid']}/{new_id()}"))


@check("locations-15", "An EVSE is found in its own location alone", section=GET_OBJECT)
def an_evse_is_not_elsewhere(bench: Bench) -> None:
    """The uid of one location's EVSE under another location."""
    found = evses(bench)
    location, (_, evse) = found[0] if found else ({}, ("", {}))
    others = [item for _, item in bench.named("locations") if item.get("id") != location.get("id")]
    if not found or not others:
        raise Untried("There are not two locations, one with an EVSE.")
    absent(bench.get("locations", f"/{others[0]['id']}/{evse['uid']}"))


@check("locations-16", "EVSEs can be started remotely", section="mod_locations, Capability")
def evses_can_be_started(bench: Bench) -> str:
    """Without REMOTE_START_STOP_CAPABLE a terminal must not offer the EVSE."""
    able = [
        evse
        for _, (_, evse) in evses(bench)
        if "REMOTE_START_STOP_CAPABLE" in (evse.get("capabilities") or [])
    ]
    expect(
        able, f"expected: REMOTE_START_STOP_CAPABLE at one EVSE at least; came: none of {len(evses(bench))}"
    )
    return f"{len(able)} of {len(evses(bench))}"


@check(
    "locations-17",
    "EVSEs tell that a card can be used",
    section="mod_locations, Capability: ad-hoc payments",
    level=Level.SHOULD,
)
def evses_tell_of_the_terminal(bench: Bench) -> None:
    """A combination of the five values explains what the terminal can do."""
    able = [
        evse
        for _, (_, evse) in evses(bench)
        if set(TERMINAL_CAPABILITY) & set(evse.get("capabilities") or [])
    ]
    expect(able, f"expected: one of {', '.join(TERMINAL_CAPABILITY)}; came: none")


@check(
    "locations-18",
    "Connectors name their tariffs, and these exist",
    section="mod_locations, Connector.tariff_ids; mod_payments, Transaction",
)
def connectors_name_their_tariffs(bench: Bench) -> None:
    """Without tariff there is no amount to preauthorize."""
    known = {str(item.get("id")).lower() for _, item in bench.named("tariffs")}
    found = connectors(bench)
    wrong = [
        f"{name}: tariff {tariff} is not in the list of tariffs"
        for _, (name, connector) in found
        for tariff in connector.get("tariff_ids") or []
        if str(tariff).lower() not in known
    ]
    priced = [connector for _, (_, connector) in found if connector.get("tariff_ids")]
    expect(priced, "expected: tariff_ids at one connector at least; came: none")
    expect_none(wrong)


@check(
    "locations-19",
    "evse_id is written as E-mobility ID-codes are",
    section="mod_locations, EVSE.evse_id",
    level=Level.SHOULD,
)
def evse_ids_are_well_formed(bench: Bench) -> None:
    """Present unless the EVSE is removed, as in BE*BEC*E041503001."""
    wrong = [
        f"{name}: evse_id {evse.get('evse_id')!r}"
        for _, (name, evse) in evses(bench)
        if evse.get("status") != "REMOVED" and not EVSE_ID.fullmatch(str(evse.get("evse_id") or ""))
    ]
    expect_none(wrong)


@check(
    "locations-20",
    "Evse uid and connector pass a URL unharmed",
    section="mod_locations, GET Object; types, CiString",
    level=Level.SHOULD,
)
def ids_are_safe_in_urls(bench: Bench) -> None:
    """Ids are path segments in every push; a slash, a question mark or a blank would break them."""
    ids = [str(item.get("id")) for _, item in bench.named("locations")]
    ids += [str(evse.get("uid")) for _, (_, evse) in evses(bench)]
    ids += [str(connector.get("id")) for _, (_, connector) in connectors(bench)]
    wrong = [f"{name!r}" for name in ids if not re.fullmatch(r"[A-Za-z0-9._~*:-]+", name)]
    expect_none([f"expected: letters that need no escaping; came: {name}" for name in wrong])
