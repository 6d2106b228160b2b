"""`.env.example` lists every setting, so that an operator finds all of them in one place."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

SOURCE = (settings.BASE_DIR / "emabler" / "settings.py").read_text(encoding="utf-8")
EXAMPLE = (settings.BASE_DIR / ".env.example").read_text(encoding="utf-8")
SECRETS = ("SECRET_KEY", "RECEIPT_TOKEN_KEY", "SEALING_KEY")
FROM_THE_COMMAND_LINE = {"EMABLER_LISTEN_URL"}  # `up` sets it from --host and --port


def _listed() -> dict[str, str]:
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, flags=re.MULTILINE))


def test_every_setting_is_listed_in_the_example() -> None:
    read = set(re.findall(r'\benv(?:\.\w+)?\(\s*"([A-Z_]+)"', SOURCE)) - FROM_THE_COMMAND_LINE

    assert read | set(SECRETS) <= set(_listed())


def test_the_example_lists_nothing_that_is_not_a_setting() -> None:
    of_compose = {"POSTGRES_PASSWORD"}

    assert [name for name in _listed() if f'"{name}"' not in SOURCE and name not in of_compose] == []


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_has_a_value_in_the_example(name: str) -> None:
    assert _listed()[name] == ""


@pytest.mark.parametrize(
    "name",
    [
        "SWEEP_INTERVAL_SECONDS",
        "OCPP_METER_INTERVAL_SECONDS",
        "DEFAULT_PREAUTHORIZE_AC",
        "HTTPS",
        "DATABASE_URL",
    ],
)
def test_a_value_that_cannot_be_read_stops_the_start_and_names_itself(name: str, tmp_path: Path) -> None:
    assert complaint({name: "soon"}, tmp_path).startswith(name)


def test_too_few_connections_for_the_threads_of_a_process_stop_the_start(tmp_path: Path) -> None:
    postgres = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}

    assert "16" in complaint({**postgres, "DATABASE_POOL_SIZE": "15"}, tmp_path)
    assert complaint({**postgres, "DATABASE_POOL_SIZE": "16"}, tmp_path) == ""


def complaint(environment: dict[str, str], var_dir: Path) -> str:
    """Return what keeps the settings from being read, empty where they are."""
    started = subprocess.run(
        [sys.executable, "-c", "import emabler.settings"],
        env={**os.environ, **environment, "EMABLER_VAR_DIR": str(var_dir)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    if not started.returncode:
        return ""
    error = "django.core.exceptions.ImproperlyConfigured: "
    last = started.stderr.strip().splitlines()[-1]
    assert last.startswith(error)
    return last.removeprefix(error)
