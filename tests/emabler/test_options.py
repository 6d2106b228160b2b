"""The options of `up` decide settings before Django reads them."""

import pytest

from emabler.running.options import environment_of, listen_url


def test_other_commands_imply_nothing() -> None:
    assert environment_of(["manage.py", "migrate", "--demo"]) == {}
    assert environment_of(["manage.py"]) == {}


def test_up_tells_the_settings_where_it_listens() -> None:
    implied = environment_of(["manage.py", "up", "--host", "192.0.2.7", "--port", "8100"])

    assert implied == {"EMABLER_LISTEN_URL": "http://192.0.2.7:8100"}


def test_demo_is_a_setting_too() -> None:
    assert environment_of(["manage.py", "up", "--demo"])["EMABLER_DEMO"] == "1"


def test_options_of_django_itself_are_left_alone() -> None:
    assert environment_of(["manage.py", "up", "--traceback", "--port=8001"])["EMABLER_LISTEN_URL"].endswith(
        ":8001"
    )


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1"])
def test_a_port_that_cannot_be_ends_with_status_two(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        environment_of(["manage.py", "up", f"--port={port}"])

    assert ended.value.code == 2
    assert "--port" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("example.org", "http://example.org:8000"),
    ],
)
def test_the_url_is_one_that_a_browser_on_this_machine_can_open(host: str, url: str) -> None:
    assert listen_url(host, 8000) == url
