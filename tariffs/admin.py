"""Tariffs in the admin: what each says and every version, to read. Tariffs are changed by saving a version."""

from __future__ import annotations

import json

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tariffs.models import Tariff, TariffVersion
from tariffs.price_text import price_lines, terms_text


class TariffVersionInline(admin.TabularInline):
    """The history of a tariff, newest first."""

    model = TariffVersion
    fields = ("number", "created_at", "what_drivers_see")
    readonly_fields = fields
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Tariff | None = None) -> bool:
        """Versions come from saving a tariff, not from a form."""
        return False

    @admin.display(description="what drivers see")
    def what_drivers_see(self, version: TariffVersion) -> SafeString:
        """The price lines and terms of that version."""
        return _shown(version)


@admin.register(Tariff)
class TariffAdmin(admin.ModelAdmin):
    """List and switch tariffs; read what they say."""

    list_display = ("tariff_id", "country_code", "party_id", "type", "currency", "active")
    list_filter = ("active", "type", "currency")
    search_fields = ("tariff_id",)
    readonly_fields = ("country_code", "party_id", "tariff_id", "type", "currency", "created_at")
    inlines = (TariffVersionInline,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A tariff needs terms, which this form cannot take."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Tariff | None = None) -> bool:
        """A tariff is switched off, not deleted: sessions were sold on it."""
        return False


@admin.register(TariffVersion)
class TariffVersionAdmin(admin.ModelAdmin):
    """Read one frozen version."""

    list_display = ("tariff", "number", "created_at")
    list_filter = ("created_at",)
    search_fields = ("tariff__tariff_id",)
    list_select_related = ("tariff",)
    fields = ("tariff", "number", "created_at", "what_drivers_see", "document_text")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Versions come from saving a tariff."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: TariffVersion | None = None) -> bool:
        """A version is frozen."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: TariffVersion | None = None) -> bool:
        """A version is frozen."""
        return False

    @admin.display(description="what drivers see")
    def what_drivers_see(self, version: TariffVersion) -> SafeString:
        """The price lines and terms."""
        return _shown(version)

    @admin.display(description="document")
    def document_text(self, version: TariffVersion) -> SafeString:
        """The stored document, indented."""
        return format_html("<pre>{}</pre>", json.dumps(version.document, indent=2, ensure_ascii=False))


def _shown(version: TariffVersion) -> SafeString:
    terms = version.terms()
    lines = [line.text for line in price_lines(terms, "en")]
    return format_html("<pre>{}</pre>", "\n".join([*lines, terms_text(terms, "en")]).strip())
