"""The handshake between real processes: `manage.py up`, the operator's commands, and the PTP in the box.

Before either side answers credentials it calls the other one back. A server that works on one request at a
time would wait for itself until both gave up.
"""

import re
import subprocess
import sys

import pytest

from payments.simulator.ocpi.settings import PtpSettings
from payments.simulator.ocpi.simulator import PtpSimulator
from payments.simulator.ocpi.wire import OcpiClient, Party
from tests import servers

PARTY = ["--country", "NL", "--party", "SIM"]


class Operator:
    """Someone who types commands beside a running server."""

    def __init__(self, env, url):
        self._env = {**servers.system_environment(), **env, "PUBLIC_URL": url}

    def types(self, *words):
        ended = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=servers.ROOT, env=self._env, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


@pytest.fixture
def place(sqlite_env, running_server):
    env = {**sqlite_env, "EMABLER_DEMO": "1"}
    url, _ = running_server(env)
    return Operator(env, url), url


def opens(simulator):
    """Whether a module of the CPO opens to the token that the PTP has now."""
    client = OcpiClient(simulator.registrar.now.client_token)
    try:
        answer = client.get(simulator.registrar.endpoint("tokens RECEIVER") + "/NL/SIM/nobody", routed=False)
        return answer.http_status != 401
    finally:
        client.close()


def test_a_ptp_registers_rotates_and_leaves_and_then_we_register_there(place):
    operator, url = place
    ptp = PtpSettings(party=Party("NL", "SIM"), poll_seconds=3600.0)

    with PtpSimulator(ptp) as simulator:
        token = re.search(r"Token A: (\S+)", operator.types("ocpi_party", "Sim", *PARTY))[1]
        simulator.registrar.register(f"{url}/ocpi/versions", token)
        assert simulator.registrar.now.version == "2.3.0"
        assert opens(simulator)

        before = simulator.registrar.now.client_token
        simulator.registrar.rotate()
        assert simulator.registrar.now.client_token != before
        assert opens(simulator)

        simulator.registrar.unregister()
        said = operator.types(
            "ocpi_connect", "Sim", "--version", "2.2.1",
            "--url", simulator.registrar.versions_url, "--token", simulator.registrar.invite(),
        )  # fmt: skip
        assert "Registered at NL*SIM (PTP) over OCPI 2.2.1." in said
        assert simulator.registrar.now.version == "2.2.1"
        assert opens(simulator)
