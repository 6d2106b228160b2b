"""The product passes its own PTP conformance kit, over HTTP, with chargers that charge."""

import json
import re
import subprocess
import sys
from pathlib import Path

from tests import servers
from tests.conftest import RunningServer

Env = dict[str, str]
# What one site without history cannot show: a second site, a credit, an EVSE that wants a connector named, …
# charge-21 where the driver before unplugs just before the second charge; pushes-06 or -07 where all is told by
# PATCH or by PUT.
CANNOT_BE_TRIED = {
    "locations-15", "commands-06", "pushes-06", "pushes-07", "records-11", "pagination-19", "charge-21",
}  # fmt: skip


def test_nothing_fails_and_nothing_is_warned_of_in_both_versions(
    sqlite_env: Env, running_server: RunningServer, tmp_path: Path
) -> None:
    env = {name: value for name, value in sqlite_env.items() if name != "OCPP_SECURITY_PROFILE"}
    often = {"OCPP_METER_INTERVAL_SECONDS": "1", "LIVE_UPDATE_SECONDS": "1"}  # two figures within the charge
    url, _ = running_server(env | often, "--demo")
    invited = managed(env, "ocpi_party", "Kit", "--country=NL", "--party=PTC").stdout
    token = re.search("Token A: (.+)", invited)
    assert token

    check = managed(
        env,
        "ptp_check",
        f"--url={url}/ocpi/versions",
        f"--token={token[1]}",
        f"--json={tmp_path / 'report.json'}",
        "--charge-seconds=5",
        "--settle-seconds=1",
    )

    results = json.loads((tmp_path / "report.json").read_text())["results"]
    assert check.returncode == 0, check.stdout[-3000:]
    assert {each["version"] for each in results} >= {"2.2.1", "2.3.0"}
    # A slow machine may be warned of answers that take seconds; of nothing else.
    missed = [each for each in results if each["outcome"] == "WARN" and "within" not in each["title"]]
    assert missed == []
    assert {each["id"] for each in results if each["outcome"] == "SKIP"} <= CANNOT_BE_TRIED


def managed(env: Env, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run one of our commands beside the server."""
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=servers.ROOT,
        env={**servers.system_environment(), **env},
        capture_output=True,
        text=True,
        timeout=10 * servers.STARTUP_SECONDS,
    )
