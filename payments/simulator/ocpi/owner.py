"""The payments module as its owner serves it: terminals and financial advice confirmations.

OCPI 2.3.0 mod_payments, Sender interface. Also tells the CPO of its terminals.
"""

import uuid
from collections.abc import Callable

from payments.simulator.ocpi.memory import Memory
from payments.simulator.ocpi.registration import Registrar
from payments.simulator.ocpi.settings import PtpSettings
from payments.simulator.ocpi.wire import INVALID_PARAMETERS, Json, Reply, Request, not_found, paged, utc_text


class Owner:
    """Serves what this PTP owns."""

    def __init__(
        self,
        settings: PtpSettings,
        memory: Memory,
        *,
        registrar: Registrar,
        wake: Callable[[], None],
        emit: Callable[..., None],
    ) -> None:
        self._settings, self._memory, self._registrar = settings, memory, registrar
        self._wake, self._emit = wake, emit
        with memory.changed() as state:
            for terminal_id in settings.terminals:
                if terminal_id not in state.terminals:
                    state.terminals[terminal_id] = self._new_terminal(terminal_id)
                    state.untold_terminals.append(terminal_id)

    def _new_terminal(self, terminal_id: str) -> dict[str, Json]:
        return {
            "terminal_id": terminal_id,
            "customer_reference": self._settings.customer_reference,
            "invoice_creator": self._settings.invoice_creator,
            "reference": f"SN-{terminal_id}"[:36],
            "last_updated": utc_text(),
        }

    # --- Terminals --------------------------------------------------------------------------------

    def list_terminals(self, request: Request) -> Reply:
        """GET terminals."""
        with self._memory.look() as state:
            found = [dict(each) for each in state.terminals.values()]
        return paged(found, request, url=self._url(request), most=self._settings.page_size)

    def get_terminal(self, request: Request) -> Reply:
        """GET a terminal."""
        with self._memory.look() as state:
            found = state.terminals.get(request.parts["terminal_id"])
        return not_found() if found is None else Reply(found)

    def change_terminal(self, request: Request) -> Reply:
        """PATCH assigns locations and EVSEs, PUT sets references; both say only what changes."""
        if not isinstance(request.body, dict):
            return _refused("an object is expected")
        terminal_id = request.parts["terminal_id"]
        said = {name: value for name, value in request.body.items() if name != "terminal_id"}
        with self._memory.changed() as state:
            known = state.terminals.get(terminal_id)
            if known is None:
                return _refused("There is no such terminal.")
            known |= said | {"last_updated": utc_text()}
        self._emit("terminal_changed", terminal=terminal_id, fields=sorted(said))
        return Reply()

    def activate(self, request: Request) -> Reply:
        """POST activate: make the terminal, and tell the CPO its id with a POST of ours."""
        if not isinstance(request.body, dict):
            return _refused("an object is expected")
        terminal_id = str(request.body.get("terminal_id") or uuid.uuid4())
        with self._memory.changed() as state:
            known = state.terminals.get(terminal_id) or self._new_terminal(terminal_id)
            state.terminals[terminal_id] = known | request.body
            state.terminals[terminal_id] |= {"terminal_id": terminal_id, "last_updated": utc_text()}
            state.inactive_terminals = [each for each in state.inactive_terminals if each != terminal_id]
            state.untold_terminals.append(terminal_id)
        self._emit("terminal_activated", terminal=terminal_id)
        self._wake()
        return Reply()

    def deactivate(self, request: Request) -> Reply:
        """POST deactivate: it sells no more; sessions that run go on."""
        terminal_id = request.parts["terminal_id"]
        with self._memory.changed() as state:
            if terminal_id not in state.terminals:
                return _refused("There is no such terminal.")
            if terminal_id not in state.inactive_terminals:
                state.inactive_terminals.append(terminal_id)
        self._emit("terminal_deactivated", terminal=terminal_id)
        return Reply()

    def tell_terminals(self) -> None:
        """POST the terminals that the CPO has not heard of. Raises HandshakeFailed, NoAnswer."""
        with self._memory.look() as state:
            untold = [dict(state.terminals[each]) for each in dict.fromkeys(state.untold_terminals)]
        for terminal in untold:
            client = self._registrar.client()
            try:
                answer = client.post(f"{self._registrar.payments_url()}/terminals", terminal)
            finally:
                client.close()
            self._emit("terminal_told", terminal=terminal["terminal_id"], answer=str(answer))
            if answer.ok or answer.refused:
                self._told(terminal["terminal_id"])

    def _told(self, terminal_id: str) -> None:
        with self._memory.changed() as state:
            state.untold_terminals = [each for each in state.untold_terminals if each != terminal_id]

    def tell_all_again(self) -> None:
        """After a registration the CPO may be another one."""
        with self._memory.changed() as state:
            active = [each for each in state.terminals if each not in state.inactive_terminals]
            state.untold_terminals = active

    # --- Confirmations ----------------------------------------------------------------------------

    def list_confirmations(self, request: Request) -> Reply:
        """GET financial advice confirmations."""
        with self._memory.look() as state:
            found = [each.document for each in state.confirmations.values()]
        return paged(found, request, url=self._url(request), most=self._settings.page_size)

    def get_confirmation(self, request: Request) -> Reply:
        """GET one of them."""
        with self._memory.look() as state:
            found = state.confirmations.get(request.parts["confirmation_id"])
        return not_found() if found is None else Reply(found.document)

    def no_tokens(self, request: Request) -> Reply:
        """GET tokens: every tap has a token of its own, which nobody needs to know before."""
        return paged([], request, url=self._url(request))

    def _url(self, request: Request) -> str:
        return self._registrar.versions_url.removesuffix("/ocpi/versions") + request.path


def _refused(message: str) -> Reply:
    return Reply(status_code=INVALID_PARAMETERS, message=message)
