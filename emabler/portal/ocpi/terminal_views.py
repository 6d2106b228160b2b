"""Pages of one terminal. All staff may look; `payments.change_ocpiconnection` may change."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from emabler.portal.ocpi import changes
from emabler.portal.ocpi.forms import TerminalContractForm
from emabler.portal.ocpi.terminals import chosen, terminal_page
from emabler.portal.ocpi.views import HERE, found, may_change
from emabler.portal.views import staff
from payments.models import OcpiConnection, Terminal
from payments.ocpi.enrolment import party_of
from payments.ocpi.push import terminals as push
from payments.outbound import CallFailed

QUERY_LENGTH = 60
SWITCH_OFF = {
    "title": "Switch off",
    "button": "Ask the PTP to switch it off",
    "explains": (
        "The PTP is asked to deactivate the terminal: nothing can be sold at it any more. Sessions that run go on "
        "and are settled. To use it again, activate it by its reference; it is back once the PTP has sent it."
    ),
    "tone": "danger",
}


@staff
@require_safe
def terminal(request: HttpRequest, connection_pk: int, terminal_pk: int) -> HttpResponse:
    """Show one terminal and what it sells."""
    query = " ".join(request.GET.get("q", "").replace("\0", "").split())[:QUERY_LENGTH]
    try:
        page = terminal_page(connection_pk, terminal_pk, query, timezone.now())
    except (OcpiConnection.DoesNotExist, Terminal.DoesNotExist):
        raise Http404 from None
    contract = TerminalContractForm(connection=page.connection, initial={"contract": page.contract_pk})
    return render(request, "portal/ocpi_terminal.html", {**HERE, "page": page, "contract": contract})


@staff
@may_change
@require_POST
def assign(request: HttpRequest, connection_pk: int, terminal_pk: int) -> HttpResponse:
    """Assign sites and EVSEs to a terminal."""
    party = party_of(*_terminal_of(connection_pk, terminal_pk))
    if party is None:
        messages.error(request, "It names a contract that is not known here. Add the contract first.")
        return redirect("portal:ocpi-terminal", connection_pk, terminal_pk)
    sites, evses = chosen(request.POST.getlist("place"))
    count = changes.assign(terminal_pk, sites, evses, of=party, user=request.user)
    return _assigned(request, connection_pk, terminal_pk, count, "It sells at {} more now.")


@staff
@may_change
@require_POST
def unassign(request: HttpRequest, connection_pk: int, terminal_pk: int) -> HttpResponse:
    """Take sites and EVSEs from a terminal."""
    _terminal_of(connection_pk, terminal_pk)
    sites, evses = chosen(request.POST.getlist("place"))
    count = changes.unassign(terminal_pk, sites, evses, user=request.user)
    return _assigned(request, connection_pk, terminal_pk, count, "It no longer sells at {}.")


@staff
@may_change
@require_POST
def name_contract(request: HttpRequest, connection_pk: int, terminal_pk: int) -> HttpResponse:
    """Let a terminal belong to a contract of its platform, or to none."""
    _, connection = _terminal_of(connection_pk, terminal_pk)
    form = TerminalContractForm(request.POST, connection=connection)
    if not form.is_valid():
        messages.error(request, "That contract does not exist any more.")
        return redirect("portal:ocpi-terminal", connection_pk, terminal_pk)
    contract = form.cleaned_data["contract"]
    reference = contract.customer_reference if contract else ""
    changed = changes.name_contract(terminal_pk, reference, user=request.user)
    messages.success(request, "Its contract is changed; the PTP is told." if changed else "Nothing changed.")
    return redirect("portal:ocpi-terminal", connection_pk, terminal_pk)


@staff
@may_change
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def switch_off(request: HttpRequest, connection_pk: int, terminal_pk: int) -> HttpResponse:
    """Explain what switching a terminal off means (GET), or ask the PTP to do it (POST)."""
    terminal, connection = _terminal_of(connection_pk, terminal_pk)
    context = {**HERE, "connection": connection, "terminal": terminal, "act": SWITCH_OFF}
    if request.method == "POST":
        try:
            push.deactivate(terminal, now=timezone.now())
        except CallFailed as failed:
            changes.journal(terminal, request.user, f"Switching off failed. {failed}"[:1000])
            context["failure"] = f"It is still in use: {failed}"
        else:
            changes.journal(terminal, request.user, "Switched off at the PTP.")
            messages.success(request, f"{terminal.terminal_id} is switched off.")
            return redirect("portal:ocpi-terminal", connection_pk, terminal_pk)
    return render(request, "portal/ocpi_act.html", context)


def _terminal_of(connection_pk: int, terminal_pk: int) -> tuple[Terminal, OcpiConnection]:
    connection = found(connection_pk)
    terminal = Terminal.objects.filter(pk=terminal_pk, ptp=connection.ptp_id).first()
    if terminal is None:
        raise Http404
    return terminal, connection


def _assigned(
    request: HttpRequest, connection_pk: int, terminal_pk: int, count: int, news: str
) -> HttpResponse:
    if count:
        messages.success(request, news.format("1 place" if count == 1 else f"{count} places"))
    else:
        messages.error(request, "Choose sites or EVSEs first.")
    return redirect("portal:ocpi-terminal", connection_pk, terminal_pk)
