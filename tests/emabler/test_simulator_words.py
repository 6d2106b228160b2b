"""The command lines on which the demo and the journeys start simulated chargers."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from chargers.management.commands.simulate_charger import Command
from chargers.provisioning import generate_secret
from emabler.journeys import charger as journey_charger
from emabler.running import demo

DASHED = "-a-generated-password"


class Started(Exception):
    """Stands for a process that would have been started with these words."""


def parsed(words: list[str]) -> argparse.Namespace:
    """What the command understands of a whole command line."""
    after = words[words.index("simulate_charger") + 1 :]
    return Command().create_parser("manage.py", "simulate_charger").parse_args(after)


def test_a_password_that_begins_with_a_dash_is_no_option_to_the_demo(
    monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    settings.VAR_DIR = tmp_path

    def start(words: list[str], **_: Any) -> None:
        raise Started(words)

    monkeypatch.setattr(demo.subprocess, "Popen", start)
    network = demo.DemoNetwork({"locations": [], "stations": [], "terminals": []})
    chargers = demo.SimulatedChargers(network, base_url="http://127.0.0.1:1")
    with pytest.raises(Started) as started:
        chargers._start(demo.DemoCharger("CP", DASHED, 1, 22))

    assert parsed(started.value.args[0]).password == DASHED


def test_a_password_that_begins_with_a_dash_is_no_option_to_a_journey(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(words: list[str], **_: Any) -> None:
        raise Started(words)

    monkeypatch.setattr(journey_charger.processes, "start", start)
    with pytest.raises(Started) as started:
        journey_charger.Charger("CP", url="ws://127.0.0.1:1/ocpp", password=DASHED, options=(), env={})

    assert parsed(started.value.args[0]).password == DASHED


def test_a_generated_password_has_nothing_that_a_command_line_or_a_menu_trips_over() -> None:
    generated = {generate_secret() for _ in range(500)}

    assert len(generated) == 500
    assert all(len(secret) == 20 and secret.isalnum() and secret.isascii() for secret in generated)
