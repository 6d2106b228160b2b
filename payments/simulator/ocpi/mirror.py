"""The CPO's locations and tariffs as this PTP mirrors them: pushed at every level, and polled page by page.

OCPI mod_locations and mod_tariffs, Receiver interface. The mirror lives in memory; a restart polls it anew.
"""

import threading
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from payments.simulator.ocpi.memory import Objects
from payments.simulator.ocpi.wire import (
    INVALID_PARAMETERS,
    UNKNOWN_LOCATION,
    Json,
    OcpiClient,
    Reply,
    Request,
    not_found,
    parse_time,
)

AD_HOC: Final = "AD_HOC_PAYMENT"


@dataclass(frozen=True, slots=True)
class Place:
    """A connector that can be sold, with the location it stands at."""

    location: dict[str, Json]
    evse: dict[str, Json]
    connector: dict[str, Json]


class Mirror:
    """What the CPO sells, and where. `complain` hears what a strict peer would not like."""

    def __init__(self, complain: Callable[[str], None]) -> None:
        self.locations: Objects = {}
        self.tariffs: Objects = {}
        self.lock = threading.RLock()
        self._complain = complain

    # --- Asked by the terminal --------------------------------------------------------------------

    def find(self, location_id: str, evse_uid: str, connector_id: str = "") -> Place | None:
        """Find a connector; without an id the first of its EVSE."""
        with self.lock:
            for location in self.locations.values():
                for evse in location.get("evses") or ():
                    if location.get("id") != location_id or evse.get("uid") != evse_uid:
                        continue
                    for connector in evse.get("connectors") or ():
                        if connector_id in ("", connector.get("id")):
                            return Place(location, evse, connector)
        return None

    def tariff_of(self, place: Place, now: datetime) -> dict[str, Json] | None:
        """The tariff of an ad hoc payment there: the one of that type, else one without a type."""
        with self.lock:
            ids = place.connector.get("tariff_ids") or ()
            known = [
                tariff
                for each in ids
                if (tariff := self.tariffs.get(object_key(place.location | {"id": each})))
            ]
        valid = [tariff for tariff in known if _is_valid(tariff, now)]
        for kind in (AD_HOC, None):
            for tariff in valid:
                if tariff.get("type") == kind:
                    return tariff
        return None

    def to_state(self) -> dict[str, Objects]:
        """Return all of it, to look at."""
        with self.lock:
            return deepcopy({"locations": self.locations, "tariffs": self.tariffs})

    # --- Polled -----------------------------------------------------------------------------------

    def poll(self, client: OcpiClient, *, locations_url: str, tariffs_url: str, page_size: int) -> None:
        """Fetch both lists whole; what is no longer listed goes. Raises NoAnswer, NotOcpi."""
        query = {"limit": page_size}
        tariffs = client.items(tariffs_url, query)
        locations = client.items(locations_url, query)
        with self.lock:
            self.tariffs = _kept(self.tariffs, tariffs)
            self.locations = _kept(self.locations, locations)

    # --- Pushed -----------------------------------------------------------------------------------

    def get_location(self, request: Request) -> Reply:
        """GET a Location, an EVSE or a Connector."""
        with self.lock:
            found = self._descend(request, upto=_depth(request))
            return not_found(UNKNOWN_LOCATION) if found is None else Reply(deepcopy(found))

    def put_location(self, request: Request) -> Reply:
        """PUT a Location, an EVSE or a Connector as a whole."""
        depth = _depth(request)
        name, key = _LEVELS[depth]
        if fault := fault_of(request.body, id_name=name, expected=request.parts[key]):
            return self._refuse(request, fault)
        with self.lock:
            if depth == 0:
                return self._put(self.locations, request)
            above = self._descend(request, upto=depth - 1)
            if above is None:
                return Reply(status_code=UNKNOWN_LOCATION, message="What it belongs to is not known.")
            siblings = above.setdefault("connectors" if depth == 2 else "evses", [])
            names = [each.get(name) for each in siblings]
            is_new = request.parts[key] not in names
            at = len(names) if is_new else names.index(request.parts[key])
            siblings[at : at + 1] = [request.body]  # in its place: drivers see them in this order
            self._touch(request)
            return Reply(http_status=201 if is_new else 200)

    def patch_location(self, request: Request) -> Reply:
        """PATCH some fields of a Location, an EVSE or a Connector."""
        if fault := fault_of(request.body):
            return self._refuse(request, fault)
        with self.lock:
            target = self._descend(request, upto=_depth(request))
            if target is None:
                return Reply(status_code=UNKNOWN_LOCATION, message="There is no such object.")
            if is_older(request.body, target):
                self._complain(f"{request.path}: older than what is known, left aside")
                return Reply()
            target |= request.body
            self._touch(request)
            return Reply()

    def get_tariff(self, request: Request) -> Reply:
        """GET a Tariff."""
        found = self.tariffs.get(key_of(request))
        return not_found() if found is None else Reply(found)

    def put_tariff(self, request: Request) -> Reply:
        """PUT a Tariff."""
        if fault := fault_of(request.body, id_name="id", expected=request.parts["id"]):
            return self._refuse(request, fault)
        with self.lock:
            return self._put(self.tariffs, request)

    def delete_tariff(self, request: Request) -> Reply:
        """DELETE a Tariff; one that a connector still names is gone as well, but a strict peer complains."""
        with self.lock:
            gone = self.tariffs.pop(key_of(request), None)
            used = any(request.parts["id"] in (each or ()) for each in self._tariff_ids())
        if used:
            self._complain(f"tariff {request.parts['id']} was deleted while a connector names it")
        return (
            Reply() if gone is not None else Reply(status_code=INVALID_PARAMETERS, message="No such tariff.")
        )

    def _tariff_ids(self) -> list[Json]:
        return [
            connector.get("tariff_ids")
            for location in self.locations.values()
            for evse in location.get("evses") or ()
            for connector in evse.get("connectors") or ()
        ]

    def _put(self, objects: Objects, request: Request) -> Reply:
        key = key_of(request)
        is_new = key not in objects
        if not is_new and is_older(request.body, objects[key]):
            self._complain(f"{request.path}: older than what is known, left aside")
            return Reply()
        objects[key] = request.body
        return Reply(http_status=201 if is_new else 200)

    def _descend(self, request: Request, *, upto: int) -> dict[str, Json] | None:
        found = self.locations.get(key_of(request))
        for depth, children in ((1, "evses"), (2, "connectors")):
            if found is None or depth > upto:
                break
            name, key = _LEVELS[depth]
            listed = found.get(children) or []
            found = next((each for each in listed if each.get(name) == request.parts[key]), None)
        return found

    def _touch(self, request: Request) -> None:
        """OCPI mod_locations: what changes below changes `last_updated` above as well."""
        at = request.body["last_updated"]
        for depth in range(_depth(request)):
            above = self._descend(request, upto=depth)
            if above is not None and is_older(above, request.body):
                above["last_updated"] = at

    def _refuse(self, request: Request, fault: str) -> Reply:
        self._complain(f"{request.method} {request.path}: {fault}")
        return Reply(status_code=INVALID_PARAMETERS, message=fault)


