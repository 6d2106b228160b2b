"""Registering with the peer, rotating tokens, changing the version, leaving (OCPI credentials)."""

from __future__ import annotations

from typing import Any

from payments.conformance.bench import Bench
from payments.conformance.exchanges import Exchange
from payments.conformance.verdicts import Broken, Untried
from payments.simulator.ocpi.wire import Party


def connect(bench: Bench) -> None:
    """Register in the bench's version: POST the first time, PUT to change the version. Raises Broken, Untried."""
    method = "PUT" if bench.connection.token else "POST"
    bench.connection.mark = bench.ptp.mark()
    exchange = offer(bench, method, our_token=bench.ptp.new_token())
    bench.connection.registration = exchange
    if not bench.connection.token or not exchange.ok:
        raise Untried(f"There is no connection: {exchange}")


def offer(bench: Bench, method: str, *, our_token: str, url: str | None = None) -> Exchange:
    """Send our credentials; where the peer takes them, go on with the token that it gives. Raises Broken."""
    body = bench.ptp.credentials(our_token, url=url)
    exchange = bench.plain(method, bench.url("credentials"), body=body)
    adopt(bench, exchange, our_token=our_token)
    return exchange


def adopt(bench: Bench, exchange: Exchange, *, our_token: str) -> None:
    """Take over the token and the party of a credentials object, where one came."""
    token = exchange.data.get("token") if exchange.ok and isinstance(exchange.data, dict) else None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        return
    bench.caller.secrets.add(token)
    bench.connection.token, bench.connection.our_token = token, our_token
    bench.connection.last_token = token
    bench.connection.cpo = _cpo_of(exchange.data) or bench.connection.cpo


def _cpo_of(data: dict[str, Any]) -> Party | None:
    roles = data.get("roles")
    for role in roles if isinstance(roles, list) else []:
        if isinstance(role, dict) and role.get("role") == "CPO":
            return Party(str(role.get("country_code")), str(role.get("party_id")))
    return None


def leave(bench: Bench) -> Exchange | None:
    """Unregister, where we are registered; None where we are not, or no answer came."""
    if not bench.connection.token:
        return None
    try:
        exchange = bench.plain("DELETE", bench.url("credentials"))
    except (Broken, Untried):
        return None
    if exchange.ok:
        bench.connection.token = ""
    return exchange
