"""What a check works with: the connection, calls to the peer, our own side, and facts that several checks share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

from payments.conformance.exchanges import Caller, Exchange
from payments.conformance.expectations import accepted, accepted_list
from payments.conformance.ptp_side import PtpSide
from payments.conformance.registry import VERSIONS
from payments.conformance.verdicts import Broken, Untried
from payments.simulator.ocpi.wire import Party

MAX_PAGES: Final = 50  # of a list; a network of thousands of sites is judged by its first ones
LONG_AGO: Final = "2000-01-01T00:00:00Z"
ROUTED: Final = ("locations", "tariffs", "sessions", "cdrs", "commands", "tokens", "payments")
FAMILIES: Final = ("terminals", "financial-advice-confirmations")
DEFAULT_PARTY: Final = Party("NL", "PTC")
T_ = TypeVar("T_")


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller of the kit wants."""

    url: str
    token: str
    versions: tuple[str, ...] = ()  # empty: all that the peer offers and we know
    location: str = ""
    evse: str = ""
    connector: str = ""
    callback_host: str = "127.0.0.1"
    callback_port: int = 0
    callback_url: str = ""  # how the peer reaches us, where that differs: https://ptp.example
    party: Party = DEFAULT_PARTY
    role: str = "PTP"
    charge_seconds: float = 20.0
    read_only: bool = False
    only: tuple[str, ...] = ()
    timeout_seconds: float = 20.0  # of one HTTP call; a handshake calls back meanwhile
    patience_seconds: float = 60.0  # how long a push may take
    settle_seconds: float = 3.0  # how long we listen for what must not come


@dataclass(slots=True)
class Connection:
    """What a handshake has given us."""

    token: str = ""  # empty: not registered
    last_token: str = ""  # the one that we held last
    our_token: str = ""
    cpo: Party | None = None
    registration: Exchange | None = None
    endpoints: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    mark: int = 0  # our journal when it began


