"""One OCPI request: who calls, what it says, how it is answered and logged (OCPI 2.3.0 transport_and_format).

A module's view answers a `Reply` or raises `OcpiError`; everything else is here: token, ids, routing, JSON,
envelope, log. What reaches the OCPI layer is answered with HTTP 2xx, in the envelope, whatever is wrong.
"""

import logging
import math
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Final

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from payments import exact_json
from payments.models import OcpiConnection, OcpiMessage
from payments.ocpi import connections, message_log
from payments.ocpi.connections import Party
from payments.ocpi.dialects import Version
from payments.ocpi.envelope import OcpiError, Reply, Status
from payments.ocpi.reading import Reader
from payments.throttling import seconds_to_wait
from tariffs.engine.errors import InputError, InvalidInput

logger = logging.getLogger(__name__)

METHODS: Final = ("get", "put", "post", "patch", "delete")
LONGEST_HEADER: Final = 100
STRANGERS_PER_MINUTE: Final = 60  # of one address; a platform that lost its token asks a few times
_ROUTING: Final = ("country-code", "party-id")
_UNAUTHORIZED: Final = "The token is missing, unknown, or not good here."
_CHALLENGE: Final = {"WWW-Authenticate": 'Token realm="ocpi"'}
_UNREADABLE: Final = "The request cannot be read; it may have too many parameters."
_FAULT: Final = "We could not work on this request; it may be sent again."


@dataclass(slots=True, kw_only=True)
class Call:
    """One request as a module sees it."""

    connection: OcpiConnection
    version: Version
    now: datetime
    request: HttpRequest
    parties: frozenset[Party] = frozenset()  # those of our parties that it may see and asked for
    # The one of ours that was asked for, None for all. What a platform has paid for is its own to see, also once
    # its contract with a party has ended.
    only: frozenset[Party] | None = None
    to_party: Party = ("", "")  # the one of ours that answers
    from_party: Party = ("", "")
    request_id: str = ""
    correlation_id: str = ""
    body: Any = None
    answered: list[int] = field(default_factory=list)

    def reader(self) -> Reader:
        """Return a reader of the body, which notes what is wrong with it."""
        return Reader(self.body, "")


def refuse_faults(reader: Reader) -> None:
    """Raise OcpiError 2001 with everything that a reader found wrong."""
    if reader.errors:
        raise OcpiError(Status.INVALID, _told(reader.errors))


def _told(faults: Sequence[InputError]) -> str:
    """The first faults of an object, for the developer at the other end."""
    return "; ".join(f"{fault.path or 'body'}: {fault.message}" for fault in faults[:5])[:250]


@method_decorator(csrf_exempt, name="dispatch")
class OcpiView(View):
    """The base of every endpoint. Subclasses write `get`, `put`, … as `method(call, **path) -> Reply`."""

    module: ClassVar[str] = ""
    # Before the handshake, token A opens versions and credentials, and nothing else.
    open_to_invited: ClassVar[bool] = False
    # Routing headers go with functional modules, never with versions and credentials.
    routed: ClassVar[bool] = True
    # What must not be refused is read with its spoilt parts marked (`exact_json.loads_leniently`).
    leniently: ClassVar[bool] = False

    def dispatch(self, request: HttpRequest, *args: Any, **path: Any) -> HttpResponseBase:
        """Answer one request, in the envelope, and log it."""
        began = time.perf_counter()
        now = timezone.now()
        ids = _ids(request)
        call: Call | None = None
        try:
            call = self._call(request, now, ids, path.pop("version", Version.V2_3_0))
            reply = self._reply(call, path)
        except OcpiError as error:
            reply = error.reply
        except SuspiciousOperation:
            # Django reads a query when it is looked at first, and then refuses one of a thousand parameters.
            reply = Reply(status=Status.INVALID, message=_UNREADABLE)
        except Exception:
            # A fault of ours must not be taken for a no: the peer may send it again (OCPI 3000).
            logger.exception("OCPI %s %s failed", request.method, request.path)
            reply = Reply(status=Status.SERVER_ERROR, message=_FAULT)
        response = self._respond(reply, call, ids, now)
        _log(request, response, reply, call, ids, began, self.module)
        return response

    def _call(self, request: HttpRequest, now: datetime, ids: tuple[str, str], version: Version) -> Call:
        """Return the call of a known caller. Raises OcpiError."""
        connection = connections.find(request.headers.get("Authorization", ""))
        _limit(request, connection)
        if connection is None or not (connection.is_registered or self.open_to_invited):
            raise OcpiError(Status.INVALID, _UNAUTHORIZED, http_status=401, headers=_CHALLENGE)
        call = Call(
            connection=connection,
            version=version,
            now=now,
            request=request,
            request_id=ids[0],
            correlation_id=ids[1],
        )
        connections.note_heard(connection, now=now)
        _route(call, honoured=self.routed)
        return call

    def _reply(self, call: Call, path: dict[str, Any]) -> Reply:
        method = (call.request.method or "").lower()
        handler = getattr(self, method, None) if method in METHODS else None
        if handler is None:
            allowed = ", ".join(name.upper() for name in METHODS if hasattr(self, name))
            raise OcpiError(
                Status.CLIENT_ERROR,
                f"This method is not for here; {allowed} are.",
                http_status=405,
                headers={"Allow": allowed},
            )
        if method not in ("put", "post", "patch"):
            return handler(call, **path)  # type: ignore[no-any-return]
        call.body = _json_of(call.request, leniently=self.leniently)
        try:
            return handler(call, **path)  # type: ignore[no-any-return]
        except InvalidInput as error:
            raise OcpiError(Status.INVALID, _told(error.errors)) from error

    def _respond(self, reply: Reply, call: Call | None, ids: tuple[str, str], now: datetime) -> HttpResponse:
        response = HttpResponse(
            exact_json.dumps(reply.envelope(now)),
            content_type="application/json",
            status=reply.http_status,
        )
        response["X-Request-ID"], response["X-Correlation-ID"] = ids
        if call is not None and self.routed:
            for side, party in (("from", call.to_party), ("to", call.from_party)):
                if all(party):
                    for name, value in zip(_ROUTING, party, strict=True):
                        response[f"OCPI-{side}-{name}"] = value
        for name, value in reply.headers.items():
            response[name] = value
        return response


