"""The API description of every endpoint: parameters, bodies, answers, errors."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from payments.ptp_api import shapes
from payments.ptp_api.bodies import CaptureBody, HeartbeatBody, StartBody
from payments.ptp_api.problems import CODES, CONTENT_TYPE

_TERMINAL = OpenApiParameter(
    "terminal_id", str, description="May be left out when the key is limited to one terminal."
)
_LANGUAGE = OpenApiParameter(
    "lang", str, description="ISO 639-1. Default: the first language of the terminal, else English."
)
_CURSOR = OpenApiParameter("cursor", str, description="From `next` of the page before.")
_EVERYWHERE = ("unauthorized", "rate_limited")


def _problems(*codes: str) -> dict[tuple[int, str], OpenApiResponse]:
    """Return the documented error answers, one per HTTP status."""
    by_status: dict[int, list[str]] = {}
    for code in (*codes, *_EVERYWHERE):
        by_status.setdefault(CODES[code][0], []).append(code)
    return {
        (status, CONTENT_TYPE): _problem(*names, unavailable="connector_unavailable" in names)
        for status, names in sorted(by_status.items())
    }


def _problem(*codes: str, unavailable: bool = False) -> OpenApiResponse:
    text = "; ".join(f"`{code}`: {CODES[code][1]}" for code in codes)
    return OpenApiResponse(shapes.UnavailableShape if unavailable else shapes.ProblemShape, description=text)


def _answers(answers: dict[int, type], **problems: Any) -> dict[Any, Any]:
    return {(status, "application/json"): shape for status, shape in answers.items()} | problems["problems"]


connectors = extend_schema(
    operation_id="list_connectors",
    tags=["Before the tap"],
    parameters=[_TERMINAL, _LANGUAGE, _CURSOR],
    responses=_answers({200: shapes.ConnectorList}, problems=_problems("invalid_query", "not_found")),
)
quote = extend_schema(
    operation_id="get_quote",
    tags=["Before the tap"],
    parameters=[_TERMINAL, _LANGUAGE],
    responses=_answers({200: shapes.QuoteShape}, problems=_problems("invalid_query", "not_found")),
)
start = extend_schema(
    operation_id="start_session",
    tags=["Sessions"],
    description=(
        "Start a session for an approved preauthorisation. The same `Idempotency-Key` or the same "
        "`authorization_reference` with the same body gets the stored answer, whatever happened since; with "
        "another body it is refused (`idempotency_conflict`). `connector_unavailable` is an answer too: the "
        "session is stored as REJECTED and the hold must be released."
    ),
    parameters=[
        OpenApiParameter(
            "Idempotency-Key",
            str,
            OpenApiParameter.HEADER,
            required=True,
            description="1 to 255 visible ASCII characters, fresh for each tap.",
        )
    ],
    request=StartBody,
    responses=_answers(
        {202: shapes.StartedShape},
        problems=_problems(
            "invalid_body",
            "idempotency_key_missing",
            "not_found",
            "too_large",
            "unsupported_media_type",
            "idempotency_conflict",
            "unknown_quote",
            "quote_expired",
            "amount_too_low",
            "currency_mismatch",
            "connector_unavailable",
            "in_progress",
        ),
    ),
)
session = extend_schema(
    operation_id="get_session",
    tags=["Sessions"],
    responses=_answers({200: shapes.SessionShape}, problems=_problems("not_found")),
)
stop = extend_schema(
    operation_id="stop_session",
    tags=["Sessions"],
    request=None,
    description="Ask a session to end: 202 while the charger is being asked, 200 once it is over.",
    responses=_answers({200: shapes.SessionShape, 202: shapes.SessionShape}, problems=_problems("not_found")),
)
settlements = extend_schema(
    operation_id="list_settlements",
    tags=["Settlement"],
    parameters=[
        OpenApiParameter("status", str, required=True, enum=["due"], description="What to list."),
        OpenApiParameter("terminal_id", str, description="Only of this terminal."),
        _CURSOR,
    ],
    responses=_answers({200: shapes.SettlementList}, problems=_problems("invalid_query", "not_found")),
)
settlement = extend_schema(
    operation_id="get_settlement",
    tags=["Settlement"],
    responses=_answers({200: shapes.SettlementShape}, problems=_problems("not_found")),
)
capture = extend_schema(
    operation_id="report_capture",
    tags=["Settlement"],
    description=(
        "Tell what became of the capture. A repeat is answered 200, the same `confirmation_id` with another "
        "content 409. A confirmation that does not add up (more than due, another currency) is stored and "
        "flagged in `review`; it does not move the payment."
    ),
    request=CaptureBody,
    responses=_answers(
        {200: shapes.SettlementShape},
        problems=_problems("invalid_body", "not_found", "too_large", "unsupported_media_type")
        | {(409, CONTENT_TYPE): _problem("idempotency_conflict")},
    ),
)
release = extend_schema(
    operation_id="report_release",
    tags=["Settlement"],
    description="Tell that the hold was dropped. A repeat is answered 200.",
    request=None,
    responses=_answers({200: shapes.SettlementShape}, problems=_problems("not_found", "wrong_state")),
)
refunds = extend_schema(
    operation_id="list_refunds",
    tags=["Settlement"],
    description="What is to be given back, oldest first, until you tell that it is done. One per payment at a time.",
    parameters=[
        OpenApiParameter("status", str, required=True, enum=["due"], description="What to list."),
        _CURSOR,
    ],
    responses=_answers({200: shapes.RefundList}, problems=_problems("invalid_query", "not_found")),
)
confirm_refund = extend_schema(
    operation_id="report_refund",
    tags=["Settlement"],
    description="Tell that the money went back. A repeat is answered 200.",
    request=None,
    responses=_answers({200: shapes.RefundShape}, problems=_problems("not_found")),
)
receipts = extend_schema(
    operation_id="list_receipts",
    tags=["Terminal"],
    description="What was settled at the terminal in the last 24 hours, newest first.",
    parameters=[
        _TERMINAL,
        OpenApiParameter("since", str, description="RFC 3339 with offset; at most 24 hours back."),
        _CURSOR,
    ],
    responses=_answers({200: shapes.ReceiptList}, problems=_problems("invalid_query", "not_found")),
)
heartbeat = extend_schema(
    operation_id="heartbeat",
    tags=["Terminal"],
    request=HeartbeatBody,
    responses=_answers({200: shapes.HeartbeatShape}, problems=_problems("invalid_body", "not_found")),
)
