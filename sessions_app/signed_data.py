"""What the meter signed of a session, as it goes into the CDR: text for text, unverified."""

from typing import Any

from chargers.models import SignedMeterValue, Transaction

FIRST, LAST = "Transaction.Begin", "Transaction.End"
_ORDER = {FIRST: 0, LAST: 2}


def signed_data_of(transaction: Transaction) -> dict[str, Any]:
    """Return the signed values of a transaction, first to last, and the meter's public key as the charger told it.

    `{"public_key": …, "values": [{"context": …, "measurand": …, "sampled_at": …, "text": …}]}`; empty where the
    charger signed nothing that could be kept.
    """
    kept = SignedMeterValue.objects.filter(transaction=transaction, dropped="").order_by("sampled_at", "pk")
    values = sorted(kept, key=lambda value: _ORDER.get(value.context, 1))
    if not values:
        return {}
    return {
        "public_key": transaction.station.meter_public_key(transaction.evse.number or 1),
        "values": [
            {
                "context": value.context,
                "measurand": value.measurand,
                "sampled_at": value.sampled_at.isoformat(),
                "text": value.text,
            }
            for value in values
        ],
    }
