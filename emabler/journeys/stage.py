"""The stage: a server with the journeys' network, on which scenarios are played one after the other."""

from emabler.journeys.charger import Charger
from emabler.journeys.errors import Mismatch, expect
from emabler.journeys.network import POWER_W, PTP, TERMINAL, identity_of, network
from emabler.journeys.play import Play
from emabler.journeys.report import Outcome, Report
from emabler.journeys.scenarios import SCENARIOS, Scenario
from emabler.journeys.server import Server
from emabler.journeys.terminal import TerminalApi
from payments.simulator.psp import Psp


class Stage:
    """A server that is up, provisioned for some scenarios."""

    def __init__(self, server: Server, scenarios: list[str]) -> None:
        """Import the network. Raises `ServerTrouble`."""
        self._server = server
        generated = server.import_network(network(scenarios))
        self._passwords = {each["identity"]: each["password"] for each in generated if "identity" in each}
        self._api_key = next(each["api_key"] for each in generated if each.get("name") == PTP)

    def play(self, name: str, report: Report) -> Outcome:
        """Play one scenario to its end and report it; the outcome says whether all was as it must be."""
        scenario = SCENARIOS[name]
        play = Play(
            scenario=name,
            server=self._server,
            api=TerminalApi(self._server.url, api_key=self._api_key, terminal_id=TERMINAL),
            psp=Psp(),
            charger=self._charger(name, scenario),
            report=report,
        )
        problem: str | None = None
        try:
            scenario.play(play)
            play.remember()
            _check_end(play, scenario)
            play.outcome.ok = True
        except Exception as error:  # noqa: BLE001  (the door of a scenario: the next one is played all the same)
            problem = str(error) if isinstance(error, Mismatch) else f"{type(error).__name__}: {error}"
            problem = f"{problem} ({play.charger.last_words()})"
            _remember_what_can_be(play)
        finally:
            play.charger.close()
            play.api.close()
        report.result(play.outcome, **({"problem": problem} if problem else {}))
        return play.outcome

    def _charger(self, name: str, scenario: Scenario) -> Charger:
        identity = identity_of(name)
        return Charger(
            identity,
            url=self._server.ocpp_url,
            password=self._passwords[identity],
            options=("--power-kw", str(POWER_W / 1000), "--meter-interval", "1", *scenario.charger),
            env=self._server.env,
        )


def _check_end(play: Play, scenario: Scenario) -> None:
    found = (play.outcome.session_status, play.outcome.payment_status)
    wanted = (scenario.session_status, scenario.payment_status)
    expect(found == wanted, f"it ended as {found}, not {wanted}")
    starts = play.outcome.remote_starts
    expect(starts == scenario.remote_starts, f"{starts} remote starts reached the charger")
    captures = sum(effect == "capture" for effect, _ in play.psp.effects)
    expect(captures == (scenario.payment_status == "CAPTURED"), f"the PSP captured {captures} times")


def _remember_what_can_be(play: Play) -> None:
    """After a failure the server may not even answer; the failure is what counts."""
    try:
        play.remember()
    except Exception as error:  # noqa: BLE001  (see above)
        play.report.step("no answer", error=f"{type(error).__name__}: {error}")
