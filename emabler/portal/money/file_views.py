"""Settlement files of PTPs: what was imported, what is wrong with a file, how a PTP names its columns."""

from typing import Any, Final

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import F
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from emabler.portal.money import words
from emabler.portal.money.act_views import may_decide
from emabler.portal.money.forms import ColumnsForm, ReasonForm, UploadForm
from emabler.portal.ocpi.words import when
from emabler.portal.views import staff
from payments.models import Ptp, SettlementFile, SettlementLine
from payments.reconciliation import files as settlement_files
from payments.reconciliation import inbox, settlement_csv
from payments.reconciliation.files import AlreadyImported, AlreadyWithdrawn
from payments.reconciliation.settlement_csv import Unreadable

FILES_SHOWN: Final = 50
LINES_SHOWN: Final = 100


@staff
@require_http_methods(["GET", "HEAD", "POST"])
def files(request: HttpRequest) -> HttpResponse:
    """List the files that were imported, and import one."""
    if request.method == "POST":
        return _import(request)
    return render(request, "portal/money_files.html", _files_context(request, UploadForm()))


@may_decide
def _import(request: HttpRequest) -> HttpResponse:
    form = UploadForm(request.POST, request.FILES)
    unreadable = None
    if form.is_valid():
        ptp, file = form.cleaned_data["ptp"], form.cleaned_data["file"]
        actor = request.user.get_username()
        try:
            stored = settlement_files.import_file(
                ptp, file.name, file.read(), actor=actor, now=timezone.now()
            )
        except AlreadyImported as known:
            form.add_error("file", str(known))
        except Unreadable as problem:
            unreadable = problem
        else:
            messages.success(request, f"{stored.line_count} lines imported.")
            return redirect("portal:money-file", stored.pk)
    context = {**_files_context(request, form), "unreadable": unreadable}
    return render(request, "portal/money_files.html", context, status=422)


def _files_context(request: HttpRequest, form: UploadForm) -> dict[str, Any]:
    page = Paginator(SettlementFile.objects.select_related("ptp"), FILES_SHOWN).get_page(
        request.GET.get("page")
    )
    rows = [
        {
            "pk": file.pk,
            "name": file.name,
            "ptp": file.ptp.name,
            "lines": file.line_count,
            "imported": when(file.imported_at),
            "by": file.imported_by,
            "withdrawn": file.withdrawn_at is not None,
        }
        for file in page
    ]
    return {
        **_place(),
        "form": form,
        "rows": rows,
        "page": page,
        "ptps": Ptp.objects.order_by("name"),
        "columns": settlement_csv.COLUMNS,
        "needed": settlement_csv.NEEDED,
    }


@staff
@require_safe
def file(request: HttpRequest, file_id: int) -> HttpResponse:
    """Show one file with its lines, those that name no payment of ours first."""
    found = SettlementFile.objects.select_related("ptp").filter(pk=file_id).first()
    if found is None:
        raise Http404
    lines = found.lines.select_related("payment").order_by(F("payment").asc(nulls_first=True), "number")
    page = Paginator(lines, LINES_SHOWN).get_page(request.GET.get("page"))
    context = {
        **_place(),
        "file": found,
        "page": page,
        "rows": [_line(line) for line in page],
        "imported": when(found.imported_at),
        "orphans": found.lines.filter(payment=None).count(),
        "reason_form": ReasonForm(auto_id="reason_%s"),
    }
    return render(request, "portal/money_file.html", context)


def _line(line: SettlementLine) -> dict[str, Any]:
    return {
        "pk": line.pk,
        "number": line.number,
        "reference": line.reference,
        "amount": words.money(line.amount_minor, line.currency),
        "fee": "–" if line.fee_minor is None else words.money(line.fee_minor, line.currency),
        "captured": when(line.captured_at, "–"),
        "payout": line.payout_id,
        "payment": line.payment,
        "closed": line.closed_at is not None,
    }


@staff
@may_decide
@require_POST
def withdraw(request: HttpRequest, file_id: int) -> HttpResponse:
    """Let a file count no more."""
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Say why, so that others understand it later.")
        return redirect("portal:money-file", file_id)
    facts = {"actor": request.user.get_username(), "reason": form.cleaned_data["reason"]}
    try:
        settlement_files.withdraw(file_id, now=timezone.now(), **facts)
    except SettlementFile.DoesNotExist:
        raise Http404 from None
    except AlreadyWithdrawn:
        messages.success(request, "It counts no more already.")
    else:
        messages.success(request, "It counts no more; it may be imported again.")
    return redirect("portal:money-file", file_id)


@staff
@may_decide
@require_http_methods(["GET", "HEAD", "POST"])
def columns(request: HttpRequest, ptp_id: int) -> HttpResponse:
    """Say how a PTP names the columns of its files."""
    ptp = Ptp.objects.filter(pk=ptp_id).first()
    if ptp is None:
        raise Http404
    form = ColumnsForm(request.POST or None, columns=settlement_files.columns_of(ptp))
    if request.method == "POST" and form.is_valid():
        actor = request.user.get_username()
        settlement_files.name_columns(ptp, form.cleaned_data, actor=actor, now=timezone.now())
        messages.success(request, f"The columns of {ptp.name} are named.")
        return redirect("portal:money-files")
    context = {**_place(), "form": form, "ptp": ptp}
    return render(request, "portal/money_columns.html", context)


def _place() -> dict[str, Any]:
    return {"here": "money", "tab": "files", "waiting": sum(inbox.counts().values())}
