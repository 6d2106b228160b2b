"""Pages of the message log. All staff may look; the bodies were redacted when they were stored."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from emabler.portal.ocpi.filters import LogFilter, query_of, said
from emabler.portal.ocpi.log import CONVERSATION_SHOWN, conversation, exchange, log_page
from emabler.portal.views import staff
from payments.models import OcpiMessage

OPENED = 6  # a short conversation shows what was said at once
LONGEST_ID = 64  # OcpiMessage.correlation_id


@staff
@require_safe
def log(request: HttpRequest) -> HttpResponse:
    """Show the newest messages that the filter lets through."""
    form = LogFilter(said(request.GET))
    form.is_valid()  # a filter that cannot be read says so, and does not filter
    before, after = request.GET.get("before", ""), request.GET.get("after", "")
    page = log_page(form.cleaned_data, before=before, after=after)
    context = {"here": "ocpi", "tab": "log", "form": form, "page": page, "query": query_of(form)}
    return render(request, "portal/ocpi_log.html", context)


@staff
@require_safe
def message(request: HttpRequest, message_pk: int) -> HttpResponse:
    """Show one message with its bodies."""
    try:
        found = exchange(message_pk)
    except OcpiMessage.DoesNotExist:
        raise Http404 from None
    context = {"here": "ocpi", "tab": "log", "exchanges": [found], "message": found.line, "opened": True}
    return render(request, "portal/ocpi_conversation.html", context)


@staff
@require_safe
def one_conversation(request: HttpRequest) -> HttpResponse:
    """Show the messages of one correlation id in order."""
    correlation_id = request.GET.get("id", "").replace("\0", "")[:LONGEST_ID]
    exchanges = conversation(correlation_id) if correlation_id else []
    if not exchanges:
        raise Http404
    context = {
        "here": "ocpi",
        "tab": "log",
        "exchanges": exchanges,
        "correlation_id": correlation_id,
        "opened": len(exchanges) <= OPENED,
        "full": len(exchanges) == CONVERSATION_SHOWN,
    }
    return render(request, "portal/ocpi_conversation.html", context)
