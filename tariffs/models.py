"""Tariffs of the CPO and every version they ever had. A version never changes: sessions refer to it."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models

from tariffs.engine import terms
from tariffs.engine.document import from_document
from tariffs.engine.errors import TariffError


class VersionIsFrozen(TariffError):
    """A tariff version cannot be changed or deleted: sessions were sold on it."""


class Tariff(models.Model):
    """A tariff under its OCPI identity; what it says is in its versions."""

    country_code = models.CharField(max_length=2)
    party_id = models.CharField(max_length=3)
    tariff_id = models.CharField("tariff id", max_length=36)
    type = models.CharField(
        max_length=20, blank=True, choices=[(kind.value, kind.value) for kind in terms.TariffType]
    )
    currency = models.CharField(max_length=3)
    active = models.BooleanField(default=True, help_text="Offered to drivers and to terminal providers.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("country_code", "party_id", "tariff_id")
        constraints = (
            models.UniqueConstraint(
                fields=("country_code", "party_id", "tariff_id"), name="one_tariff_per_ocpi_identity"
            ),
        )

    def __str__(self) -> str:
        return f"{self.tariff_id} ({self.country_code}*{self.party_id})"

    @property
    def current_version(self) -> TariffVersion | None:
        """The version that a new session gets, `None` before the first one is saved."""
        return self.versions.order_by("-number").first()

    def terms(self) -> terms.Tariff:
        """What the tariff says now. Raises `TariffVersion.DoesNotExist` before the first version."""
        version = self.current_version
        if version is None:
            raise TariffVersion.DoesNotExist(f"Tariff {self} has no version yet.")
        return version.terms()


class FrozenQuerySet(models.QuerySet["TariffVersion"]):
    """Reads and creates; refuses what would rewrite history."""

    def update(self, **_fields: object) -> NoReturn:
        """Refused. Raises `VersionIsFrozen`."""
        raise VersionIsFrozen(VersionIsFrozen.__doc__)

    def delete(self) -> NoReturn:
        """Refused. Raises `VersionIsFrozen`."""
        raise VersionIsFrozen(VersionIsFrozen.__doc__)


class TariffVersion(models.Model):
    """One frozen state of a tariff: the document that sessions are priced by."""

    tariff = models.ForeignKey(Tariff, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    document = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    objects = FrozenQuerySet.as_manager()

    class Meta:
        ordering = ("tariff", "-number")
        constraints = (
            models.UniqueConstraint(fields=("tariff", "number"), name="one_number_per_tariff_version"),
            models.CheckConstraint(condition=models.Q(number__gte=1), name="tariff_versions_count_from_1"),
        )

    def __str__(self) -> str:
        return f"{self.tariff} version {self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store a new version. Raises `VersionIsFrozen` for one that is stored already."""
        if not self._state.adding:
            raise VersionIsFrozen(VersionIsFrozen.__doc__)
        super().save(*args, **kwargs)

    def delete(self, *_args: object, **_kwargs: object) -> NoReturn:
        """Refused. Raises `VersionIsFrozen`."""
        raise VersionIsFrozen(VersionIsFrozen.__doc__)

    def terms(self) -> terms.Tariff:
        """The frozen terms of this version."""
        return from_document(self.document)
