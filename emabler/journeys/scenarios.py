"""The scenarios: what happens in each, and how it must end. To add one, write a function and register it."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emabler.journeys import checks
from emabler.journeys.errors import expect
from emabler.journeys.play import Play

DEFAULT = "terminal-stop"
SMALL_HOLD = "1.00"  # used up within about 17 seconds at 350 kW
SMALL_BATTERY_KWH = "0.35"


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
    assert play.hold is not None
    checks.check_paid_limit(play.hold)


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
    play.charge(beyond_wh=before["energy_wh"] + 200)
    play.press_stop()
    play.end("ENDED", reason="terminal")
    play.capture()


def _double_tap(play: Play) -> None:
    """The same order twice at once, and a third time under another key: one session, one start."""
    play.choose()
    play.tap()
    answers = _at_once(play, times=2)
    answers.append(play.api.start(play.order, key=str(uuid.uuid4())))
    codes = [answer.status_code for answer in answers]
    expect(codes == [202, 202, 202], f"the repeated order was answered {codes}")
    ids = {answer.json()["id"] for answer in answers}
    expect(len(ids) == 1, f"the repeated order opened {len(ids)} sessions")
    play.started(answers[0].json())
    other = play.api.start({**play.order, "authorized_amount": "61.00"}, key=str(uuid.uuid4()))
    told = (other.status_code, other.json().get("code"))
    expect(told == (422, "idempotency_conflict"), f"another order under the same hold was answered {told}")
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
    shown = play.api.wait(
        lambda: found if not (found := play.api.connector(play.connector["evse_uid"]))["available"] else None,
        what="the charger to be shown as gone",
    )
    expect(shown["status"] == "UNKNOWN", f"a charger that is gone is shown as {shown['status']}")
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
    expect(play.api.connector(play.connector["evse_uid"])["available"], "the connector is not free any more")


def _server_killed(play: Play) -> None:
    """`kill -9` of the server in the midst of a charge: the session goes on and is captured once."""
    _begin(play)
    before = play.charge()
    play.server.kill()
    play.report.step("server killed")
    play.server.start()
    play.report.step("server restarted")
    play.charge(beyond_wh=before["energy_wh"] + 200)
    play.press_stop()
    play.end("ENDED", reason="terminal")
    play.capture()


def _begin(play: Play, *, hold: str | None = None) -> None:
    play.choose()
    play.tap(hold=hold)
    play.start()


def _at_once(play: Play, *, times: int) -> list[Any]:
    """Send the order several times at the same moment, under the same key."""
    key, answers = str(uuid.uuid4()), []
    threads = [
        threading.Thread(target=lambda: answers.append(play.api.start(play.order, key=key)))
        for _ in range(times)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


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
