"""The API description (OpenAPI 3.1) and its page, which works offline and under our strict CSP."""

import functools
import threading
from collections.abc import Iterable
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings
from drf_spectacular.utils import OpenApiResponse, OpenApiWebhook, extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from payments.ptp_api import shapes

PREFIX = "/api/ptp/v1/"

DESCRIPTION = """
The native API of payment terminals: price, start, follow, stop, settle, receipt.

**Who is who.** The PTP (payment terminal provider) preauthorises and captures at its PSP; this API tells it
what to capture, exactly once per hold. A key (`Authorization: Bearer <key>`) speaks for a PTP, or for one
terminal of it; a PTP sees its own things only, everything else is `not_found`.

**One payment.** `GET connectors` → `GET connectors/{id}/quote` (show `price_lines` and `terms`) → the driver
taps, the terminal holds `preauthorize_amount` → `POST sessions` → follow with `GET sessions/{id}`, its event
stream or webhooks → `POST …/stop` or the cable is pulled → `GET …/settlement` or `settlements?status=due`:
`CAPTURE` (with the amount) or `RELEASE` → capture at the PSP, then `POST …/capture` or `POST …/release`.
What our staff give back comes as `refunds?status=due`: refund it at the PSP, then `POST refunds/{id}/confirm`.

**Amounts** are decimal strings in major units (`"12.30"`) with a currency; a JSON number is refused. Energy is
in Wh, power in W, times are RFC 3339 in UTC. **Lists** are `{"items": […], "next": null}`; `next` is the URL of
the next page. **Errors** are `application/problem+json` with a `code`: those named
with each request, `method_not_allowed` (405), `internal_error` (500) and `unavailable` (503): ours; ask again.

**Names** of `status` and `payment_status` are the states of the session and the payment. **Webhooks** carry
the same shapes; whatever a webhook tells, polling tells too. New members may be added to answers at any time.
"""

EVENTS = {
    "operationId": "follow_session",
    "tags": ["Sessions"],
    "description": (
        "The session as server-sent events (WHATWG HTML §9.2): `session` at once and on each change, `end` "
        "when session and payment are final, then the stream closes; the data of both is the session. "
        "A comment every 15 s keeps the line open. A stream is ended after an hour; connect again."
    ),
    "parameters": [
        {
            "in": "path",
            "name": "session_id",
            "required": True,
            "schema": {"type": "string", "format": "uuid"},
        }
    ],
    "security": [{"key": []}],
    "responses": {
        "200": {
            "description": "The stream.",
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "example": 'event: session\ndata: {"id":"…","status":"CHARGING"}\n\n',
                }
            },
        },
        "401": {"$ref": "#/components/responses/Problem"},
        "404": {"$ref": "#/components/responses/Problem"},
        "429": {"$ref": "#/components/responses/Problem"},
    },
}


class SessionUpdated(serializers.Serializer):
    """Something about a session changed; the newest state."""

    event_id = serializers.CharField(help_text="Stable over retries; also in X-Emabler-Delivery.")
    event = serializers.ChoiceField(choices=["session.updated"])
    created_at = serializers.DateTimeField()
    data = shapes.SessionShape()  # type: ignore[assignment]


class SettlementDue(serializers.Serializer):
    """A hold is to be captured or released."""

    event_id = serializers.CharField(help_text="Stable over retries; also in X-Emabler-Delivery.")
    event = serializers.ChoiceField(choices=["settlement.due"])
    created_at = serializers.DateTimeField()
    data = shapes.SettlementShape()  # type: ignore[assignment]


class RefundDue(serializers.Serializer):
    """Something that was captured is to be given back."""

    event_id = serializers.CharField(help_text="Stable over retries; also in X-Emabler-Delivery.")
    event = serializers.ChoiceField(choices=["refund.due"])
    created_at = serializers.DateTimeField()
    data = shapes.RefundShape()  # type: ignore[assignment]


WEBHOOK_RULES = """
POST to the PTP's webhook URL, at least once, retried with growing waits for 72 hours; any 2xx is a yes, 410 ends
it for good, everything else is retried. Redirects are not followed. Several changes may come as one message
with the newest state.

Headers: `X-Emabler-Event` (the name), `X-Emabler-Delivery` (the same over retries: ignore one you know),
`X-Emabler-Signature: t=<unix seconds>,v1=<hex>`, where `v1` is HMAC-SHA256 under the shared secret over
`<t>.<body>`, byte for byte. Refuse a wrong signature, and a `t` that is more than five minutes off.
"""

_TAKEN = {"2XX": OpenApiResponse(description="Taken."), 410: OpenApiResponse(description="Never again.")}


def _webhook(name: str, summary: str, body: type) -> OpenApiWebhook:
    described = extend_schema(
        operation_id=name.replace(".", "_"),
        summary=summary,
        description=WEBHOOK_RULES,
        tags=["Webhooks"],
        request={"application/json": body},
        responses=_TAKEN,
    )
    return OpenApiWebhook(name=name, decorator=described)


session_updated = _webhook("session.updated", "A session changed", SessionUpdated)
settlement_due = _webhook("settlement.due", "A hold is to be captured or released", SettlementDue)

refund_due = _webhook("refund.due", "Something is to be given back", RefundDue)


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How a key is sent."""

    target_class = "payments.ptp_api.authentication.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the security scheme."""
        return {"type": "http", "scheme": "bearer", "description": "API key of a PTP or of one terminal."}


def only_terminal_api(endpoints: Iterable[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Leave other doors (OCPI) out of this description."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith(PREFIX)]


def add_events(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Describe what the framework cannot see: the event stream."""
    result["paths"][f"{PREFIX}sessions/{{session_id}}/events"] = {"get": EVENTS}
    components = result["components"]
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemShape"}}}
    components["responses"] = {"Problem": {"description": "A problem document.", "content": problem}}
    return result


_HERE = "payments.ptp_api.openapi"
SETTINGS = {
    "OAS_VERSION": "3.1.1",
    "DESCRIPTION": DESCRIPTION,
    "WEBHOOKS": [f"{_HERE}.session_updated", f"{_HERE}.settlement_due", f"{_HERE}.refund_due"],
    "PREPROCESSING_HOOKS": [f"{_HERE}.only_terminal_api"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        f"{_HERE}.add_events",
    ],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "TAGS": [{"name": name} for name in ("Before the tap", "Sessions", "Settlement", "Terminal", "Webhooks")],
}

_drawing = threading.Lock()  # the generator's settings are global while it works


@functools.cache
def _drawn() -> dict[str, Any]:
    with patched_settings(SETTINGS):
        schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
        return schema


def description() -> dict[str, Any]:
    """Return the OpenAPI document; it is drawn once per process, as it only changes with the code."""
    with _drawing:
        return _drawn()


class SchemaView(SpectacularAPIView):
    """The description as YAML, or JSON with `?format=json`; public, as it tells nobody's business."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the description."""
        return Response(description())


class DocsView(SpectacularSwaggerSplitView):
    """The description as a page; everything it loads comes from here."""

    url_name = "api-schema"
    template_name = "payments/api_docs.html"