class Bench:
    """One run against one peer."""

    def __init__(self, options: Options, ptp: PtpSide, caller: Caller) -> None:
        self.options, self.ptp, self.caller = options, ptp, caller
        self.version = (options.versions or VERSIONS)[0]
        self.connection = Connection()
        self._facts: dict[tuple[str, str], Any] = {}
        caller.secrets.add(options.token)

    @property
    def token(self) -> str:
        """The token that we hold now."""
        return self.connection.token or self.options.token

    def enter(self, version: str) -> None:
        """Go on with another version."""
        self.version = version
        self.connection.endpoints = {}

    def fact(self, name: str, find: Callable[[], T_]) -> T_:
        """Find something out once for each version. What broke once is not tried again. Raises Broken, Untried."""
        key = (self.version, name)
        if key not in self._facts:
            try:
                self._facts[key] = find()
            except Broken as broken:
                self._facts[key] = Untried(f"An earlier check has failed on it: {broken}")
                raise
            except Untried as untried:
                self._facts[key] = untried
        if isinstance(self._facts[key], Untried):
            raise Untried(str(self._facts[key]))
        return cast(T_, self._facts[key])

    def forget(self, name: str) -> None:
        """Let a fact be found out anew."""
        self._facts.pop((self.version, name), None)

    def offered(self) -> dict[str, str]:
        """The peer's versions with the URLs of their details. Raises Broken."""
        return self.fact("versions", self._offered)

    def _offered(self) -> dict[str, str]:
        found = accepted_list(self.plain("GET", self.options.url), "the list of versions")
        entries = [entry for entry in found if isinstance(entry, dict)]
        return {str(entry.get("version")): str(entry.get("url")) for entry in entries}

    def details(self) -> Exchange:
        """The details of the present version. Raises Broken, Untried."""
        return self.fact("details", self._details)

    def _details(self) -> Exchange:
        url = self.offered().get(self.version)
        if not url:
            raise Untried(f"The peer does not offer {self.version}.")
        return self.plain("GET", url)

    def endpoints(self) -> dict[str, list[dict[str, Any]]]:
        """The peer's endpoints of the present version by module. Raises Broken."""
        if not self.connection.endpoints:
            data = accepted(self.details(), "the details of the version")
            listed = data.get("endpoints") if isinstance(data, dict) else None
            for entry in listed if isinstance(listed, list) else []:
                if isinstance(entry, dict):
                    self.connection.endpoints.setdefault(str(entry.get("identifier")), []).append(entry)
        return self.connection.endpoints

    def url(self, module: str, path: str = "") -> str:
        """Where a module is. Raises Broken, Untried."""
        found = self.endpoints().get(module)
        if not found:
            raise Untried(f"The peer lists no endpoint for {module}.")
        family = path.strip("/").split("/")[0]
        urls = [str(entry.get("url")).rstrip("/") for entry in found]
        # One module id covers two families; a peer may list each with its own URL.
        exact = [
            url.removesuffix("/" + family) for url in urls if family in FAMILIES and url.endswith(family)
        ]
        return ([*exact, *urls])[0] + path

    def plain(
        self,
        method: str,
        url: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str | None] | None = None,
        body: Any = None,
        raw: bytes | None = None,
    ) -> Exchange:
        """Call without routing headers, as versions and credentials want it. Raises Broken."""
        return self.caller.call(
            method, url, token=self.token if token is None else token, headers=headers, body=body, raw=raw
        )

    def call(
        self,
        method: str,
        module: str,
        path: str = "",
        *,
        body: Any = None,
        raw: bytes | None = None,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str | None] | None = None,
        token: str | None = None,
    ) -> Exchange:
        """Call a module as the registered party. Raises Broken, Untried."""
        routed = module in ROUTED
        return self.caller.call(
            method,
            self.url(module, path),
            token=self.token if token is None else token,
            sender=self.options.party if routed else None,
            receiver=self.connection.cpo if routed else None,
            body=body,
            raw=raw,
            query=query,
            headers=headers,
        )

    def get(self, module: str, path: str = "", /, **query: str | int) -> Exchange:
        """Read. Raises Broken, Untried."""
        return self.call("GET", module, path, query=query)

    def page(self, module: str, /, **query: str | int) -> Exchange:
        """One page of a list; sessions get the date_from that they require. Raises Broken, Untried."""
        needed: dict[str, str | int] = {"date_from": LONG_AGO} if module == "sessions" else {}
        return self.get(module, **{**needed, **query})

    def pages(self, module: str, /, **query: str | int) -> list[Exchange]:
        """All pages of a list, along the links. Raises Broken, Untried."""
        found = [self.page(module, **query)]
        while len(found) < MAX_PAGES and found[-1].ok and found[-1].answer.next_url:
            found.append(self.follow(found[-1].answer.next_url))
        return found

    def follow(self, url: str) -> Exchange:
        """Read a page by its link; our token goes to the peer's own host alone. Raises Broken."""
        if urlsplit(url)[:2] != urlsplit(self.url("locations"))[:2]:
            raise Broken(f"expected: a link at the peer's own host; came: {url}")
        return self.caller.call(
            "GET", url, token=self.token, sender=self.options.party, receiver=self.connection.cpo
        )

    def everything(self, module: str) -> list[Any]:
        """All objects of a list, read once for each version. Raises Broken, Untried."""

        def read() -> list[Any]:
            return [
                item for page in self.pages(module) for item in accepted_list(page, f"the list of {module}")
            ]

        return self.fact(f"all {module}", read)

    def named(self, module: str) -> list[tuple[str, Any]]:
        """The same with a name for each, for messages. Raises Broken, Untried."""
        return [(_name(module, item, place), item) for place, item in enumerate(self.everything(module))]


def _name(module: str, item: Any, place: int) -> str:
    name = item.get("id") if isinstance(item, dict) else None
    return f"{module}[{name if isinstance(name, str) else place}]"
