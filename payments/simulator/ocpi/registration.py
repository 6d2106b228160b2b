"""Versions and credentials, from both sides: this PTP registers, is registered, rotates, and leaves.

The two tokens are named by their use, for B and C change sides with who starts: the server token is what the
CPO shows us, the client token what we show the CPO. OCPI credentials, versions.
"""

import secrets
from collections.abc import Callable
from typing import Final

from payments.simulator.ocpi.memory import Memory, Registration
from payments.simulator.ocpi.settings import PtpSettings
from payments.simulator.ocpi.wire import (
    CLIENT_API_UNUSABLE,
    CLIENT_ERROR,
    ENDPOINTS_MISSING,
    INVALID_PARAMETERS,
    UNSUPPORTED_VERSION,
    Answer,
    Json,
    NoAnswer,
    OcpiClient,
    Party,
    Reply,
    Request,
    not_found,
)

TOKEN_BYTES: Final = 32
# OCPI mod_payments and PTP practice: what a PTP cannot do without.
NEEDED: Final = (
    "credentials",
    "locations SENDER",
    "tariffs SENDER",
    "sessions SENDER",
    "cdrs SENDER",
    "commands RECEIVER",
    "tokens RECEIVER",
    "payments RECEIVER",
)
OURS: Final = {
    "credentials": "SENDER",  # the role says nothing here
    "locations": "RECEIVER",
    "tariffs": "RECEIVER",
    "sessions": "RECEIVER",
    "cdrs": "RECEIVER",
    "commands": "SENDER",
    "tokens": "SENDER",
    "payments": "SENDER",
}


class HandshakeFailed(Exception):
    """The two platforms did not come together; `status_code` is OCPI's word for it."""

    def __init__(self, message: str, status_code: int = CLIENT_API_UNUSABLE) -> None:
        super().__init__(message)
        self.status_code = status_code


