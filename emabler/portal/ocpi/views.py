"""Pages of OCPI connections. All staff may look; `payments.change_ocpiconnection` may change."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from emabler.portal.ocpi import changes
from emabler.portal.ocpi.acts import offered
from emabler.portal.ocpi.forms import CONNECT, ContractForm, NewConnectionForm, SettingsForm, party_of
from emabler.portal.ocpi.pages import connection_list, connection_page
from emabler.portal.views import staff
from payments.models import Contract, OcpiConnection
from payments.ocpi.connections import invite, prepare, versions_url

REFRESH_SECONDS = 10
HERE = {"here": "ocpi"}
View = Callable[..., HttpResponse]
may_change: Callable[[View], View] = permission_required(
    "payments.change_ocpiconnection", raise_exception=True
)


def found(connection_pk: int) -> OcpiConnection:
    """Return the connection. Raises Http404."""
    connection = OcpiConnection.objects.select_related("ptp").filter(pk=connection_pk).first()
    if connection is None:
        raise Http404
    return connection


@staff
@require_safe
def connections(request: HttpRequest) -> HttpResponse:
    """List the connections."""
    page, rows = connection_list(request.GET.get("page"), timezone.now())
    context = {**HERE, "page": page, "rows": rows, "refresh_seconds": REFRESH_SECONDS}
    part = request.GET.get("part") == "live"
    return render(
        request, "portal/_ocpi_connections.html" if part else "portal/ocpi_connections.html", context
    )


@staff
@require_safe
def connection(request: HttpRequest, connection_pk: int) -> HttpResponse:
    """Show one connection."""
    return _shown(request, found(connection_pk))


def _shown(
    request: HttpRequest,
    connection: OcpiConnection,
    *,
    settings: SettingsForm | None = None,
    contract: ContractForm | None = None,
) -> HttpResponse:
    context = {
        **HERE,
        "page": connection_page(connection, request.GET.get("page"), timezone.now()),
        "settings": settings or SettingsForm(instance=connection),
        "contract": contract or ContractForm(connection=connection),
        "acts": offered(connection),
    }
    return render(request, "portal/ocpi_connection.html", context)


@staff
@may_change
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def new_connection(request: HttpRequest) -> HttpResponse:
    """Create a connection and show its invitation, this once."""
    form = NewConnectionForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return render(request, "portal/ocpi_new.html", {**HERE, "form": form})
    said = form.cleaned_data
    who = {name: said[name] for name in ("name", "country_code", "party_id", "role")}
    ours = party_of(said["our_party"])
    if said["begin"] == CONNECT:
        made = prepare(**who, our_party=ours)
        changes.journal(made, request.user, "Created in the portal.", created=True)
        return redirect("portal:ocpi-act", made.pk, "connect")
    made, token = invite(**who, our_party=ours, now=timezone.now())
    changes.journal(made, request.user, "Created in the portal and invited.", created=True)
    return invitation(request, made, token)


def invitation(request: HttpRequest, connection: OcpiConnection, token: str) -> HttpResponse:
    """Show what the platform needs to register. It is in this answer alone, which the caller lets nobody keep."""
    context = {**HERE, "connection": connection, "token": token, "versions_url": versions_url()}
    return render(request, "portal/ocpi_invitation.html", context)


@staff
@may_change
@require_POST
def change_settings(request: HttpRequest, connection_pk: int) -> HttpResponse:
    """Store how the platform wants things."""
    connection = found(connection_pk)
    form = SettingsForm(request.POST, instance=connection)
    if not form.is_valid():
        messages.error(request, "Not saved: see what the settings say below.")
        return _shown(request, found(connection_pk), settings=form)
    changed = changes.save_settings(form, user=request.user)
    messages.success(request, "The settings are saved." if changed else "Nothing changed.")
    return redirect("portal:ocpi-connection", connection_pk)


@staff
@may_change
@require_POST
def add_contract(request: HttpRequest, connection_pk: int) -> HttpResponse:
    """Add a contract."""
    connection = found(connection_pk)
    form = ContractForm(request.POST, connection=connection)
    if not form.is_valid():
        return _shown(request, connection, contract=form)
    said = form.cleaned_data
    changes.add_contract(connection, said["customer_reference"], said["party"], user=request.user)
    messages.success(request, f"Contract {said['customer_reference']} is added.")
    return redirect("portal:ocpi-connection", connection_pk)


@staff
@may_change
@require_POST
def remove_contract(request: HttpRequest, connection_pk: int, contract_pk: int) -> HttpResponse:
    """Remove a contract."""
    connection = found(connection_pk)
    try:
        removed = changes.remove_contract(connection, contract_pk, user=request.user)
    except Contract.DoesNotExist:
        messages.error(request, "That contract was removed already.")
    else:
        messages.success(request, f"Contract {removed.customer_reference} is removed.")
    return redirect("portal:ocpi-connection", connection_pk)
