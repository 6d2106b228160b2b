"""Every error of the API is a problem document (RFC 9457) with one of the codes below.

Use cases raise words of the trade (payments.errors); this is where they become HTTP.
"""

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, TooManyFieldsSent
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from rest_framework import exceptions
from rest_framework.response import Response

from payments import errors, exact_json
from tariffs.engine.money import money_string

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
RETRY_SECONDS = 1

# code: HTTP status, and the title that says it to a person.
CODES: dict[str, tuple[int, str]] = {
    "invalid_body": (400, "The body is not what this request needs"),
    "invalid_query": (400, "A query parameter is not what this request needs"),
    "idempotency_key_missing": (400, "The Idempotency-Key header is missing"),
    "unauthorized": (401, "The API key is missing, unknown or revoked"),
    "not_found": (404, "There is no such thing, or it is not yours"),
    "method_not_allowed": (405, "This method is not allowed here"),
    "connector_unavailable": (409, "The connector cannot start a session now"),
    "in_progress": (409, "The same request is being worked on"),
    "wrong_state": (409, "The payment's state has no room for this"),
    "too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "The body must be application/json"),
    "idempotency_conflict": (422, "This key, reference or id was used before with another body"),
    "unknown_quote": (422, "No such quote was given for this connector"),
    "quote_expired": (422, "The quote is no longer valid"),
    "amount_too_low": (422, "The held amount is below the minimum"),
    "currency_mismatch": (422, "The hold is in another currency than the price"),
    "rate_limited": (429, "Too many requests"),
    "internal_error": (500, "Something went wrong on our side"),
    "unavailable": (503, "We cannot work on requests right now"),
}


class Problem(Exception):
    """An answer that is not the one hoped for."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        status: int | None = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail or code)
        self.code = code
        self.status = status or CODES[code][0]
        self.headers = headers or {}
        self.body = problem_body(code, detail, status=self.status, **more)


def problem_body(code: str, detail: str = "", *, status: int | None = None, **more: Any) -> dict[str, Any]:
    """Return the members of a problem document."""
    usual_status, title = CODES[code]
    return {
        "type": f"urn:emabler:problem:{code}",
        "title": title,
        "status": status or usual_status,
        "code": code,
        "detail": detail or f"{title}.",
        **more,
    }


def invalid(code: str, path: str, kind: str, message: str) -> Problem:
    """Return the problem of one wrong field or parameter."""
    return Problem(code, f"{path}: {message}", errors=[{"path": path, "code": kind, "message": message}])


def answer(problem: Problem) -> HttpResponse:
    """Return the problem as a plain Django response, for views outside the framework."""
    body = exact_json.dumps(problem.body)
    return HttpResponse(body, status=problem.status, content_type=CONTENT_TYPE, headers=problem.headers)


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """Answer any exception of a view with its problem document (DRF exception handler)."""
    problem = as_problem(error)
    return Response(problem.body, status=problem.status, headers=problem.headers, content_type=CONTENT_TYPE)


def as_problem(error: Exception) -> Problem:
    """Translate an exception; what nobody foresaw is logged and told without its inside."""
    if isinstance(error, Problem):
        return error
    for kind, translate in _TRANSLATIONS.items():
        if isinstance(error, kind):
            return translate(error)
    logger.error("unforeseen error in the terminal API", exc_info=error)
    return Problem("internal_error")


def _invalid_body(error: Any) -> Problem:
    faults = list(_faults("", error.detail))
    first = faults[0] if faults else {"path": "", "message": ""}
    return Problem("invalid_body", f"{first['path']}: {first['message']}", errors=faults)


def _faults(path: str, detail: Any) -> list[dict[str, str]]:
    """Flatten DRF's nested error details into a list of path, code and message."""
    if isinstance(detail, dict):
        parts = [(_join(path, str(name)), part) for name, part in detail.items()]
        return [fault for name, part in parts for fault in _faults(name, part)]
    if isinstance(detail, list):
        return [fault for part in detail for fault in _faults(path, part)]
    return [{"path": path, "code": detail.code, "message": str(detail)}]


def _join(path: str, name: str) -> str:
    if name == "non_field_errors":
        return path
    if name.isdigit():
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else name


def _throttled(error: Any) -> Problem:
    return Problem("rate_limited", headers={"Retry-After": str(max(1, round(error.wait or RETRY_SECONDS)))})


def _unavailable(error: Exception) -> Problem:
    logger.warning("the database could not be asked: %s", error)
    return Problem("unavailable", headers={"Retry-After": str(RETRY_SECONDS)})


def _too_low(error: Any) -> Problem:
    minimum = money_string(error.minimum_minor, error.currency)
    return Problem(
        "amount_too_low", f"At least {minimum} {error.currency} must be held.", minimum_amount=minimum
    )


def _unauthorized(_: Exception) -> Problem:
    return Problem("unauthorized", headers={"WWW-Authenticate": 'Bearer realm="ptp"'})


def _method(error: Any) -> Problem:
    return Problem("method_not_allowed", str(error.detail))


_TRANSLATIONS: dict[type[Exception], Callable[[Any], Problem]] = {
    exceptions.ValidationError: _invalid_body,
    exceptions.ParseError: lambda error: Problem("invalid_body", str(error.detail)),
    exceptions.NotAuthenticated: _unauthorized,
    exceptions.AuthenticationFailed: _unauthorized,
    exceptions.Throttled: _throttled,
    exceptions.MethodNotAllowed: _method,
    exceptions.UnsupportedMediaType: lambda error: Problem("unsupported_media_type"),
    exceptions.NotFound: lambda error: Problem("not_found"),
    exceptions.PermissionDenied: lambda error: Problem("not_found"),
    PermissionDenied: lambda error: Problem("not_found"),
    Http404: lambda error: Problem("not_found"),
    TooManyFieldsSent: lambda error: Problem("invalid_query", "The query has too many parameters."),
    # The database restarts, or is too busy: whatever it was, nothing of it is stored.
    OperationalError: _unavailable,
    InterfaceError: _unavailable,
    errors.UnknownQuote: lambda error: Problem("unknown_quote", str(error)),
    errors.QuoteExpired: lambda error: Problem("quote_expired", str(error)),
    errors.AmountTooLow: _too_low,
    errors.CurrencyMismatch: lambda error: Problem(
        "currency_mismatch", f"The price is in {error.expected}.", expected=error.expected
    ),
    errors.IdempotencyConflict: lambda error: Problem("idempotency_conflict", str(error)),
    errors.InProgress: lambda error: Problem(
        "in_progress", str(error), headers={"Retry-After": str(RETRY_SECONDS)}
    ),
    errors.WrongState: lambda error: Problem("wrong_state", str(error)),
}
assert all(HTTPStatus(status) for status, _ in CODES.values())
