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


class Receipt(models.Model):
    """The numbered, frozen document of a settled payment; its total is the CDR's."""

    payment = models.OneToOneField(Payment, on_delete=models.PROTECT, related_name="receipt")
    seller = models.CharField(max_length=64)
    year = models.PositiveIntegerField()
    number = models.PositiveIntegerField()
    issued_at = models.DateTimeField()
    document = models.JSONField(help_text="seller, lines, VAT, totals as printed; never changed")
    pdf = models.BinaryField(null=True, blank=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["seller", "year", "number"], name="receipt_numbered_once")
        ]
        ordering: ClassVar = ["-year", "-number"]

    def __str__(self) -> str:
        return self.full_number

    @property
    def full_number(self) -> str:
        """The number as printed, `2026-000042`."""
        return f"{self.year}-{self.number:06d}"
