"""Look at a platform before we agree with it: which versions it speaks, and where its modules are.

OCPI 2.3.0 version_information_endpoint. What goes wrong has OCPI's status for it, and words for a person.
"""

import uuid
from dataclasses import dataclass
from typing import ClassVar, Final

from payments import outbound
from payments.models import OcpiConnection
from payments.ocpi.credentials import EndpointEntry, VersionEntry, parse_endpoints, parse_versions
from payments.ocpi.dialects import Version
from payments.ocpi.envelope import Status
from payments.ocpi.push import client
from payments.ocpi.push.client import Answer, BadAnswer, Refused, Unreachable
from payments.ocpi.reading import MAX_URL
from payments.outbound import Limits
from tariffs.engine.errors import InvalidInput

# Two of these stand between a platform's POST of credentials and our answer to it.
LOOK: Final = Limits(call_seconds=8.0)

# Without credentials nobody could rotate or end what was agreed. Nothing else is needed: a platform without
# receivers asks us for everything, and one without senders is never asked.
NEEDED: Final = ("credentials",)
# The roles of a PTP's modules, for endpoints that name none; of credentials the role says nothing.
_SENDERS: Final = ("commands", "tokens", "payments")


class HandshakeFailed(Exception):
    """Two platforms did not come together; the message says why, to a person on either side."""

    status: ClassVar[Status] = Status.CLIENT_ERROR


class NotUsable(HandshakeFailed):
    """The platform does not answer, or not as OCPI says."""

    status = Status.CLIENT_API_UNUSABLE


class NoCommonVersion(HandshakeFailed):
    """It speaks no version that we speak, or not the one that was asked for."""

    status = Status.UNSUPPORTED_VERSION


class EndpointsMissing(HandshakeFailed):
    """A module is missing without which there is no connection."""

    status = Status.NO_MATCHING_ENDPOINTS


class WrongAddress(HandshakeFailed):
    """Its versions are at an address that we do not call."""

    status = Status.INVALID


@dataclass(frozen=True, slots=True)
class Found:
    """What a platform told of the version that was picked; endpoints as `OcpiConnection` keeps them.

    The calls that follow bear the correlation id of those that found it: a handshake is one story in the log.
    """

    version: Version
    endpoints: dict[str, str]
    correlation_id: str

    @property
    def credentials_url(self) -> str:
        """Where its credentials are."""
        return self.endpoints["credentials:RECEIVER"]


def look_around(
    connection: OcpiConnection,
    versions_url: str,
    token: str,
    *,
    wanted: Version | None = None,
    correlation_id: str = "",
) -> Found:
    """Ask a platform for its versions and endpoints; the highest version in common, or the one wanted.

    Two calls of a few seconds. Raises WrongAddress, NotUsable, NoCommonVersion, EndpointsMissing.
    """
    if len(versions_url) > MAX_URL:
        raise WrongAddress(f"The address of its versions is longer than {MAX_URL} characters.")
    correlation_id = correlation_id or str(uuid.uuid4())
    try:
        told = _get(connection, versions_url, token, correlation_id)
    except Refused as error:
        raise WrongAddress(f"{versions_url}: {error}.") from error
    version, url = _picked(_read_versions(told, versions_url), wanted)
    try:
        details = _get(connection, url, token, correlation_id)
        endpoints = _endpoints(parse_endpoints(details.data))
    except Refused as error:
        raise NotUsable(f"{url}: {error}.") from error
    except InvalidInput as error:
        raise NotUsable(f"GET {url}: {faults_of(error)}") from error
    missing = [module for module in NEEDED if f"{module}:RECEIVER" not in endpoints]
    if missing:
        raise EndpointsMissing(f"{url} names no {', '.join(missing)}.")
    return Found(version, endpoints, correlation_id)


def faults_of(error: InvalidInput) -> str:
    """The first faults of an answer, for a person."""
    return "; ".join(f"{fault.path or 'data'}: {fault.message}" for fault in error.errors[:3])


def refusal(what: str, answer: Answer | BadAnswer) -> str:
    """Say that a platform refused something, with the usual reason."""
    hints = {401: " Is the token the right one, and still unused?", 405: " It holds another view of us."}
    said = str(answer) if isinstance(answer, Answer) else f"{answer}."
    return f"{what}: {said}{hints.get(answer.http_status, '')}"


def _get(connection: OcpiConnection, url: str, token: str, correlation_id: str) -> Answer:
    try:
        answer = client.call(
            connection,
            "GET",
            url,
            module="versions",
            routed=False,
            token=token,
            correlation_id=correlation_id,
            limits=LOOK,
        )
    except Unreachable as error:
        raise NotUsable(f"GET {url}: {error}.") from error
    except BadAnswer as error:
        raise NotUsable(refusal(f"GET {url}", error)) from error
    if not answer.ok:
        raise NotUsable(refusal(f"GET {url}", answer))
    return answer


def _read_versions(answer: Answer, url: str) -> tuple[VersionEntry, ...]:
    try:
        return parse_versions(answer.data)
    except InvalidInput as error:
        raise NotUsable(f"GET {url}: {faults_of(error)}") from error


def _picked(told: tuple[VersionEntry, ...], wanted: Version | None) -> tuple[Version, str]:
    urls = {entry.version: entry.url for entry in told}
    ours = [wanted] if wanted else sorted(Version, reverse=True)
    for version in ours:
        if version.value in urls:
            return version, urls[version.value]
    theirs = ", ".join(sorted(urls))
    raise NoCommonVersion(f"It speaks {theirs}; {' or '.join(sorted(ours))} is needed.")


def _endpoints(told: tuple[EndpointEntry, ...]) -> dict[str, str]:
    """Endpoints by module and role. Raises NotUsable for one that we shall never call."""
    found: dict[str, str] = {}
    for entry in told:
        try:
            outbound.check_form(entry.url)
        except Refused as error:
            raise NotUsable(f"Endpoint {entry.identifier}: {error}.") from error
        role = entry.role or ("SENDER" if entry.identifier in _SENDERS else "RECEIVER")
        role = "RECEIVER" if entry.identifier == "credentials" else role
        found.setdefault(f"{entry.identifier}:{role}", entry.url)
    return found