_LEVELS: Final = (("id", "id"), ("uid", "evse_uid"), ("id", "connector_id"))  # (field, part of the path)


def _depth(request: Request) -> int:
    return 2 if "connector_id" in request.parts else 1 if "evse_uid" in request.parts else 0


def key_of(request: Request) -> str:
    """Under which an object is kept: its owner is part of its name."""
    parts = request.parts
    return f"{parts['country_code'].upper()}/{parts['party_id'].upper()}/{parts['id']}"


def object_key(said: dict[str, Json]) -> str:
    """The same for an object that names its owner."""
    return f"{said.get('country_code')}/{said.get('party_id')}".upper() + f"/{said.get('id')}"


def fault_of(said: Json, *, id_name: str = "", expected: str = "") -> str:
    """Return what is wrong with a pushed object, empty when it can be kept."""
    if not isinstance(said, dict):
        return "an object is expected"
    try:
        parse_time(said["last_updated"])
    except (KeyError, ValueError, TypeError, AttributeError):
        return "`last_updated` is missing or no DateTime"
    if id_name and said.get(id_name) != expected:
        return f"`{id_name}` is not the one of the URL"
    return ""


def is_older(one: dict[str, Json], other: dict[str, Json]) -> bool:
    """Whether `one` was last updated before `other`."""
    first, second = one.get("last_updated"), other.get("last_updated")
    return bool(first and second and parse_time(first) < parse_time(second))


def _kept(known: Objects, listed: list[Json]) -> Objects:
    """What the list says, unless a push was newer."""
    kept: Objects = {}
    for each in listed:
        if fault_of(each):
            continue
        key = object_key(each)
        kept[key] = known[key] if key in known and is_older(each, known[key]) else each
    return kept


def _is_valid(tariff: dict[str, Json], now: datetime) -> bool:
    at = now.astimezone(UTC)
    start, end = tariff.get("start_date_time"), tariff.get("end_date_time")
    return (not start or parse_time(start) <= at) and (not end or at < parse_time(end))
