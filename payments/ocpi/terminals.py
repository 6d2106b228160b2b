"""OCPI Terminal objects of the module `payments`: what a PTP tells of its terminals, and what we tell it.

OCPI 2.3.0 mod_payments. The PTP owns a terminal; a CPO assigns it to sites and EVSEs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from payments.ocpi.locations import place_document, read_place
from payments.ocpi.reading import MAX_URL, Reader, given
from payments.ocpi.tariffs import utc_text

MAX_ASSIGNED: Final = 5_000  # as many EVSEs as one site may have


class InvoiceCreator(StrEnum):
    """Who makes the driver's invoice."""

    CPO = "CPO"  # found at invoice_base_url followed by the authorization_reference
    PTP = "PTP"  # shown or printed by the terminal


@dataclass(frozen=True, slots=True)
class TerminalEntry:
    """A payment terminal; empty texts and `None` are fields that nobody filled."""

    terminal_id: str
    customer_reference: str = ""
    country_code: str = ""
    party_id: str = ""
    address: str = ""
    city: str = ""
    postal_code: str = ""
    state: str = ""
    country: str = ""
    latitude: Decimal | None = None
    longitude: Decimal | None = None
    invoice_base_url: str = ""
    invoice_creator: InvoiceCreator | None = None
    reference: str = ""
    location_ids: tuple[str, ...] = ()
    evse_uids: tuple[str, ...] = ()
    updated_at: datetime | None = None


_IDS: Final = {"terminal_id": 36, "customer_reference": 36, "country_code": 2, "party_id": 3, "reference": 36}
# CiString by the letter of the spec; an address in Jyväskylä or Köln is not printable ASCII.
_TEXTS: Final = {"address": 45, "city": 45, "postal_code": 10, "state": 20, "country": 3}


def parse_terminal(obj: object, *, path: str = "") -> TerminalEntry:
    """Read a Terminal; its id alone will do, as a PTP's first POST may hold no more.

    Raises `InvalidInput` with every fault.
    """
    reader = Reader(obj, path)
    reader.value("terminal_id", required=True)
    fields = _given_fields(reader)
    reader.require_sound()
    return TerminalEntry(**fields)


def parse_terminal_patch(obj: object, *, path: str = "") -> dict[str, Any]:
    """Read what a PATCH or a PUT without an id gives, by the names of `TerminalEntry`'s fields.

    `dataclasses.replace(stored, **changes)` applies it. Raises `InvalidInput` with every fault.
    """
    reader = Reader(obj, path)
    fields = _given_fields(reader)
    reader.require_sound()
    return fields


def _given_fields(reader: Reader) -> dict[str, Any]:
    read: dict[str, Any] = {name: reader.ci_text(name, longest=most) for name, most in _IDS.items()}
    read |= {name: reader.text(name, longest=most) for name, most in _TEXTS.items()}
    read["invoice_base_url"] = reader.ci_text("invoice_base_url", longest=MAX_URL)
    read["invoice_creator"] = reader.choice("invoice_creator", InvoiceCreator)
    read["latitude"], read["longitude"] = read_place(reader.part("coordinates"))
    read["updated_at"] = reader.moment("last_updated")
    for name in ("location_ids", "evse_uids"):
        ids = reader.texts(name, longest=36, most=MAX_ASSIGNED)
        read[name] = ids if reader.value(name) is not None else None
    return {name: value for name, value in read.items() if value is not None}


# --- Written --------------------------------------------------------------------------------------


def terminal_document(terminal: TerminalEntry) -> dict[str, Any]:
    """Write a Terminal; both versions have the same shape. The lists are there even when empty."""
    document = {name: getattr(terminal, name) for name in (*_IDS, *_TEXTS, "invoice_base_url")}
    document |= {
        "coordinates": place_document(terminal.latitude, terminal.longitude),
        "invoice_creator": terminal.invoice_creator and terminal.invoice_creator.value,
        "last_updated": utc_text(terminal.updated_at),
    }
    return given(document) | assignment_document(terminal.location_ids, terminal.evse_uids)


def assignment_document(
    location_ids: Iterable[str], evse_uids: Iterable[str], *, changed_at: datetime | None = None
) -> dict[str, Any]:
    """The body of our PATCH: a terminal serves the sum of both lists; empty ones take everything away."""
    lists = {"location_ids": list(location_ids), "evse_uids": list(evse_uids)}
    return lists | given({"last_updated": utc_text(changed_at)})


def update_document(
    *, customer_reference: str, invoice_base_url: str, changed_at: datetime
) -> dict[str, Any]:
    """The body of our PUT: which contract the terminal belongs to, and where its invoices are."""
    fields = {"customer_reference": customer_reference, "invoice_base_url": invoice_base_url}
    return given(fields) | {"last_updated": utc_text(changed_at)}


def activation_document(
    *,
    reference: str,
    location_ids: Iterable[str],
    evse_uids: Iterable[str],
    customer_reference: str = "",
    changed_at: datetime,
) -> dict[str, Any]:
    """The body of our POST to `terminals/activate`: the PTP finds its terminal by the reference."""
    names = given({"reference": reference, "customer_reference": customer_reference})
    return names | assignment_document(location_ids, evse_uids, changed_at=changed_at)
