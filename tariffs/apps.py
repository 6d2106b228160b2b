"""The tariff room as a Django app."""

from django.apps import AppConfig


class TariffsConfig(AppConfig):
    """Tariffs and their versions."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "tariffs"
    verbose_name = "Tariffs"
