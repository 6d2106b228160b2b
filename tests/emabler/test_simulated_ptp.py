"""The demo's PTP over OCPI: it keeps its registration where it can, and is missed where it ends."""

import json
from dataclasses import replace
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from django.utils import timezone

from emabler.running import simulated_ptp
from emabler.running.demo import DemoPtp
from emabler.running.simulated_ptp import NOWHERE, SimulatedPtp
from payments.models import OcpiConnection
from payments.ocpi import connections
from payments.simulator import credentials
from payments.simulator.ocpi.memory import Memory, Registration
from payments.simulator.psp import VISA
from tests import servers

PTP = DemoPtp("Demo PTP", country_code="FI", party_id="DPT", role="PTP", terminal_ids=("T1", "T2"))
DEAD_URL = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def var_dir(settings: Any, tmp_path: Path) -> Path:
    settings.VAR_DIR = tmp_path
    return tmp_path


@pytest.fixture
def memory(var_dir: Path) -> Memory:
    """What the last run left: a hold, and a registration of which the server may know."""
    memory = Memory(var_dir / "simulated-ptp.json")
    with memory.changed() as state:
        state.psp.preauthorise("hold-1", "30.00", "EUR", VISA)
        state.registration = Registration(
            server_token="theirs",
            client_token="ours",
            version="2.3.0",
            versions_url=connections.versions_url(),
        )
    return memory


def prepared() -> OcpiConnection:
    SimulatedPtp(PTP, base_url=DEAD_URL).prepare()
    return OcpiConnection.objects.get(ptp__name=PTP.name)


def registered(token: str) -> OcpiConnection:
    connection, _ = connections.invite(name=PTP.name, country_code="FI", party_id="DPT", now=timezone.now())
    connection.state = OcpiConnection.State.REGISTERED
    connection.server_token_hash = connections.hash_of(token)
    connection.save()
    return connection


@pytest.mark.django_db
def test_a_new_platform_is_invited_and_its_terminals_wait_for_it() -> None:
    connection = prepared()

    assert (connection.state, connection.party_id) == (OcpiConnection.State.INVITED, "DPT")
    assert [credentials.control_url(terminal) for terminal in PTP.terminal_ids] == [NOWHERE, NOWHERE]


@pytest.mark.django_db
def test_a_registration_that_both_sides_know_stands(memory: Memory) -> None:
    registered("ours")

    connection = prepared()

    assert connection.is_registered
    assert connection.server_token_hash == connections.hash_of("ours")


@pytest.mark.django_db
@pytest.mark.parametrize("why", ["another database", "an answer was lost", "another port"])
def test_a_registration_that_does_not_match_is_made_anew_and_holds_are_kept(
    memory: Memory, var_dir: Path, settings: Any, why: str
) -> None:
    if why == "an answer was lost":
        registered("of the rotation that was not answered")
    if why == "another port":
        registered("ours")
        settings.PUBLIC_URL = "http://127.0.0.1:8100"

    connection = prepared()

    assert connection.state == OcpiConnection.State.INVITED
    with Memory(var_dir / "simulated-ptp.json").look() as state:
        assert state.registration == Registration()
        assert list(state.psp.holds) == ["hold-1"]


@pytest.mark.django_db
def test_a_memory_that_another_version_wrote_is_put_aside(var_dir: Path) -> None:
    (var_dir / "simulated-ptp.json").write_text(json.dumps({"registration": {"of_another_version": 1}}))

    connection = prepared()

    assert connection.state == OcpiConnection.State.INVITED
    assert "of_another_version" in (var_dir / "simulated-ptp.unreadable").read_text()


def test_one_that_ends_is_said_with_the_file_that_tells_why(
    var_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulated_ptp, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(simulated_ptp, "STOP_NOTICE_SECONDS", 0.0)
    said: Queue[str] = Queue()
    ptp = SimulatedPtp(replace(PTP, terminal_ids=("T1",)), base_url=DEAD_URL)

    ptp.start(on_end=said.put)

    log = var_dir / "simulated-ptp.log"
    ending = f"The simulated PTP over OCPI has ended; {log} says why."
    assert said.get(timeout=servers.STARTUP_SECONDS) == ending
    assert json.loads(log.read_text())["event"] == "handshake_failed"
    assert credentials.control_url("T1") == NOWHERE
    ptp.stop(timeout_seconds=1)
