"""What the CPO tells about a charge: CommandResults, Sessions, CDRs.

OCPI mod_commands (Sender), mod_sessions and mod_cdrs (Receiver). Nothing is done with money here: it is
stored, answered, and the settler is woken.
"""

from collections.abc import Callable
from typing import Final

from payments.simulator.ocpi.memory import Memory, Objects, Start
from payments.simulator.ocpi.mirror import fault_of, is_older, key_of, object_key
from payments.simulator.ocpi.wire import (
    INVALID_PARAMETERS,
    Json,
    NotOcpi,
    OcpiClient,
    Reply,
    Request,
    not_found,
    utc_text,
)

OVER: Final = ("COMPLETED", "INVALID")


class Records:
    """Sessions, CDRs and results as they came. `complain` hears what a strict peer would not like."""

    def __init__(
        self,
        memory: Memory,
        *,
        cdrs_url: Callable[[], str],
        wake: Callable[[], None],
        complain: Callable[[str], None],
        emit: Callable[..., None],
    ) -> None:
        self._memory, self._cdrs_url, self._wake = memory, cdrs_url, wake
        self._complain, self._emit = complain, emit

    # --- Commands ---------------------------------------------------------------------------------

    def result(self, request: Request) -> Reply:
        """POST to a response_url."""
        said = request.body if isinstance(request.body, dict) else {}
        word, command, key = said.get("result"), request.parts["command"], request.parts["key"]
        if not isinstance(word, str):
            return self._refuse(request, "`result` is missing")
        with self._memory.changed() as state:
            state.results.append({"command": command, "key": key, "result": said, "at": utc_text()})
            start = state.starts.get(key) if command == "START_SESSION" else None
            if start is not None:
                self._note_result(start, word)
            for stopped in state.starts.values():
                if stopped.stopping == key and word != "ACCEPTED":
                    stopped.stopping = ""  # Stop may be pressed again
        self._emit("command_result", command=command, key=key, result=word)
        self._wake()
        return Reply()

    def _note_result(self, start: Start, word: str) -> None:
        """Each START_SESSION gets one CommandResult, and all of them are the same."""
        start.results += 1
        if start.result and (start.result != word or start.results > start.asked):
            self._complain(
                f"CommandResult {start.results} for {start.reference}: {start.result}, then {word}"
            )
        start.result = start.result or word

    # --- Sessions ---------------------------------------------------------------------------------

    def get_session(self, request: Request) -> Reply:
        """GET a Session."""
        with self._memory.look() as state:
            found = state.sessions.get(key_of(request))
        return not_found() if found is None else Reply(found)

    def put_session(self, request: Request) -> Reply:
        """PUT a Session as a whole."""
        if fault := fault_of(request.body, id_name="id", expected=request.parts["id"]):
            return self._refuse(request, fault)
        with self._memory.changed() as state:
            before = state.sessions.get(key_of(request))
            if before is None or self._follows(request, before):
                state.sessions[key_of(request)] = request.body
        self._session_came(request)
        return Reply(http_status=201 if before is None else 200)

    def patch_session(self, request: Request) -> Reply:
        """PATCH some fields; charging periods are added to those that are known."""
        if fault := fault_of(request.body):
            return self._refuse(request, fault)
        with self._memory.changed() as state:
            known = state.sessions.get(key_of(request))
            if known is None:
                self._complain(f"PATCH {request.path} came before its PUT")
                return Reply(status_code=INVALID_PARAMETERS, message="There is no such session.")
            if self._follows(request, known):
                periods = [*known.get("charging_periods", []), *request.body.get("charging_periods", [])]
                added = {"charging_periods": periods} if periods else {}
                state.sessions[key_of(request)] = known | request.body | added
        self._session_came(request)
        return Reply()

    def _follows(self, request: Request, before: dict[str, Json]) -> bool:
        """Whether a message is to be kept: not one that was overtaken."""
        if is_older(request.body, before):
            self._complain(f"{request.method} {request.path}: older than what is known, left aside")
            return False
        was, now = before.get("status"), request.body.get("status", before.get("status"))
        if was in OVER and now != was:
            self._complain(f"{request.path}: {was} became {now}")
        return True

    def _session_came(self, request: Request) -> None:
        told = {name: request.body.get(name) for name in ("status", "kwh", "authorization_reference")}
        self._emit("session", session=request.parts["id"], **told)
        self._wake()

    # --- CDRs -------------------------------------------------------------------------------------

    def get_cdr(self, request: Request) -> Reply:
        """GET a CDR at the address that the POST was answered with, or at its id alone."""
        with self._memory.look() as state:
            found = [each for each in state.cdrs.values() if each.get("id") == request.parts["id"]]
        return Reply(found[0]) if found else not_found()

    def post_cdr(self, request: Request) -> Reply:
        """POST a CDR; the same id twice is one CDR."""
        if fault := self._cdr_fault(request.body):
            return self._refuse(request, fault)
        key = object_key(request.body)
        is_new = self._keep_cdr(key, request.body)
        self._emit("cdr_received", cdr=request.body["id"], new=is_new)
        self._wake()
        where = {"Location": f"{self._cdrs_url()}/{key}"}
        return Reply(http_status=201 if is_new else 200, headers=where)

    def _keep_cdr(self, key: str, cdr: dict[str, Json]) -> bool:
        with self._memory.changed() as state:
            known = state.cdrs.setdefault(key, cdr)
        if known is not cdr and known != cdr:
            self._complain(f"CDR {key} came again and is not the same")
        return known is cdr

    def _cdr_fault(self, said: Json) -> str:
        if fault := fault_of(said):
            return fault
        missing = [name for name in ("id", "country_code", "party_id", "total_cost") if not said.get(name)]
        return f"missing: {', '.join(missing)}" if missing else ""

    # --- Asked for --------------------------------------------------------------------------------

    def catch_up(self, client: OcpiClient, *, sessions_url: str, cdrs_url: str, since: str) -> int:
        """Fetch what changed since; return how many CDRs were new. Raises NoAnswer, NotOcpi."""
        sessions, cdrs = (client.items(url, {"date_from": since}) for url in (sessions_url, cdrs_url))
        with self._memory.changed() as state:
            _merge(state.sessions, sessions)
        fresh = 0
        for cdr in cdrs:
            if fault := self._cdr_fault(cdr):
                raise NotOcpi(f"a CDR of the list: {fault}")
            fresh += self._keep_cdr(object_key(cdr), cdr)
        self._wake()
        return fresh

    def _refuse(self, request: Request, fault: str) -> Reply:
        self._complain(f"{request.method} {request.path}: {fault}")
        return Reply(status_code=INVALID_PARAMETERS, message=fault)


def _merge(known: Objects, listed: list[Json]) -> None:
    for each in listed:
        key = object_key(each)
        if key not in known or not is_older(each, known[key]):
            known[key] = each
