"""What platforms were given piece by piece, so that the next push can be the least that is needed."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from payments.models.ocpi import OcpiConnection


class OcpiPush(models.Model):
    """What a platform was last given of one thing: of a session, say, in order to patch it."""

    class Kind(models.TextChoices):
        SESSION = "SESSION", "a Session, by its payment"
        CDR = "CDR", "a CDR, by its id"
        SITE = "SITE", "a Location with the states of its EVSEs"
        TARIFF = "TARIFF", "a Tariff"
        TERMINAL = "TERMINAL", "our fields of a Terminal"
        LOOK = "LOOK", "when we last looked for changes to tell"

    connection = models.ForeignKey(OcpiConnection, on_delete=models.CASCADE, related_name="pushes")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    subject = models.CharField(max_length=64, blank=True, help_text="id of the row that it is about")
    state = models.JSONField(default=dict, help_text="what the platform has")
    pushed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "OCPI push"
        verbose_name_plural = "OCPI pushes"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["connection", "kind", "subject"], name="ocpi_push_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"
