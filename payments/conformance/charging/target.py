"""Where a charge can be started (OCPI mod_locations, mod_tariffs)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from payments.conformance.bench import Bench
from payments.conformance.expectations import accepted_list
from payments.conformance.mirror import item_of
from payments.conformance.registry import V221
from payments.conformance.rules.money import gross
from payments.conformance.verdicts import Untried

POLL_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Target:
    """A connector, with what its tariff says."""

    location_id: str
    evse_uid: str
    connector_id: str
    status: str
    tariff: dict[str, Any] | None
    hold: Decimal | None  # what a terminal reserves
    connector_required: bool

    @property
    def where(self) -> dict[str, str]:
        """As a StartSession says it, without the location."""
        return {"evse_uid": self.evse_uid, "connector_id": self.connector_id}

    def status_in(self, location: dict[str, Any] | None) -> str:
        """What a Location says of the EVSE; empty where it does not know it."""
        evse = item_of(location, "evses", "uid", self.evse_uid)
        return str(evse.get("status", "")) if isinstance(evse, dict) else ""

    def __str__(self) -> str:
        return f"{self.location_id}/{self.evse_uid}/{self.connector_id} ({self.status})"


def hold_of(tariff: Any, version: str) -> Decimal | None:
    """What a terminal reserves under this tariff; None where it does not say."""
    if not isinstance(tariff, dict):
        return None
    if version == V221:
        limit = tariff.get("max_price")
        told = limit.get("incl_vat", limit.get("excl_vat")) if isinstance(limit, dict) else None
    else:
        told = tariff.get("preauthorize_amount")
    return Decimal(told) if isinstance(told, int | Decimal) and not isinstance(told, bool) else None


def ceiling_of(target: Target, version: str) -> Decimal | None:
    """The most that a bill under this target may come to: the hold; where there is none, max_price."""
    if target.hold is not None:
        return target.hold
    return gross((target.tariff or {}).get("max_price")) if version == V221 else None


def targets(bench: Bench) -> Iterator[Target]:
    """Every connector that the options allow, with its present status. Raises Broken, Untried."""
    tariffs = {str(item.get("id")).lower(): item for _, item in bench.named("tariffs")}
    wanted = bench.options
    for page in bench.pages("locations"):
        for location in accepted_list(page, "the list of locations"):
            if wanted.location and location.get("id") != wanted.location:
                continue
            for evse in location.get("evses") or []:
                if wanted.evse and wanted.evse not in (evse.get("uid"), evse.get("evse_id")):
                    continue
                for connector in evse.get("connectors") or []:
                    if not wanted.connector or connector.get("id") == wanted.connector:
                        yield _target(bench.version, location, evse, connector, tariffs)


def _target(
    version: str,
    location: dict[str, Any],
    evse: dict[str, Any],
    connector: dict[str, Any],
    tariffs: dict[str, Any],
) -> Target:
    named = [tariffs.get(str(name).lower()) for name in connector.get("tariff_ids") or []]
    found = [item for item in named if item is not None]
    ad_hoc = [item for item in found if item.get("type") == "AD_HOC_PAYMENT"]
    tariff = ([*ad_hoc, *found] or [None])[0]
    return Target(
        location_id=str(location.get("id")),
        evse_uid=str(evse.get("uid")),
        connector_id=str(connector.get("id")),
        status=str(evse.get("status")),
        tariff=tariff,
        hold=hold_of(tariff, version),
        connector_required="START_SESSION_CONNECTOR_REQUIRED" in (evse.get("capabilities") or []),
    )


def any_place(bench: Bench) -> Target:
    """A connector for commands that shall be refused, an available one first. Raises Broken, Untried."""

    def find() -> Target:
        found = sorted(targets(bench), key=lambda target: target.status != "AVAILABLE")
        if not found:
            raise Untried("There is no connector.")
        return found[0]

    return bench.fact("a place", find)


def free_place(bench: Bench) -> Target:
    """An available connector with a tariff; one that is still busy is waited for. Raises Broken, Untried."""
    until = time.monotonic() + bench.options.patience_seconds
    while True:
        found = list(targets(bench))
        free = [target for target in found if target.status == "AVAILABLE" and target.tariff is not None]
        if free:
            return free[0]
        if time.monotonic() > until or not found:
            seen = ", ".join(map(str, found[:5])) or "none"
            raise Untried(f"No connector is available for a charge; seen: {seen}")
        time.sleep(POLL_SECONDS)
