"""What the CPO has given us, as a provider keeps it (OCPI mod_locations, mod_tariffs, mod_sessions: Receiver)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

# EVSEs and connectors stand in their Location, wherever they are addressed: the list, and what tells its items apart.
NESTED: Final = (("evses", "uid"), ("connectors", "id"))
OWN_PARTS: Final = 3  # country_code, party_id, location_id


class Mirror:
    """Objects by path; a PATCH changes fields, and appends charging periods."""

    def __init__(self) -> None:
        self._objects: dict[str, Any] = {}

    def get(self, path: str) -> Any:
        """Return what was given; None where there is nothing."""
        owner, below = _split(path)
        found = self._objects.get(owner)
        for (items, name), value in zip(NESTED, below, strict=False):
            found = item_of(found, items, name, value)
        return self._objects.get(path) if found is None else found

    def put(self, path: str, body: Any) -> bool:
        """Replace; True where it is new. What belongs to a Location that we do not have is kept by itself."""
        new = self.get(path) is None
        _, below = _split(path)
        parent = self.get(path.rpartition("/")[0]) if below else None
        if not isinstance(parent, dict):
            self._objects[path] = deepcopy(body)  # what is patched later is not what came
            return new
        items, name = NESTED[len(below) - 1]
        others = [
            item for item in parent.get(items) or [] if item is not item_of(parent, items, name, below[-1])
        ]
        parent[items] = [*others, deepcopy(body)]
        return new

    def patch(self, path: str, body: Any) -> bool:
        """Change fields; False where there is nothing to change."""
        known = self.get(path)
        if not isinstance(known, dict) or not isinstance(body, dict):
            return False
        periods = [*(known.get("charging_periods") or []), *(body.get("charging_periods") or [])]
        known |= deepcopy(body)
        if periods:
            known["charging_periods"] = periods
        return True


def item_of(whole: Any, items: str, name: str, value: str) -> Any:
    """Return the item of a list in `whole` of which the field `name` is `value`, in any case; None without one."""
    found = (whole.get(items) if isinstance(whole, dict) else None) or []
    named = (
        item for item in found if isinstance(item, dict) and str(item.get(name)).lower() == value.lower()
    )
    return next(named, None)


def _split(path: str) -> tuple[str, list[str]]:
    """The path of the object that a path is in, and what follows it: the EVSE's uid, the connector's id."""
    base, module, rest = path.partition("/locations/")
    parts = rest.split("/")
    below = parts[OWN_PARTS : OWN_PARTS + len(NESTED)]
    return base + module + "/".join(parts[:OWN_PARTS]), below
