"""The stage: a server with the journeys' network, on which scenarios are played one after the other."""

from types import TracebackType
from typing import Self

from emabler.journeys.charger import Charger
from emabler.journeys.doors import NATIVE, open_door
from emabler.journeys.errors import Mismatch, expect
from emabler.journeys.network import POWER_W, identity_of
from emabler.journeys.play import Play
from emabler.journeys.report import Outcome, Report
from emabler.journeys.scenarios import SCENARIOS, Scenario
from emabler.journeys.server import Server


class Stage:
    """A server that is up, provisioned for some scenarios through one door. Use it as a context."""

    def __init__(self, server: Server, scenarios: list[str], door: str = NATIVE) -> None:
        """Import the network and open the door. Raises `ServerTrouble`."""
        self._server = server
        self._door = open_door(door, server, scenarios)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._door.close()

    def play(self, name: str, report: Report) -> Outcome:
        """Play one scenario to its end and report it; the outcome says whether all was as it must be."""
        scenario = SCENARIOS[name]
        play = self._door.play(name, self._charger(name, scenario), report)
        problem: str | None = None
        try:
            scenario.play(play)
            play.remember()
            _check_end(play, scenario)
            play.outcome.ok = True
        except Exception as error:  # noqa: BLE001  (the door of a scenario: the next one is played all the same)
            problem = str(error) if isinstance(error, Mismatch) else f"{type(error).__name__}: {error}"
            problem = f"{problem} ({play.charger.last_words()}) {self._door.last_words()}".strip()
            _remember_what_can_be(play)
        finally:
            play.charger.close()
            play.close()
        report.result(play.outcome, **({"problem": problem} if problem else {}))
        return play.outcome

    def _charger(self, name: str, scenario: Scenario) -> Charger:
        identity = identity_of(name)
        return Charger(
            identity,
            url=self._server.ocpp_url,
            password=self._door.passwords[identity],
            options=("--power-kw", str(POWER_W / 1000), "--meter-interval", "1", *scenario.charger),
            env=self._server.env,
        )


def _check_end(play: Play, scenario: Scenario) -> None:
    found = (play.outcome.session_status, play.outcome.payment_status)
    wanted = (scenario.session_status, scenario.payment_status)
    expect(found == wanted, f"it ended as {found}, not {wanted}")
    starts = play.outcome.remote_starts
    expect(starts == scenario.remote_starts, f"{starts} remote starts reached the charger")
    captures = play.captures()
    expect(captures == (scenario.payment_status == "CAPTURED"), f"the PSP captured {captures} times")


def _remember_what_can_be(play: Play) -> None:
    """After a failure the server may not even answer; the failure is what counts."""
    try:
        play.remember()
    except Exception as error:  # noqa: BLE001  (see above)
        play.report.step("no answer", error=f"{type(error).__name__}: {error}")
