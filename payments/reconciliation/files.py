"""Import a PTP's settlement file: all of its lines or none, each given to the payment that its reference names.

What the files say of a payment is compared with the books afterwards (comparing.py).
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q

from payments.models import (
    Confirmation,
    Decision,
    Payment,
    Ptp,
    SettlementFile,
    SettlementFormat,
    SettlementLine,
)
from payments.reconciliation import comparing, settlement_csv
from payments.reconciliation.settlement_csv import COLUMNS, Line
from sessions_app.wakeups import wake

BATCH = 1000
NAME_LENGTH = 200


class AlreadyImported(Exception):
    """The same bytes were imported before and still count; `file` is what they became."""

    def __init__(self, file: SettlementFile) -> None:
        super().__init__(f"This file was imported before, on {file.imported_at:%Y-%m-%d %H:%M} UTC.")
        self.file = file


class AlreadyWithdrawn(Exception):
    """The file counts no more already."""


def columns_of(ptp: Ptp) -> dict[str, str]:
    """Return how this PTP names our columns; what it does not name has our name."""
    found = SettlementFormat.objects.filter(ptp=ptp).first()
    return (
        {column: found.columns.get(column) or column for column in COLUMNS}
        if found
        else {c: c for c in COLUMNS}
    )


def name_columns(ptp: Ptp, columns: dict[str, str], *, actor: str, now: datetime) -> None:
    """Let a PTP's files name their columns in its own way."""
    named = {column: columns[column].strip() for column in COLUMNS if columns.get(column, "").strip()}
    with transaction.atomic():
        SettlementFormat.objects.update_or_create(ptp=ptp, defaults={"columns": named})
        Decision.objects.create(
            at=now, act=Decision.Act.FORMAT_CHANGED, actor=actor, subject=f"ptp:{ptp.pk}", data=named
        )


def import_file(ptp: Ptp, name: str, raw: bytes, *, actor: str, now: datetime) -> SettlementFile:
    """Store a file with its lines. Raises settlement_csv.Unreadable and AlreadyImported; then nothing is stored."""
    digest = hashlib.sha256(raw).hexdigest()
    _refuse_repeat(ptp, digest)
    lines = settlement_csv.read(raw, columns_of(ptp))
    payments = _payments_of(ptp, {line.reference for line in lines})
    try:
        with transaction.atomic():
            file = SettlementFile.objects.create(
                ptp=ptp,
                name=name[-NAME_LENGTH:],
                sha256=digest,
                line_count=len(lines),
                imported_at=now,
                imported_by=actor,
            )
            rows = (_row(file, line, payments) for line in lines)
            SettlementLine.objects.bulk_create(rows, batch_size=BATCH)
            _note(file, Decision.Act.FILE_IMPORTED, actor=actor, now=now)
            wake(comparing.TASK)
    except IntegrityError:
        _refuse_repeat(ptp, digest)  # somebody else imported it in the same moment
        raise
    return file


def _refuse_repeat(ptp: Ptp, digest: str) -> None:
    known = SettlementFile.objects.filter(ptp=ptp, sha256=digest, withdrawn_at=None).first()
    if known is not None:
        raise AlreadyImported(known)


def _row(file: SettlementFile, line: Line, payments: dict[str, Payment]) -> SettlementLine:
    return SettlementLine(
        file=file,
        number=line.number,
        payment=payments.get(line.reference),
        reference=line.reference,
        amount_minor=line.amount_minor,
        currency=line.currency,
        fee_minor=line.fee_minor,
        captured_at=line.captured_at,
        payout_id=line.payout_id,
    )


def _payments_of(ptp: Ptp, references: set[str]) -> dict[str, Payment]:
    """Return the PTP's payments by what a file may call them: the hold's name, or that of a confirmation."""
    found: dict[str, Payment] = {}
    for chunk in _chunks(sorted(references)):
        told = Confirmation.objects.filter(ptp=ptp, confirmation_id__in=chunk, payment__isnull=False)
        for confirmation in told.select_related("payment"):
            assert confirmation.payment is not None
            found[confirmation.confirmation_id] = confirmation.payment
        for payment in Payment.objects.filter(ptp=ptp, authorization_reference__in=chunk):
            found[payment.authorization_reference] = payment  # the hold's own name wins
    return found


def _chunks(names: list[str]) -> Iterable[list[str]]:
    return (names[start : start + BATCH] for start in range(0, len(names), BATCH))


def withdraw(file_id: int, *, actor: str, reason: str, now: datetime) -> SettlementFile:
    """Let a file count no more; it stays as evidence. Raises SettlementFile.DoesNotExist, AlreadyWithdrawn."""
    with transaction.atomic():
        file = SettlementFile.objects.select_for_update(of=("self",)).select_related("ptp").get(pk=file_id)
        if file.withdrawn_at is not None:
            raise AlreadyWithdrawn
        file.withdrawn_at, file.withdrawn_by, file.withdrawn_because = now, actor, reason
        file.save(update_fields=["withdrawn_at", "withdrawn_by", "withdrawn_because"])
        _note(file, Decision.Act.FILE_WITHDRAWN, actor=actor, now=now, reason=reason)
        comparing.again(Q(file=file, payment__isnull=False))
    return file


def _note(file: SettlementFile, act: Decision.Act, *, actor: str, now: datetime, reason: str = "") -> None:
    data = {"ptp": file.ptp.name, "name": file.name, "lines": file.line_count, "sha256": file.sha256}
    Decision.objects.create(at=now, act=act, actor=actor, reason=reason, subject=f"file:{file.pk}", data=data)