class Registrar:
    """Keeps the registration. `base_url` is this PTP's scheme, host and port; `told` hears of changes."""

    def __init__(
        self, settings: PtpSettings, memory: Memory, *, base_url: str, told: Callable[[str], None]
    ) -> None:
        self._settings, self._memory, self._base_url, self._told = settings, memory, base_url, told

    @property
    def versions_url(self) -> str:
        """Where a CPO begins."""
        return f"{self._base_url}/ocpi/versions"

    def module_url(self, module: str, version: str = "") -> str:
        """One of our modules, in the version that is spoken."""
        return f"{self._base_url}/ocpi/ptp/{version or self.now.version}/{module}"

    @property
    def now(self) -> Registration:
        """The registration as it stands."""
        with self._memory.look() as state:
            return state.registration

    def client(self, *, to: Party | None = None) -> OcpiClient:
        """A client for the CPO; raises HandshakeFailed before there is one to call."""
        now = self.now
        if not now.complete:
            raise HandshakeFailed("not registered")
        receiver = to or cpo_party(now.roles)
        return OcpiClient(
            now.client_token,
            sender=self._settings.party,
            receiver=receiver,
            timeout_seconds=self._settings.call_seconds,
        )

    def endpoint(self, name: str) -> str:
        """A module of the CPO, as in "commands RECEIVER", without a slash at the end."""
        url = self.now.endpoints.get(name, "")
        if not url:
            raise HandshakeFailed(f"the CPO has no {name}", ENDPOINTS_MISSING)
        return url.rstrip("/")

    def payments_url(self) -> str:
        """The CPO's payments module. OCPI names one URL for its two families of endpoints; some name the first."""
        return self.endpoint("payments RECEIVER").removesuffix("/terminals")

    # --- We start ---------------------------------------------------------------------------------

    def invite(self) -> str:
        """Make token A, with which the CPO may register with us."""
        with self._memory.changed() as state:
            state.registration.invitation = state.registration.invitation or _new_token()
            return state.registration.invitation

    def register(self, versions_url: str, token: str) -> None:
        """Register at a CPO with its token A. Raises HandshakeFailed."""
        version, endpoints = self._look_around(versions_url, token)
        self._exchange("POST", versions_url, token, version, endpoints)
        self._told("registered")

    def rotate(self) -> None:
        """Change both tokens, and fetch the endpoints again. Raises HandshakeFailed."""
        now = self.now
        if not now.complete:
            raise HandshakeFailed("not registered")
        version, endpoints = self._look_around(now.versions_url, now.client_token)
        self._exchange("PUT", now.versions_url, now.client_token, version, endpoints)
        self._told("rotated")

    def unregister(self) -> None:
        """Tell the CPO that its token is no longer good. Raises HandshakeFailed."""
        now = self.now
        url = self.endpoint("credentials")
        answer = self._call("DELETE", url, now.client_token)
        if not answer.ok:
            raise HandshakeFailed(f"DELETE credentials: {answer}")
        self._forget()

    def _exchange(
        self, method: str, versions_url: str, token: str, version: str, endpoints: dict[str, str]
    ) -> None:
        fresh = _new_token()
        with self._memory.changed() as state:
            state.registration.pending_token = fresh  # the CPO calls back with it before it answers
        try:
            credentials = self._credentials(fresh)
            answer = self._call(method, endpoints["credentials"], token, credentials)
            if not answer.ok:
                raise HandshakeFailed(f"{method} credentials: {answer}", answer.status_code or 0)
            client_token, url, roles = _read_credentials(answer.data)
        finally:
            with self._memory.changed() as state:
                state.registration.pending_token = ""
        self._keep(self._registration(fresh, client_token, url or versions_url, version, endpoints, roles))

    # --- The CPO starts ---------------------------------------------------------------------------

    def get(self, request: Request) -> Reply:
        """GET credentials: what the caller may use with us."""
        now = self.now
        return Reply(self._credentials(request.tokens[0] if not now.complete else now.server_token))

    def put(self, request: Request) -> Reply:
        """POST registers and PUT updates; each is refused with 405 when it is the other's turn."""
        if request.parts["version"] not in self._settings.versions:
            return Reply(status_code=UNSUPPORTED_VERSION, message="That version is not offered.")
        registered = self.now.complete and self.now.server_token in request.tokens
        if registered != (request.method == "PUT"):
            return Reply(status_code=CLIENT_ERROR, message=_TURN[registered], http_status=405)
        try:
            token, url, roles = _read_credentials(request.body)
        except HandshakeFailed as fault:
            return Reply(status_code=INVALID_PARAMETERS, message=str(fault))
        try:
            version, endpoints = self._look_around(url, token, only=request.parts["version"])
        except HandshakeFailed as fault:
            return Reply(status_code=fault.status_code, message=str(fault))
        fresh = _new_token()
        self._keep(self._registration(fresh, token, url, version, endpoints, roles))
        self._told("rotated" if registered else "registered")
        return Reply(self._credentials(fresh))

    def delete(self, request: Request) -> Reply:
        """DELETE credentials: the CPO leaves."""
        if not self.now.complete:
            return Reply(status_code=CLIENT_ERROR, message=_TURN[False], http_status=405)
        self._forget()
        return Reply()

    # --- Versions ---------------------------------------------------------------------------------

    def versions(self, request: Request) -> Reply:
        """GET versions."""
        return Reply(
            [{"version": each, "url": f"{self._base_url}/ocpi/{each}"} for each in self._settings.versions]
        )

    def details(self, request: Request) -> Reply:
        """GET version details."""
        version = request.parts["version"]
        if version not in self._settings.versions:
            return not_found()
        endpoints = [
            {"identifier": module, "role": role, "url": self.module_url(module, version)}
            for module, role in OURS.items()
        ]
        return Reply({"version": version, "endpoints": endpoints})

    # --- Both -------------------------------------------------------------------------------------

    def _look_around(self, url: str, token: str, *, only: str = "") -> tuple[str, dict[str, str]]:
        """Read a CPO's versions and its endpoints of the version to speak."""
        offered = self._read(url, token)
        urls = {each["version"]: each["url"] for each in _objects(offered, "version", "url")}
        common = [each for each in (only and [only]) or self._settings.versions if each in urls]
        if not common:
            raise HandshakeFailed(f"no common version among {sorted(urls)}", UNSUPPORTED_VERSION)
        version = common[-1]
        details = self._read(urls[version], token)
        listed = details.get("endpoints") if isinstance(details, dict) else None
        endpoints = {"credentials": ""}
        for each in _objects(listed, "identifier", "url"):
            is_credentials = each["identifier"] == "credentials"
            name = each["identifier"] if is_credentials else f"{each['identifier']} {each.get('role')}"
            endpoints[name] = each["url"]
        missing = [name for name in NEEDED if not endpoints.get(name)]
        if missing:
            raise HandshakeFailed(f"endpoints are missing: {', '.join(missing)}", ENDPOINTS_MISSING)
        return version, endpoints

    def _read(self, url: str, token: str) -> Json:
        answer = self._call("GET", url, token)
        if not answer.ok:
            raise HandshakeFailed(f"GET {url}: {answer}")
        return answer.data

    def _call(self, method: str, url: str, token: str, body: Json = None) -> Answer:
        client = OcpiClient(token, timeout_seconds=self._settings.handshake_seconds)
        try:
            return client.call(method, url, body=body, routed=False)
        except NoAnswer as fault:
            raise HandshakeFailed(str(fault)) from fault
        finally:
            client.close()

    def _credentials(self, token: str) -> dict[str, Json]:
        role = {
            "role": self._settings.role,
            "party_id": self._settings.party.party_id,
            "country_code": self._settings.party.country_code,
            "business_details": {"name": self._settings.name},
        }
        return {"token": token, "url": self.versions_url, "roles": [role]}

    def _registration(
        self,
        server_token: str,
        client_token: str,
        url: str,
        version: str,
        endpoints: dict[str, str],
        roles: list[dict[str, Json]],
    ) -> Registration:
        return Registration(
            server_token=server_token,
            client_token=client_token,
            versions_url=url,
            our_url=self.versions_url,
            version=version,
            endpoints=endpoints,
            roles=roles,
        )

    def _keep(self, registration: Registration) -> None:
        with self._memory.changed() as state:
            state.registration = registration

    def _forget(self) -> None:
        self._keep(Registration())
        self._told("unregistered")


