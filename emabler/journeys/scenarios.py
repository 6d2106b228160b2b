"""The scenarios: what happens in each, and how it must end. To add one, write a function and register it."""

from collections.abc import Callable
from dataclasses import dataclass

from emabler.journeys.play import Play

DEFAULT = "terminal-stop"
SMALL_HOLD = "1.00"  # used up within about 17 seconds at 350 kW
SMALL_BATTERY_KWH = "0.7"  # full after seven seconds at 350 kW: a slow machine must see it charge, too


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is played; `charger` are options of the simulated charger beyond those that all have."""

    play: Callable[[Play], None]
    session_status: str | None
    payment_status: str | None
    charger: tuple[str, ...] = ("--plug-after", "0.5")
    remote_starts: int = 1


def _terminal_stop(play: Play) -> None:
    _begin(play)
    play.charge()
    play.press_stop()
    play.end("ENDED", reason="terminal")
    play.capture()


def _unplug(play: Play) -> None:
    _begin(play)
    play.charge()
    play.at_charger("unplug 1")
    play.end("ENDED", reason="unplugged")
    play.capture()


def _paid_limit(play: Play) -> None:
    _begin(play, hold=SMALL_HOLD)
    play.end("ENDED", reason="paid_limit")
    play.capture()
    play.check_limit()


def _battery_full(play: Play) -> None:
    _begin(play)
    play.charge(beyond_wh=100)
    play.end("ENDED", reason="battery_full")
    play.capture()


def _charger_reboot(play: Play) -> None:
    _begin(play)
    before = play.charge()
    play.at_charger("reboot 1.5")
    play.charger.wait_for("booted", times=2)
    play.charge(beyond_wh=before + 200)
    play.press_stop()
    play.end("ENDED", reason="terminal")
    play.capture()


def _double_tap(play: Play) -> None:
    """The same order several times: one session, one start."""
    play.choose()
    play.tap()
    play.start_again_and_again()
    play.charge()
    play.press_stop()
    play.end("ENDED", reason="terminal")
    play.capture()


def _no_cable(play: Play) -> None:
    _begin(play)
    play.charger.wait_for("command")
    play.end("EXPIRED")
    play.release()


def _charger_offline(play: Play) -> None:
    """The charger goes between the price and the tap; the terminal asks for the session all the same."""
    play.choose()
    play.at_charger("offline 600")
    play.wait_until_gone()
    play.tap()
    play.refused()
    play.end("REJECTED")
    play.release()


def _start_rejected(play: Play) -> None:
    _begin(play)
    play.end("REJECTED")
    play.release()


def _declined(play: Play) -> None:
    """Nothing is asked of the server, so nothing may have happened there."""
    play.choose()
    play.tap_empty_card()
    play.check_free()


def _server_killed(play: Play) -> None:
    """`kill -9` of the server in the midst of a charge: the session goes on and is captured once."""
    _begin(play)
    before = play.charge()
    play.server.kill()
    play.report.step("server killed")
    play.server.start()
    play.report.step("server restarted")
    play.charge(beyond_wh=before + 200)
    play.press_stop()
    play.end("ENDED", reason="terminal")
    play.capture()


def _begin(play: Play, *, hold: str | None = None) -> None:
    play.choose()
    play.tap(hold=hold)
    play.start()


SCENARIOS = {
    DEFAULT: Scenario(_terminal_stop, "ENDED", "CAPTURED"),
    "unplug": Scenario(_unplug, "ENDED", "CAPTURED"),
    "paid-limit": Scenario(_paid_limit, "ENDED", "CAPTURED"),
    "battery-full": Scenario(
        _battery_full,
        "ENDED",
        "CAPTURED",
        charger=("--plug-after", "0.5", "--battery-kwh", SMALL_BATTERY_KWH),
    ),
    "charger-reboot": Scenario(_charger_reboot, "ENDED", "CAPTURED"),
    "double-tap": Scenario(_double_tap, "ENDED", "CAPTURED"),
    "no-cable": Scenario(_no_cable, "EXPIRED", "RELEASED", charger=("--connection-timeout", "4")),
    "charger-offline": Scenario(_charger_offline, "REJECTED", "RELEASED", remote_starts=0),
    "start-rejected": Scenario(_start_rejected, "REJECTED", "RELEASED", charger=("--fault", "reject-start")),
    "declined": Scenario(_declined, None, None, remote_starts=0),
    "server-killed": Scenario(_server_killed, "ENDED", "CAPTURED"),  # last: the others share its server
}
