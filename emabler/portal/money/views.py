"""Pages about money, to read. All staff may look; deciding is in act_views.py."""

import uuid
from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from emabler.portal.money import words
from emabler.portal.money.forms import AcceptForm, BooksFilter, ReasonForm, RefundForm
from emabler.portal.money.payment_page import find_payment, payment_page
from emabler.portal.money.review import candidates, inbox_page, item_row
from emabler.portal.money.review import page_of as page_of_item
from emabler.portal.money.settlements import chosen, found_by, page_of
from emabler.portal.money.settlements import settlements as settlements_of
from emabler.portal.ocpi.filters import query_of, said
from emabler.portal.views import staff
from payments.models import Payment
from payments.reconciliation import inbox
from payments.reconciliation.books import Position, TooMuch, latest_day, positions
from payments.reconciliation.inbox import Item, Kind
from payments.reconciliation.summary import summarise

LONGEST_SEARCH: Final = 64
TOO_MUCH: Final = "Too many payments for one look. Choose a shorter period, one PTP or one terminal."


@staff
@require_safe
def settlements(request: HttpRequest) -> HttpResponse:
    """Show a period: sums by standing, by age, by day and terminal."""
    form, found = _books(request, brief=True)
    query = {name: str(value) for name, value in form.data.items() if value and name in form.fields}
    context = {
        **_place(request, ""),
        "form": form,
        "books": settlements_of(summarise(found), _whole(form, query)),
        "query": query_of(form),
        "period": form.period(),
    }
    return render(request, "portal/money_settlements.html", context)


@staff
@require_safe
def payments(request: HttpRequest) -> HttpResponse:
    """List the payments of a period by standing and age, or those that a search finds."""
    search = " ".join(request.GET.get("q", "").replace("\0", "").split())[:LONGEST_SEARCH]
    if search:
        rows = found_by(search, now=timezone.now())
        form = BooksFilter({}, today=latest_day(timezone.now()))
        form.is_valid()
        context = {"form": form, "rows": rows, "search": search}
        return render(request, "portal/money_payments.html", {**_place(request, "payments"), **context})
    form, found = _books(request)
    wanted = chosen(found, form.cleaned_data.get("standing", ""), form.cleaned_data.get("age", ""))
    page, rows = page_of(wanted, request.GET.get("page"))
    context = {"form": form, "rows": rows, "page": page, "query": query_of(form), "count": len(wanted)}
    return render(request, "portal/money_payments.html", {**_place(request, "payments"), **context})


@staff
@require_safe
def payment(request: HttpRequest, payment_id: uuid.UUID) -> HttpResponse:
    """Show one payment with its whole story."""
    try:
        found = find_payment(payment_id)
    except Payment.DoesNotExist:
        raise Http404 from None
    return render(request, "portal/money_payment.html", payment_context(request, found))


def payment_context(
    request: HttpRequest,
    found: Payment,
    *,
    refund: RefundForm | None = None,
    accept: AcceptForm | None = None,
) -> dict[str, Any]:
    """Return what the page of a payment shows, with a form that was not taken."""
    page = payment_page(found, user=request.user, now=timezone.now())
    return {
        **_place(request, "payments"),
        "page": page,
        "accept_form": accept or AcceptForm(payment=found, found=page.evidence),
        "refund_form": refund or RefundForm(payment=found),
        "reason_form": ReasonForm(auto_id="reason_%s"),
        "refund_failed": refund is not None,
    }


@staff
@require_safe
def review(request: HttpRequest) -> HttpResponse:
    """Show what waits for a person."""
    kind = kind_of(request.GET.get("kind", "")) if request.GET.get("kind") else None
    context = {"inbox": inbox_page(kind, now=timezone.now()), "kind": kind, "back": request.get_full_path()}
    return render(request, "portal/money_review.html", {**_place(request, "review"), **context})


@staff
@require_safe
def item(request: HttpRequest, kind: str, key: str) -> HttpResponse:
    """Show one item of the inbox that no payment's page shows: an orphan, or a message about something else."""
    found = inbox.find_item(kind_of(kind), key)
    if found is None:
        messages.success(request, "It does not wait any more.")
        return redirect("portal:money-review")
    if found.payment is not None:
        return redirect(page_of_item(found))
    search = " ".join(request.GET.get("q", "").replace("\0", "").split())[:LONGEST_SEARCH]
    return render(request, "portal/money_item.html", item_context(request, found, search))


def item_context(request: HttpRequest, found: Item, search: str, **more: Any) -> dict[str, Any]:
    """Return what the page of an item shows."""
    orphan = found.kind in (Kind.CONFIRMATION, Kind.LINE)
    return {
        **_place(request, "review"),
        "item": found,
        "row": item_row(found, timezone.now()),
        "help": words.HELP[found.act],
        "orphan": orphan,
        "candidates": candidates(found.row, search) if orphan else [],
        "search": search,
        "reason_form": ReasonForm(auto_id="reason_%s"),
        **more,
    }


def kind_of(text: str) -> Kind:
    """Return a kind by its name. Raises Http404."""
    try:
        return Kind(text)
    except ValueError:
        raise Http404 from None


def _place(request: HttpRequest, tab: str) -> dict[str, Any]:
    """Return what the frame of every page about money shows. Six queries, to count what waits."""
    return {"here": "money", "tab": tab, "waiting": sum(inbox.counts().values())}


def _books(request: HttpRequest, *, brief: bool = False) -> tuple[BooksFilter, list[Position]]:
    """Return the filter, which says what it could not read, and the positions of its period."""
    form = BooksFilter(said(request.GET), today=latest_day(timezone.now()), brief=brief)
    if not form.is_valid():
        return form, []
    try:
        return form, positions(form.period(), now=timezone.now())
    except TooMuch:
        form.add_error(None, TOO_MUCH)
        return form, []


def _whole(form: BooksFilter, query: dict[str, str]) -> dict[str, str]:
    """Name the period also where it was not entered, so that a link shows the same one tomorrow."""
    period = form.period()
    return {**query, "first": period.first.isoformat(), "last": period.last.isoformat()}
