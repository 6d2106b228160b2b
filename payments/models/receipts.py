"""Numbered receipts, and the counters that number them without a gap."""

from typing import ClassVar

from django.db import models

from payments.models.payments import Payment


class ReceiptCounter(models.Model):
    """The last receipt number of a seller in a year; its row lock makes numbers gapless."""

    seller = models.CharField(max_length=64)
    year = models.PositiveIntegerField()
    last_number = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["seller", "year"], name="receipt_counter_once")
        ]

    def __str__(self) -> str:
        return f"{self.seller} {self.year}: {self.last_number}"


class Numbered(models.Model):
    """A document with a number of its seller's yearly series; receipts and credit notes share the series."""

    seller = models.CharField(max_length=64)
    year = models.PositiveIntegerField()
    number = models.PositiveIntegerField()
    issued_at = models.DateTimeField()
    document = models.JSONField(help_text="seller, lines, VAT, totals as printed; never changed")
    pdf = models.BinaryField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True
        ordering: ClassVar = ["-year", "-number"]

    def __str__(self) -> str:
        return self.full_number

    @property
    def full_number(self) -> str:
        """The number as printed, `2026-000042`."""
        return f"{self.year}-{self.number:06d}"


class Receipt(Numbered):
    """The numbered, frozen document of a settled payment; its total is the CDR's."""

    payment = models.OneToOneField(Payment, on_delete=models.PROTECT, related_name="receipt")

    class Meta(Numbered.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["seller", "year", "number"], name="receipt_numbered_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["issued_at"], condition=models.Q(pdf__isnull=True), name="receipt_undrawn")
        ]


class CreditNote(Numbered):
    """The numbered, frozen document of a refund; it corrects a receipt, which stays as it is."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="credit_notes")
    cdr = models.OneToOneField("sessions_app.CDR", on_delete=models.PROTECT, related_name="credit_note")
    actor = models.CharField(max_length=150, help_text="who gave it back")
    reason = models.CharField(max_length=200)

    class Meta(Numbered.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["seller", "year", "number"], name="credit_note_numbered_once")
        ]
