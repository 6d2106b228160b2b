"""A meter that signs: OCMF texts with real ECDSA signatures, by a key that nobody has certified."""

import json
from datetime import datetime
from typing import Any, Literal

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Moment = Literal["B", "E"]  # OCMF `TX`: begin and end of a transaction


class SignedMeter:
    """The meter of one station; its key is made with it and ends with it."""

    def __init__(self, serial_number: str) -> None:
        self._serial_number = serial_number
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._pagination = 0

    @property
    def public_key(self) -> str:
        """The key that tells whether a text is this meter's: DER in hex, as chargers write it."""
        der = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return der.hex().upper()

    def ocmf(self, moment: Moment, *, register_wh: int, at: datetime, id_tag: str) -> str:
        """Sign one register value: `OCMF|payload|signature` (OCMF 1.0), signed over the payload's text."""
        self._pagination += 1
        payload = _json(
            {
                "FV": "1.0",
                "GI": "Simulated station",
                "GS": self._serial_number,
                "PG": f"T{self._pagination}",
                "MV": "Simulated",
                "MM": "Meter 1",
                "MS": self._serial_number,
                "IS": True,
                "IF": [],
                "IT": "CENTRAL",
                "ID": id_tag,
                "RD": [_reading(moment, register_wh, at)],
            }
        )
        signature = self._key.sign(payload.encode(), ec.ECDSA(hashes.SHA256()))
        return f"OCMF|{payload}|{_json({'SA': 'ECDSA-secp256r1-SHA256', 'SD': signature.hex().upper()})}"


def signed_value(text: str, *, context: str, at: str) -> dict[str, Any]:
    """Return a signed text as one entry of a `meterValue` list (OCPP 1.6 §7.43)."""
    sample = {
        "value": text,
        "context": context,
        "format": "SignedData",
        "measurand": "Energy.Active.Import.Register",
    }
    return {"timestamp": at, "sampledValue": [sample]}


def _reading(moment: Moment, register_wh: int, at: datetime) -> dict[str, Any]:
    time = f"{at:%Y-%m-%dT%H:%M:%S},{at.microsecond // 1000:03d}+0000 S"  # S: synchronised
    return {
        "TM": time,
        "TX": moment,
        "RV": register_wh / 1000,
        "RI": "01-00:01.08.00*FF",
        "RU": "kWh",
        "EF": "",
        "ST": "G",
    }


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))
