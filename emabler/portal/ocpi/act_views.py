"""The page before something is done with a platform, and the doing. Long calls run in the request, bounded."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from emabler.portal.ocpi import changes, words
from emabler.portal.ocpi.acts import ACTS, Act, Failed, can_be_done
from emabler.portal.ocpi.views import found, invitation, may_change
from emabler.portal.views import staff
from payments.models import OcpiConnection


@staff
@may_change
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def act(request: HttpRequest, connection_pk: int, slug: str) -> HttpResponse:
    """Explain what would be done (GET), or do it (POST)."""
    connection, chosen = found(connection_pk), ACTS.get(slug)
    if chosen is None:
        raise Http404
    if not can_be_done(chosen, connection):
        messages.error(request, f"“{chosen.title}” cannot be done now. {words.state(connection)[1]}")
        return redirect("portal:ocpi-connection", connection_pk)
    form = chosen.form(request.POST or None) if chosen.form else None
    context = {"here": "ocpi", "connection": connection, "act": chosen, "form": form}
    if request.method == "POST" and (form is None or form.is_valid()):
        said = form.cleaned_data if form else {}
        try:
            return _done(request, connection, chosen, said)
        except Failed as failed:
            changes.journal(connection, request.user, f"{chosen.title}: failed. {failed}"[:1000])
            context["failure"] = str(failed)
    return render(request, "portal/ocpi_act.html", context)


def _done(
    request: HttpRequest, connection: OcpiConnection, chosen: Act, said: dict[str, str]
) -> HttpResponse:
    result = chosen.do(connection, said, timezone.now())
    changes.journal(connection, request.user, f"{chosen.title}: {result.says}"[:1000])
    if result.token:
        return invitation(request, connection, result.token)
    messages.success(request, result.says)
    return redirect("portal:ocpi-connection", connection.pk)
