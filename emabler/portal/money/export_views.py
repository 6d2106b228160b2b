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
from payments.reconciliation.books import Period, payments_of

FILE_CHUNK: Final = 64 * 1024
View = Callable[..., HttpResponseBase]
reader = cast(Callable[[View], View], staff)


@reader
@require_safe
def export_csv(request: HttpRequest) -> HttpResponseBase:
    """Send the payments of a period as CSV, while they are being read."""
    period = _wanted(request)
    if period is None:
        return _refused(request)
    chunks = export.rows(period, now=timezone.now())
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
    """Send the payments of a period as XLSX, from a file that is gone afterwards."""
    period = _wanted(request)
    if period is None:
        return _refused(request)
    if payments_of(period).count() > export.MOST_XLSX_ROWS:
        messages.error(request, f"More than {export.MOST_XLSX_ROWS} payments: export them as CSV.")
        return redirect("portal:money-payments")
    file = tempfile.TemporaryFile()  # noqa: SIM115  (closed when it has been sent)
    export.write_xlsx(file, period, now=timezone.now())
    file.seek(0)
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return _named(StreamingHttpResponse(_sent(file), content_type=kind), period, "xlsx")


async def _sent(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while chunk := await sync_to_async(file.read, thread_sensitive=False)(FILE_CHUNK):
            yield chunk


def _wanted(request: HttpRequest) -> Period | None:
    form = BooksFilter(said(request.GET), today=timezone.now().date())
    return form.period() if form.is_valid() else None


def _refused(request: HttpRequest) -> HttpResponse:
    messages.error(request, "The period cannot be read: choose it again.")
    return redirect("portal:money-payments")


def _named(response: StreamingHttpResponse, period: Period, ending: str) -> StreamingHttpResponse:
    name = f"payments-{period.first}-{period.last}.{ending}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response
