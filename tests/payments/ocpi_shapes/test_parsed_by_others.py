"""What we send, read by models that others made from the text of OCPI (`ocpi-types`).

They know every field, its type, its enum and whether it is required, and write back what they understood:
nothing may be refused, and nothing may get lost on the way.
"""

from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest

from payments.ocpi.dialects import Version
from tests.payments.ocpi_shapes import cast

MODULES = {Version.V2_2_1: "v2_2_1", Version.V2_3_0: "v2_3_0_payments"}
# The extension of 2.2.1 has no models of its own there; its objects are those of 2.3.0.
ONLY_IN_PAYMENTS = {"Terminal", "FinancialAdviceConfirmation"}


def sent(version: Version, name: str) -> tuple[str, Any]:
    """As their reader takes it: with numbers as float."""
    kind, document = cast.documents(version)[name]
    return kind, plain_numbers(document)


def plain_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: plain_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain_numbers(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value


DOCUMENTS = [
    pytest.param(version, name, id=f"{version}-{name}")
    for version in cast.VERSIONS
    for name, (kind, _) in cast.documents(version).items()
    if version is Version.V2_3_0 or kind not in ONLY_IN_PAYMENTS
]


@pytest.mark.parametrize(("version", "name"), DOCUMENTS)
def test_models_by_others_understand_all_of_it(version: Version, name: str) -> None:
    kind, document = sent(version, name)
    model = getattr(import_module(f"ocpi_types.{MODULES[version]}"), kind)

    understood = model.from_dict(document).to_dict()

    assert understood == document
