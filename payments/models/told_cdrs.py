"""CDRs as platforms of PTPs are told them over OCPI."""

import uuid
from typing import ClassVar

from django.db import models

from payments.models.ocpi import OcpiConnection
from payments.models.payments import Payment


class ToldCdr(models.Model):
    """A CDR under the id by which its platform knows it, and the `last_updated` that it bears for ever.

    The stamp is given after the CDR was committed, and never earlier than that of the one before: a platform
    that asks for what is new since its last look misses none.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, help_text="OCPI CDR id")
    connection = models.ForeignKey(OcpiConnection, on_delete=models.CASCADE, related_name="told_cdrs")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="told_cdrs")
    cdr = models.OneToOneField(
        "sessions_app.CDR",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="told",
        help_text="empty: it costs nothing and only lets the hold go",
    )
    told_at = models.DateTimeField()
    with_invoice = models.BooleanField(
        null=True, editable=False, help_text="whether it names our receipt; empty before 2026-11"
    )

    class Meta:
        verbose_name = "told CDR"
        indexes: ClassVar = [models.Index(fields=["connection", "told_at"], name="told_cdr_by_connection")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["payment"], condition=models.Q(cdr__isnull=True), name="told_cdr_one_release"
            )
        ]

    def __str__(self) -> str:
        return str(self.pk)
