"""How bodies come in and go out: strict JSON, one representation, problems as problem documents."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from payments import exact_json
from payments.ptp_api import problems
from payments.ptp_api.authentication import Caller, KeyAuthentication
from payments.ptp_api.problems import Problem
from payments.ptp_api.throttling import KeyThrottle


class StrictJsonParser(BaseParser):
    """Reads a JSON object of at most 256 KiB."""

    media_type = "application/json"

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the object. Raises ParseError, Problem too_large."""
        raw = stream.read(exact_json.MAX_BYTES + 1)
        if len(raw) > exact_json.MAX_BYTES:
            raise Problem("too_large", f"At most {exact_json.MAX_BYTES} bytes.")
        try:
            value = exact_json.loads(raw)
        except exact_json.UnreadableJson as error:
            raise ParseError(str(error)) from None
        if not isinstance(value, dict):
            raise ParseError("The body must be a JSON object.")
        return value


class ExactJsonRenderer(BaseRenderer):
    """Writes JSON; a Decimal (in OCPI objects) becomes a number digit by digit."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        """Return the body."""
        return b"" if data is None else exact_json.dumps(data).encode()


class OneRepresentation(BaseContentNegotiation):
    """There is one representation of everything; a terminal's Accept header changes nothing."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Return the JSON parser when the body is JSON, None (415) otherwise."""
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        return parsers[0] if media_type == "application/json" else None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """Return the JSON renderer."""
        return renderers[0], renderers[0].media_type


class PtpView(APIView):
    """Base of every view of the terminal API."""

    authentication_classes = (KeyAuthentication,)
    throttle_classes = (KeyThrottle,)
    parser_classes = (StrictJsonParser,)
    renderer_classes = (ExactJsonRenderer,)
    content_negotiation_class = OneRepresentation

    def get_exception_handler(self) -> Any:
        """Answer errors as problem documents."""
        return problems.handle

    @property
    def caller(self) -> Caller:
        """Who calls."""
        caller: Caller = self.request.user  # type: ignore[assignment]
        return caller

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        """Keep answers out of caches: they are one PTP's business, and they change."""
        final: Response = super().finalize_response(request, response, *args, **kwargs)
        final["Cache-Control"] = "no-store"
        return final


@extend_schema(exclude=True)
class NothingHereView(PtpView):
    """Every other path: a problem document, not a page."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer not_found, whatever is asked and whoever asks."""
        return problems.answer(Problem("not_found", "There is no such path."))