_TURN: Final = {True: "Registered already: use PUT.", False: "Not registered: use POST."}


def cpo_party(roles: list[dict[str, Json]]) -> Party | None:
    """The first CPO of a platform."""
    for role in roles:
        if role.get("role") == "CPO":
            return Party(str(role.get("country_code")), str(role.get("party_id")))
    return None


def _read_credentials(said: Json) -> tuple[str, str, list[dict[str, Json]]]:
    """Return token, versions URL and roles. Raises HandshakeFailed."""
    if not isinstance(said, dict):
        raise HandshakeFailed("credentials are an object", INVALID_PARAMETERS)
    token, url, roles = said.get("token"), said.get("url"), said.get("roles")
    if not isinstance(token, str) or not 0 < len(token) <= 64 or not token.isprintable():
        raise HandshakeFailed("credentials: `token` is 1 to 64 printable characters", INVALID_PARAMETERS)
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise HandshakeFailed("credentials: `url` is the versions URL", INVALID_PARAMETERS)
    if not isinstance(roles, list) or not roles:
        raise HandshakeFailed("credentials: `roles` names at least one role", INVALID_PARAMETERS)
    return token, url, [role for role in roles if isinstance(role, dict)]


def _objects(listed: Json, *needed: str) -> list[dict[str, str]]:
    """The objects of a list that have all those texts."""
    items = listed if isinstance(listed, list) else []
    return [
        each
        for each in items
        if isinstance(each, dict) and all(isinstance(each.get(name), str) for name in needed)
    ]


def _new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)
