"""Pages of the outbox. All staff may look; `payments.change_outboxmessage` may send again and give up."""

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from emabler.portal.ocpi import outbox_acts, words
from emabler.portal.ocpi.filters import OutboxFilter, query_of, said
from emabler.portal.ocpi.forms import ReasonForm
from emabler.portal.ocpi.outbox import outbox_page
from emabler.portal.views import staff
from payments.models import OutboxMessage, Ptp

View = Callable[..., HttpResponse]
may_send: Callable[[View], View] = permission_required("payments.change_outboxmessage", raise_exception=True)


@staff
@require_safe
def outbox(request: HttpRequest) -> HttpResponse:
    """Show what PTPs must still be told, and what was given up."""
    form = OutboxFilter(said(request.GET))
    form.is_valid()  # a filter that cannot be read says so, and does not filter
    context = {
        "here": "ocpi",
        "tab": "outbox",
        "form": form,
        "page": outbox_page(form.cleaned_data, before=request.GET.get("before", ""), now=timezone.now()),
        "query": query_of(form),
        "chosen_ptp": form.cleaned_data.get("ptp"),
        "back": request.get_full_path(),
    }
    return render(request, "portal/ocpi_outbox.html", context)


@staff
@may_send
@require_POST
def send_again(request: HttpRequest, message_pk: uuid.UUID) -> HttpResponse:
    """Send one message again."""
    try:
        message = outbox_acts.send_again(message_pk, user=request.user, now=timezone.now())
    except OutboxMessage.DoesNotExist:
        raise Http404 from None
    messages.success(request, f"{words.topic(message.topic)} for {message.ptp} is on its way.")
    return _back(request)


@staff
@may_send
@require_POST
def send_all_again(request: HttpRequest, ptp_pk: int) -> HttpResponse:
    """Send again what waits for one PTP and what was given up."""
    try:
        ptp, count = outbox_acts.send_all_again(ptp_pk, user=request.user, now=timezone.now())
    except Ptp.DoesNotExist:
        raise Http404 from None
    sent = "1 message is" if count == 1 else f"{count} messages are"
    messages.success(request, f"{sent} on the way to {ptp}.")
    return _back(request)


@staff
@may_send
@require_POST
def give_up(request: HttpRequest, message_pk: uuid.UUID) -> HttpResponse:
    """Send one message no more."""
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Say why, so that others understand it later.")
        return _back(request)
    reason = " ".join(form.cleaned_data["reason"].split())
    try:
        given_up = outbox_acts.give_up(message_pk, reason, user=request.user, now=timezone.now())
    except OutboxMessage.DoesNotExist:
        raise Http404 from None
    if given_up:
        messages.success(request, "It is given up. News of the same thing is sent all the same.")
    else:
        messages.error(request, "It no longer waits, or is being sent right now. Look again in a minute.")
    return _back(request)


def _back(request: HttpRequest) -> HttpResponse:
    """Return to the page of the outbox that was shown, and nowhere else."""
    back, home = request.POST.get("back", ""), reverse("portal:ocpi-outbox")
    ours = url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return redirect(back if ours and back.split("?")[0] == home else home)
