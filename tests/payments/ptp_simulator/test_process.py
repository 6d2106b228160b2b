"""`manage.py simulate_ptp` as a process of its own, driven over HTTP."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from payments.simulator.ocpi.driver import PtpDriver, PtpTrouble
from tests.payments.ptp_simulator.scripted_cpo import TOKEN_A, ScriptedCpo
from tests.servers import ROOT


@contextmanager
def simulated(*options: str) -> Iterator[tuple[PtpDriver, dict[str, dict[str, Any]]]]:
    """Start one, give its driver and what it said until it was ready, and end it with SIGTERM."""
    command = [sys.executable, "manage.py", "simulate_ptp", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said: dict[str, dict[str, Any]] = {}
            for line in process.stdout:
                event = json.loads(line)
                said[event["event"]] = event
                if event["event"] == "ready":
                    break
            driver = PtpDriver(said["ready"]["control_url"])
            yield driver, said
            driver.close()
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()


@pytest.mark.parametrize("cpo", ["2.3.0"], indirect=True)
def test_a_charge_from_tap_to_confirmation_survives_a_restart(cpo: ScriptedCpo, tmp_path: Path) -> None:
    known = (
        "--cpo-versions-url",
        cpo.versions_url,
        "--token",
        TOKEN_A,
        "--memory",
        str(tmp_path / "ptp.json"),
    )

    with simulated(*known) as (driver, said):
        done = driver.tap(location_id="L1", evse_uid="E1")
        reference = str(done["authorization_reference"])
        assert (said["registered"]["version"], done["outcome"]) == ("2.3.0", "accepted")
    with simulated(*known) as (driver, said):
        # The port is another one: the PTP has told its new address by a rotation.
        assert len(cpo.callback) == 2
        driver.switch("confirm_twice=1")
        url = said["ready"]["versions_url"].removesuffix("/ocpi/versions") + "/ocpi/ptp/2.3.0/cdrs"
        assert cpo.client().post(url, cpo.cdr(reference, "9.80", "12.30")).ok
        driver.wait(lambda _: len(cpo.confirmations) == 2, what="two confirmations")

        assert driver.effects(reference) == ["hold", "capture"]
        with pytest.raises(PtpTrouble, match="missing: location_id"):
            driver.tap(evse_uid="E1")
        with pytest.raises(PtpTrouble, match="nonsense"):
            driver.switch("nonsense")


def test_a_page_of_another_site_cannot_press_the_buttons_and_state_shows_no_token(cpo: ScriptedCpo) -> None:
    with simulated("--without-handshake", "--version", cpo.version) as (driver, said):
        control_url, token = said["ready"]["control_url"], said["waiting"]["token_a"]
        refused = httpx.post(f"{control_url}/control/tap", content=b'{"location_id": "L1"}')

        assert refused.status_code == 415
        assert driver.state()["registered"] is False
        assert token not in httpx.get(f"{control_url}/control/state").text
        assert driver.invite()["token_a"] == token
