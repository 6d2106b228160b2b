"""At the door of every request: who calls, and what the switchboard lets go wrong."""

import hmac
import time
from typing import Final

from payments.simulator.ocpi.memory import Memory
from payments.simulator.ocpi.switches import Fault, Switchboard
from payments.simulator.ocpi.wire import CLIENT_ERROR, Cut, Handler, Reply, Request

OPEN_TO_INVITED: Final = ("versions", "credentials")  # what token A is good for


class Guard:
    """Authenticates and spoils."""

    def __init__(self, memory: Memory, switches: Switchboard) -> None:
        self._memory, self._switches = memory, switches

    def around(self, request: Request, handler: Handler) -> Reply:
        """Answer in the handler's place. Raises Cut."""
        if request.path.startswith("/control/"):
            return handler(request)
        module = module_of(request.path)
        if not self._may_call(request, module):
            return Reply(status_code=CLIENT_ERROR, message="Who are you?", http_status=401)
        if self._switches.take(Fault.HANG_UP, module):
            raise Cut
        if switch := self._switches.take(Fault.HTTP_ERROR, module):
            return Reply(raw=b"out of order", http_status=int(switch.value))
        if switch := self._switches.take(Fault.OCPI_ERROR, module):
            return Reply(status_code=int(switch.value), message="out of order")
        reply = handler(request)
        if self._switches.take(Fault.LOST, module):
            raise Cut
        if switch := self._switches.take(Fault.LATE, module):
            time.sleep(float(switch.value))
        return reply

    def _may_call(self, request: Request, module: str) -> bool:
        with self._memory.look() as state:
            now = state.registration
            good = [now.server_token, now.pending_token]
            if module in OPEN_TO_INVITED and not now.complete:
                good.append(now.invitation)
        return any(
            each and hmac.compare_digest(each.encode(), shown.encode())
            for each in good
            for shown in request.tokens
        )


def module_of(path: str) -> str:
    """The module of a path of ours."""
    parts = path.strip("/").split("/")
    return parts[3] if parts[:2] == ["ocpi", "ptp"] and len(parts) > 3 else "versions"