def _limit(request: HttpRequest, connection: OcpiConnection | None) -> None:
    """Count a request of a platform, or of somebody unknown by the address it comes from.

    A right token is never refused for wrong ones from the same address. Raises OcpiError with HTTP 429.
    """
    if connection is None:
        address = request.META.get("REMOTE_ADDR", "")
        wait_seconds = seconds_to_wait(f"ocpi-strangers:{address}", STRANGERS_PER_MINUTE)
    else:
        most = settings.PTP_REQUESTS_PER_MINUTE
        wait_seconds = seconds_to_wait(f"ocpi-requests:{connection.pk}", most)
    if wait_seconds > 0:
        raise OcpiError(
            Status.CLIENT_ERROR,
            "Too many requests; ask again after the seconds that Retry-After says.",
            http_status=429,
            headers={"Retry-After": str(math.ceil(wait_seconds))},
        )


def _ids(request: HttpRequest) -> tuple[str, str]:
    """X-Request-ID and X-Correlation-ID as they came, new ones where there are none."""
    return (_header(request, "X-Request-ID") or str(uuid.uuid4())), (
        _header(request, "X-Correlation-ID") or str(uuid.uuid4())
    )


def _header(request: HttpRequest, name: str) -> str:
    value = request.headers.get(name, "").strip()
    return value if len(value) <= LONGEST_HEADER and value.isascii() and value.isprintable() else ""


def _route(call: Call, *, honoured: bool) -> None:
    """Note for whom the request is; a party of ours that this platform may not see is not there.

    OCPI 2.3.0 transport_and_format, routing headers. Without them all parties that it may see are meant.
    """
    connection = call.connection
    call.parties = connections.parties_of(connection)
    call.to_party = (connection.our_country_code, connection.our_party_id)
    call.from_party = (connection.country_code, connection.party_id)
    if not honoured:
        return
    wanted = _party(call.request, "to")
    if all(wanted):
        if wanted not in call.parties:
            raise OcpiError(Status.INVALID, "OCPI-to names no party that we speak for to you.")
        call.parties = call.only = frozenset({wanted})
        call.to_party = wanted
    told = _party(call.request, "from")
    if all(told):
        call.from_party = told


def _party(request: HttpRequest, side: str) -> Party:
    country_code, party_id = (_header(request, f"OCPI-{side}-{name}").upper() for name in _ROUTING)
    return country_code, party_id


def _json_of(request: HttpRequest, *, leniently: bool) -> Any:
    if request.content_type not in ("application/json", ""):
        raise OcpiError(Status.CLIENT_ERROR, "The body must be application/json.", http_status=415)
    try:
        return (exact_json.loads_leniently if leniently else exact_json.loads)(request.body)
    except RequestDataTooBig:
        message = f"The body is larger than {exact_json.MAX_BYTES} bytes."
        raise OcpiError(Status.CLIENT_ERROR, message, http_status=413) from None
    except exact_json.UnreadableJson as error:
        raise OcpiError(Status.CLIENT_ERROR, str(error)[:250], http_status=400) from None


def _log(
    request: HttpRequest,
    response: HttpResponse,
    reply: Reply,
    call: Call | None,
    ids: tuple[str, str],
    began: float,
    module: str,
) -> None:
    try:
        told = request.body.decode("utf-8", "replace") if request.method != "GET" else ""
    except (RequestDataTooBig, OSError):
        told = ""
    message_log.keep(
        OcpiMessage(
            connection=call.connection if call else None,
            direction=OcpiMessage.Direction.IN,
            method=(request.method or "")[:8],
            url=request.get_full_path(),
            module=module,
            http_status=response.status_code,
            ocpi_status=reply.status,
            request_id=ids[0],
            correlation_id=ids[1],
            request_body=told,
            response_body=response.content.decode("utf-8", "replace"),
            error=reply.message,
            duration_ms=round((time.perf_counter() - began) * 1000),
        )
    )
