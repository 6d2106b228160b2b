"""Where a CommandResult may go: to the platform that asked, and nowhere else."""

import pytest

from payments.models import OcpiConnection
from payments.ocpi.response_urls import problem_of
from tests.payments.ocpi_commands.platform import start_body


def connection(**fields: object) -> OcpiConnection:
    facts: dict[str, object] = {
        "versions_url": "https://ptp.example.com/ocpi/versions",
        "endpoints": {"commands:SENDER": "https://api.ptp.example.com:8443/ocpi/commands"},
        "more_hosts": ["callbacks.example.net", "odd.example.net:9443"],
    }
    return OcpiConnection(**(facts | fields))


@pytest.mark.parametrize(
    "url",
    [
        "https://ptp.example.com/results/1?x=y",
        "https://PTP.example.com:443/results/1",
        "https://api.ptp.example.com:8443/r",
        "https://api.ptp.example.com/r",
        "https://callbacks.example.net/r",
        "https://odd.example.net:9443/r",
    ],
)
def test_hosts_of_the_platform_are_called(url):
    assert problem_of(url, connection()) == ""


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/r",
        "https://ptp.example.com.evil.example/r",
        "https://evil-ptp.example.com/r",
        "https://ptp.example.com@evil.example/r",
        "https://user:secret@ptp.example.com/r",
        "https://ptp.example.com\\@evil.example/r",
        "https://evil.example\\.ptp.example.com/r",
        "https://ptp.example.com:8443/r",
        "https://ptp.example.com:22/r",
        "https://ptp.example.com:99999/r",
        "https://ptp.example.com:x/r",
        "http://ptp.example.com/r",
        "ftp://ptp.example.com/r",
        "https:///r",
        "https://ptp.example.com./r",
        "https://127.0.0.1/r",
        "https://10.0.0.1/r",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/r",
        "https://2130706433/r",
        "https://0x7f000001/r",
    ],
)
def test_every_other_address_is_refused(url):
    assert problem_of(url, connection()) != ""


def test_clear_text_is_for_the_loopback_of_the_demo_alone(settings):
    registered = connection(versions_url="http://127.0.0.1:9300/ocpi/versions", endpoints={})

    assert problem_of("http://127.0.0.1:9300/r", registered) == ""
    assert problem_of("http://127.0.0.1:9301/r", registered) != ""
    assert problem_of("http://localhost:9300/r", registered) != ""
    settings.ALLOW_LOOPBACK_PEERS = False
    assert problem_of("http://127.0.0.1:9300/r", registered) != ""


def test_a_platform_without_addresses_is_called_nowhere():
    nowhere = connection(versions_url="", endpoints={}, more_hosts=[])

    assert problem_of("https://ptp.example.com/r", nowhere) != ""


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/r",
        "http://169.254.169.254/",
        "javascript:alert(1)",
        "",
        None,
        7,
        ["https://ptp.example.com/r"],
        "https://ptp.example.com/" + "x" * 300,
    ],
)
def test_at_the_door_it_is_invalid_and_starts_nothing(cast, ptp, url):
    body = start_body(cast) | {"response_url": url}

    answer = ptp.start(body)

    assert (answer.status_code, answer.json()["status_code"]) == (200, 2001)
    assert "response_url" in answer.json()["status_message"]
    assert not cast.ptp.payments.exists()
