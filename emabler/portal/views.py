"""Pages of the portal; they read, translate and ask. Staff only."""

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import user_passes_test
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from emabler.portal.overview import overview as read_overview
from emabler.portal.session_page import session_page
from sessions_app import lifecycle
from sessions_app.errors import NothingToStop
from sessions_app.models import Session
from sessions_app.states import StopReason

REFRESH_SECONDS = 5
ACTOR_LENGTH = 150  # SessionEvent.actor

View = Callable[..., HttpResponse]
staff: Callable[[View], View] = user_passes_test(
    lambda user: user.is_active and user.is_staff, login_url="portal:login"
)


@staff
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show what stands where and what happens now."""
    context = {
        "overview": read_overview(timezone.now()),
        "refresh_seconds": REFRESH_SECONDS,
        "here": "overview",
    }
    part = request.GET.get("part") == "live"
    return render(request, "portal/_overview.html" if part else "portal/overview.html", context)


@staff
@require_safe
def session(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Show one session and its payment."""
    try:
        page = session_page(session_id, timezone.now())
    except Session.DoesNotExist:
        raise Http404 from None
    context = {"page": page, "refresh_seconds": REFRESH_SECONDS, "live": not page.session.is_over}
    part = request.GET.get("part") == "live"
    return render(request, "portal/_session.html" if part else "portal/session.html", context)


@staff
@require_POST
def stop(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Ask the charger to stop, in the name of the one who is signed in."""
    reason = " ".join(request.POST.get("reason", "").split())
    if not reason:
        messages.error(request, "Say why, so that others understand it later.")
        return redirect("portal:session", session_id)
    actor = f"{request.user.get_username()}: {reason}"[:ACTOR_LENGTH]
    try:
        lifecycle.request_stop(session_id, reason=StopReason.OPERATOR, actor=actor, now=timezone.now())
        messages.success(request, "The charger was asked to stop.")
    except NothingToStop:
        messages.success(request, "The session is over already.")
    except Session.DoesNotExist:
        raise Http404 from None
    return redirect("portal:session", session_id)
