"""What the CPO has given us, as a provider keeps it (OCPI mod_locations, mod_tariffs, mod_sessions: Receiver)."""

from __future__ import annotations

import threading
from copy import deepcopy
from typing import Any, Final
from urllib.parse import unquote

# EVSEs and connectors stand in their Location, wherever they are addressed: the list, and what tells its items apart.
NESTED: Final = (("evses", "uid"), ("connectors", "id"))
OWN_PARTS: Final = 3  # country_code, party_id, location_id

Key = tuple[str, ...]  # the path's segments, decoded, ids in lower case as CiString compares


class Mirror:
    """Objects by path; a PATCH changes fields, and appends charging periods. Threads may share it."""

    def __init__(self) -> None:
        self._objects: dict[Key, Any] = {}
        self._lock = threading.RLock()

    def get(self, path: str) -> Any:
        """Return a copy of what was given; None where there is nothing."""
        with self._lock:
            return deepcopy(self._found(path))

    def put(self, path: str, body: Any) -> bool:
        """Replace; True where it is new. What belongs to a Location that we do not have is kept by itself."""
        with self._lock:
            new = self._found(path) is None
            owner, below = _split(path)
            parent = self._inside(owner, below[:-1]) if below else None
            if not isinstance(parent, dict):
                self._objects[owner + tuple(below)] = deepcopy(body)  # what is patched later is not what came
                return new
            items, name = NESTED[len(below) - 1]
            known = item_of(parent, items, name, below[-1])
            parent[items] = [*(item for item in list_in(parent, items) if item is not known), deepcopy(body)]
            return new

    def patch(self, path: str, body: Any) -> bool:
        """Change fields; False where there is nothing to change."""
        with self._lock:
            known = self._found(path)
            if not isinstance(known, dict) or not isinstance(body, dict):
                return False
            periods = [*list_in(known, "charging_periods"), *list_in(body, "charging_periods")]
            known |= deepcopy(body)
            if periods:
                known["charging_periods"] = periods
            return True

    def _found(self, path: str) -> Any:
        owner, below = _split(path)
        found = self._inside(owner, below)
        return self._objects.get(owner + tuple(below)) if found is None else found

    def _inside(self, owner: Key, below: list[str]) -> Any:
        found = self._objects.get(owner)
        for (items, name), value in zip(NESTED, below, strict=False):
            found = item_of(found, items, name, value)
        return found


def item_of(whole: Any, items: str, name: str, value: str) -> Any:
    """Return the item of a list in `whole` of which the field `name` is `value`, in any case; None without one."""
    found = list_in(whole, items) if isinstance(whole, dict) else []
    named = (
        item for item in found if isinstance(item, dict) and str(item.get(name)).lower() == value.lower()
    )
    return next(named, None)


def list_in(whole: dict[str, Any], name: str) -> list[Any]:
    """Return the list of this name; an empty one where there is something else."""
    found = whole.get(name)
    return found if isinstance(found, list) else []


def _split(path: str) -> tuple[Key, list[str]]:
    """The object that a path is in, and what follows: the EVSE's uid, the connector's id."""
    base, module, rest = path.partition("/locations/")
    if not module:
        return (unquote(path).lower(),), []
    parts = [unquote(part).lower() for part in rest.strip("/").split("/")]
    return (base, *parts[:OWN_PARTS]), parts[OWN_PARTS : OWN_PARTS + len(NESTED)]
