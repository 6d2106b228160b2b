"""Keys of the demo's virtual terminals."""

import stat
from pathlib import Path
from typing import Any

import pytest

from payments.simulator import credentials


@pytest.fixture(autouse=True)
def place(tmp_path: Path, settings: Any) -> Path:
    settings.VAR_DIR = tmp_path
    return tmp_path / "demo.json"


def test_a_saved_key_is_found_and_replaced() -> None:
    assert credentials.find("T-1") is None

    credentials.save("T-1", "first")
    credentials.save("T-2", "other")
    credentials.save("T-1", "second")

    assert credentials.find("T-1") == "second"
    assert credentials.find("T-2") == "other"


def test_only_the_owner_reads_the_file(place: Path) -> None:
    credentials.save("T-1", "key")

    assert stat.S_IMODE(place.stat().st_mode) == 0o600
