"""Exports of a period, streamed: the whole of it is never in memory, and no worker thread waits for the reader."""

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from typing import IO, Final, cast

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_safe

from emabler.portal.money.forms import BooksFilter
from emabler.portal.ocpi.filters import said
from emabler.portal.views import staff
from payments.reconciliation import export
from payments.reconciliation.books import Period, latest_day, payments_of

FILE_CHUNK: Final = 64 * 1024
View = Callable[..., HttpResponseBase]
reader = cast(Callable[[View], View], staff)


@reader
@require_safe
def export_csv(request: HttpRequest) -> HttpResponseBase:
    """Send the payments that the filter shows as CSV, while they are being read."""
    form = _wanted(request)
    if form is None:
        return _refused(request)
    period = form.period()
    chunks = export.rows(period, now=timezone.now(), **_stands(form))
    response = StreamingHttpResponse(_csv(chunks), content_type="text/csv; charset=utf-8")
    return _named(response, period, "csv")


async def _csv(chunks: Iterator[list[export.Row]]) -> AsyncIterator[bytes]:
    def following() -> list[export.Row] | None:
        return next(chunks, None)

    yield export.csv_header().encode()
    while (chunk := await sync_to_async(following, thread_sensitive=True)()) is not None:
        yield export.csv_text(chunk).encode()


@reader
@require_safe
def export_xlsx(request: HttpRequest) -> HttpResponseBase:
    """Send the payments that the filter shows as XLSX, from a file that is gone afterwards."""
    form = _wanted(request)
    if form is None:
        return _refused(request)
    period = form.period()
    if payments_of(period).count() > export.MOST_XLSX_ROWS:
        messages.error(request, f"More than {export.MOST_XLSX_ROWS} payments: export them as CSV.")
        return redirect("portal:money-payments")
    file = tempfile.TemporaryFile()  # noqa: SIM115  (closed when it has been sent)
    export.write_xlsx(file, period, now=timezone.now(), **_stands(form))
    file.seek(0)
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return _named(StreamingHttpResponse(_sent(file), content_type=kind), period, "xlsx")


async def _sent(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while chunk := await sync_to_async(file.read, thread_sensitive=False)(FILE_CHUNK):
            yield chunk


def _wanted(request: HttpRequest) -> BooksFilter | None:
    form = BooksFilter(said(request.GET), today=latest_day(timezone.now()))
    return form if form.is_valid() else None


def _stands(form: BooksFilter) -> dict[str, str]:
    return {name: form.cleaned_data[name] for name in ("standing", "age")}


def _refused(request: HttpRequest) -> HttpResponse:
    messages.error(request, "The period cannot be read: choose it again.")
    return redirect("portal:money-payments")


def _named(response: StreamingHttpResponse, period: Period, ending: str) -> StreamingHttpResponse:
    name = f"payments-{period.first}-{period.last}.{ending}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response
