"""Versions and credentials of the PTP in the box, started from either side."""

import pytest

from payments.simulator.ocpi.registration import HandshakeFailed
from payments.simulator.ocpi.simulator import PtpSimulator
from payments.simulator.ocpi.wire import OcpiClient, Reply
from tests.payments.ptp_simulator.conftest import Make
from tests.payments.ptp_simulator.scripted_cpo import TOKEN_A, ScriptedCpo


def test_registering_lets_the_cpo_call_back_and_mirrors_it(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    now = ptp.registrar.now

    assert cpo.callback[0].ok
    assert (now.version, now.client_token, now.server_token) == (cpo.version, "token-c-1", cpo.client_token)
    assert [list(ptp.mirror.locations), list(ptp.mirror.tariffs)] == [["FI/CPO/L1"], ["FI/CPO/T1"]]
    polls = [each for each in cpo.server.received if each.path.endswith("/locations")]
    assert polls[0].tokens[0] == "token-c-1"
    assert polls[0].headers["OCPI-to-party-id"] == "CPO"
    handshakes = [each for each in cpo.server.received if "credentials" in each.path]
    assert "OCPI-to-party-id" not in handshakes[0].headers


def test_its_terminals_are_told_to_the_cpo(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    ptp.tick()
    ptp.tick()

    assert [each["terminal_id"] for each in cpo.terminals] == ["SIM-OCPI-1"]
    assert "location_ids" not in cpo.terminals[0]


def test_a_terminal_is_told_again_until_the_cpo_knows_our_token_or_says_no(
    cpo: ScriptedCpo, ptp: PtpSimulator
) -> None:
    cpo.terminal_answers = [
        Reply(status_code=2001, http_status=401),
        Reply(status_code=3000),
        Reply(status_code=2001),
    ]

    for _ in range(5):
        ptp.tick()

    assert len(cpo.terminals) == 3


def test_a_cpo_without_a_needed_module_is_refused_before_credentials_go(
    cpo: ScriptedCpo, make_ptp: Make
) -> None:
    ptp = make_ptp()
    poor = {
        "version": cpo.version,
        "endpoints": [{"identifier": "credentials", "role": "SENDER", "url": "x"}],
    }
    cpo.server._routes.insert(0, ("GET", cpo.server._routes[1][1], lambda _: Reply(poor)))

    with pytest.raises(HandshakeFailed, match="commands RECEIVER") as failure:
        ptp.register(cpo.versions_url, TOKEN_A)

    assert failure.value.status_code == 3003
    assert not cpo.callback


def test_a_version_that_only_one_side_speaks_is_refused(cpo: ScriptedCpo, make_ptp: Make) -> None:
    other = "2.2.1" if cpo.version == "2.3.0" else "2.3.0"

    with pytest.raises(HandshakeFailed, match="no common version") as failure:
        make_ptp({"version": other}).register(cpo.versions_url, TOKEN_A)

    assert failure.value.status_code == 3002


def test_a_cpo_may_register_here(cpo: ScriptedCpo, make_ptp: Make) -> None:
    ptp = make_ptp()
    token_a = ptp.registrar.invite()
    stranger, guest = OcpiClient("wrong"), OcpiClient(token_a)
    mine = {"token": "cpo-token", "url": cpo.versions_url, "roles": [{"role": "CPO"}]}
    credentials_url = cpo.url(ptp, "credentials")

    unknown = stranger.get(ptp.registrar.versions_url, routed=False)
    details = guest.get(f"{ptp.server.url}/ocpi/{cpo.version}", routed=False)
    too_early = guest.put(credentials_url, mine, routed=False)
    other_module = guest.get(cpo.url(ptp, "payments/terminals"))
    registered = guest.post(credentials_url, mine, routed=False)
    again = OcpiClient(registered.data["token"]).post(credentials_url, mine, routed=False)
    used_up = guest.get(ptp.registrar.versions_url, routed=False)

    assert unknown.http_status == 401
    assert {each["identifier"] for each in details.data["endpoints"]} >= {"payments", "tokens", "cdrs"}
    assert (too_early.http_status, other_module.http_status) == (405, 401)
    assert registered.ok
    assert ptp.registrar.now.client_token == "cpo-token"
    assert (again.http_status, used_up.http_status) == (405, 401)


def test_a_cpo_that_cannot_be_called_back_gets_3001(cpo: ScriptedCpo, make_ptp: Make) -> None:
    ptp = make_ptp()
    guest = OcpiClient(ptp.registrar.invite())
    mine = {"token": "t", "url": "http://127.0.0.1:9/ocpi/versions", "roles": [{"role": "CPO"}]}

    answer = guest.post(cpo.url(ptp, "credentials"), mine, routed=False)

    assert (answer.http_status, answer.status_code) == (200, 3001)
    assert not ptp.registrar.now.complete


def test_rotation_changes_both_tokens_and_the_old_one_is_no_longer_good(
    cpo: ScriptedCpo, ptp: PtpSimulator
) -> None:
    before = OcpiClient(cpo.client_token)

    ptp.registrar.rotate()

    assert ptp.registrar.now.client_token == "token-c-2"
    assert before.get(ptp.registrar.versions_url, routed=False).http_status == 401
    assert cpo.client().get(ptp.registrar.versions_url, routed=False).ok


def test_unregistering_from_either_side_forgets_the_tokens(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    left = cpo.client().delete(cpo.url(ptp, "credentials"), routed=False)
    after = cpo.client().get(ptp.registrar.versions_url, routed=False)
    ptp.register(cpo.versions_url, TOKEN_A)
    ptp.registrar.unregister()

    assert (left.ok, after.http_status) == (True, 401)
    assert not ptp.registrar.now.complete
